// Package generate writes what comes from a domain file: helpers for its events,
// rules, receivers, the runbook, dashboards and the stack. A file that somebody
// else wrote stays.
package generate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// Generation is one run of generate: the domain, and where its files are. The
// zero value of the other fields is what a plain generate does.
type Generation struct {
	Domain domain.Domain
	File   string // the domain file
	// Dir is the folder in which others look for what is written.
	Dir string
	// Said is how the options said where, for the command that says it again.
	Said string
	// Fast lets a minute pass in a second, for demonstrations.
	Fast bool

	made *made // of this run

	out   string // of the one thing that was asked for
	pkg   string // of events; "" for that of the file that is there
	main  string // the main package's folder; "" for that of the Compose file that is there
	tests bool   // the rules' tests too

	stale bool // say what is not as it would be written, and write nothing
	diff  bool // show what would change, and write nothing
	force bool // write over what somebody else wrote
	prune bool // remove what the domain no longer makes
}

func (g Generation) options() alerting.Options {
	return alerting.Options{Fast: g.Fast, RunbookURL: g.Domain.Links.Runbook, EvidenceURL: g.Domain.Links.Evidence}
}

// Command writes what comes from the domain file.
func Command() *cobra.Command {
	var g Generation
	cmd := &cobra.Command{
		Use:   "generate WHAT",
		Short: "write what comes from the domain file: rules, dashboards, helpers for events and more",
		Long: "Write what comes from the domain file: helpers for its events, alert rules and their tests, receivers, the runbook, dashboards, and the stack: " +
			"Compose, Kubernetes, the servers' configuration.\n\nWHAT is " + cli.OneOf(append(names(), all)) + ".",
		ValidArgs: append(names(), all),
	}
	f := cmd.Flags()
	f.StringVar(&g.File, "domain", cli.DomainFile, "the domain `file`")
	f.StringVar(&g.Dir, "dir", "", "the `folder` that the files are for, as deploy/ and docs/ in it; empty means the domain file's")
	f.StringVar(&g.out, "out", "", "the `file` to write, - for standard output, of dashboards and stack the folder; empty means where others look for it")
	f.StringVar(&g.pkg, "package", "", "events: the package's `name`; empty means the one that is there, or the folder's")
	f.StringVar(&g.main, "main", "", "stack: the `folder` of the service's main package, from where the files are; empty means as it is there, or that one")
	f.BoolVar(&g.tests, "tests", false, "all: the rules' tests for promtool too; those that are there are written anyway")
	f.BoolVar(&g.Fast, "fast", false, "rules, alertmanager: a minute passes in a second, for demonstrations")
	f.BoolVar(&g.stale, "check", false, "write nothing: exit with 1 if a file is not as it would be written")
	f.BoolVar(&g.diff, "diff", false, "write nothing: show what would change; with -check exit with 1 if anything would")
	f.BoolVar(&g.force, "force", false, "write over files that latido generate did not write, or wrote from another domain file")
	f.BoolVar(&g.prune, "prune", false, "remove the files that were written from the domain file and that it no longer makes")
	cli.Files(cmd, "domain", "yaml", "yml")
	for _, folder := range []string{"dir", "main"} {
		cli.Files(cmd, folder)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		chosen, err := g.choose(args)
		if err != nil {
			return err
		}
		if g.Domain, err = domain.Load(g.File); err != nil {
			return err
		}
		switch {
		case g.out != "":
			g.Said = " -out " + g.out
		case g.Dir != "":
			g.Said = " -dir " + g.Dir
		}
		g.Dir = cmp.Or(g.Dir, filepath.Dir(g.File))
		w := cmd.OutOrStdout()
		if !g.streams() && !g.diff { // which is the content of files
			w = cli.Speaker(w, cli.Language(cli.LanguageOf(cmd), g.Domain.Language))
		}
		return g.run(w, args[0], chosen)
	}
	return cmd
}

// choose finds what is to be generated, and whether the flags go together.
func (g Generation) choose(args []string) ([]generator, error) {
	say := "say what to generate: " + strings.Join(names(), ", ") + ", or all"
	if len(args) != 1 {
		return nil, cli.UsageError(say)
	}
	switch {
	case g.out != "" && g.Dir != "":
		return nil, cli.UsageError("-out and -dir both say where: give one of them")
	case g.prune && g.stale:
		return nil, cli.UsageError("-prune removes files, and -check changes none: give one of them")
	}
	if args[0] == all {
		if g.out != "" {
			return nil, cli.UsageError("-out is of one thing: generate one thing at a time, or leave it out")
		}
		return generators, nil
	}
	i := slices.Index(names(), args[0])
	if i < 0 {
		return nil, cli.UsageError(fmt.Sprintf("%q is nothing that is generated%s: %s", args[0], cli.DidYouMean(args[0], append(names(), all)), say))
	}
	folder := generators[i].folder
	switch {
	case folder && g.streams():
		return nil, cli.UsageError(fmt.Sprintf("%s are many files: give -out a folder, or leave it out", args[0]))
	case !folder && g.out != "" && g.prune:
		return nil, cli.UsageError("-prune looks where the files are by default: leave -out out")
	case g.streams() && (g.stale || g.diff):
		return nil, cli.UsageError("-check and -diff compare with a file, and -out is none")
	}
	return generators[i : i+1], nil
}

// run writes, or compares, the files of the chosen generators.
func (g Generation) run(w io.Writer, what string, chosen []generator) error {
	var wrong []result.Problem
	g.Domain, wrong = g.sound()
	failed := leftOut(chosen, wrong)
	files, err := g.filesOf(chosen)
	if err != nil && (!errors.Is(err, errNothing) || !g.prune) {
		return errors.Join(failed, err)
	}
	if g.streams() {
		return errors.Join(failed, g.stream(w, files[0].Content))
	}
	fresh := 0
	for _, f := range files {
		state, err := g.put(w, f)
		if state == Fresh {
			fresh++
		}
		if errors.Is(err, cli.ErrProblems) {
			failed = cmp.Or(failed, err)
		} else if err != nil {
			return err
		}
	}
	if fresh > 0 && !g.diff {
		fmt.Fprintf(w, "%s  ok    as %s says\n", cli.Count(fresh, "file"), g.File)
	}
	if g.out != "" && !chosen[0].folder {
		return failed // only the usual places have nothing else of the same kind
	}
	how := "latido generate " + what + " -domain " + g.File + g.Said + " -prune"
	if err := g.tidy(w, g.leftBehind(chosen, files), how); err != nil {
		failed = cmp.Or(failed, err)
	}
	return failed
}

// State is how a file that is there relates to what would be written.
type State string

// The states of a file.
const (
	Fresh   State = "as it would be written"
	Missing State = "not there"
	Changed State = "not as it would be written"
	Foreign State = "of somebody else"
	Left    State = "no longer made"
)

// Found is a file that is there, and how it relates to the domain.
type Found struct {
	Path  string
	State State
	Why   string // for people; of a Foreign one or one that is Left
	Again string // the command that writes it
}

// Compare looks at all files that the domain makes, and those that it made
// once. Those that are not there are left out.
func (g Generation) Compare() ([]Found, error) {
	files, err := g.Files() // what servers would refuse is told by other checks
	if err != nil {
		return nil, err
	}
	var found []Found
	for _, f := range files {
		state, got, why, err := g.look(f)
		if err != nil {
			return nil, err
		}
		if state == Changed && bytes.Equal(withSource(unix(got), ""), withSource(f.Content, "")) { // as seen from another folder
			state = Fresh
		}
		if state != Missing {
			found = append(found, Found{f.Path, state, why, f.again})
		}
	}
	for _, path := range g.leftBehind(generators, files) {
		found = append(found, Found{path, Left, "was written from " + g.File + ", which no longer makes it", "latido generate all -domain " + g.File + g.Said + " -prune"})
	}
	return found, nil
}
