package dashboards

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// line is a bound that a panel draws.
type line struct {
	op       string // ">", "<" or "=="
	bound    float64
	severity domain.Severity
}

// severityColors say how loud the alert of a line is.
var severityColors = map[domain.Severity]string{domain.SeverityPage: "red", domain.SeverityTicket: "orange", domain.SeverityInfo: "blue"}

// drawn are the lines as Grafana wants them, rising.
func drawn(lines []line) []dashboard.Threshold {
	var steps []dashboard.Threshold
	for _, l := range lines {
		steps = append(steps, dashboard.Threshold{Value: new(rounded(l.bound)), Color: severityColors[l.severity]})
	}
	slices.SortStableFunc(steps, func(a, b dashboard.Threshold) int { return cmp.Compare(*a.Value, *b.Value) })
	return slices.CompactFunc(steps, func(a, b dashboard.Threshold) bool { return *a.Value == *b.Value })
}

// rounded is a product as a person would write it: 55, not 55.00000000000001.
func rounded(v float64) float64 {
	decimal, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
	return decimal
}

// softMax is how far an axis of shares reaches at least: to the nearest line, which
// else would not be seen while all is well. Lines further away are there when the
// curve comes near them. So are those of anything else, where a limit may be many
// times what is usual: a p95 of 5 ms would be flat on an axis that reaches 2 s.
func softMax(unit string, lines []line) *float64 {
	if len(lines) == 0 || unit != "percent" && unit != "percentunit" {
		return nil
	}
	nearest := slices.MinFunc(lines, func(a, b line) int { return cmp.Compare(a.bound, b.bound) })
	return new(rounded(nearest.bound * 1.1))
}

// defaults are the rules, of those that every domain gets, whose bound is a line
// of a panel that shows the same statistic.
var defaults = map[string]map[domain.Stat]string{
	"response_duration": {domain.StatP95: "SlowResponses"},
	"requests":          {domain.StatRatio: "HighErrorRatio"},
	"cpu_usage":         {domain.StatValue: "HostCPUHigh"},
	"disk_usage":        {domain.StatValue: "DiskAlmostFull"},
}

// lines are the bounds of all rules on a statistic of a metric. The thresholds
// among them need no panel of their own any more. where are the filters that
// the panel has, which a threshold must have too, and the labels that it keeps
// apart, by which a threshold may filter.
func (b *board) lines(m domain.Metric, statistic domain.Stat, where ...string) []line {
	var all []line
	for _, t := range b.d.Thresholds {
		same := cmp.Or(t.Metric, t.Event) == m.Key && t.Expr == "" && !t.Heartbeat
		if same && sameStat(cmp.Or(t.Stat, m.Kind.Stats()[0]), statistic, m) && fits(t, where) {
			b.drawn[t.Name] = true
			l := b.bound(alerting.SourceThreshold, t.Name)
			if t.Per > 0 { // the panel is by second
				l.bound /= time.Duration(t.Per).Seconds()
			}
			all = append(all, l)
		}
	}
	if l := b.bound(alerting.SourceDefault, defaults[m.Key][statistic]); l.op != "" {
		all = append(all, l)
	}
	return all
}

// bound is the line of an alert, without an op for one that compares nothing.
func (b *board) bound(source alerting.Source, alert string) line {
	for _, r := range b.rules {
		if r.Source == source && r.Alert == alert {
			return line{r.Op, r.Bound, r.Severity}
		}
	}
	return line{}
}

// sameStat tells whether a threshold's statistic is what a panel shows. The
// mean of a gauge is what it shows over a longer time, and so are its extremes.
func sameStat(of, shown domain.Stat, m domain.Metric) bool {
	return of == shown || m.Kind != domain.KindHistogram && shown == domain.StatValue && slices.Contains(domain.KindGauge.Stats(), of)
}

// fits tells whether a panel with these filters and labels shows all that a
// threshold is about, and nothing else.
func fits(t domain.Threshold, where []string) bool {
	own := labelmatch.PromQL(t.Where)
	for _, w := range where {
		if strings.Contains(w, "=") && !slices.Contains(own, w) {
			return false
		}
	}
	for i, label := range slices.Sorted(maps.Keys(t.Where)) {
		if !slices.Contains(where, own[i]) && !slices.Contains(where, label) {
			return false
		}
	}
	return true
}

// thresholds are the panels of the thresholds on the metrics that no panel has
// as a line: each shows what its rule computes, and the bound.
func (b *board) thresholds(of func(domain.Metric) bool) []panel {
	var all []panel
	for _, t := range b.d.Thresholds {
		if t.Expr != "" || t.Heartbeat || b.drawn[t.Name] {
			continue
		}
		m := b.metric(cmp.Or(t.Metric, t.Event))
		if !of(m) {
			continue
		}
		expr, by := b.statistic(t)
		p := b.threshold(t, expr, by)
		p.unit = unitOfStat(m, cmp.Or(t.Stat, m.Kind.Stats()[0]))
		all = append(all, p)
	}
	return all
}

// expressions are the panels of the thresholds in PromQL of the domain's own. A
// comparison in one leaves only what it holds for.
func (b *board) expressions() []panel {
	var all []panel
	for _, t := range b.d.Thresholds {
		if t.Expr == "" {
			continue
		}
		p := b.threshold(t, strings.TrimSpace(t.Expr), nil)
		p.about += " " + b.T("The expression is the domain's own, and keeps to no job or instance.", "La expresión es propia del dominio y no se limita a un job o una instancia.")
		p.empty = b.T("The condition does not hold", "La condición no se cumple")
		all = append(all, p)
	}
	return all
}

func (b *board) threshold(t domain.Threshold, expr string, by []string) panel {
	p := panel{
		kind: timeseries, title: t.Name, width: 12, height: 8,
		about:   strings.TrimSpace(sentence(t.Summary) + " " + b.condition(t)),
		queries: []query{{expr: expr, legend: legend(by)}},
		links:   b.runbook(t.Name),
	}
	if l := b.bound(alerting.SourceThreshold, t.Name); l.op != "" {
		p.lines = []line{l}
	}
	return p
}

// condition says when a threshold's alert fires.
func (b *board) condition(t domain.Threshold) string {
	side := map[string]string{">": b.T("above", "por encima de"), "<": b.T("below", "por debajo de"), "==": b.T("on", "justo en")}[b.bound(alerting.SourceThreshold, t.Name).op]
	text := b.T("Alerts while the expression holds", "Avisa mientras se cumple la expresión")
	if side != "" {
		text = b.Say("Alerts %s the line", "Avisa %s la línea", side)
	}
	if d := time.Duration(t.For); d > 0 {
		text += b.T(" for ", " durante ") + t.For.String()
	}
	return text + "."
}

// unitOfStat is Grafana's unit of a statistic.
func unitOfStat(m domain.Metric, s domain.Stat) string {
	switch s {
	case domain.StatRatio:
		return "percent"
	case domain.StatRate, domain.StatIncrease:
		if m.Kind == domain.KindHistogram {
			return "short"
		}
	}
	return unitOf(m.Unit)
}
