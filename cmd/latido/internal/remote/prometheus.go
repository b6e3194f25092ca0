package remote

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Series is one series with its last value.
type Series struct {
	Name   string
	Labels map[string]string
	Value  float64
}

// Rule is a rule as Prometheus' API has it.
type Rule struct {
	Name, Query, Type, Health, LastError string
	Labels, Annotations                  map[string]string
	Duration, KeepFiringFor              float64 // seconds
}

// Instant asks a Prometheus for what a query gives now.
func Instant(ctx context.Context, base *url.URL, query string) ([]Series, error) {
	var answer Vector
	if err := AskPrometheus(ctx, base, "query", url.Values{"query": {query}}, &answer); err != nil {
		return nil, err
	}
	return answer.Series(base)
}

// Vector is what a query gives at one time, as Prometheus' API has it.
type Vector struct {
	ResultType string
	Result     []struct {
		Metric map[string]string
		Value  [2]any
	}
}

// Series are those of the vector.
func (v Vector) Series(base *url.URL) ([]Series, error) {
	if v.ResultType != "vector" {
		return nil, fmt.Errorf("%s answers a query with a %s, not with a vector", Address(base), v.ResultType)
	}
	all := make([]Series, 0, len(v.Result))
	for _, r := range v.Result {
		text, _ := r.Value[1].(string)
		value, err := strconv.ParseFloat(text, 64)
		if err != nil { // a native histogram has no value
			value = 0
		}
		name := r.Metric["__name__"]
		delete(r.Metric, "__name__")
		all = append(all, Series{name, r.Metric, value})
	}
	return all, nil
}

// LabelText writes labels in one order.
func LabelText(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		fmt.Fprintf(&b, "%s=%q,", name, labels[name])
	}
	return b.String()
}

// Families reads metrics in Prometheus' text format, by the names of their families.
func Families(text []byte) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(text))
}

// Label is the value of a label of a metric, "" for none.
func Label(m *dto.Metric, name string) string {
	for _, pair := range m.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
