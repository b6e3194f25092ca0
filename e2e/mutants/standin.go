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
	"slices"
	"strconv"
	"strings"
)

// How a stand-in is told what to do.
const (
	realGo   = "MUTANTS_GO"     // the go command
	original = "MUTANTS_MODULE" // the folder of the module that gremlins copied
	covered  = "MUTANTS_COVERING"
	oneIn    = "MUTANTS_ONE_IN"
)

// notViable is the exit code by which gremlins leaves a mutant out. It takes
// one that does not compile for killed.
const notViable = 2

// standIn is what gremlins calls as `go`. It tries a mutant where the code is, not
// in gremlins' copy of one module, from which neither the other modules nor the
// documents can be found. What tests cover is known before, and only written.
func standIn(args []string) int {
	profile := slices.Index(args, "-coverprofile") + 1
	switch {
	case len(args) > 0 && args[0] == "test" && slices.Contains(args, "-failfast"):
		noticed, err := tryMutant()
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return notViable
		case noticed:
			return 1
		}
		return 0
	case 0 < profile && profile < len(args):
		all, err := readCoverings(os.Getenv(covered))
		if err == nil {
			err = os.WriteFile(args[profile], all.profile(), 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	cmd := exec.Command(os.Getenv(realGo), args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(1, cmd.ProcessState.ExitCode())
	}
	return 0
}

// tryMutant tries the mutant that gremlins made below the working directory. An
// error says that it was not tried.
func tryMutant() (noticed bool, err error) {
	m, err := difference()
	if err != nil {
		return false, err
	}
	hash := sha256.Sum256(m.content)
	if n, _ := strconv.Atoi(os.Getenv(oneIn)); n > 1 && binary.BigEndian.Uint32(hash[:])%uint32(n) != 0 {
		return false, fmt.Errorf("%s is not in the sample", m.file)
	}
	all, err := readCoverings(os.Getenv(covered))
	if err != nil {
		return false, err
	}
	tmp, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(tmp)
	env, err := overlay(tmp, map[string]string{m.original: m.file})
	if err != nil {
		return false, err
	}
	for _, tests := range all {
		if noticed, err := tests.notices(env, tmp, filepath.Base(m.file), m.line); noticed || err != nil {
			return noticed, err
		}
	}
	return false, nil
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

// mutant is a file that gremlins changed.
type mutant struct {
	file, original string
	content        []byte
	line           int
}

// difference finds the file below the working directory that gremlins changed,
// and where. Gremlins prints it anew, with other spaces.
func difference() (m mutant, err error) {
	wd, err := os.Getwd()
	if err != nil {
		return m, err
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
		changed, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		real, err := os.ReadFile(filepath.Join(from, rel))
		if err != nil || bytes.Equal(changed, real) {
			return err
		}
		m = mutant{path, filepath.Join(from, rel), changed, firstChange(real, changed)}
		return fs.SkipAll
	})
	if err == nil && m.file == "" {
		err = fmt.Errorf("nothing is changed in %s", wd)
	}
	return m, err
}

// firstChange is the number of the first line that has other words.
func firstChange(before, after []byte) int {
	was, is := bytes.Split(before, []byte("\n")), bytes.Split(after, []byte("\n"))
	for i := range min(len(was), len(is)) {
		if !slices.EqualFunc(bytes.Fields(was[i]), bytes.Fields(is[i]), bytes.Equal) {
			return i + 1
		}
	}
	return min(len(was), len(is))
}
