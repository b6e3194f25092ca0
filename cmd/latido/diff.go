package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/diff"
)

// compare says how two domain files differ. What breaks is a problem.
func compare() *cobra.Command {
	cmd := &cobra.Command{
		Use: "diff OLD [NEW]", Short: "what a change of the domain file breaks: series, rules, objectives, panels",
		Long: "Say what a change of the domain file adds, renames and removes, and what breaks: exit code 1 if anything does. Both are files, " +
			"or files at a revision of git, HEAD~1:domain.yaml; NEW is domain.yaml unless it is given.",
	}
	format := cli.Choice(cmd, "format", "text or json", "text", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			args = append(args, cli.DomainFile)
		case 2:
		default:
			return cli.UsageError("say what is compared, such as latido diff HEAD~1:domain.yaml domain.yaml")
		}
		language := cli.Language(cli.LanguageOf(cmd), "")
		if *format == "json" {
			language = "en" // the words of an answer are its keys
		}
		var breaks bool
		var err error
		cli.Spoken(cmd.OutOrStdout(), language, func(w io.Writer) {
			breaks, err = diff.Run(w, diff.Options{Old: args[0], New: args[1], JSON: *format == "json"})
		})
		if err == nil && breaks {
			return cli.ErrProblems
		}
		return err
	}
	return cmd
}
