package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// checkConfig is what the flags of check say.
type checkConfig struct {
	file         string
	dir          string // the folder that the files are looked for in
	rules        string // glob
	alertmanager string
	dashboards   string // folder
	runbook      string
	given        map[string]bool // the flags that were
	maxSeries    int
	fast         bool

	url   *url.URL // nil for an offline check
	job   string
	since time.Duration
}

// inspection is what the checks of one run look at.
type inspection struct {
	cfg  checkConfig
	data []byte // the domain file's text
	d    domain.Domain
	err  error // why there is no domain

	series *alerting.Series // of the domain
	rules  ruleSet

	live *live // nil without -url, or when nothing answers
}

// need says what a check cannot do without.
type need int

const (
	needNothing    need = iota
	needDomain          // a domain without mistakes
	needService         // -url, and something that answers there
	needPrometheus      // and that has Prometheus' API
)

// inspect is one check.
type inspect struct {
	name  string
	about string
	needs need
	run   func(in *inspection) finding
}

// checks are all checks, in the order in which they run and are printed.
var checks = []inspect{
	{"domain", "the domain file has no mistakes", needNothing, checkDomain},
	{"expressions", "the domain's own PromQL parses, the metrics in it exist, and it can be true", needDomain, checkExpressions},
	{"windows", "every window has at least four scrapes", needDomain, checkWindows},
	{"cardinality", "the events cannot make more series than the budget", needDomain, checkCardinality},
	{"names", "what Prometheus' linter says of the events' names and units", needDomain, checkNames},
	{"rules", "rule files load, the metrics in them exist, and no alert is there twice", needDomain, checkRules},
	{"generated", "generated files are as the domain file says", needDomain, checkGenerated},
	{"runbook", "every alert has a section in the runbook", needDomain, checkRunbook},
	{"receivers", "somebody hears of every alert", needDomain, checkReceivers},
	{"dashboards", "dashboards ask for metrics that exist", needDomain, checkDashboards},
	{"service", "something answers at -url", needDomain, checkService},
	{"prefix", "no other job uses the domain's metrics", needPrometheus, checkPrefix},
	{"foreign", "the service has no family without the prefix", needService, checkForeign},
	{"events", "every event of the domain exists", needService, checkEvents},
	{"data", "every event has data", needService, checkData},
	{"kinds", "every metric has the kind of the contract", needService, checkKinds},
	{"labels", "every metric has just the labels of the contract", needService, checkLabels},
	{"values", "attributes have only the values that the domain lists", needService, checkValues},
	{"series", "the service has no more series than the budget", needService, checkSeries},
	{"loaded", "the server has every rule, as the rule file says it", needPrometheus, checkLoaded},
	{"health", "the server evaluates every rule without an error", needPrometheus, checkHealth},
}

// check runs all checks on a domain file, and with -url on what runs.
func check(c *call) error {
	cfg := checkConfig{file: "domain.yaml", given: map[string]bool{}}
	base := c.flags.String("url", "", "look at this running service's admin listener, or Prometheus, too")
	format := c.flags.String("format", "text", "text, json, or junit for CI systems")
	c.flags.StringVar(&cfg.dir, "dir", "", "the `folder` with what was generated; empty means the domain file's")
	c.flags.StringVar(&cfg.rules, "rules", "", "the rule files, a `glob`; empty means deploy/prometheus/rules/*.rules.yaml in -dir, and if there is none the rules that would be generated")
	c.flags.StringVar(&cfg.alertmanager, "alertmanager", "", "the Alertmanager's `file`; empty means deploy/alertmanager/alertmanager.yaml in -dir")
	c.flags.StringVar(&cfg.dashboards, "dashboards", "", "the `folder` of Grafana dashboards; empty means deploy/grafana/dashboards in -dir")
	c.flags.StringVar(&cfg.runbook, "runbook", "", "the runbook's `file`; empty means docs/runbook.md in -dir")
	c.flags.IntVar(&cfg.maxSeries, "max-series", 10_000, "the budget of series of one process")
	c.flags.BoolVar(&cfg.fast, "fast", false, "what runs has the rules that generate -fast writes")
	c.flags.StringVar(&cfg.job, "job", "", "the service's job in Prometheus; empty means the domain's app")
	c.flags.DurationVar(&cfg.since, "since", 24*time.Hour, "how far back a Prometheus is asked whether an event has data")
	rest, err := c.parse()
	switch {
	case err != nil:
		return err
	case len(rest) > 1:
		return usageError{"one file at a time"}
	case len(rest) == 1:
		cfg.file = rest[0]
	}
	if outputs[*format] == nil {
		return usageError{fmt.Sprintf("-format %q: write text, json or junit", *format)}
	}
	if cfg.maxSeries < 1 || cfg.since <= 0 {
		return usageError{"-max-series and -since are positive"}
	}
	if *base != "" {
		if cfg.url, err = serviceURL(*base); err != nil {
			return err
		}
	}
	c.flags.Visit(func(f *flag.Flag) { cfg.given[f.Name] = true })
	cfg.look()

	in := &inspection{cfg: cfg}
	if in.data, err = domainText(c, cfg.file); err != nil {
		return err // the file cannot be read at all
	}
	found := runChecks(in)
	outputs[*format](c.stdout, found)
	if !found.OK {
		return errProblems
	}
	return nil
}

// look says where the files are for which no flag does.
func (cfg *checkConfig) look() {
	if !cfg.given["dir"] {
		cfg.dir = filepath.Dir(cfg.file)
	}
	for flag, usual := range map[*string]string{
		&cfg.rules: filepath.Join("deploy", "prometheus", "rules", "*"+rulesSuffix), &cfg.alertmanager: alertmanagerOut(generation{}),
		&cfg.dashboards: dashboardsOut(generation{}), &cfg.runbook: runbookOut(generation{}),
	} {
		if *flag == "" {
			*flag = filepath.Join(cfg.dir, usual)
		}
	}
}

// runChecks runs every check that has what it needs.
func runChecks(in *inspection) checked {
	found := checked{verb: "check", File: in.cfg.file, OK: true}
	for _, check := range checks {
		if check.needs >= needDomain && in.err != nil ||
			check.name == "service" && in.cfg.url == nil ||
			check.needs >= needService && in.live == nil ||
			check.needs >= needPrometheus && !in.live.api {
			continue
		}
		f := check.run(in)
		f.Check, f.about = check.name, check.about
		if f.Subject == "" {
			f.Subject = check.name
		}
		if f.Status == "" {
			f.Status = statusOK
		}
		if len(f.Problems) > 0 {
			f.Status, found.OK = statusFail, false
		}
		found.Checks = append(found.Checks, f)
	}
	return found
}

// domainText reads a domain file; "-" is standard input.
func domainText(c *call, file string) ([]byte, error) {
	from := c.stdin
	if file != "-" {
		f, err := os.Open(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w: write one with: latido init", err)
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // nothing was written
		from = f
	}
	// One byte more than allowed, so that Parse sees that it is too long.
	data, err := io.ReadAll(io.LimitReader(from, domain.MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

// checkDomain loads the domain file, for itself and for all other checks.
func checkDomain(in *inspection) finding {
	in.d, in.err = domain.Parse(in.cfg.file, in.data)
	f := finding{Subject: filepath.Base(in.cfg.file), Detail: list(
		count(len(in.d.Events), "event"), count(len(in.d.Thresholds), "threshold"), count(len(in.d.SLOs), "SLO"))}
	if in.err == nil {
		in.series = alerting.SeriesOf(in.d)
		return f
	}
	var mistakes domain.Errors
	if errors.As(in.err, &mistakes) {
		for _, m := range mistakes {
			f.Problems = append(f.Problems, problem{File: m.File, Line: m.Line, Column: m.Column, Path: m.Path, Message: m.Message})
		}
	} else {
		f.fail("%v", in.err)
	}
	return f
}
