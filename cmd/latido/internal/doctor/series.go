package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// staleAfter is how old the newest sample may be: metrics are sent once a
// minute by default, and Prometheus shows a series for 5 minutes after its last
// sample.
const staleAfter = 3 * time.Minute

// doctorSeries looks at how the job's metrics are stored.
func doctorSeries(x *examination) result.Check {
	p := x.parts["prometheus"]
	var f result.Check
	all, err := p.query(x.ctx, fmt.Sprintf("count by (__name__) ({__name__=~%q, job=%q})", x.d.Prefix+"[._].+", x.job))
	if err != nil {
		return failed(err)
	}
	names, total := map[string]bool{}, 0.0
	for _, s := range all {
		if !strings.Contains(s.Name, ":") { // what rules record is not the service's
			names[s.Name] = true
			total += s.Value
		}
	}
	if len(names) == 0 {
		return x.seriesless()
	}
	if wrong := x.mistranslated(names); wrong != nil {
		return failed(*wrong)
	}
	if missing := x.unstored(names); len(missing) > 0 {
		f.Fail("Prometheus drops some of what it scrapes, among it %s", cli.Few(missing)).
			Fix = "see metric_relabel_configs of the job " + x.job + " in prometheus.yaml"
	}
	x.tellSharers(&f)
	if problem := x.twice(); problem != nil {
		f.Problems = append(f.Problems, *problem)
	}
	if problem := x.stale(); problem != nil {
		f.Problems = append(f.Problems, *problem)
	}
	f.Detail = fmt.Sprintf("%d metrics, %.0f series", len(names), total)
	x.usable["series"] = true
	return f
}

// seriesless says why a target that is up has nothing of the prefix.
func (x *examination) seriesless() result.Check {
	var f result.Check
	others, _ := x.parts["prometheus"].query(x.ctx, fmt.Sprintf("group by (__name__) ({__name__=~\".+_build_info\", job=%q})", x.job))
	var found []string
	for _, s := range others {
		found = append(found, strings.TrimSuffix(s.Name, "_build_info"))
	}
	slices.Sort(found)
	if len(found) > 0 {
		f.Fail("the job %s is another program: its metrics have the prefix %s, not %s", x.job, cli.Safe(cli.Few(found)), x.d.Prefix).
			Fix = "correct the targets of the job " + x.job + " in prometheus.yaml"
		return f
	}
	f.Fail("the job %s is up, but has no metric of prefix %s", x.job, x.d.Prefix).
		Fix = "correct the targets of the job " + x.job + " in prometheus.yaml, or metric_relabel_configs that drop them"
	return f
}

// translations are the ways in which an OTLP receiver can write a metric's
// name, other than the contract's. Each also has the setting of Prometheus that
// makes it, in the section otlp.
var translations = []struct {
	strategy string
	name     func(m domain.Metric) string
}{
	{"NoTranslation", func(m domain.Metric) string { return m.Name }},
	{"NoUTF8EscapingWithSuffixes", func(m domain.Metric) string { return m.Name + suffix(m) }},
	{"UnderscoreEscapingWithoutSuffixes", underscored},
}

func underscored(m domain.Metric) string { return strings.ReplaceAll(m.Name, ".", "_") }

// suffix is the unit, and _total, that the name in Prometheus has at its end.
func suffix(m domain.Metric) string { return strings.TrimPrefix(m.Family, underscored(m)) }

// mistranslated tells whether the names are translated in another way than that
// of the contract, which rules and dashboards ask for.
func (x *examination) mistranslated(names map[string]bool) *trouble {
	best, most, example, instead := "", 0, "", ""
	for _, t := range translations {
		n, first, second := 0, "", ""
		for _, m := range x.d.Metrics() {
			end := ""
			if m.Kind == domain.KindHistogram {
				end = "_count"
			}
			other := t.name(m) + end
			if other == m.Family+end || !names[other] || names[m.Family+end] {
				continue
			}
			if n++; n == 1 {
				first, second = other, m.Family+end
			}
		}
		if n > most {
			best, most, example, instead = t.strategy, n, first, second
		}
	}
	if most < 2 { // one alone may be somebody's own metric
		return nil
	}
	next := "the way that the metrics come by has to add units and _total and to replace dots: for Prometheus' OTLP receiver otlp: {translation_strategy: UnderscoreEscapingWithSuffixes} in prometheus.yaml, " +
		"for the Collector's exporter prometheusremotewrite add_metric_suffixes: true"
	if x.strategy() == best {
		next = "set in prometheus.yaml, and reload: otlp: {translation_strategy: UnderscoreEscapingWithSuffixes}; it is " + best
	}
	return &trouble{fmt.Sprintf("the names are translated differently, as by %s: there is %s, but rules and dashboards ask for %s", best, example, instead), next}
}

// strategy is how Prometheus' own OTLP receiver translates names, "" if that is
// not known.
func (x *examination) strategy() string {
	var config struct{ YAML string }
	if x.parts["prometheus"].api(x.ctx, "status/config", nil, &config) != nil {
		return ""
	}
	for line := range strings.Lines(config.YAML) {
		if _, value, ok := strings.Cut(line, "translation_strategy:"); ok {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return ""
}

// sampleOf is the series that tells whether a metric has data.
func sampleOf(m domain.Metric) string {
	if m.Kind == domain.KindHistogram {
		return m.Family + "_count"
	}
	return m.Family
}

// unstored are the metrics that the service shows and Prometheus has not, where
// it says itself that it drops some. Without that they may only be younger than
// its last scrape.
func (x *examination) unstored(names map[string]bool) []string {
	const lost = "sum(scrape_samples_scraped{job=%q} - scrape_samples_post_metric_relabeling{job=%q}) > 0"
	dropped, err := x.parts["prometheus"].query(x.ctx, fmt.Sprintf(lost, x.job, x.job))
	if err != nil || len(dropped) == 0 {
		return nil
	}
	var missing []string
	for _, m := range x.d.Metrics() {
		if x.families[m.Family] != nil && !names[sampleOf(m)] {
			missing = append(missing, m.Family)
		}
	}
	return missing
}

// tellSharers tells of other jobs with metrics of the contract. One whose own
// prefix only begins like ours has none of them.
func (x *examination) tellSharers(c *result.Check) {
	others, err := x.parts["prometheus"].query(x.ctx, fmt.Sprintf("group by (job, __name__) ({__name__=~%q, job!=%q})", x.d.Prefix+"_.+", x.job))
	if err != nil {
		return // the link has asked before
	}
	names := alerting.SeriesOf(x.d).Names()
	told := map[string]bool{}
	for _, s := range others {
		if job := s.Labels["job"]; job != "" && !told[job] && slices.Contains(names, s.Name) && !strings.Contains(s.Name, ":") {
			told[job] = true
			c.Fail("the job %s uses the prefix %s too: it has %s", cli.Safe(job), x.d.Prefix, s.Name).Fix = "give one of the two services another prefix"
		}
	}
}

// twice tells whether the same process is scraped and sends its metrics too, to
// the same Prometheus: every sum would be double.
func (x *examination) twice() *result.Problem {
	all, err := x.parts["prometheus"].query(x.ctx, fmt.Sprintf("group by (instance) (%s_build_info{job=%q})", x.d.Prefix, x.job))
	if err != nil || len(x.targets) == 0 {
		return nil
	}
	scraped := map[string]bool{}
	for _, t := range x.targets {
		scraped[t.Labels["instance"]] = true
	}
	var sent []string
	for _, s := range all {
		if !scraped[s.Labels["instance"]] {
			sent = append(sent, fmt.Sprintf("%q", s.Labels["instance"]))
		}
	}
	if len(sent) == 0 {
		return nil
	}
	slices.Sort(sent)
	return &result.Problem{
		Message: fmt.Sprintf("the metrics of the job %s are there twice, scraped and sent by OTLP or remote write (instance %s): sums and rates are doubled", x.job, cli.Few(sent)),
		Fix:     "take one way out: the job in prometheus.yaml, or OTEL_METRICS_EXPORTER=none for the service; what was sent last shows for 5 minutes more",
	}
}

// stale compares the newest sample's time with Prometheus' clock. A scrape is
// stamped by Prometheus itself, what is sent by the service.
func (x *examination) stale() *result.Problem {
	ages, err := x.parts["prometheus"].query(x.ctx, fmt.Sprintf("time() - max(timestamp(%s_build_info{job=%q}))", x.d.Prefix, x.job))
	if err != nil || len(ages) == 0 {
		return nil
	}
	age := time.Duration(ages[0].Value * float64(time.Second))
	if x.pushed && age > staleAfter {
		return &result.Problem{
			Message: fmt.Sprintf("the newest sample of the job %s is %s old", x.job, cli.Spell(age)),
			Fix:     "the service sends no longer, or its clock is behind: see the links otlp and clock",
		}
	}
	return nil
}
