package telemetrytest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// Value is what a counter, an up-down counter or a gauge stands at. The metric
// is an event of the domain, or a metric of the contract by its short name:
// requests, api_errors, function_calls, active_requests, entities_created.
//
// Attributes are names and values in any order. The result is the sum over all
// series that have them, so that without attributes it is the sum of the whole
// metric. What never happened is 0; a gauge that was never set is NaN, since its
// value is not known.
//
// The test fails for a metric or an attribute that the domain does not declare,
// for an undeclared value of an event's attribute, and for an undeclared error
// type. The type of a Go error, as *strconv.NumError, needs no declaration. Other
// values, as a route that had no request, are not known beforehand: they are 0.
func (r *Recorder) Value(metric string, attributes ...string) float64 {
	r.t.Helper()
	m, series := r.read(metric, attributes)
	switch {
	case m.Kind == domain.KindHistogram:
		r.t.Fatalf("telemetrytest: %s is a histogram: read it with Histogram", metric)
	case m.Kind == domain.KindGauge && len(series) == 0:
		return math.NaN()
	}
	sum := 0.0
	for _, s := range series { // one of the two is 0
		sum += s.GetCounter().GetValue() + s.GetGauge().GetValue()
	}
	return sum
}

// Histogram is how many values a histogram has, and their sum in the unit of the
// metric: that of the domain file for an event, seconds for response_duration,
// function_duration and client_duration. Metric and attributes are as for
// [Recorder.Value]: those that are left out are summed over, and what the domain
// does not declare fails the test.
func (r *Recorder) Histogram(metric string, attributes ...string) (count int, sum float64) {
	r.t.Helper()
	m, series := r.read(metric, attributes)
	if m.Kind != domain.KindHistogram {
		r.t.Fatalf("telemetrytest: %s is a %s: read it with Value", metric, m.Kind)
	}
	for _, s := range series {
		count += int(s.GetHistogram().GetSampleCount())
		sum += s.GetHistogram().GetSampleSum()
	}
	return count, sum
}

// Requests is how many requests were answered: by method, by endpoint, which is
// the route's pattern without the method ("/pedidos/{id}"), and by the status that
// the client got. "" and 0 stand for all of them. The endpoint of a request that
// no route matched is domain.Unmatched.
func (r *Recorder) Requests(method, endpoint string, status int) int {
	r.t.Helper()
	var attributes []string
	if method != "" {
		attributes = append(attributes, "method", method)
	}
	if endpoint != "" {
		attributes = append(attributes, "endpoint", endpoint)
	}
	if status != 0 {
		attributes = append(attributes, "status", strconv.Itoa(status))
	}
	return int(r.Value("requests", attributes...))
}

// Refused is how many recordings were not taken as they were given: an event, an
// attribute or a value that the domain does not declare, or a number that cannot
// be counted. The log in the test's output says which.
func (r *Recorder) Refused() int {
	r.t.Helper()
	return int(r.Value("telemetry_refused"))
}

// read finds a metric, and those of its series that have the attributes.
func (r *Recorder) read(metric string, attributes []string) (domain.Metric, []*dto.Metric) {
	r.t.Helper()
	m, labels, err := r.query(metric, attributes)
	if err != nil {
		r.t.Fatalf("telemetrytest: %v", err)
	}
	series, err := r.gather(m.Family)
	if err != nil {
		r.t.Fatalf("telemetrytest: %v", err)
	}
	return m, slices.DeleteFunc(series, func(s *dto.Metric) bool {
		for name, want := range labels {
			if value(s, name) != want {
				return true
			}
		}
		return false
	})
}

// query is the metric of a name, and its attributes by their names in Prometheus.
func (r *Recorder) query(metric string, attributes []string) (domain.Metric, map[string]string, error) {
	i := slices.IndexFunc(r.metrics, func(m domain.Metric) bool { return m.Key == metric })
	if i < 0 {
		keys := make([]string, len(r.metrics))
		for i, m := range r.metrics {
			keys[i] = m.Key
		}
		return domain.Metric{}, nil, fmt.Errorf("the domain has no metric %q%s",
			metric, meant(metric, keys, "write the name of an event, or of a metric such as requests"))
	}
	m := r.metrics[i]
	labels := map[string]string{}
	for pair := range slices.Chunk(attributes, 2) {
		j := slices.IndexFunc(m.Attributes, func(a string) bool { return pair[0] == a || pair[0] == promname.Label(a) })
		if j < 0 {
			has := "it has none"
			if len(m.Attributes) > 0 {
				has = "it has " + strings.Join(m.Attributes, ", ")
			}
			return m, nil, fmt.Errorf("%s has no attribute %q%s", metric, pair[0], meant(pair[0], m.Attributes, has))
		}
		if len(pair) == 1 {
			return m, nil, fmt.Errorf("%s: attribute %q has no value: write names and values in turn", metric, pair[0])
		}
		if declared := r.declared(m, m.Attributes[j], pair[1]); declared != nil && !slices.Contains(declared, pair[1]) {
			return m, nil, fmt.Errorf("%s: attribute %q has no value %q%s",
				metric, pair[0], pair[1], meant(pair[1], declared, "it has "+strings.Join(declared, ", ")))
		}
		label := promname.Label(m.Attributes[j])
		if _, twice := labels[label]; twice {
			return m, nil, fmt.Errorf("%s: attribute %q is given twice: a series has one value of it", metric, pair[0])
		}
		labels[label] = pair[1]
	}
	return m, labels, nil
}

// declared are the values that an attribute may have, nil where the domain cannot
// know them.
func (r *Recorder) declared(m domain.Metric, attribute, value string) []string {
	switch {
	case m.Event != nil:
		return append(slices.Clone(m.Event.Attributes[attribute]), domain.Other)
	case attribute != "error.type", value == "", value == "error", strings.Contains(value, "."): // none, or a Go type
		return nil
	default:
		return r.errors
	}
}

// gather reads the series of one family from /metrics: what is tested is what is
// served. A family without a series is not served.
func (r *Recorder) gather(family string) ([]*dto.Metric, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	format := expfmt.NewFormat(expfmt.TypeProtoDelim)
	request := httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil)
	request.Header.Set("Accept", string(format))
	answer := httptest.NewRecorder()
	r.Telemetry.Admin().Handler().ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %d: %s", answer.Code, bytes.TrimSpace(answer.Body.Bytes()))
	}
	for decoder := expfmt.NewDecoder(answer.Body, format); ; {
		var f dto.MetricFamily
		switch err := decoder.Decode(&f); {
		case errors.Is(err, io.EOF):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("/metrics cannot be decoded: %w", err)
		case f.GetName() == family:
			return f.Metric, nil
		}
	}
}

// value is that of a label. One that is empty and one that is not there are the
// same.
func value(s *dto.Metric, label string) string {
	for _, pair := range s.Label {
		if pair.GetName() == label {
			return pair.GetValue()
		}
	}
	return ""
}

// meant ends a message about a wrong name: the nearest one, or else.
func meant(name string, candidates []string, otherwise string) string {
	if near := spelling.Nearest(name, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ": " + otherwise
}
