package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// The exit codes.
const (
	exitGood     = 0
	exitProblems = 1
	exitUsage    = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// verb is one thing that the command does.
type verb struct {
	name, usage, about string
	run                func(c *call) error
}

var verbs = []verb{
	{"backtest", "[-url URL] [-last 7d] [-step 15s] [-rule NAME]... [-try NAME=VALUE]... [-fast] [-format text|json] [FILE]",
		"how often the alerts of a domain file would have fired on stored data, and at which limit less often", backtest},
	{"check", "[-url URL] [-fast] [-dir DIR] [-rules GLOB] [-alertmanager FILE] [-dashboards DIR] [-runbook FILE] [-format text|json|junit] [FILE]",
		"check a domain file, or - for standard input, with all that comes from it and, given -url, what runs", check},
	{"doctor", "[-url URL] [-prometheus URL] [-alertmanager URL] [-pyroscope URL] [-collector URL] [-grafana URL] [-job NAME] [-format text|json|junit] [FILE]",
		"check a running set-up link by link, from the service to Grafana, and say which one is broken and what to do", doctor},
	{"fire", "NAME [-url URL] [-wait 30s] [-format text|json]",
		"have a rule of a running service fire as a drill, and see who hears of it", fire},
	{"generate", "events|rules|rule-tests|alertmanager|runbook|dashboards|stack|all [-domain FILE] [-dir DIR] [-out FILE] [-check] [-diff] [-force] [-prune] [-main DIR] [-fast] [-runbook-url URL] [-evidence-url URL] [-package NAME]",
		"write what comes from the domain file: helpers for its events, alert rules and their tests, receivers, the runbook, dashboards, and the stack: Compose, Kubernetes, the servers' configuration", generate},
	{"incidents", "[ID] [-url URL] [-last DURATION] [-kind alert|release] [-format text|json] [-out DIR]",
		"what alerts of a running service fired, and why; show or save one", incidents},
	{"init", "[-kind ecommerce|education|health|logistics|saas] [-prefix NAME] [-app NAME] [-entity NAME] [-language es|en] [-dir DIR] [-module PATH] [-latido DIR] [-force]",
		"make a new service in a folder: its domain file, a program that records its events, and all that is generated", initialize},
	{"report", "[-url URL] [-last 5m] [-format text|json|pprof] [-top N] [-out FILE]", "where a running service's time and memory go", report},
	{"schema", "", "print the JSON Schema of the domain file, for editors", schema},
	{"version", "", "print the version", version},
}

// call is one run of a verb.
type call struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer
	flags  *flag.FlagSet
}

// usageError is a wrong call: its text says what to write.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// errProblems says that what was found has been printed.
var errProblems = errors.New("problems were found")

// run does what args say and returns the exit code. Results that could not be
// written, to a full disk say, are a problem like any other.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	results := &writer{to: stdout}
	code := dispatch(args, stdin, results, stderr)
	if results.err != nil {
		fmt.Fprintf(stderr, "latido: write the results: %v\n", results.err)
		return max(code, exitProblems)
	}
	return code
}

// writer remembers the first error of another one.
type writer struct {
	to  io.Writer
	err error
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.err = cmpOr(w.err, err)
	return n, err
}

func dispatch(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[0] == "help" { // latido help report
		args = []string{args[1], "-h"}
	}
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		help(stdout)
		if len(args) == 0 {
			return exitUsage
		}
		return exitGood
	}
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == args[0] })
	if i < 0 {
		names := make([]string, len(verbs))
		for i, v := range verbs {
			names[i] = v.name
		}
		fmt.Fprintf(stderr, "latido: unknown verb %q%s; see latido help\n", args[0], didYouMean(args[0], names))
		return exitUsage
	}
	v := verbs[i]
	c := &call{args: args[1:], stdin: stdin, stdout: stdout, flags: flag.NewFlagSet(v.name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard) // errors are returned, and help is ours
	err := v.run(c)
	var usage usageError
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: latido %s %s\n\n%s\n\n", v.name, v.usage, v.about)
		c.flags.SetOutput(stdout)
		c.flags.PrintDefaults()
		return exitGood
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "latido %s: %v\nusage: latido %s %s\n", v.name, err, v.name, v.usage)
		return exitUsage
	case errors.Is(err, errProblems):
		return exitProblems
	}
	fmt.Fprintf(stderr, "latido %s: %v\n", v.name, err)
	return exitProblems
}

func didYouMean(name string, candidates []string) string {
	if near := domain.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// parse reads the flags, which may stand before or after the other arguments,
// and returns those.
func (c *call) parse() ([]string, error) {
	var rest []string
	args := c.args
	for {
		if err := c.flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{err.Error()}
		}
		if c.flags.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, c.flags.Arg(0))
		args = c.flags.Args()[1:]
	}
}

func help(w io.Writer) {
	fmt.Fprint(w, "latido reads a domain file and talks to a running service.\n\n")
	for _, v := range verbs {
		fmt.Fprintf(w, "  latido %-9s %s\n", v.name, v.about)
	}
	fmt.Fprint(w, "\nlatido VERB -h says more.\n")
}

func schema(c *call) error {
	if rest, err := c.parse(); err != nil || len(rest) > 0 {
		return cmpOr(err, usageError{"schema takes no arguments"})
	}
	_, _ = c.stdout.Write(domain.Schema()) // run tells
	return nil
}

func version(c *call) error {
	if rest, err := c.parse(); err != nil || len(rest) > 0 {
		return cmpOr(err, usageError{"version takes no arguments"})
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("the binary has no build information")
	}
	fmt.Fprintln(c.stdout, strings.TrimSpace("latido "+info.Main.Version+" "+info.GoVersion))
	return nil
}

// cmpOr is the first error that is one.
func cmpOr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
