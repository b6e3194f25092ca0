package telemetry

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// TestForeignInstruments records with instruments as other libraries make
// them: the prefix is put on them, and all else stays as it was.
func TestForeignInstruments(t *testing.T) {
	t.Parallel()
	tel := start(t)
	meter := tel.MeterProvider().Meter("library")
	ctx := t.Context()
	hits, err := meter.Int64Counter("hits", metric.WithUnit("{hit}"), metric.WithDescription("Hits of the cache."))
	must(t, err)
	hits.Add(ctx, 2, metric.WithAttributes(attribute.String("cache.name", "orders")))
	size, err := meter.Float64Histogram("query.size", metric.WithUnit("By"), metric.WithExplicitBucketBoundaries(10, 100))
	must(t, err)
	size.Record(ctx, 50)
	_, err = meter.Int64ObservableGauge("pool.open", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(7)
		return nil
	}))
	must(t, err)
	already, err := meter.Int64UpDownCounter("tienda.already")
	must(t, err)
	already.Add(ctx, 1)

	text := metricsText(t, tel, "")
	for _, want := range []string{
		"# HELP tienda_hits_total Hits of the cache.",
		`tienda_hits_total{cache_name="orders"} 2`,
		`tienda_query_size_bytes_bucket{le="10"} 0`,
		`tienda_query_size_bytes_bucket{le="100"} 1`,
		`tienda_query_size_bytes_bucket{le="+Inf"} 1`,
		"tienda_pool_open 7",
		"tienda_already 1",
		"tienda_go_goroutine_count ",
		"tienda_go_schedule_duration_seconds_count ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q in /metrics", want)
		}
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "tienda_") {
			t.Errorf("without the prefix: %s", line)
		}
	}
	if n := strings.Count(text, "tienda_query_size_bytes_bucket"); n != 3 {
		t.Errorf("%d buckets, want the three that were advised", n)
	}
}

// TestUserViews applies the user's Views inside the prefix.
func TestUserViews(t *testing.T) {
	t.Parallel()
	tel := start(t, func(c *Config) {
		c.Views = []sdkmetric.View{
			sdkmetric.NewView(sdkmetric.Instrument{Name: "renamed"}, sdkmetric.Stream{Name: "shop.latency"}),
			sdkmetric.NewView(sdkmetric.Instrument{Name: "narrow"}, sdkmetric.Stream{AttributeFilter: attribute.NewAllowKeysFilter("keep")}),
			sdkmetric.NewView(sdkmetric.Instrument{Name: "dropped"}, sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}}),
			sdkmetric.NewView(sdkmetric.Instrument{Name: "buckets"}, sdkmetric.Stream{
				Aggregation: sdkmetric.AggregationExplicitBucketHistogram{Boundaries: []float64{1}}}),
		}
	})
	meter, ctx := tel.MeterProvider().Meter("library"), t.Context()
	for _, name := range []string{"renamed", "narrow", "dropped"} {
		c, err := meter.Int64Counter(name, metric.WithUnit("{thing}"))
		must(t, err)
		c.Add(ctx, 1, metric.WithAttributes(attribute.String("keep", "a"), attribute.String("lose", "b")))
	}
	h, err := meter.Float64Histogram("buckets", metric.WithUnit("s"))
	must(t, err)
	h.Record(ctx, 2)
	all := scrape(t, tel)
	all.want(t, series{
		`tienda_shop_latency_total{keep="a",lose="b"}`: 1,
		`tienda_narrow_total{keep="a"}`:                1,
		`tienda_buckets_seconds_bucket{le="1"}`:        0,
	})
	if len(all.of("tienda_dropped_total")) > 0 || len(all.of("tienda_buckets_seconds_bucket")) != 2 {
		t.Errorf("views are not applied: %v %v", all.of("tienda_dropped_total"), all.of("tienda_buckets_seconds_bucket"))
	}
}

// spoilers are what other libraries do wrong. Today each makes all of /metrics
// fail until a restart.
var spoilers = map[string]struct {
	record func(t *testing.T, m metric.Meter)
	reason string // of telemetry.collect.errors; "" where nothing is lost
	told   string
}{
	"value that is not UTF-8": {func(t *testing.T, m metric.Meter) {
		add(t, m, "bad", attribute.String("path", "/\xff\xfe"))
	}, "text", "cannot be exported"},
	"empty key":         {func(t *testing.T, m metric.Meter) { add(t, m, "bad", attribute.String("", "x")) }, "text", "cannot be exported"},
	"key é":             {func(t *testing.T, m metric.Meter) { add(t, m, "bad", attribute.String("é", "x")) }, "text", "cannot be exported"},
	"key of Prometheus": {func(t *testing.T, m metric.Meter) { add(t, m, "bad", attribute.String("__name__", "x")) }, "text", "cannot be exported"},
	"le on a histogram": {func(t *testing.T, m metric.Meter) {
		h, err := m.Float64Histogram("bad")
		must(t, err)
		h.Record(context.Background(), 1, metric.WithAttributes(attribute.String("le", "5")))
	}, "text", "cannot be exported"},
	"value of 5 MiB": {func(t *testing.T, m metric.Meter) {
		add(t, m, "bad", attribute.String("query", strings.Repeat("x", 5<<20)))
	}, "text", "cannot be exported"},
	"two names that Prometheus cannot tell apart": {func(t *testing.T, m metric.Meter) {
		add(t, m, "y.z")
		c, err := m.Int64UpDownCounter("y_z.total")
		must(t, err)
		c.Add(context.Background(), 1)
	}, "clash", "second=y_z.total"},
	"one name, two help texts": {func(t *testing.T, m metric.Meter) {
		for _, help := range []string{"one", "another"} {
			c, err := m.Int64Counter("twice", metric.WithDescription(help))
			must(t, err)
			c.Add(context.Background(), 1)
		}
	}, "clash", "second=twice"},
	"a counter and an updown of one name": {func(t *testing.T, m metric.Meter) {
		add(t, m, "x.dup")
		c, err := m.Int64UpDownCounter("x_dup_total")
		must(t, err)
		c.Add(context.Background(), 1)
	}, "clash", "second=x_dup_total"},
	"two attributes that are one label": {func(t *testing.T, m metric.Meter) {
		add(t, m, "bad", attribute.String("a.b", "x"))
		add(t, m, "bad", attribute.String("a_b", "x"))
	}, "clash", "have the same names in Prometheus"},
	"the name of one of ours": {func(t *testing.T, m metric.Meter) {
		add(t, m, "requests")
	}, "clash", "only ours is served"},
	"callback that panics": {func(t *testing.T, m metric.Meter) {
		_, err := m.Int64ObservableCounter("bad", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { panic("no") }))
		must(t, err)
	}, "panic", "panicked"},
	"callback for several that panics": {func(t *testing.T, m metric.Meter) {
		g, err := m.Float64ObservableGauge("bad")
		must(t, err)
		_, err = m.RegisterCallback(func(context.Context, metric.Observer) error { panic("no") }, g)
		must(t, err)
	}, "panic", "panicked"},
}

func add(t *testing.T, m metric.Meter, name string, attributes ...attribute.KeyValue) {
	t.Helper()
	c, err := m.Int64Counter(name)
	must(t, err)
	c.Add(context.Background(), 1, metric.WithAttributes(attributes...))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSpoilers lets another library do its worst: ours, and the rest of theirs,
// are served all the same, and what is wrong is said once and counted.
func TestSpoilers(t *testing.T) {
	for what, spoiler := range spoilers {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			add(t, tel.MeterProvider().Meter("good"), "good")
			tel.Counter("pedidos_procesados").With("canal", "web").Add(1)
			spoiler.record(t, tel.MeterProvider().Meter("library"))
			for range 2 {
				scrape(t, tel).want(t, series{"tienda_good_total": 1, `tienda_pedidos_procesados_total{canal="web"}`: 1})
			}
			if spoiler.reason != "" {
				if got := scrape(t, tel)[collectErrors(spoiler.reason)]; got < 1 {
					t.Errorf("collect errors %v, want some for %q", got, spoiler.reason)
				}
				wantTold(t, journalOf(tel), spoiler.told)
			}
		})
	}
}

// TestTwoScopes has one name in two libraries, which Prometheus can only tell
// apart by labels that are left out here: the first one is served.
func TestTwoScopes(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for _, scope := range []string{"one", "two"} {
		add(t, tel.MeterProvider().Meter(scope), "shared")
	}
	scrape(t, tel).want(t, series{"tienda_shared_total": 1})
	if got := scrape(t, tel)[collectErrors("clash")]; got < 1 {
		t.Errorf("collect errors %v, want the clash", got)
	}
}

// TestCallbackThatHangs lets a callback hang: it costs the first collection a
// second and later ones nothing, for both ways out, and nothing is left once it
// returns. What it says too late is not served.
func TestCallbackThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		tel := newTelemetry(quiet())
		must(t, tel.run(t.Context(), tel.parts(environment{})))
		stopWith(t, tel)
		provider := &guardedProvider{sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), tel.diagnostics, prefixView("tienda", nil, tel.diagnostics)}
		release, returned := make(chan struct{}), make(chan struct{})
		var calls atomic.Int64
		hang := func(_ context.Context, o metric.Int64Observer) error {
			if calls.Add(1) > 1 {
				return nil
			}
			<-release
			o.Observe(1)
			close(returned)
			return nil
		}
		for _, meter := range []metric.Meter{tel.MeterProvider().Meter("library"), provider.Meter("library")} {
			_, err := meter.Int64ObservableGauge("healthy", metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				o.Observe(5)
				return nil
			}))
			must(t, err)
		}
		_, err := tel.MeterProvider().Meter("library").Int64ObservableGauge("hanging", metric.WithInt64Callback(hang))
		must(t, err)

		scrape(t, tel).want(t, series{"tienda_healthy": 5, collectErrors("timeout"): 1})
		began := time.Now()
		scrape(t, tel).want(t, series{"tienda_healthy": 5, collectErrors("timeout"): 2})
		if took := time.Since(began); took > callbackTimeout/2 {
			t.Errorf("the second scrape waited %v for a callback that is known to hang", took)
		}
		if calls.Load() != 1 {
			t.Errorf("the callback was called %d times while it hung", calls.Load())
		}
		wantTold(t, journalOf(tel), "hangs")
		var all metricdata.ResourceMetrics
		must(t, reader.Collect(t.Context(), &all))
		if len(all.ScopeMetrics) != 1 {
			t.Errorf("%d scopes by the other reader", len(all.ScopeMetrics))
		}
		close(release)
		<-returned
		if got := scrape(t, tel).of("tienda_hanging"); len(got) > 0 {
			t.Errorf("what was observed too late is served: %v", got)
		}
	})
}

// TestSlowScrapesAreLimited asks for /metrics while another scrape waits for a slow
// callback.
func TestSlowScrapesAreLimited(t *testing.T) {
	t.Parallel()
	tel := start(t)
	release := make(chan struct{})
	_, err := tel.MeterProvider().Meter("library").Int64ObservableGauge("slow", metric.WithInt64Callback(
		func(context.Context, metric.Int64Observer) error { <-release; return nil }))
	must(t, err)
	began := time.Now()
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			scrape(t, tel)
		}()
	}
	for range 3 {
		<-done
	}
	if took := time.Since(began); took > 5*callbackTimeout {
		t.Errorf("three scrapes took %v", took)
	}
	close(release)
}
