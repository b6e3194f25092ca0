package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// covering is what the tests of one package run: a mutant is tried on those that
// run its line, the quick ones first.
type covering struct {
	Took  map[string]time.Duration // by test, alone
	Lines map[string][]span        // by file of the package
}

// span is the lines of a file, both ends included, that a test runs.
type span struct {
	From, To int
	Test     string
}

// quick is how long the tests may take together that are run before the others.
const quick = 3 * time.Second

// cover runs each test of a package alone, and writes down what it runs. A test
// that fails alone is of no use: it would notice every mutant.
func cover(ctx context.Context, env []string, dir, tmp string) (c covering, err error) {
	c = covering{map[string]time.Duration{}, map[string][]span{}}
	binary, profile := filepath.Join(tmp, "cover.test"), filepath.Join(tmp, "cover.out")
	if err := runIn(ctx, dir, env, os.Stderr, "go", "test", "-c", "-cover", "-o", binary, "."); err != nil {
		return c, fmt.Errorf("build the tests of %s: %w", dir, err)
	}
	var names bytes.Buffer
	if err := runIn(ctx, dir, env, &names, binary, "-test.list", "^(Test|Example|Fuzz)"); err != nil {
		return c, fmt.Errorf("list the tests of %s: %w", dir, err)
	}
	for _, name := range strings.Fields(names.String()) {
		begin := time.Now()
		if err := runIn(ctx, dir, env, io.Discard, binary, "-test.run", "^"+name+"$", "-test.coverprofile", profile); err != nil {
			return c, fmt.Errorf("%s of %s, run alone: %w", name, dir, err)
		}
		c.Took[name] = time.Since(begin)
		if err := c.add(name, profile); err != nil {
			return c, err
		}
	}
	return c, nil
}

// block is a line of a coverage profile: a part of a file, how many statements it
// has, and how often it was run.
var block = regexp.MustCompile(`([^/]+\.go):(\d+)\.\d+,(\d+)\.\d+ \d+ [1-9]`)

func (c covering) add(test, profile string) error {
	text, err := os.ReadFile(profile)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the test left by os.Exit
	}
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if m := block.FindStringSubmatch(lines.Text()); m != nil {
			s := span{Test: test}
			if _, err := fmt.Sscan(m[2]+" "+m[3], &s.From, &s.To); err != nil {
				return err
			}
			c.Lines[m[1]] = append(c.Lines[m[1]], s)
		}
	}
	return os.Remove(profile)
}

// of returns the tests that run a line, all if none is known to: those that take
// no longer than quick together, and the rest.
func (c covering) of(file string, line int) (first, rest []string) {
	var all []string
	for _, s := range c.Lines[file] {
		if s.From <= line && line <= s.To && !slices.Contains(all, s.Test) {
			all = append(all, s.Test)
		}
	}
	if len(all) == 0 {
		for test := range c.Took {
			all = append(all, test)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(c.Took[a], c.Took[b]), cmp.Compare(a, b)) })
	n, sum := 0, time.Duration(0)
	for n < len(all) && sum+c.Took[all[n]] <= quick {
		sum += c.Took[all[n]]
		n++
	}
	return all[:n], all[n:]
}

// try runs the tests of a compiled mutant that run its line. It returns false if
// one of them fails, or takes many times as long as it does without the mutation.
func (c covering) try(dir string, env []string, binary, file string, line int) bool {
	first, rest := c.of(file, line)
	for _, tests := range [][]string{first, rest} {
		if len(tests) == 0 {
			continue
		}
		limit := 10 * time.Second
		for _, test := range tests {
			limit += 5 * c.Took[test]
		}
		if runIn(context.Background(), dir, env, os.Stderr, binary, "-test.failfast", "-test.timeout", limit.String(), "-test.run", "^("+strings.Join(tests, "|")+")$") != nil {
			return false
		}
	}
	return true
}

func runIn(ctx context.Context, dir string, env []string, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, out, out
	return cmd.Run()
}

func (c covering) write(path string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func readCovering(path string) (c covering, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}
