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
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/latido-dev/latido/internal/spelling"
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
	completes := len(args) > 1 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	results := &writer{to: stdout, coloured: colours(stdout), completes: completes}
	if completes {
		last := args[len(args)-1]
		results.oneDash = strings.HasPrefix(last, "-") && !strings.HasPrefix(last, "--")
	}
	root := rootOf(verbs)
	root.SetIn(stdin)
	root.SetOut(results)
	root.SetErr(stderr)
	code := execute(root, twoDashes(root, args, completes), stderr)
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
			cmd.SetOut(cmd.ErrOrStderr()) // a script that reads the results gets no help for them
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
	languageOption(root)
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
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Use = "completion SHELL"
		completion.Short = "print what completes all of this in bash, zsh, fish or powershell"
		completion.DisableFlagsInUseLine = true
	}
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
			fmt.Fprint(stderr, Say(errorLanguage(args), fmt.Sprintf("latido: unknown verb %q%s; see latido help\n", args[0], DidYouMean(args[0], names))))
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
		language := errorLanguage(args)
		fmt.Fprintf(stderr, "%s: %s\n%s\n", cmd.CommandPath(), Say(language, err.Error()), Say(language, "usage: "+cmd.UseLine()))
		return Wrong
	case errors.Is(err, ErrProblems):
		return Problems
	}
	fmt.Fprintf(stderr, "%s: %s\n", cmd.CommandPath(), Say(errorLanguage(args), err.Error()))
	return Problems
}

// help writes what a verb does, and its options as they are declared.
func help(cmd *cobra.Command, _ []string) {
	w := cmd.OutOrStdout()
	language := Language(LanguageOf(cmd), "")
	cmd.InitDefaultHelpFlag() // as cobra does when it runs a command
	cmd.InitDefaultVersionFlag()
	if cmd.HasParent() {
		fmt.Fprintf(w, "%s\n\n", Say(language, "usage: "+cmd.UseLine()))
	}
	fmt.Fprintln(w, Say(language, strings.TrimSpace(cmp.Or(cmd.Long, cmd.Short))))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w)
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				fmt.Fprintf(w, "  %s %-10s  %s\n", cmd.CommandPath(), c.Name(), Say(language, c.Short))
			}
		}
		fmt.Fprintf(w, "\n%s\n", Say(language, cmd.CommandPath()+" VERB -h says more."))
	}
	fmt.Fprintf(w, "\n%s\n", Say(language, "options:"))
	Table(w, func(w io.Writer) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) { describe(w, f, language) })
	})
}

// describe writes a row about an option, as it is declared.
func describe(w io.Writer, f *pflag.Flag, language string) {
	if f.Hidden {
		return
	}
	said := *f
	said.Usage = Say(language, f.Usage)
	name, usage := pflag.UnquoteUsage(&said)
	if f.Shorthand != "" {
		name = "-" + f.Shorthand
	}
	if value := f.DefValue; value != "" && value != "false" && value != "0" && value != "[]" && value != "0s" {
		usage += Say(language, " (default "+value+")")
	}
	fmt.Fprintf(w, "  %s\t%s\n", strings.TrimSpace("-"+f.Name+" "+name), usage)
}

// flagError says what is wrong with an option, and which one was meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var value *pflag.InvalidValueError
	var number *strconv.NumError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "-"+f.Name) })
		name := "-" + unknown.GetSpecifiedName()
		return UsageError(fmt.Sprintf("there is no option %s%s", name, DidYouMean(name, names)))
	case errors.As(err, &value) && errors.As(err, &number):
		return UsageError(fmt.Sprintf("-%s %q: write a whole number", value.GetFlag().Name, value.GetValue()))
	case errors.As(err, &value):
		return UsageError(fmt.Sprintf("-%s %q: %v", value.GetFlag().Name, value.GetValue(), value.Unwrap()))
	}
	return UsageError(strings.ReplaceAll(err.Error(), "--", "-"))
}

// twoDashes are the arguments with their options as cobra reads them: as in
// Go's own commands, one dash is enough. What follows an option that takes a
// value is that value, be it "-1s". completes says that the last one was only
// begun.
func twoDashes(root *cobra.Command, args []string, completes bool) []string {
	args = slices.Clone(args)
	verb, _, err := root.Find(slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, cobra.ShellCompRequestCmd)
	}))
	if err != nil {
		verb = root
	}
	isValue := false
	for i, arg := range args {
		if isValue {
			isValue = false
			continue
		}
		if arg == "--" {
			break
		}
		begun := completes && i == len(args)-1
		if strings.HasPrefix(arg, "-") && (len(arg) > 2 || len(arg) == 2 && begun) && arg[1] != '-' {
			args[i] = "-" + arg
		}
		name := strings.TrimLeft(arg, "-")
		if option := cmp.Or(verb.Flags().Lookup(name), verb.InheritedFlags().Lookup(name)); option != nil && strings.HasPrefix(arg, "-") {
			isValue = option.NoOptDefVal == ""
		}
	}
	return args
}

// writer remembers the first error of another one.
type writer struct {
	to        io.Writer
	coloured  bool
	completes bool // what is written is offered by a shell
	oneDash   bool // options too, with one dash
	err       error
}

func (w *writer) Write(p []byte) (int, error) {
	text := p
	if w.completes {
		text = bytes.ReplaceAll(text, []byte("`"), nil) // as pflag has the name of a value
	}
	if w.oneDash && bytes.HasPrefix(text, []byte("--")) {
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

// Version says what the command is: its version, which a build from a checkout
// has none of, the revision if git told it, and Go's version.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "latido of no known version"
	}
	text := "latido " + info.Main.Version
	if info.Main.Version == "" || info.Main.Version == "(devel)" {
		text = "latido (devel), built from a checkout"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		text += ", revision " + revision[:min(len(revision), 12)]
		if settings["vcs.modified"] == "true" {
			text += " with changes"
		}
	}
	return text + ", " + info.GoVersion
}

// DidYouMean is the end of a message about an unknown name: the nearest of
// those that there are, or "".
func DidYouMean(name string, candidates []string) string {
	if near := spelling.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}
