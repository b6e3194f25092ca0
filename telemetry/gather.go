package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/latido-dev/latido/domain"
)

// gatherer answers a scrape: our series straight from their state, which is
// three times cheaper than through an exporter, and then those of other
// libraries. Nothing that is wrong with theirs keeps ours from being served.
type gatherer struct {
	families    []family
	foreign     prometheus.Gatherer
	users       []*usersGatherer
	own         names
	diagnostics *diagnostics
	asked       func() // at each scrape
}

// scrapeTimeout is how long /metrics may take before it answers 503, and
// scrapesInFlight how many may wait at once.
const (
	scrapeTimeout   = 10 * time.Second
	scrapesInFlight = 8
)

// metricsHandler serves /metrics: text, OpenMetrics with exemplars, or
// protobuf, as asked for, compressed if the client can.
func (t *Telemetry) metricsHandler() http.Handler {
	return promhttp.HandlerFor(&gatherer{t.families, t.registry, newUsersGatherers(t.cfg.Gatherers, t.diagnostics), t.foreign.own, t.diagnostics, t.remember}, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: scrapesInFlight,
		Timeout:             scrapeTimeout,
	})
}

// Gather returns all families, sorted by name. What is wrong with one is
// logged once and counted, and the others are returned.
func (g *gatherer) Gather() ([]*dto.MetricFamily, error) {
	g.asked()
	observe(context.Background(), g.families)
	foreign, err := g.foreign.Gather()
	report(g.diagnostics, err)
	foreign = g.withUsers(foreign)
	all := make([]*dto.MetricFamily, 0, len(g.families)+len(foreign))
	for i := range g.families {
		if f := g.families[i].gather(); len(f.Metric) > 0 {
			all = append(all, f)
		}
	}
	all = append(all, foreign...)
	slices.SortFunc(all, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return all, nil
}

// report logs and counts what a registry found wrong with the series of others.
// They have been left out.
func report(diagnostics *diagnostics, err error) {
	if err == nil {
		return
	}
	all := []error{err}
	if several, ok := errors.AsType[prometheus.MultiError](err); ok {
		all = several
	}
	for _, one := range all {
		text := one.Error()
		reason := collectOther
		switch {
		case strings.Contains(text, "UTF-8"), strings.Contains(text, "utf8"), strings.Contains(text, "invalid name"), strings.Contains(text, "label name"):
			reason = collectText
		case strings.Contains(text, "collected before"), strings.Contains(text, "help string"), strings.Contains(text, "has metric type"),
			strings.Contains(text, "duplicate"), strings.Contains(text, "inconsistent"), strings.Contains(text, "should be a"),
			strings.Contains(text, "collides with"), strings.Contains(text, "but should have"):
			reason = collectClash
		}
		diagnostics.collectErrors[reason].Add(1)
		diagnostics.once("gather/"+text, func(log *slog.Logger) {
			log.Error("a series that is not ours cannot be served: the others are", "error", cleanValue(text))
		})
	}
}

// gather writes a family in Prometheus' model. The many small messages are
// allocated together.
func (f *family) gather() *dto.MetricFamily {
	out := &dto.MetricFamily{Name: &f.Family, Help: &f.Description, Type: prometheusType(f.Kind).Enum()}
	var points []point
	for p := range f.points {
		points = append(points, p)
	}
	metrics := make([]dto.Metric, len(points))
	out.Metric = make([]*dto.Metric, len(points))
	for i := range points {
		metrics[i].Label = points[i].labels.pairs
		out.Metric[i] = &metrics[i]
	}
	switch f.Kind {
	case domain.KindHistogram:
		f.gatherHistograms(points, metrics)
	case domain.KindCounter:
		counters := make([]dto.Counter, len(points))
		values := make([]float64, len(points))
		for i, p := range points {
			values[i] = p.value + float64(p.n) // one of the two is 0
			counters[i].Value = &values[i]
			metrics[i].Counter = &counters[i]
		}
	default:
		gauges := make([]dto.Gauge, len(points))
		values := make([]float64, len(points))
		for i, p := range points {
			values[i] = p.value + float64(p.n) // one of the two is 0
			gauges[i].Value = &values[i]
			metrics[i].Gauge = &gauges[i]
		}
	}
	return out
}

func (f *family) gatherHistograms(points []point, metrics []dto.Metric) {
	width := len(f.Buckets)
	histograms := make([]dto.Histogram, len(points))
	buckets := make([]dto.Bucket, len(points)*width)
	pointers := make([]*dto.Bucket, len(points)*width)
	cumulated := make([]uint64, len(points)*(width+1))
	sums := make([]float64, len(points))
	counts := make([]uint64, width+1)
	for i, p := range points {
		total, sum := p.hist.read(counts)
		row := cumulated[i*(width+1) : (i+1)*(width+1)]
		row[width], sums[i] = total, sum
		var below uint64
		for b := range width {
			below += counts[b]
			row[b] = below
			bucket := &buckets[i*width+b]
			bucket.CumulativeCount, bucket.UpperBound = &row[b], &p.hist.bounds[b]
			bucket.Exemplar = p.hist.exemplars[b].Load().gather()
			pointers[i*width+b] = bucket
		}
		h := &histograms[i]
		h.SampleCount, h.SampleSum = &row[width], &sums[i]
		h.Bucket = pointers[i*width : (i+1)*width : (i+1)*width]
		if e := p.hist.exemplars[width].Load(); e != nil { // the last bucket is only written for its exemplar
			h.Bucket = append(h.Bucket, &dto.Bucket{CumulativeCount: &row[width], UpperBound: new(math.Inf(1)), Exemplar: e.gather()})
		}
		metrics[i].Histogram = h
	}
}

func (e *exemplar) gather() *dto.Exemplar {
	if e == nil {
		return nil
	}
	trace, span := e.span.TraceID().String(), e.span.SpanID().String()
	return &dto.Exemplar{
		Value: &e.value, Timestamp: timestamppb.New(e.at),
		Label: []*dto.LabelPair{{Name: new("trace_id"), Value: &trace}, {Name: new("span_id"), Value: &span}},
	}
}
