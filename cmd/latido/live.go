package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/domain"
)

// live is what runs: a service by its admin listener, or a Prometheus that
// scrapes it, or both in one process.
type live struct {
	base   *url.URL
	api    bool // there is Prometheus' API
	server bool // it is a server, and no service

	series []series          // of the domain's prefix
	others []string          // names of the job's series without it
	kinds  map[string]string // by series or family name; nil if nobody knows
	added  []string          // labels that the scrape adds
	rules  []serverRule      // in the server
}

// series is one series with its last value.
type series struct {
	name   string
	labels map[string]string
	value  float64
}

// serverRule is a rule as Prometheus' API has it.
type serverRule struct {
	Name, Query, Type, Health, LastError string
	Labels                               map[string]string
}

// look finds out what answers at a URL, and reads all that the checks need.
func look(ctx context.Context, base *url.URL, d domain.Domain, job string) (*live, error) {
	l := &live{base: base}
	text, metricsErr := ask(ctx, base, request{path: "metrics"})
	var families map[string]*dto.MetricFamily
	if metricsErr == nil {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		if families, metricsErr = parser.TextToMetricFamilies(bytes.NewReader(text)); metricsErr != nil {
			metricsErr = fmt.Errorf("%s/metrics is not in Prometheus' text format: %w", address(base), metricsErr)
		}
	}
	var any json.RawMessage
	apiErr := askPrometheus(ctx, base, "query", url.Values{"query": {"vector(1)"}}, &any)
	l.api = apiErr == nil
	// A Prometheus has metrics too: its own.
	l.server = l.api && (metricsErr != nil || families["prometheus_build_info"] != nil && families[d.Prefix+"_build_info"] == nil)
	switch {
	case metricsErr != nil && apiErr != nil:
		return nil, metricsErr
	case l.server:
		if err := l.readServer(ctx, d, job); err != nil {
			return nil, err
		}
	default:
		l.readFamilies(d, families)
	}
	if l.api {
		var answer struct {
			Groups []struct{ Rules []serverRule }
		}
		if err := askPrometheus(ctx, base, "rules", nil, &answer); err != nil {
			return nil, err
		}
		for _, g := range answer.Groups {
			l.rules = append(l.rules, g.Rules...)
		}
	}
	return l, nil
}

// readFamilies takes the series of a service's /metrics.
func (l *live) readFamilies(d domain.Domain, families map[string]*dto.MetricFamily) {
	l.kinds = map[string]string{}
	for _, name := range sortedKeys(families) {
		f := families[name]
		if !strings.HasPrefix(name, d.Prefix+"_") {
			l.others = append(l.others, name)
			continue
		}
		l.kinds[name] = strings.ToLower(f.GetType().String())
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, pair := range m.GetLabel() {
				labels[pair.GetName()] = pair.GetValue()
			}
			l.add(name, labels, m)
		}
	}
}

// add adds the series that a metric of a family is.
func (l *live) add(name string, labels map[string]string, m *dto.Metric) {
	one := func(name string, value float64) { l.series = append(l.series, series{name, labels, value}) }
	switch {
	case m.Histogram != nil:
		for _, b := range m.Histogram.GetBucket() {
			with := map[string]string{"le": strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)}
			for k, v := range labels {
				with[k] = v
			}
			l.series = append(l.series, series{name + "_bucket", with, float64(b.GetCumulativeCount())})
		}
		one(name+"_sum", m.Histogram.GetSampleSum())
		one(name+"_count", float64(m.Histogram.GetSampleCount()))
	case m.Summary != nil:
		one(name+"_sum", m.Summary.GetSampleSum())
		one(name+"_count", float64(m.Summary.GetSampleCount()))
	case m.Counter != nil:
		one(name, m.Counter.GetValue())
	case m.Gauge != nil:
		one(name, m.Gauge.GetValue())
	default:
		one(name, m.GetUntyped().GetValue())
	}
}

// readServer takes the series from a Prometheus.
func (l *live) readServer(ctx context.Context, d domain.Domain, job string) error {
	all, err := instant(ctx, l.base, fmt.Sprintf("{__name__=~%q}", d.Prefix+"_.+"))
	if err != nil {
		return err
	}
	l.series = all
	rest, err := instant(ctx, l.base, fmt.Sprintf("group by (__name__) ({job=%q, __name__!~%q})", job, d.Prefix+"_.+"))
	if err != nil {
		return err
	}
	for _, s := range rest {
		l.others = append(l.others, s.name)
	}
	slices.Sort(l.others)
	// What every series of a target has is on `up` as well.
	up, err := instant(ctx, l.base, fmt.Sprintf("up{job=%q}", job))
	if err != nil {
		return err
	}
	l.added = []string{"job", "instance"}
	for _, s := range up {
		for _, name := range sortedKeys(s.labels) {
			if !slices.Contains(l.added, name) {
				l.added = append(l.added, name)
			}
		}
	}
	var metadata []struct{ Metric, Type string }
	// A store that only answers queries knows no types: then nobody does.
	if err := askPrometheus(ctx, l.base, "targets/metadata", url.Values{"match_target": {fmt.Sprintf("{job=%q}", job)}}, &metadata); err == nil && len(metadata) > 0 {
		l.kinds = map[string]string{}
		for _, m := range metadata {
			l.kinds[m.Metric] = m.Type
		}
	}
	return nil
}

// instant asks a Prometheus for what a query gives now.
func instant(ctx context.Context, base *url.URL, query string) ([]series, error) {
	var answer vector
	if err := askPrometheus(ctx, base, "query", url.Values{"query": {query}}, &answer); err != nil {
		return nil, err
	}
	return answer.series(base)
}

// vector is what a query gives at one time, as Prometheus' API has it.
type vector struct {
	ResultType string
	Result     []struct {
		Metric map[string]string
		Value  [2]any
	}
}

func (v vector) series(base *url.URL) ([]series, error) {
	if v.ResultType != "vector" {
		return nil, fmt.Errorf("%s answers a query with a %s, not with a vector", address(base), v.ResultType)
	}
	all := make([]series, 0, len(v.Result))
	for _, r := range v.Result {
		text, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil { // a native histogram has no value
			value = 0
		}
		name := r.Metric["__name__"]
		delete(r.Metric, "__name__")
		all = append(all, series{name, r.Metric, value})
	}
	return all, nil
}
