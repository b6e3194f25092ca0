package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/importer"
	"github.com/latido-dev/latido/domain"
)

// imported writes a draft of the domain file to standard output.
func imported() *cobra.Command {
	var o importer.Options
	cmd := &cobra.Command{
		Use: "import URL|FILE", Short: "draft a domain file from the /metrics of a running service",
		Long: "Draft a domain file from the /metrics of a running service, or a file with their text: events, objectives, and limits of what there was so far.",
	}
	f := cmd.Flags()
	f.StringVar(&o.Prefix, "prefix", "", "how the names of all metrics begin; empty means what they suggest")
	f.StringVar(&o.App, "app", "", "the service's `name`; empty means the prefix and -api")
	f.StringVar(&o.Entity, "entity", "", "what the service is mostly about, in the singular; empty means the first counter")
	language := cli.Choice(cmd, "language", "of the draft's comments and of what is generated from it: en or es", domain.Languages()...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return cli.UsageError("say whose metrics, such as latido import http://127.0.0.1:8080/metrics > domain.yaml")
		}
		o.From, o.Language = args[0], *language
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		return importer.Run(ctx, cmd.OutOrStdout(), o)
	}
	return cmd
}
