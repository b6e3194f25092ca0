package telemetry

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// TestOneNameInTwoScopes: what can be told apart is served, and nothing is
// said; what cannot is served of the one that came first, always, and that is
// said. The advice in it helps.
func TestOneNameInTwoScopes(t *testing.T) {
	t.Parallel()
	advice := func(c *Config) {
		c.Views = []sdkmetric.View{sdkmetric.NewView(
			sdkmetric.Instrument{Name: "hits", Scope: instrumentation.Scope{Name: "two"}}, sdkmetric.Stream{Name: "two.hits"})}
	}
	help := metric.WithDescription
	for name, c := range map[string]struct {
		change func(*Config)
		one    func(t *testing.T, m metric.Meter) // scope "two" always counts 2 hits
		want   series
		clash  bool
	}{
		"the same series": {one: func(t *testing.T, m metric.Meter) { count(t, m, 1) }, want: series{"tienda_hits_total": 1}, clash: true},
		"the same series, by the advice": {change: advice, one: func(t *testing.T, m metric.Meter) { count(t, m, 1) },
			want: series{"tienda_hits_total": 1, "tienda_two_hits_total": 2}},
		"series with other labels": {one: func(t *testing.T, m metric.Meter) { count(t, m, 1, attribute.String("cache", "a")) },
			want: series{`tienda_hits_total{cache="a"}`: 1, "tienda_hits_total": 2}},
		"another help text and other labels": {one: func(t *testing.T, m metric.Meter) {
			i, err := m.Int64Counter("hits", help("Hits of the cache."))
			must(t, err)
			i.Add(context.Background(), 1, metric.WithAttributes(attribute.String("cache", "a")))
		}, want: series{`tienda_hits_total{cache="a"}`: 1, "tienda_hits_total": 2}},
		"another kind": {one: func(t *testing.T, m metric.Meter) {
			i, err := m.Float64UpDownCounter("hits.total")
			must(t, err)
			i.Add(context.Background(), 1)
		}, want: series{"tienda_hits_total": 1}, clash: true},
		"another kind, by the advice": {change: advice, one: func(t *testing.T, m metric.Meter) {
			i, err := m.Float64UpDownCounter("hits.total")
			must(t, err)
			i.Add(context.Background(), 1)
		}, want: series{"tienda_hits_total": 1, "tienda_two_hits_total": 2}},
		"another unit": {one: func(t *testing.T, m metric.Meter) {
			i, err := m.Int64Counter("hits", metric.WithUnit("By"))
			must(t, err)
			i.Add(context.Background(), 1)
		}, want: series{"tienda_hits_bytes_total": 1, "tienda_hits_total": 2}},
		"dropped by a view": {change: func(c *Config) {
			c.Views = []sdkmetric.View{sdkmetric.NewView(sdkmetric.Instrument{Name: "hits", Scope: instrumentation.Scope{Name: "two"}},
				sdkmetric.Stream{Aggregation: sdkmetric.AggregationDrop{}})}
		}, one: func(t *testing.T, m metric.Meter) { count(t, m, 1) }, want: series{"tienda_hits_total": 1}},
		"attributes that are one label": {one: func(t *testing.T, m metric.Meter) {
			count(t, m, 1, attribute.String("a.b", "x"))
			count(t, m, 5, attribute.String("a_b", "x"))
		}, want: series{`tienda_hits_total{a_b="x"}`: 1, "tienda_hits_total": 2}, clash: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := startCollector(t)
			tel := start(t, func(cfg *Config) {
				cfg.OTLP = OTLP{Endpoint: collector.URL, NoTraces: true}
				if c.change != nil {
					c.change(cfg)
				}
			})
			c.one(t, tel.MeterProvider().Meter("one"))
			count(t, tel.MeterProvider().Meter("two"), 2)
			for range 20 { // the SDK has another order each time
				all := scrape(t, tel)
				all.want(t, c.want)
				found := 0
				for name := range all {
					if strings.Contains(name, "hits") {
						found++
					}
				}
				if found != len(c.want) {
					t.Fatalf("%d series, want %v", found, c.want)
				}
			}
			got := scrape(t, tel)[collectErrors("clash")]
			told := journalOf(tel).told("have one name")
			if c.clash != (got > 0) || c.clash != (len(told) == 1) || len(journalOf(tel).told("cannot be served")) > 0 {
				t.Errorf("clashes %v, told %q", got, journalOf(tel).told(""))
			}
		})
	}
}

func count(t *testing.T, m metric.Meter, n int64, attributes ...attribute.KeyValue) {
	t.Helper()
	c, err := m.Int64Counter("hits")
	must(t, err)
	c.Add(context.Background(), n, metric.WithAttributes(attributes...))
}

// TestFirstComerKeepsItsName: a library that is used later does not take a
// series over, whatever its name.
func TestFirstComerKeepsItsName(t *testing.T) {
	t.Parallel()
	tel := start(t)
	count(t, tel.MeterProvider().Meter("m"), 5)
	scrape(t, tel).want(t, series{"tienda_hits_total": 5})
	count(t, tel.MeterProvider().Meter("a"), 1)
	for range 10 {
		scrape(t, tel).want(t, series{"tienda_hits_total": 5})
	}
}

// TestForeignNamesBesideOurs: a series of a histogram of ours is not mixed with
// a counter that happens to have its name, on either way out.
func TestForeignNamesBesideOurs(t *testing.T) {
	t.Parallel()
	collector := startCollector(t)
	tel := start(t, func(c *Config) { c.OTLP = OTLP{Endpoint: collector.URL, NoTraces: true} })
	m := tel.MeterProvider().Meter("library")
	gauge, err := m.Int64Gauge("response.duration.seconds.count")
	must(t, err)
	gauge.Record(t.Context(), 7)
	add(t, m, "requests")
	must(t, tel.pusher.push(t.Context()))
	all := scrape(t, tel)
	if got := all.of("tienda_response_duration_seconds_count"); len(got) != 0 && got["tienda_response_duration_seconds_count"] == 7 {
		t.Errorf("mixed: %v", got)
	}
	if got := all[collectErrors("clash")]; got < 2 {
		t.Errorf("clashes %v", got)
	}
	collector.mu.Lock()
	defer collector.mu.Unlock()
	if text := collector.last.String(); strings.Contains(text, "duration.seconds.count") {
		t.Error("it was pushed")
	}
}
