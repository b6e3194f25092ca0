package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// How a stand-in is told what to do.
const (
	realGo   = "MUTANTS_GO"     // the go command
	original = "MUTANTS_MODULE" // the folder of the module that gremlins copied
	oneIn    = "MUTANTS_ONE_IN"
)

// notViable is the exit code by which gremlins leaves a mutant out. It takes
// one that does not compile for killed.
const notViable = 2

// standIn is what gremlins calls as `go`. It runs the tests of a mutant where
// the code is, not in gremlins' copy of one module, from which neither the other
// modules nor the documents can be found.
func standIn(args []string) int {
	run := func(dir string, env []string, args ...string) int {
		cmd := exec.Command(os.Getenv(realGo), args...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return max(1, cmd.ProcessState.ExitCode())
		}
		return 0
	}
	if len(args) == 0 || args[0] != "test" || !strings.Contains(strings.Join(args, " "), "-failfast") {
		return run("", os.Environ(), args...)
	}
	mutant, content, err := difference()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return notViable
	}
	hash := sha256.Sum256(content)
	if n, _ := strconv.Atoi(os.Getenv(oneIn)); n > 1 && binary.BigEndian.Uint32(hash[:])%uint32(n) != 0 {
		return notViable
	}
	wd, err := os.Getwd()
	if err != nil {
		return notViable
	}
	dir := filepath.Join(os.Getenv(original), relative(wd))
	tmp, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return notViable
	}
	defer os.RemoveAll(tmp)
	env, err := overlay(tmp, map[string]string{filepath.Join(dir, mutant): filepath.Join(wd, mutant)})
	if err != nil {
		return notViable
	}
	// gremlins guesses the package from its name.
	args[len(args)-1] = "./" + filepath.Dir(mutant)
	if run(dir, env, "build", args[len(args)-1]) != 0 {
		return notViable
	}
	return run(dir, env, args...)
}

// relative is the folder below the copy of the module.
func relative(wd string) string {
	for root := wd; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			rel, _ := filepath.Rel(root, wd)
			return rel
		}
	}
	return "."
}

// difference finds the file below the working directory that gremlins changed,
// and what is in it now.
func difference() (file string, content []byte, err error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", nil, err
	}
	from := filepath.Join(os.Getenv(original), relative(wd))
	err = filepath.WalkDir(wd, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(wd, path)
		if err != nil {
			return err
		}
		mutant, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		real, err := os.ReadFile(filepath.Join(from, rel))
		if err != nil || bytes.Equal(mutant, real) {
			return err
		}
		file, content = rel, mutant
		return fs.SkipAll
	})
	if err == nil && file == "" {
		err = fmt.Errorf("nothing is changed in %s", wd)
	}
	return file, content, err
}
