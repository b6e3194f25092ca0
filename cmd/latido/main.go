package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // domain files name time zones, and not every machine has them

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/backtest"
	"github.com/latido-dev/latido/cmd/latido/internal/check"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/doctor"
	"github.com/latido-dev/latido/cmd/latido/internal/drill"
	"github.com/latido-dev/latido/cmd/latido/internal/evidence"
	"github.com/latido-dev/latido/cmd/latido/internal/fleet"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/scaffold"
	"github.com/latido-dev/latido/domain"
)

// verbs are all that the command does.
var verbs = []func() *cobra.Command{
	backtest.Command,
	check.Command,
	compare,
	doctor.Command,
	drill.Command,
	evidence.Incidents,
	evidence.Report,
	fleet.Command,
	generate.Command,
	imported,
	scaffold.Command,
	schema,
	version,
}

func main() {
	os.Exit(cli.Run(verbs, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func schema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "print the JSON Schema of the domain file, for editors", Args: noArguments,
		Run: func(cmd *cobra.Command, _ []string) { _, _ = cmd.OutOrStdout().Write(domain.Schema()) }, // cli.Run tells
	}
}

func version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version", Args: noArguments,
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintln(cmd.OutOrStdout(), cli.Version()) },
	}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return cli.UsageError(cmd.Name() + " takes no arguments")
	}
	return nil
}
