// Package cli is what all verbs of the command have in common: how they are
// called, how their help and their mistakes read, what completes them in a
// shell, and the exit codes. A verb is a function that returns a cobra.Command;
// main lists them.
package cli

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latido-dev/latido/domain"
)

// The exit codes.
const (
	Good     = 0
	Problems = 1
	Wrong    = 2 // the call
)

// UsageError is a wrong call: its text says what to write.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// ErrProblems says that what was found has been printed.
var ErrProblems = errors.New("problems were found")

// Run does what args say with one of the verbs, and returns the exit code.
// Results that could not be written, to a full disk say, are a problem like any
// other.
func Run(verbs []func() *cobra.Command, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	results := &writer{to: stdout, coloured: colours(stdout), dash: asksForOneDash(args)}
	root := rootOf(verbs)
	root.SetIn(stdin)
	root.SetOut(results)
	root.SetErr(stderr)
	code := execute(root, twoDashes(args), stderr)
	if results.err != nil {
		fmt.Fprintf(stderr, "latido: write the results: %v\n", results.err)
		return max(code, Problems)
	}
	return code
}

func rootOf(verbs []func() *cobra.Command) *cobra.Command {
	root := &cobra.Command{
		Use: "latido", Long: "latido reads a domain file and talks to a running service.", Version: Version(),
		SilenceErrors: true, SilenceUsage: true, DisableAutoGenTag: true, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			help(cmd, nil)
			return errNoVerb
		},
	}
	for _, verb := range verbs {
		cmd := verb()
		cmd.Use += " [options]"
		cmd.DisableFlagsInUseLine = true
		root.AddCommand(cmd)
	}
	root.SetHelpFunc(help)
	root.SetHelpCommand(&cobra.Command{
		Use: "help [VERB]", Short: "say what a verb does, and which options it has",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if len(args) == 0 && c.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		Run: func(*cobra.Command, []string) { help(root, nil) },
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion") // whatever is called, it is a verb
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// errNoVerb ends a call without a verb, after the help.
var errNoVerb = errors.New("no verb")

func execute(root *cobra.Command, args []string, stderr io.Writer) int {
	if len(args) > 1 && args[0] == "help" { // latido help report
		args = []string{args[1], "--help"}
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") && !strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		var names []string
		for _, c := range root.Commands() {
			names = append(names, c.Name())
		}
		if !slices.Contains(names, args[0]) {
			fmt.Fprintf(stderr, "latido: unknown verb %q%s; see latido help\n", args[0], DidYouMean(args[0], names))
			return Wrong
		}
	}
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	var usage UsageError
	switch {
	case err == nil:
		return Good
	case errors.Is(err, errNoVerb):
		return Wrong
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v\nusage: %s\n", cmd.CommandPath(), err, cmd.UseLine())
		return Wrong
	case errors.Is(err, ErrProblems):
		return Problems
	}
	fmt.Fprintf(stderr, "%s: %v\n", cmd.CommandPath(), err)
	return Problems
}

// help writes what a verb does, and its options as they are declared.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	if cmd.HasParent() {
		fmt.Fprintf(w, "usage: %s\n\n", cmd.UseLine())
	}
	fmt.Fprintln(w, strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short)))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w)
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %s %-10s  %s\n", cmd.CommandPath(), c.Name(), c.Short)
			}
		}
		fmt.Fprintf(w, "\n%s VERB -h says more.\n", cmd.CommandPath())
	}
	if options := cmd.Flags().FlagUsagesWrapped(helpWidth); options != "" {
		fmt.Fprintf(w, "\noptions:\n%s", strings.NewReplacer("      --", "  -", "  -h, --", "  -h, -", "  -v, --", "  -v, -").Replace(options))
	}
}

// helpWidth is how many letters a line of help has at most.
const helpWidth = 120

// flagError says what is wrong with an option, and which one was meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "-"+f.Name) })
		name := "-" + unknown.GetSpecifiedName()
		return UsageError(fmt.Sprintf("there is no option %s%s", name, DidYouMean(name, names)))
	case errors.As(err, &value):
		if instead, ok := value.GetFlag().Value.(moved); ok { // its value may have a password
			return UsageError("-" + value.GetFlag().Name + ": " + string(instead))
		}
		return UsageError(fmt.Sprintf("-%s %q: %v", value.GetFlag().Name, value.GetValue(), value.Unwrap()))
	}
	return UsageError(strings.ReplaceAll(err.Error(), "--", "-"))
}

// twoDashes are the arguments with their options as cobra reads them: as in
// Go's own commands, one dash is enough.
func twoDashes(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if len(arg) > 2 && arg[0] == '-' && arg[1] >= 'a' && arg[1] <= 'z' {
			args[i] = "-" + arg
		}
	}
	return args
}

// asksForOneDash tells whether a shell is to complete an option that was begun
// with one dash.
func asksForOneDash(args []string) bool {
	if len(args) < 2 || !strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return false
	}
	last := args[len(args)-1]
	return strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--")
}

// writer remembers the first error of another one.
type writer struct {
	to       io.Writer
	coloured bool
	dash     bool // options that are offered have one dash
	err      error
}

func (w *writer) Write(p []byte) (int, error) {
	text := p
	if w.dash && bytes.HasPrefix(text, []byte("--")) {
		text = text[1:]
	}
	if w.coloured {
		text = paint(text)
	}
	_, err := w.to.Write(text)
	w.err = cmp.Or(w.err, err)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Version is the command's, and Go's.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "latido of no known version"
	}
	return strings.TrimSpace("latido " + info.Main.Version + " " + info.GoVersion)
}

// DidYouMean is the end of a message about an unknown name: the nearest of
// those that there are, or "".
func DidYouMean(name string, candidates []string) string {
	if near := domain.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
