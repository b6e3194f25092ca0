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
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// testedIn are packages whose tests, or some of them, are those of the package
// that they were taken out of, or serve: by their folders.
var testedIn = map[string]string{
	"internal/profiles": "continuous",
	"internal/page":     "telemetry",
	"internal/alert":    "internal/evidence",
	"internal/promname": "domain",
	"internal/figures":  "telemetry",

	"cmd/latido/internal/cli":  "cmd/latido",
	"cmd/latido/internal/expr": "cmd/latido/internal/check",
}

// covering is what the tests of one package run of the one that is mutated: a
// mutant is tried on those that run its line, the quick ones first.
type covering struct {
	Dir     string                   // of the tests
	Took    map[string]time.Duration // by test, alone
	Lines   map[string][]span        // by file
	Profile []string                 // the lines of a coverage profile of all of them
	Starts  bool                     // processes, of which no profile tells
}

// span is the lines of a file, both ends included, that a test runs.
type span struct {
	From, To int
	Test     string
}

// quick is how long the tests may take together that are run before the others.
const quick = 3 * time.Second

// cover runs each test in dir alone, and writes down what it runs of a package. One
// that fails alone is said and left out: it would notice every mutant.
func cover(ctx context.Context, env []string, dir, pkg, tmp string) (c covering, err error) {
	c = covering{Dir: dir, Took: map[string]time.Duration{}, Lines: map[string][]span{}}
	binary, profile := filepath.Join(tmp, "cover.test"), filepath.Join(tmp, "cover.out")
	if err := runIn(ctx, dir, env, os.Stderr, "go", "test", "-c", "-cover", "-coverpkg", pkg, "-o", binary, "."); err != nil {
		return c, fmt.Errorf("build the tests of %s: %w", dir, err)
	}
	var names bytes.Buffer
	if err := runIn(ctx, dir, env, &names, binary, "-test.list", "^(Test|Example|Fuzz)"); err != nil {
		return c, fmt.Errorf("list the tests of %s: %w", dir, err)
	}
	if c.Starts, err = startsProcesses(dir); err != nil {
		return c, err
	}
	for _, name := range strings.Fields(names.String()) {
		begin := time.Now()
		if err := runIn(ctx, dir, env, io.Discard, binary, "-test.run", "^"+name+"$", "-test.coverprofile", profile); err != nil {
			if ctx.Err() != nil {
				return c, ctx.Err()
			}
			fmt.Printf("  fails alone: %s of %s: %v\n", name, dir, err)
			continue
		}
		c.Took[name] = time.Since(begin)
		if err := c.add(name, profile); err != nil {
			return c, err
		}
	}
	return c, nil
}

// startsProcesses tells whether tests in dir may run code in a process of its own.
func startsProcesses(dir string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return false, err
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("exec.Command")) {
			return true, err
		}
	}
	return false, nil
}

// block is a line of a coverage profile: a part of a file, how many statements it
// has, and how often it was run.
var block = regexp.MustCompile(`([^/]+\.go):(\d+)\.\d+,(\d+)\.\d+ \d+ [1-9]`)

func (c *covering) add(test, profile string) error {
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
			c.Profile = append(c.Profile, lines.Text())
		}
	}
	return os.Remove(profile)
}

// of returns the tests that run a line: those that take no longer than quick
// together, and the rest; and then the others, where a process that they start may
// run it.
func (c covering) of(file string, line int) (first, rest, others []string) {
	var all []string
	for _, s := range c.Lines[file] {
		if s.From <= line && line <= s.To && !slices.Contains(all, s.Test) {
			all = append(all, s.Test)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(c.Took[a], c.Took[b]), cmp.Compare(a, b)) })
	n, sum := 0, time.Duration(0)
	for n < len(all) && sum+c.Took[all[n]] <= quick {
		sum += c.Took[all[n]]
		n++
	}
	if c.Starts && len(all) > 0 {
		others = slices.DeleteFunc(slices.Sorted(maps.Keys(c.Took)), func(test string) bool { return slices.Contains(all, test) })
	}
	return all[:n], all[n:], others
}

// notices compiles the tests, in an environment that has the mutant, and runs
// those that may run a line. It returns true if one of them fails, or takes many
// times as long as it does without the mutant.
func (c covering) notices(env []string, tmp, file string, line int) (bool, error) {
	first, rest, others := c.of(file, line)
	if len(first)+len(rest) == 0 {
		return false, nil
	}
	binary := filepath.Join(tmp, "mutant.test")
	if err := runIn(context.Background(), c.Dir, env, os.Stderr, os.Getenv(realGo), "test", "-c", "-ldflags=-w", "-o", binary, "."); err != nil {
		return false, fmt.Errorf("the mutant does not compile: %w", err)
	}
	for _, tests := range [][]string{first, rest, others} {
		if len(tests) == 0 {
			continue
		}
		limit := 10 * time.Second
		for _, test := range tests {
			limit += 5 * c.Took[test]
		}
		if !pass(c.Dir, env, binary, "-test.failfast", "-test.timeout", limit.String(), "-test.run", "^("+strings.Join(tests, "|")+")$") {
			return true, nil
		}
	}
	return false, nil
}

// pass tells whether tests pass.
func pass(dir string, env []string, binary string, args ...string) bool {
	return runIn(context.Background(), dir, env, os.Stderr, binary, args...) == nil
}

func runIn(ctx context.Context, dir string, env []string, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, out, out
	return cmd.Run()
}

// coverings are those of one package, its own tests first.
type coverings []covering

// coverAll runs the tests that a package has, and those that it has elsewhere.
func coverAll(ctx context.Context, top, dir, tmp string) (all coverings, err error) {
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-vet=off")
	pkg, err := output("go", "-C", filepath.Join(top, dir), "list", ".")
	if err != nil {
		return nil, err
	}
	for _, tests := range []string{dir, testedIn[dir]} {
		if found, err := filepath.Glob(filepath.Join(top, tests, "*_test.go")); err != nil || tests == "" || len(found) == 0 {
			continue
		}
		c, err := cover(ctx, env, filepath.Join(top, tests), strings.TrimSpace(pkg), tmp)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// profile is a coverage profile of all of them, as `go test -coverprofile` writes it.
func (all coverings) profile() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "mode: set")
	for _, c := range all {
		lines := slices.Clone(c.Profile)
		slices.Sort(lines)
		for _, line := range slices.Compact(lines) {
			fmt.Fprintln(&b, line)
		}
	}
	return b.Bytes()
}

func (all coverings) write(path string) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func readCoverings(path string) (all coverings, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(text, &all)
}
