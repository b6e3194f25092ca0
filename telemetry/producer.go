package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latido-dev/latido/domain"
)

// scopeName is the instrumentation scope of our series.
const scopeName = "github.com/latido-dev/latido/telemetry"

// producer hands our series to an OpenTelemetry reader. It is one
// sdkmetric.Producer, safe for concurrent use.
type producer struct {
	families []family
	version  string
	start    time.Time
}

// Produce reads every series. It never fails.
func (p *producer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	observe(ctx, p.families)
	now := time.Now()
	scope := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: scopeName, Version: p.version}}
	for i := range p.families {
		f := &p.families[i]
		m := metricdata.Metrics{Name: f.Name, Description: f.Description, Unit: f.Unit}
		switch f.Kind {
		case domain.KindHistogram:
			m.Data = p.histogram(f, now)
		case domain.KindGauge:
			m.Data = metricdata.Gauge[float64]{DataPoints: pointsWith(f, time.Time{}, now, func(pt point) float64 { return pt.value })}
		case domain.KindCounter:
			if f.Unit == "s" { // a time is no whole number
				m.Data = metricdata.Sum[float64]{
					Temporality: metricdata.CumulativeTemporality, IsMonotonic: true,
					DataPoints: pointsWith(f, p.start, now, func(pt point) float64 { return pt.value + float64(pt.n) }),
				}
				break
			}
			fallthrough
		default:
			m.Data = metricdata.Sum[int64]{
				Temporality: metricdata.CumulativeTemporality, IsMonotonic: f.Kind == domain.KindCounter,
				DataPoints: pointsWith(f, p.start, now, func(pt point) int64 { return pt.n + int64(pt.value) }),
			}
		}
		if pointsOf(m.Data) > 0 { // a figure that is not there is no metric without points
			scope.Metrics = append(scope.Metrics, m)
		}
	}
	return []metricdata.ScopeMetrics{scope}, nil
}

// pointsOf is how many series there are.
func pointsOf(data metricdata.Aggregation) (n int) {
	eachSet(data, func(attribute.Set) bool {
		n++
		return true
	})
	return n
}

func pointsWith[N int64 | float64](f *family, start, now time.Time, value func(point) N) (all []metricdata.DataPoint[N]) {
	for pt := range f.points {
		all = append(all, metricdata.DataPoint[N]{Attributes: pt.labels.attributes, StartTime: start, Time: now, Value: value(pt)})
	}
	return all
}

func (p *producer) histogram(f *family, now time.Time) metricdata.Histogram[float64] {
	var points []metricdata.HistogramDataPoint[float64]
	for pt := range f.points {
		counts := make([]uint64, len(pt.hist.buckets))
		total, sum := pt.hist.read(counts)
		point := metricdata.HistogramDataPoint[float64]{
			Attributes: pt.labels.attributes, StartTime: p.start, Time: now,
			Count: total, Sum: sum, Bounds: pt.hist.bounds, BucketCounts: counts,
		}
		for i := range pt.hist.exemplars {
			if e := pt.hist.exemplars[i].Load(); e != nil {
				trace, span := e.span.TraceID(), e.span.SpanID()
				point.Exemplars = append(point.Exemplars, metricdata.Exemplar[float64]{
					Time: e.at, Value: e.value, TraceID: trace[:], SpanID: span[:],
				})
			}
		}
		points = append(points, point)
	}
	return metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality, DataPoints: points}
}
