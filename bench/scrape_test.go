package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// The scraped series: counters of 100 x 50 combinations, and histograms of
// 300 x 1 with 13 bounds, that is 5,000 + 300 x (14 + 2) = 9,800 lines.
const (
	scrapeRegions  = 100
	scrapeProducts = 49 // and one that is undeclared in ours: Other is not counted
	scrapeStores   = 300
)

var scrapeBounds = []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13}

// BenchmarkScrape answers /metrics as text, uncompressed.
func BenchmarkScrape(b *testing.B) {
	b.Run("latido", func(b *testing.B) {
		tel := start(b, func(c *telemetry.Config) {
			c.Domain.Events = []domain.Event{
				{Name: "sales", Attributes: map[string][]string{"region": names("r", scrapeRegions), "product": names("p", scrapeProducts)}},
				{Name: "basket", Kind: domain.KindHistogram, Buckets: scrapeBounds, Attributes: map[string][]string{"store": names("s", scrapeStores)}},
			}
		})
		sales, basket := tel.Counter("sales"), tel.Histogram("basket")
		each(func(region, product string) { sales.With("region", region, "product", product).Add(1) },
			func(store string) { basket.With("store", store).Record(context.Background(), 5) })
		scrape(b, tel.Admin().Handler())
	})
	b.Run("client_golang", func(b *testing.B) {
		registry := prometheus.NewRegistry()
		sales := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sales_total", Help: "Sales."}, []string{"region", "product"})
		basket := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "basket", Help: "Baskets.", Buckets: scrapeBounds}, []string{"store"})
		registry.MustRegister(sales, basket)
		each(func(region, product string) { sales.WithLabelValues(region, product).Inc() },
			func(store string) { basket.WithLabelValues(store).Observe(5) })
		scrape(b, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	})
	b.Run("otel", func(b *testing.B) {
		registry := prometheus.NewRegistry()
		exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
		if err != nil {
			b.Fatal(err)
		}
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithCardinalityLimit(0))
		b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
		sales, _ := provider.Meter("bench").Int64Counter("sales")
		basket, _ := provider.Meter("bench").Float64Histogram("basket", metric.WithExplicitBucketBoundaries(scrapeBounds...))
		ctx := context.Background()
		each(func(region, product string) {
			sales.Add(ctx, 1, metric.WithAttributes(attribute.String("region", region), attribute.String("product", product)))
		}, func(store string) { basket.Record(ctx, 5, metric.WithAttributes(attribute.String("store", store))) })
		scrape(b, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	})
}

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return list
}

func each(sale func(region, product string), basket func(store string)) {
	for _, region := range names("r", scrapeRegions) {
		for _, product := range names("p", scrapeProducts) {
			sale(region, product)
		}
	}
	for _, store := range names("s", scrapeStores) {
		basket(store)
	}
}

func scrape(b *testing.B, h http.Handler) {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/metrics", nil)
	w := &discard{header: http.Header{}}
	for b.Loop() {
		w.n = 0
		h.ServeHTTP(w, r)
	}
	if w.n < 350_000 {
		b.Fatalf("a scrape of %d bytes: where are the series?", w.n)
	}
	b.ReportMetric(float64(w.n), "bytes/scrape")
}

type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }

var _ io.Writer = (*discard)(nil)
