package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/e2e/checkout"
)

// patch is a mutation by hand: one harmful change of the kind that people make.
// Above its first `---` the file says what is left out, and who notices:
//
//	What Shutdown has not sent is lost.
//	noticed by: ./telemetry TestLastPush
type patch struct {
	name, what          string
	module, pkg, notice string
	files               []string
	path                string
}

var (
	noticedBy = regexp.MustCompile(`(?m)^noticed by: (\S+) (\w+)$`)
	touched   = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)$`)
)

// readPatches reads all patches of a folder.
func readPatches(folder string) (all []patch, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.patch"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		p := patch{name: strings.TrimSuffix(filepath.Base(path), ".patch"), path: path}
		p.what, _, _ = strings.Cut(string(text), "\n")
		m := noticedBy.FindSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("%s: write who notices it, before the patch: noticed by: ./package TestName", path)
		}
		p.pkg, p.notice = string(m[1]), string(m[2])
		for _, module := range []string{"cmd/latido", "embedded", "e2e"} {
			if rest, ok := strings.CutPrefix(p.pkg, "./"+module); ok {
				p.module, p.pkg = module, "."+rest
			}
		}
		for _, file := range touched.FindAllSubmatch(text, -1) {
			p.files = append(p.files, string(file[1]))
		}
		all = append(all, p)
	}
	return all, nil
}

// overlaid tells whether the compiler alone can be given the change: not where a
// test reads files, which are generated from what the patch changes.
func (p patch) overlaid() bool {
	return p.module != "e2e" && !slices.ContainsFunc(p.files, func(file string) bool { return filepath.Ext(file) != ".go" })
}

// apply changes the files below dir.
func (p patch) apply(dir string) error {
	cmd := exec.Command("git", "apply", "-C1", p.path)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir)) // the folder is in no repository
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not apply any more: %w\n%s", p.path, err, out)
	}
	return nil
}

// replace writes the changed files of a patch below dir, and returns which files
// of the checkout they stand for.
func (p patch) replace(top, dir string) (map[string]string, error) {
	replace := map[string]string{}
	for _, file := range p.files {
		if err := checkout.CopyFile(top, dir, file); err != nil {
			return nil, err
		}
		replace[filepath.Join(top, file)] = filepath.Join(dir, file)
	}
	return replace, p.apply(dir)
}

var failedTest = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// patches tries each of the named patches, all if none are, and fails if one of
// them is not noticed.
func (c campaign) patches(names []string) error {
	all, err := readPatches(filepath.Join(c.top, "e2e/mutants/by-hand"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var unseen []error
	for _, p := range all {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		if err := c.try(p, dir); err != nil {
			unseen = append(unseen, err)
			fmt.Printf("%-28s LIVES: %s\n", p.name, p.what)
		}
	}
	return errors.Join(unseen...)
}

// change makes the change of a patch below dir. It returns the checkout to test,
// and the environment of the go command.
func (c campaign) change(p patch, dir string) (top string, env []string, err error) {
	if p.overlaid() {
		dir = filepath.Join(dir, p.name)
		replace, err := p.replace(c.top, dir)
		if err != nil {
			return "", nil, err
		}
		env, err = overlay(dir, replace)
		return c.top, env, err
	}
	top = filepath.Join(dir, "checkout") // of all patches, so that only what each changes is compiled
	if err := checkout.Copy(c.top, top); err != nil {
		return "", nil, err
	}
	if err := p.apply(top); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("make", "generate")
	cmd.Dir, cmd.Env = top, append(os.Environ(), "GOWORK=") // of the copy
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("%s: make generate: %w\n%s", p.path, err, out)
	}
	return top, append(os.Environ(), "GOWORK=off", "GOFLAGS=-vet=off"), nil
}

func (c campaign) try(p patch, dir string) error {
	top, env, err := c.change(p, dir)
	if err != nil {
		return err
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = filepath.Join(top, p.module), env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("test", "-run", "^$", p.pkg); err != nil {
		return fmt.Errorf("%s does not compile: %w\n%s", p.path, err, out)
	}
	out, err := run("test", "-count=1", "-timeout", "10m", "-run", "^"+p.notice+"$", p.pkg)
	if err == nil {
		return fmt.Errorf("%s is not noticed by %s", p.path, p.notice)
	}
	if m := failedTest.FindStringSubmatch(out); m != nil {
		fmt.Printf("%-28s noticed by %s\n", p.name, m[1])
		return nil
	}
	if strings.Contains(out, "panic:") || strings.Contains(out, "found unexpected goroutines") {
		fmt.Printf("%-28s noticed by %s, which ends the process\n", p.name, p.notice)
		return nil
	}
	return fmt.Errorf("%s: %w\n%s", p.path, err, out)
}
