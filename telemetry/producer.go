package telemetry

import (
	"context"
	"time"

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
			var points []metricdata.DataPoint[float64]
			for pt := range f.points {
				points = append(points, metricdata.DataPoint[float64]{Attributes: pt.labels.attributes, Time: now, Value: pt.value})
			}
			m.Data = metricdata.Gauge[float64]{DataPoints: points}
		default:
			var points []metricdata.DataPoint[int64]
			for pt := range f.points {
				points = append(points, metricdata.DataPoint[int64]{Attributes: pt.labels.attributes, StartTime: p.start, Time: now, Value: pt.n})
			}
			m.Data = metricdata.Sum[int64]{
				Temporality: metricdata.CumulativeTemporality, IsMonotonic: f.Kind == domain.KindCounter, DataPoints: points,
			}
		}
		scope.Metrics = append(scope.Metrics, m)
	}
	return []metricdata.ScopeMetrics{scope}, nil
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
