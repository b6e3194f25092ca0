// Package doctor looks at what runs, link by link, from the service to Grafana,
// and says which link is broken.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/cmd/latido/internal/check"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// link is one connection between two parts of a set-up.
type link struct {
	name, about string
	// part is the one that -PART none leaves out, and the link with it.
	part string
	// needs are the links without which there is nothing to look at.
	needs []string
	// blames are the links whose fault this one's may be: when both fail, only
	// theirs is told, so that one fault has one cause.
	blames []string
	run    func(x *examination) result.Check
}

// links are all of them, in the order in which they run and are printed: from
// the service to what people look at. A link needs only those before it, and
// may blame any.
var links = []link{
	{name: "domain", about: "the domain file has no mistakes", run: doctorDomain},
	{name: "service", about: "the service answers, and is the domain's", part: "url", needs: []string{"domain"}, run: doctorService},
	{name: "telemetry", about: "the service can record what it is asked to", needs: []string{"service"}, run: doctorTelemetry},
	{name: "contract", about: "the service's metrics are those that the domain file says", needs: []string{"service"}, run: doctorContract},
	{name: "clock", about: "all clocks say the same", run: doctorClock},
	{name: "prometheus", about: "Prometheus answers", part: "prometheus", run: doctorPrometheus},
	{name: "config", about: "Prometheus runs the configuration that it was given last", needs: []string{"prometheus"}, run: doctorConfig},
	{
		name: "scrape", about: "the service's metrics get to Prometheus, as the job", needs: []string{"domain", "prometheus"},
		blames: []string{"service", "config", "otlp"}, run: doctorScrape,
	},
	{name: "series", about: "they are stored once, under the names of the contract", needs: []string{"scrape"}, blames: []string{"config"}, run: doctorSeries},
	{
		name: "exemplars", about: "what is measured leads to its trace", needs: []string{"service", "series"},
		blames: []string{"clock", "config", "collector"}, run: doctorExemplars,
	},
	{name: "rules", about: "Prometheus has the domain's alert rules, and can evaluate them", needs: []string{"domain", "prometheus"}, blames: []string{"config"}, run: doctorRules},
	{name: "notify", about: "Prometheus knows an Alertmanager", needs: []string{"prometheus"}, blames: []string{"config"}, run: doctorNotify},
	{name: "alertmanager", about: "Alertmanager answers, and has the domain's receivers", part: "alertmanager", needs: []string{"domain"}, run: doctorAlertmanager},
	{
		name: "alerts", about: "alerts get from Prometheus to Alertmanager", needs: []string{"rules", "notify", "alertmanager"},
		blames: []string{"clock"}, run: doctorAlerts,
	},
	{name: "pyroscope", about: "Pyroscope answers", part: "pyroscope", run: doctorPyroscope},
	{
		name: "profiles", about: "the service's profiles get to Pyroscope", needs: []string{"domain", "pyroscope"},
		blames: []string{"service", "clock"}, run: doctorProfiles,
	},
	{name: "collector", about: "the Collector answers", part: "collector", run: doctorCollector},
	{name: "collector-metrics", about: "the Collector hands on what it gets", part: "collector-metrics", needs: []string{"collector"}, run: doctorCollectorMetrics},
	{name: "otlp", about: "what the service sends by OTLP arrives", needs: []string{"service"}, blames: []string{"collector", "prometheus"}, run: doctorOTLP},
	{name: "grafana", about: "Grafana answers", part: "grafana", run: doctorGrafana},
	{
		name: "datasources", about: "Grafana's data sources work", needs: []string{"grafana"},
		blames: []string{"prometheus", "pyroscope"}, run: doctorSources,
	},
	{name: "dashboards", about: "Grafana has the domain's dashboards", needs: []string{"domain", "grafana"}, run: doctorDashboards},
}

// examination is one run of doctor: the set-up, and what was found of it.
type examination struct {
	ctx  context.Context
	file string
	data []byte // the domain file's text
	d    domain.Domain
	job  string
	// given are the flags that were.
	given     func(string) bool
	language  string           // of the results
	parts     map[string]*part // by flag; all are there
	maxSeries int              // of one process
	fast      bool             // the rules are those that generate -fast writes

	families families       // of the service's /metrics
	says     serviceState   // what the service says of itself
	targets  []scrapeTarget // of the job, in Prometheus
	pushed   bool           // the job's metrics come by OTLP or remote write
	traced   bool           // the service's metrics lead to traces
	alerts   []string       // the names of the domain's alerts
	skewed   []string       // the parts whose clock is wrong, by flag

	// usable are the links that what needs them may use, though a problem was
	// found there.
	usable map[string]bool
}

// Command looks at every link of a running set-up.
func Command() *cobra.Command {
	x := &examination{usable: map[string]bool{}, parts: newParts()}
	cmd := &cobra.Command{
		Use: "doctor [FILE]", ValidArgsFunction: cli.CompleteDomain,
		Short: "check a running set-up link by link, from the service to Grafana, and say which one is broken and what to do",
	}
	f := cmd.Flags()
	addresses := map[string]*string{}
	for _, name := range slices.Sorted(maps.Keys(x.parts)) {
		p := x.parts[name]
		addresses[name] = f.String(name, p.usual, p.what+", or none to leave it out")
	}
	only := f.StringSlice("only", nil, "look at these `parts` alone, by their options: url,prometheus")
	format := result.Format(cmd)
	f.IntVar(&x.maxSeries, "max-series", 10_000, "the budget of series of one process")
	f.BoolVar(&x.fast, "fast", false, "the rules are those that generate -fast writes")
	f.StringVar(&x.job, "job", "", "the service's job in Prometheus; empty means the domain's app")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if x.file, err = cli.FileOf(args); err != nil {
			return err
		}
		x.ctx, x.given = cmd.Context(), f.Changed
		if x.maxSeries < 1 {
			return cli.UsageError("-max-series is positive")
		}
		for _, name := range *only {
			if x.parts[name] == nil {
				return cli.UsageError(fmt.Sprintf("-only %s: there is no such part%s", name, cli.DidYouMean(name, slices.Sorted(maps.Keys(x.parts)))))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(x.parts)) {
			at := *addresses[name]
			if len(*only) > 0 && !slices.Contains(*only, name) {
				at = none
			}
			if err := x.parts[name].locate(at); err != nil {
				return err
			}
		}
		if x.data, err = cli.ReadDomain(cmd.InOrStdin(), x.file); err != nil {
			return err
		}
		x.language = cli.Language(cli.LanguageOf(cmd), cli.DomainLanguage(x.data))
		return x.run().Write(cmd.OutOrStdout(), *format)
	}
	return cmd
}

// run looks at every link, and then leaves out the problems that another one
// explains.
func (x *examination) run() *result.Set {
	x.probe()
	all := make([]result.Check, len(links))
	cause := map[string]string{} // of a link that was not looked at: another one
	state := map[string]result.Status{}
	for i, l := range links {
		all[i] = x.look(l, state, cause)
		state[l.name] = all[i].Status
	}
	for i, l := range links {
		if all[i].Status != result.Fail {
			continue
		}
		for _, name := range l.blames {
			// Those blamed blame nobody that blames them, or both would go.
			if state[name] == result.Fail && cause[name] == "" {
				cause[l.name], all[i].Status = name, result.Skipped
				break
			}
		}
	}
	for i, l := range links {
		state[l.name] = all[i].Status
	}
	found := &result.Set{Verb: "doctor", File: x.file, OK: true, Language: x.language}
	for i, l := range links {
		f := all[i]
		if cause[l.name] != "" {
			root := l.name
			for cause[root] != "" {
				root = cause[root]
			}
			f = result.Skip("not known, as %s is not looked at", root)
			if state[root] == result.Fail {
				f = result.Skip("not known as long as %s fails", root)
			}
		}
		f.Check, f.About, f.Subject = l.name, l.about, cmp.Or(f.Subject, l.name)
		found.OK = found.OK && f.Status != result.Fail
		found.Checks = append(found.Checks, f)
	}
	return found
}

// look looks at one link, if it has what it needs.
func (x *examination) look(l link, state map[string]result.Status, cause map[string]string) result.Check {
	if p := x.parts[l.part]; p != nil && p.base == nil {
		return result.Skip("left out with -%s none", l.part)
	}
	for _, name := range l.needs {
		if state[name] != result.OK && !x.usable[name] {
			cause[l.name] = name
			return result.Check{Status: result.Skipped}
		}
	}
	f := l.run(x)
	if len(f.Problems) > 0 {
		f.Status = result.Fail
	}
	f.Status = cmp.Or(f.Status, result.OK)
	return f
}

// failed is the result of a link that cannot be looked at, with the next step
// if err is a trouble.
func failed(err error) (c result.Check) {
	p := c.Fail("%s", cli.Safe(err.Error()))
	if t, ok := errors.AsType[trouble](err); ok {
		p.Fix = t.next
	}
	return c
}

// clockWrong tells whether one of the parts has a wrong clock, so that the last
// minutes are other ones there.
func (x *examination) clockWrong(parts ...string) bool {
	return slices.ContainsFunc(parts, func(name string) bool { return slices.Contains(x.skewed, name) })
}

// port is that of an address, with the usual one of its scheme.
func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// doctorDomain loads the domain file as check does. What is in it is check's
// business: here its first mistakes are enough.
func doctorDomain(x *examination) result.Check {
	d, c, err := check.Domain(x.file, x.data)
	x.d, x.job = d, cmp.Or(x.job, d.Service())
	if err == nil {
		c.Detail = fmt.Sprintf("%s, job %s", c.Detail, x.job)
	}
	return c
}
