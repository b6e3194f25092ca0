package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
)

// modules have the packages that are mutated: what users' services and terminals
// run. Examples are to be read, and the rest are tests.
var modules = []string{".", "cmd/latido", "embedded"}

// least is how much of what is covered must be noticed, in percent: most where a
// user's own code calls.
func least(dir string) float64 {
	if slices.Contains([]string{"domain", "alerting", "continuous", "telemetry"}, dir) {
		return 85
	}
	return 75
}

// tested is a package that has tests: the folder of its module, and its own in
// there.
type tested struct{ module, dir string }

// packages lists the packages that are mutated.
func (c campaign) packages() (all []tested, err error) {
	for _, module := range modules {
		root := filepath.Join(c.top, module)
		cmd := exec.Command("go", "list", "-f", "{{.Dir}}\t{{if or .TestGoFiles .XTestGoFiles}}has tests{{end}}", "./...")
		cmd.Dir, cmd.Env, cmd.Stderr = root, append(os.Environ(), "GOWORK=off"), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", root, err)
		}
		for line := range strings.Lines(string(out)) {
			path, tests, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			dir, err := filepath.Rel(root, path)
			if err != nil {
				return nil, err
			}
			if tests != "" || testedIn[filepath.Join(module, dir)] != "" {
				all = append(all, tested{module, dir})
			}
		}
	}
	return all, nil
}

// report is what came of the mutants of one package.
type report struct{ killed, lived, equivalent, timedOut, uncovered int }

// efficacy is the part of the covered mutants that was noticed, in percent. One
// that hangs is noticed.
func (r report) efficacy() float64 {
	if all := r.killed + r.timedOut + r.lived; all > 0 {
		return 100 * float64(all-r.lived) / float64(all)
	}
	return 100
}

// gremlins mutates packages, all if none are named, and says what lived.
func (c campaign) gremlins(names []string) error {
	ctx := context.Background()
	if c.budget > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.budget)
		defer cancel()
	}
	excused, err := readEquivalent(filepath.Join(c.top, "e2e/mutants/equivalent.txt"))
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "package\tkilled\ttimed out\tlived\tequivalent\tnot covered\tefficacy")
	var failed []string
	packages, err := c.packages()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(packages, func(p tested) bool { return filepath.Join(p.module, p.dir) == name }) {
			return fmt.Errorf("%s is no package with tests, of the modules %s", name, strings.Join(modules, ", "))
		}
	}
	for _, p := range packages {
		dir := filepath.Join(p.module, p.dir)
		if len(names) > 0 && !slices.Contains(names, dir) || ctx.Err() != nil {
			continue
		}
		only, err := c.files(dir)
		if err != nil {
			return err
		}
		if c.changed != "" && len(only) == 0 {
			continue
		}
		fmt.Printf("== %s\n", dir)
		r, err := c.unleash(ctx, p.module, p.dir, only, excused)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %v", dir, err))
			continue
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%.0f %%\n", dir, r.killed, r.timedOut, r.lived, r.equivalent, r.uncovered, r.efficacy())
		if r.efficacy() < least(dir) && c.budget == 0 { // in a part of the time chance decides
			failed = append(failed, fmt.Sprintf("%s: %.0f %% noticed, at least %.0f %% must be", dir, r.efficacy(), least(dir)))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("not enough was noticed, or tried: write a test for each mutant that lived, or a line in equivalent.txt:\n%s", strings.Join(failed, "\n"))
	}
	return nil
}

// files are the changed ones of a package, nil where all are asked for.
func (c campaign) files(dir string) ([]string, error) {
	if c.changed == "" {
		return nil, nil
	}
	out, err := output("git", "-C", c.top, "diff", "--name-only", "--diff-filter=d", "--merge-base", c.changed, "--", dir+"/*.go")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(out), func(path string) bool { return strings.HasSuffix(path, "_test.go") }), nil
}

// verdict is a line of gremlins' output.
var verdict = regexp.MustCompile(`^\s*(KILLED|LIVED|TIMED OUT|NOT COVERED|NOT VIABLE|SKIPPED) (\w+) at (.+):(\d+):(\d+)`)

// unleash runs gremlins over one package, and says what lived as it comes:
// gremlins says nothing in the end if it is stopped.
func (c campaign) unleash(ctx context.Context, module, dir string, only []string, excused map[string]bool) (r report, err error) {
	root := filepath.Join(c.top, module)
	tmp, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp)
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	if err := os.Symlink(self, filepath.Join(tmp, "go")); err != nil {
		return r, err
	}
	goes, err := exec.LookPath("go")
	if err != nil {
		return r, err
	}
	tests, err := coverAll(ctx, c.top, filepath.Join(module, dir), tmp)
	if ctx.Err() != nil {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := tests.write(filepath.Join(tmp, "covering.json")); err != nil {
		return r, err
	}
	// The limit of a mutant is the stand-in's: gremlins takes it from how long the
	// tests take with coverage, which are not run for it.
	args := []string{"unleash", "./" + dir, "--workers", strconv.Itoa(c.workers), "--timeout-coefficient", "1000000", "--invert-loopctrl", "--remove-self-assignments"}
	all, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return r, err
	}
	for _, path := range all {
		if rel, _ := filepath.Rel(c.top, path); only != nil && !slices.Contains(only, rel) {
			args = append(args, "--exclude-files", "^"+regexp.QuoteMeta(filepath.Base(path))+"$")
		}
	}
	args = append(args, "--exclude-files", "/") // a package of its own
	tool := cmp.Or(os.Getenv("GREMLINS"), "gremlins")
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	// With what it has started: a test would run on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-vet=off", "TMPDIR="+tmp, "PATH="+tmp+":"+os.Getenv("PATH"),
		realGo+"="+goes, original+"="+root, covered+"="+filepath.Join(tmp, "covering.json"), oneIn+"="+strconv.Itoa(c.oneIn))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	var rest strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := verdict.FindStringSubmatch(lines.Text())
		if m == nil {
			fmt.Fprintln(&rest, lines.Text())
			continue
		}
		switch m[1] {
		case "KILLED":
			r.killed++
		case "TIMED OUT":
			r.timedOut++
		case "NOT COVERED":
			r.uncovered++
		case "LIVED":
			file := filepath.Join(module, dir, m[3])
			text := line(filepath.Join(c.top, file), m[4])
			if excused[file+"|"+m[2]+"|"+text] {
				r.equivalent++
				continue
			}
			r.lived++
			fmt.Printf("  lived: %s:%s:%s: %s: %s\n", file, m[4], m[5], m[2], text)
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() == nil {
		return r, fmt.Errorf("%w:\n%s", err, rest.String())
	}
	return r, nil
}

// line is one line of a file, by its number.
func line(path, number string) string {
	text, err := os.ReadFile(path)
	n, _ := strconv.Atoi(number)
	lines := strings.Split(string(text), "\n")
	if err != nil || n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[n-1])
}

// readEquivalent reads the list of mutants that nobody could notice. A reason
// stands above each of them:
//
//	# why
//	file | MUTATION | the line of code
func readEquivalent(path string) (map[string]bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	excused, reason := map[string]bool{}, ""
	for i, l := range strings.Split(string(text), "\n") {
		parts := strings.SplitN(l, " | ", 3)
		switch {
		case strings.TrimSpace(l) == "":
			reason = ""
		case strings.HasPrefix(l, "#"):
			reason = l
		case len(parts) != 3 || reason == "":
			return nil, fmt.Errorf("%s:%d: write a reason in a line that begins with #, and below it: file | MUTATION | the line of code", path, i+1)
		default:
			excused[strings.Join(parts, "|")] = true
		}
	}
	return excused, nil
}
