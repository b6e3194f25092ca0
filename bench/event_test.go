package bench

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

var (
	channels  = []string{"web", "movil", "tienda"}
	countries = []string{"co", "mx", "ar", "cl"}
	tiers     = []string{"gold", "silver", "none"}
	values    = []float64{10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000}
)

// shop is the domain that every benchmark of ours uses.
var shop = domain.Domain{
	Prefix: "tienda", Entity: "pedido",
	Events: []domain.Event{
		{Name: "pedidos_procesados", Attributes: map[string][]string{"canal": channels, "pais": countries, "tipo": tiers}},
		{Name: "valor_pedido", Kind: domain.KindHistogram, Buckets: values},
	},
}

// start runs a Telemetry without a listener or profiler, so that a benchmark
// measures recording alone. change may set more.
func start(b *testing.B, change func(*telemetry.Config)) *telemetry.Telemetry {
	cfg := telemetry.Config{
		Domain: shop, KeepGlobals: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Admin: telemetry.Admin{Disabled: true}, Profiling: continuous.Config{Disabled: true},
	}
	if change != nil {
		change(&cfg)
	}
	tel, err := telemetry.Init(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

// meter is OpenTelemetry's SDK with the cheapest reader there is.
func meter(b *testing.B) metric.Meter {
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider.Meter("bench")
}

// BenchmarkEventBound adds to a counter whose attributes were bound before.
func BenchmarkEventBound(b *testing.B) {
	b.Run("atomic", func(b *testing.B) {
		var n atomic.Int64
		for b.Loop() {
			n.Add(1)
		}
	})
	b.Run("latido", func(b *testing.B) {
		web := start(b, nil).Counter("pedidos_procesados").With("canal", "web", "pais", "co", "tipo", "gold")
		for b.Loop() {
			web.Add(1)
		}
	})
	b.Run("client_golang", func(b *testing.B) {
		web := orders().WithLabelValues("web", "co", "gold")
		for b.Loop() {
			web.Inc()
		}
	})
	b.Run("otel", func(b *testing.B) { // with an attribute set made before: OTel's fastest way
		counter, _ := meter(b).Int64Counter("orders")
		web := metric.WithAttributeSet(attribute.NewSet(
			attribute.String("canal", "web"), attribute.String("pais", "co"), attribute.String("tipo", "gold")))
		options := []metric.AddOption{web}
		ctx := context.Background()
		for b.Loop() {
			counter.Add(ctx, 1, options...)
		}
	})
}

// BenchmarkEventByName counts an event whose three attribute values are only
// known when it happens.
func BenchmarkEventByName(b *testing.B) {
	b.Run("latido", func(b *testing.B) {
		tel, ctx, i := start(b, nil), context.Background(), 0
		for b.Loop() {
			tel.Record(ctx, "pedidos_procesados", "canal", channels[i%3], "pais", countries[i%4], "tipo", tiers[i%3])
			i++
		}
	})
	b.Run("client_golang", func(b *testing.B) {
		vec, i := orders(), 0
		for b.Loop() {
			vec.WithLabelValues(channels[i%3], countries[i%4], tiers[i%3]).Inc()
			i++
		}
	})
	b.Run("otel", func(b *testing.B) { // the way people write it
		counter, _ := meter(b).Int64Counter("orders")
		ctx, i := context.Background(), 0
		for b.Loop() {
			counter.Add(ctx, 1, metric.WithAttributes(attribute.String("canal", channels[i%3]),
				attribute.String("pais", countries[i%4]), attribute.String("tipo", tiers[i%3])))
			i++
		}
	})
}

// BenchmarkHistogramBound records a value in a histogram of six buckets.
func BenchmarkHistogramBound(b *testing.B) {
	b.Run("latido", func(b *testing.B) {
		value, ctx := start(b, nil).Histogram("valor_pedido").With(), context.Background()
		for b.Loop() {
			value.Record(ctx, 75_000)
		}
	})
	b.Run("client_golang", func(b *testing.B) {
		value := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "value", Buckets: values})
		for b.Loop() {
			value.Observe(75_000)
		}
	})
	b.Run("otel", func(b *testing.B) {
		value, _ := meter(b).Float64Histogram("value", metric.WithExplicitBucketBoundaries(values...))
		ctx := context.Background()
		for b.Loop() {
			value.Record(ctx, 75_000)
		}
	})
}

func orders() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orders_total"}, []string{"canal", "pais", "tipo"})
}
