package page

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
)

type domainView struct {
	head
	Domain  domain.Domain
	Metrics []metricRow
	Silent  []string // events that were never counted
	Broken  []rule   // rules that cannot be evaluated
	Former  []string // events whose former names are over

	EventSeries, MostSeries int // that the events can make, and may make
}

// metricRow is one metric of the contract or of the domain.
type metricRow struct {
	domain.Metric
	Series int
	Rules  []string // that ask for it
	Go     string   // how it is recorded
	PromQL string
}

func (p *Page) domain(r *http.Request) view {
	ctx := r.Context()
	v := domainView{head: p.head(ctx, "domain", p.T("Domain", "Dominio")), Domain: p.Domain, MostSeries: domain.MaxSeries}
	_, text := p.Get(ctx, "/metrics")
	series := seriesOf(text)
	var rules []rule
	if v.Embedded {
		rules = p.rules(ctx, nil)
	}
	for _, r := range rules {
		if r.Health == "err" {
			v.Broken = append(v.Broken, r)
		}
	}
	d := p.dashboard(ctx)
	var common []metricRow
	for _, m := range p.Domain.Metrics() {
		row := metricRow{Metric: m, Series: series[m.Family], PromQL: ask(m)}
		v.EventSeries += m.Series()
		asked := regexp.MustCompile(`\b` + m.Family + `(_bucket|_sum|_count)?\b`)
		for _, r := range rules {
			if asked.MatchString(r.Query) {
				row.Rules = append(row.Rules, r.Name)
			}
		}
		if m.Event == nil {
			common = append(common, row)
			continue
		}
		row.Go = snippet(m)
		v.Metrics = append(v.Metrics, row)
		if len(m.Was) > 0 && time.Now().After(m.Was[0].Until) {
			v.Former = append(v.Former, m.Event.Name)
		}
		if e := p.event(m.Event, d); value(e.Value) == 0 && m.Kind == domain.KindCounter {
			v.Silent = append(v.Silent, m.Event.Name)
		}
	}
	v.Metrics = append(v.Metrics, common...) // what is the domain's own comes first
	return v
}

// seriesOf counts the series of each family in Prometheus' text. Those of a
// histogram are counted by its sums.
func seriesOf(text []byte) map[string]int {
	count := map[string]int{}
	for line := range bytes.Lines(text) {
		if end := bytes.IndexAny(line, "{ "); end > 0 && line[0] != '#' {
			count[strings.TrimSuffix(string(line[:end]), "_sum")]++
		}
	}
	return count
}

// snippet is how an event is recorded in Go.
func snippet(m domain.Metric) string {
	var with []string
	for _, name := range m.Attributes {
		with = append(with, strconv.Quote(name), strconv.Quote(m.Event.Attributes[name][0]))
	}
	name := `("` + m.Event.Name + `").With(` + strings.Join(with, ", ") + ")"
	switch m.Kind {
	case domain.KindHistogram:
		return "tel.Histogram" + name + ".Record(ctx, v)"
	case domain.KindUpDown:
		return "tel.UpDown" + name + ".Add(1)"
	case domain.KindGauge:
		return "tel.Gauge" + name + ".Set(v)"
	}
	return "tel.Counter" + name + ".Add(1)"
}

// ask is how a metric is asked for in PromQL.
func ask(m domain.Metric) string {
	switch m.Kind {
	case domain.KindHistogram:
		return "histogram_quantile(0.95, sum by (le) (rate(" + m.Family + "_bucket[5m])))"
	case domain.KindCounter:
		return "sum(rate(" + m.Family + "[5m]))"
	}
	return m.Family
}
