// Package check reads a domain file and all that comes from it: rules,
// receivers, runbook, dashboards. It asks no server; doctor does.
package check

import (
	"cmp"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// inspection is one run: what its options say, and what the checks look at.
type inspection struct {
	file         string
	dir          string // the folder that the files are looked for in
	rulesGlob    string
	alertmanager string
	dashboards   string // folder
	runbook      string
	given        func(option string) bool
	maxSeries    int
	fast         bool

	data []byte // the domain file's text
	d    domain.Domain
	err  error // why there is no domain

	series   *alerting.Series // of the domain
	contract *expr.Contract
	scrape   time.Duration // between two scrapes of the set-up
	rules    ruleSet
}

// checks are all checks, in the order in which they run and are printed. All
// but the first need a domain without mistakes.
var checks = []struct {
	name, about string
	run         func(in *inspection) result.Check
}{
	{"domain", "the domain file has no mistakes", checkDomain},
	{"expressions", "the domain's own PromQL parses, the metrics in it exist, and it can be true", checkExpressions},
	{"windows", "every window has at least four scrapes", checkWindows},
	{"cardinality", "the events cannot make more series than the budget", checkCardinality},
	{"names", "what Prometheus' linter says of the events' names and units", checkNames},
	{"rules", "rule files load, the metrics in them exist, and no alert is there twice", checkRules},
	{"generated", "generated files are as the domain file says", checkGenerated},
	{"runbook", "every alert has a section in the runbook", checkRunbook},
	{"receivers", "somebody hears of every alert", checkReceivers},
	{"dashboards", "dashboards ask for metrics that exist", checkDashboards},
}

// Command checks a domain file and what comes from it.
func Command() *cobra.Command {
	in := &inspection{}
	cmd := &cobra.Command{
		Use:               "check [FILE]",
		Short:             "check a domain file, and all files that come from it",
		Long:              "Check a domain file, or - for standard input, and all files that come from it. Nothing is asked of what runs: latido doctor does that.",
		ValidArgsFunction: cli.CompleteDomain,
	}
	format := result.Format(cmd)
	f := cmd.Flags()
	f.StringVar(&in.dir, "dir", "", "the `folder` with what was generated; empty means the domain file's")
	f.StringVar(&in.rulesGlob, "rules", "", "the rule files, a `glob`; empty means deploy/prometheus/rules/*.rules.yaml in -dir, and if there is none the rules that would be generated")
	f.StringVar(&in.alertmanager, "alertmanager", "", "the Alertmanager's `file`; empty means deploy/alertmanager/alertmanager.yaml in -dir")
	f.StringVar(&in.dashboards, "dashboards", "", "the `folder` of Grafana dashboards; empty means deploy/grafana/dashboards in -dir")
	f.StringVar(&in.runbook, "runbook", "", "the runbook's `file`; empty means docs/runbook.md in -dir")
	f.IntVar(&in.maxSeries, "max-series", 10_000, "the budget of series of one process")
	f.BoolVar(&in.fast, "fast", false, "the files are as generate -fast writes them")
	for _, folder := range []string{"dir", "dashboards"} {
		cli.Files(cmd, folder)
	}
	for _, file := range []string{"rules", "alertmanager"} {
		cli.Files(cmd, file, "yaml", "yml")
	}
	cli.Files(cmd, "runbook", "md")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		switch in.file, err = cli.FileOf(args); {
		case err != nil:
			return err
		case in.maxSeries < 1:
			return cli.UsageError("-max-series is positive")
		}
		in.given = f.Changed
		found, err := in.run(cmd.InOrStdin())
		if err != nil {
			return err
		}
		found.Language = cli.Language(cli.LanguageOf(cmd), cli.DomainLanguage(in.data))
		return found.Write(cmd.OutOrStdout(), *format)
	}
	return cmd
}

// run runs every check that has what it needs.
func (in *inspection) run(stdin io.Reader) (*result.Set, error) {
	if !in.given("dir") {
		in.dir = filepath.Dir(in.file)
	}
	in.rulesGlob = cmp.Or(in.rulesGlob, filepath.Join(in.dir, "deploy", "prometheus", "rules", "*"+generate.RulesSuffix))
	in.alertmanager = cmp.Or(in.alertmanager, filepath.Join(in.dir, generate.AlertmanagerFile))
	in.dashboards = cmp.Or(in.dashboards, filepath.Join(in.dir, generate.DashboardsFolder))
	in.runbook = cmp.Or(in.runbook, filepath.Join(in.dir, generate.RunbookFile))
	var err error
	if in.data, err = cli.ReadDomain(stdin, in.file); err != nil {
		return nil, err // the file cannot be read at all
	}
	found := &result.Set{Verb: "check", File: in.file, OK: true}
	for _, check := range checks {
		if in.err != nil {
			break // its check has told
		}
		c := check.run(in)
		c.Check, c.About, c.Subject = check.name, check.about, cmp.Or(c.Subject, check.name)
		found.Add(c)
	}
	return found, nil //nolint:nilerr // in.err is among what was found
}

// world is what an expression of the domain can ask for.
func (in *inspection) world() expr.World {
	return expr.World{Domain: in.d, Series: in.series, Contract: in.contract, Recorded: in.rules.recorded, Scrape: in.scrape}
}

// options are those that the files were generated with.
func (in *inspection) options() alerting.Options {
	return alerting.Options{Fast: in.fast, RunbookURL: in.d.Links.Runbook, EvidenceURL: in.d.Links.Evidence}
}
