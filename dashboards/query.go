package dashboards

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// This file writes the PromQL of the panels. That of the rules is alerting's:
// it has no variables, and windows of its own.

// query is one question of a panel: to Prometheus, or to Pyroscope if it has a
// type of profile.
type query struct {
	expr, legend string
	exemplars    bool // the traces of single requests beside it
	instant      bool // the value at the end of the time range
	table        bool
	buckets      bool // of a histogram, for a heat map

	profile string   // the type of profile
	by      []string // of a profile: over time, by these labels, instead of as a flame graph
}

// perWindow is the range of a rate: Grafana fits it to the step and to the
// interval between scrapes.
const perWindow = "[$__rate_interval]"

// wholeRange is the time range of the dashboard.
const wholeRange = "[$__range]"

// series selects the series of a metric that the chosen instances have. filters
// are written as in PromQL: status=~"5..".
func (b *board) series(m domain.Metric, suffix string, filters ...string) string {
	return m.Family + suffix + "{" + strings.Join(append([]string{`job=~"$job"`, `instance=~"$instance"`}, filters...), ", ") + "}"
}

// anyEndpoint keeps to the chosen endpoints.
const anyEndpoint = `endpoint=~"$endpoint"`

// ranged is what a function says of each series of a metric over a window: "" and
// "" are the series themselves. Under an event's former names first, as in the
// rules: the release before has no other, and their series are longer.
func (b *board) ranged(function string, m domain.Metric, suffix, window string, filters ...string) string {
	var all []string
	for _, named := range append(slices.Clone(m.Was), m) {
		expr := b.series(named, suffix, filters...) + window
		if function != "" {
			expr = function + "(" + expr + ")"
		}
		all = append(all, expr)
	}
	return strings.Join(all, " or ")
}

// rate is how fast a counter grows, a second.
func (b *board) rate(m domain.Metric, suffix string, filters ...string) string {
	return b.ranged("rate", m, suffix, perWindow, filters...)
}

// weekBefore is what the rates of an expression were at the same hour of a week
// earlier.
func weekBefore(expr string) string {
	return strings.ReplaceAll(expr, perWindow, perWindow+" offset 1w")
}

// sum adds up what expr says of each series, by the labels.
func sum(expr string, by ...string) string { return aggregated("sum", expr, by) }

func aggregated(operation, expr string, by []string) string {
	if len(by) > 0 {
		operation += " by (" + strings.Join(by, ", ") + ") "
	}
	return operation + "(" + expr + ")"
}

// each is a level of each instance.
func (b *board) each(m domain.Metric) string {
	return aggregated("max", b.series(m, ""), []string{"job", "instance"})
}

// quantile is one of a histogram, by the labels.
func (b *board) quantile(q float64, m domain.Metric, by []string, filters ...string) string {
	return fmt.Sprintf("histogram_quantile(%s, %s)", number(q), sum(b.rate(m, "_bucket", filters...), append(slices.Clone(by), "le")...))
}

// mean is that of a histogram, by the labels; nothing where nothing happened.
func (b *board) mean(m domain.Metric, by []string, filters ...string) string {
	return fmt.Sprintf("%s / (%s > 0)", sum(b.rate(m, "_sum", filters...), by...), sum(b.rate(m, "_count", filters...), by...))
}

// percent is the share in percent that the filtered series of a counter have of
// all that the filters common keep. It is 0 where no series is filtered, and
// nothing where there is nothing to share.
func (b *board) percent(m domain.Metric, by, common []string, filters ...string) string {
	suffix := ""
	if m.Kind == domain.KindHistogram {
		suffix = "_count"
	}
	all := sum(b.rate(m, suffix, common...), by...)
	return fmt.Sprintf("100 * (%s or 0 * %s) / (%s > 0)", sum(b.rate(m, suffix, slices.Concat(common, filters)...), by...), all, all)
}

// quantiles are the lines of a panel of latency.
func (b *board) quantiles(m domain.Metric, filters ...string) []query {
	var all []query
	for _, s := range []domain.Stat{domain.StatP50, domain.StatP95, domain.StatP99} {
		all = append(all, query{expr: b.quantile(s.Quantile(), m, nil, filters...), legend: string(s), exemplars: s == domain.StatP99})
	}
	return all
}

// buckets are those of a histogram, for a heat map.
func (b *board) buckets(m domain.Metric, filters ...string) query {
	return query{expr: sum(b.ranged("increase", m, "_bucket", perWindow, filters...), "le"), legend: "{{le}}", buckets: true, exemplars: true}
}

// statistic is what a threshold computes, with the labels that its rule keeps.
func (b *board) statistic(t domain.Threshold) (expr string, by []string) {
	m := b.metric(cmp.Or(t.Metric, t.Event))
	stat := cmp.Or(t.Stat, m.Kind.Stats()[0])
	by = []string{"job"}
	if m.Event == nil && (m.Kind == domain.KindGauge || m.Kind == domain.KindUpDown) {
		by = append(by, "instance")
	}
	if t.By != "" {
		by = append(by, t.By)
	}
	where := labelmatch.PromQL(t.Where)
	counts, window := "", "["+cmp.Or(t.Window, domain.DefaultWindow).String()+"]"
	if m.Kind == domain.KindHistogram {
		counts = "_count"
	}
	switch stat {
	case domain.StatP50, domain.StatP95, domain.StatP99:
		return b.quantile(stat.Quantile(), m, by, where...), by
	case domain.StatMean:
		if m.Kind == domain.KindHistogram {
			return b.mean(m, by, where...), by
		}
		return aggregated(level(m, t.Below != nil), b.ranged("avg_over_time", m, "", window, where...), by), by
	case domain.StatMax, domain.StatMin:
		return aggregated(level(m, t.Below != nil), b.ranged(string(stat)+"_over_time", m, "", window, where...), by), by
	case domain.StatRate:
		expr = sum(b.rate(m, counts, where...), by...)
		if s := time.Duration(t.Per).Seconds(); s > 0 && s != 1 {
			expr += " * " + number(s)
		}
		return expr, by
	case domain.StatIncrease:
		return sum(b.ranged("increase", m, counts, window, where...), by...), by
	case domain.StatRatio:
		common, own := b.subject(m, t.Where)
		return b.percent(m, by, common, own...), by
	}
	return aggregated(level(m, t.Below != nil), b.ranged("", m, "", "", where...), by), by
}

// level is how the series of something that stands somewhere are taken
// together, as in the rule of a threshold: added up if they are parts of a
// whole, and else the one that is nearest to what is feared.
func level(m domain.Metric, low bool) string {
	if m.Kind == domain.KindGauge && low {
		return "min"
	}
	if m.Kind == domain.KindUpDown && (m.Event != nil || len(m.Attributes) > 0) {
		return "sum"
	}
	return "max"
}

// subject parts the filters of a ratio as its rule does: those that say of what
// it is, which are on both sides, and those that say which of them.
func (b *board) subject(m domain.Metric, where map[string]string) (common, own []string) {
	outcome := func(label, _ string) bool { return label == "status" || label == "error_type" }
	of, which := maps.Clone(where), maps.Clone(where)
	maps.DeleteFunc(of, outcome)
	if m.Event != nil || len(of) == len(where) {
		return nil, labelmatch.PromQL(where)
	}
	maps.DeleteFunc(which, func(l, v string) bool { return !outcome(l, v) })
	return labelmatch.PromQL(of), labelmatch.PromQL(which)
}

// legend shows the labels that tell series apart: "{{job}} {{endpoint}}"; "" for
// none.
func legend(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return "{{" + strings.Join(by, "}} {{") + "}}"
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
