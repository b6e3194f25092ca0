package bench

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"

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
		Admin: telemetry.AdminConfig{Disabled: true}, Profiling: continuous.Config{Disabled: true},
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
func meter(b *testing.B, options ...sdkmetric.Option) metric.Meter {
	provider := sdkmetric.NewMeterProvider(append(options, sdkmetric.WithReader(sdkmetric.NewManualReader()))...)
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
	b.Run("otel", func(b *testing.B) { addBound(b, meter(b)) })
	b.Run("otel_no_exemplars", func(b *testing.B) { // OTel's fastest way
		addBound(b, meter(b, sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter)))
	})
}

// addBound adds with an attribute set that was made before.
func addBound(b *testing.B, m metric.Meter) {
	counter, _ := m.Int64Counter("orders")
	web := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("canal", "web"), attribute.String("pais", "co"), attribute.String("tipo", "gold")))
	options := []metric.AddOption{web}
	ctx := context.Background()
	for b.Loop() {
		counter.Add(ctx, 1, options...)
	}
}

// BenchmarkEventShared adds to one counter from 8 goroutines. The striped one
// has a cache line for each of 16 stripes and picks one at random: it is what
// a counter could do about contention, at the price of 1 KB a series.
func BenchmarkEventShared(b *testing.B) {
	b.Run("latido", func(b *testing.B) {
		web := start(b, nil).Counter("pedidos_procesados").With("canal", "web", "pais", "co", "tipo", "gold")
		shared(b, func() { web.Add(1) })
	})
	b.Run("client_golang", func(b *testing.B) { shared(b, orders().WithLabelValues("web", "co", "gold").Inc) })
	b.Run("striped", func(b *testing.B) {
		var s striped
		shared(b, s.add)
	})
}

func shared(b *testing.B, add func()) {
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			add()
		}
	})
}

type striped [16]struct {
	n atomic.Int64
	_ [56]byte // to the end of the cache line
}

func (s *striped) add() { s[rand.Uint32()%uint32(len(s))].n.Add(1) }

// BenchmarkEventByName counts an event whose three attribute values are only
// known when it happens.
func BenchmarkEventByName(b *testing.B) {
	b.Run("latido", func(b *testing.B) {
		tel, i := start(b, nil), 0
		for b.Loop() {
			tel.Count("pedidos_procesados", "canal", channels[i%3], "pais", countries[i%4], "tipo", tiers[i%3])
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
