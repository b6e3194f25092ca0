package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/singleflight"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/evidence"
)

const (
	// maxPoints is how many samples are read for one alert, some 5 MB of JSON;
	// maxSeries of how many series.
	maxPoints = 150_000
	maxSeries = 20_000
)

// instances are the service's, as Prometheus has their samples and Pyroscope
// their profiles.
type instances struct {
	domain     domain.Domain
	prometheus *url.URL
	pyroscope  *url.URL  // nil for none
	measures   *measures // nil for none

	asked singleflight.Group // of profiles
}

// noLogin leaves the user and password of an address as they are.
func noLogin(*http.Request) {}

// ask asks Prometheus' API.
func (s *instances) ask(ctx context.Context, path string, query url.Values, into any) error {
	answer, err := s.measures.exchange(ctx, sourcePrometheus, s.prometheus, remote.Request{Path: "api/v1/" + path, Query: query}, noLogin)
	if err != nil {
		return fmt.Errorf("%s: %w", remote.Address(s.prometheus), err)
	}
	var said remote.PrometheusAnswer
	if err := json.Unmarshal(answer.Body, &said); err != nil || said.Error != "" {
		return fmt.Errorf("%s answers %s: %s", remote.Address(s.prometheus), answer.Status, answer.Start())
	}
	return said.Read(s.prometheus, path, into)
}

// selector is that of the series which an alert's labels leave. Buckets are most
// of all series, and nobody asks for them.
func (s *instances) selector(labels map[string]string) string {
	names := s.domain.Prefix + "_.+"
	if labels["job"] != "" { // up is of no domain
		names += "|up"
	}
	return fmt.Sprintf(`{__name__=~%q,__name__!~".+_bucket",%s}`, names, matchers(labels))
}

// matchers are those of the job and the instance that an alert is of.
func matchers(labels map[string]string) string {
	var all []string
	for _, name := range []string{"job", "instance"} {
		if value := labels[name]; value != "" {
			all = append(all, fmt.Sprintf("%s=%q", name, value))
		}
	}
	return strings.Join(all, ",")
}

// Series reads the samples as they were stored, or, where they would be too many,
// those at steps.
func (s *instances) Series(ctx context.Context, labels map[string]string, ranges ...cause.Range) ([]cause.Series, error) {
	selector := s.selector(labels)
	now := ranges[len(ranges)-1].To
	whole := time.Duration(0)
	for _, r := range ranges {
		whole += r.Length()
	}
	step, err := s.step(ctx, labels, now, whole)
	if err != nil {
		return nil, err
	}
	var all []cause.Series
	at := map[string]int{}
	for _, r := range ranges {
		matrix, err := s.matrix(ctx, selector, r, step)
		if err != nil {
			return nil, err
		}
		for _, one := range matrix {
			key := one.Metric.String()
			i, known := at[key]
			if !known {
				i = len(all)
				at[key] = i
				set := map[string]string{}
				for name, value := range one.Metric {
					set[string(name)] = string(value)
				}
				delete(set, model.MetricNameLabel)
				all = append(all, cause.Series{Name: string(one.Metric[model.MetricNameLabel]), Labels: set})
			}
			for _, p := range one.Values {
				all[i].Points = append(all[i].Points, cause.Point{At: p.Timestamp.Time(), Value: float64(p.Value)})
			}
		}
	}
	return all, nil
}

// step is how far apart samples of a time are read, 0 for as they are: not so
// many of them that nobody could wait for the answer.
func (s *instances) step(ctx context.Context, labels map[string]string, now time.Time, whole time.Duration) (time.Duration, error) {
	const of = "of" // the label that tells the two figures apart
	info, _ := s.domain.Metric("build_info")
	span := int(whole.Seconds()) + 1
	query := fmt.Sprintf(`label_replace(count(last_over_time(%s[%ds])), %q, "series", "", "") or label_replace(max(count_over_time(%s{%s}[%[2]ds])), %[3]q, "scrapes", "", "")`,
		s.selector(labels), span, of, info.Family, matchers(labels))
	var counted struct{ Result model.Vector }
	if err := s.ask(ctx, "query", url.Values{"query": {query}, "time": {unix(now)}}, &counted); err != nil {
		return 0, err
	}
	counts := map[string]float64{}
	for _, one := range counted.Result {
		counts[string(one.Metric[of])] = float64(one.Value)
	}
	series, scrapes := min(counts["series"], maxSeries), counts["scrapes"]
	if scrapes == 0 { // nobody knows: as often as anybody scrapes
		scrapes = whole.Seconds()
	}
	if series*scrapes <= maxPoints {
		return 0, nil
	}
	return time.Duration(math.Ceil(whole.Seconds()*series/maxPoints)) * time.Second, nil
}

func (s *instances) matrix(ctx context.Context, selector string, r cause.Range, step time.Duration) (model.Matrix, error) {
	var answer struct{ Result model.Matrix }
	limit := strconv.Itoa(maxSeries)
	if step == 0 {
		query := fmt.Sprintf("%s[%dms]", selector, max(r.Length().Milliseconds(), 1))
		err := s.ask(ctx, "query", url.Values{"query": {query}, "time": {unix(r.To)}, "limit": {limit}}, &answer)
		return answer.Result, err
	}
	err := s.ask(ctx, "query_range", url.Values{"query": {selector}, "start": {unix(r.From)}, "end": {unix(r.To)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)}, "limit": {limit}}, &answer)
	return answer.Result, err
}

// exemplars are those of a histogram's series in a time.
func (s *instances) exemplars(ctx context.Context, expr string, from, to time.Time) ([]evidence.Exemplar, error) {
	var found []struct {
		SeriesLabels map[string]string
		Exemplars    []struct {
			Labels    map[string]string
			Value     string
			Timestamp float64
		}
	}
	err := s.ask(ctx, "query_exemplars", url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(to)}}, &found)
	var all []evidence.Exemplar
	for _, series := range found {
		for _, e := range series.Exemplars {
			value, err := strconv.ParseFloat(e.Value, 64)
			if id := e.Labels["trace_id"]; err == nil && id != "" {
				all = append(all, evidence.Exemplar{Labels: series.SeriesLabels, TraceID: id, Value: value, At: time.UnixMilli(int64(e.Timestamp * 1000))})
			}
		}
	}
	return all, err
}

func unix(at time.Time) string { return strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64) }

// quoted is a list of values as a regular expression of a matcher.
func quoted(values []string) string {
	escaped := make([]string, len(values))
	for i, v := range values {
		escaped[i] = regexp.QuoteMeta(v)
	}
	return strconv.Quote(strings.Join(escaped, "|"))
}
