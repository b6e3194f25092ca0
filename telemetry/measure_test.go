package telemetry

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// TestHostInMetrics: whom a client calls is the service's own choice and stays
// in the metrics of any library; what a stranger writes into the Host header of
// a request does not.
func TestHostInMetrics(t *testing.T) {
	t.Parallel()
	tel := start(t)
	server := httptest.NewServer(otelhttp.NewHandler(http.NotFoundHandler(), "", otelhttp.WithMeterProvider(tel.MeterProvider())))
	defer server.Close()
	client := &http.Client{Transport: otelhttp.NewTransport(http.DefaultTransport, otelhttp.WithMeterProvider(tel.MeterProvider()))}
	answer, err := client.Get(server.URL)
	must(t, err)
	must(t, answer.Body.Close())
	for _, scope := range []string{otelhttp.ScopeName, "another/router"} {
		duration, err := tel.MeterProvider().Meter(scope).Float64Histogram("http.server.request.duration", metric.WithUnit("s"))
		must(t, err)
		duration.Record(t.Context(), 1, metric.WithAttributes(attribute.String("server.address", "stranger.example"), attribute.Int("server.port", 1)))
	}
	u, err := url.Parse(server.URL)
	must(t, err)
	servers, clients := 0, 0
	for name := range scrape(t, tel) {
		if strings.HasPrefix(name, "tienda_http_server_") {
			servers++
			if strings.Contains(name, "server_address") || strings.Contains(name, "server_port") {
				t.Errorf("a stranger's name: %s", name)
			}
		}
		if strings.HasPrefix(name, "tienda_http_client_request_duration_seconds_count") {
			clients++
			if !strings.Contains(name, `server_address="`+u.Hostname()+`"`) || !strings.Contains(name, `server_port="`+u.Port()+`"`) {
				t.Errorf("whom was asked is not in %s", name)
			}
		}
	}
	if servers == 0 || clients != 1 {
		t.Errorf("%d series of the server, %d of the client", servers, clients)
	}
}

// TestAttributesAsRecorded: each kind of instrument leaves out what cannot be
// exported, keeps the rest, and adds up what is the same without it.
func TestAttributesAsRecorded(t *testing.T) {
	t.Parallel()
	tel := start(t, func(c *Config) {
		c.Views = []sdkmetric.View{sdkmetric.NewView(sdkmetric.Instrument{Name: "filtered"}, sdkmetric.Stream{
			AttributeFilter: attribute.NewDenyKeysFilter("secret")})}
	})
	m, ctx := tel.MeterProvider().Meter("library"), t.Context()
	bad := [][]attribute.KeyValue{
		{attribute.String("k", "v"), attribute.String("path", notUTF8)},
		{attribute.String("k", "v"), attribute.String("path", strings.Repeat("x", maxForeignValue+1))},
		{attribute.String("k", "v"), attribute.StringSlice("list", []string{strings.Repeat("x", maxForeignValue+1)})},
		{attribute.String("k", "v"), attribute.String("le", "1")},
		{attribute.String("k", "v"), attribute.String("__y", "1"), attribute.String("", "1")},
	}
	for _, attributes := range bad {
		recordEach(t, m, metric.WithAttributes(attributes...))
	}
	all := scrape(t, tel)
	n := float64(len(bad))
	all.want(t, series{
		`tienda_i_counter_total{k="v"}`: n, `tienda_f_counter_total{k="v"}`: n, `tienda_i_updown{k="v"}`: n, `tienda_f_updown{k="v"}`: n,
		`tienda_i_histogram_count{k="v"}`: n, `tienda_f_histogram_count{k="v"}`: n, `tienda_i_gauge{k="v"}`: 1, `tienda_f_gauge{k="v"}`: 1,
	})
	if got := all[collectErrors("text")]; got < 8*n {
		t.Errorf("left out %v, want at least %v", got, 8*n)
	}
	before := scrape(t, tel)[collectErrors("text")]
	filtered, err := m.Int64Counter("filtered")
	must(t, err)
	filtered.Add(ctx, 1, metric.WithAttributes(attribute.String("secret", notUTF8)), metric.WithAttributes(attribute.String("k", "v")))
	after := scrape(t, tel)
	after.want(t, series{`tienda_filtered_total{k="v"}`: 1, collectErrors("text"): before}) // the view had left it out anyway
	longest := strings.Repeat("x", maxForeignValue-len(`[""]`))
	filtered.Add(ctx, 1, metric.WithAttributes(attribute.StringSlice("k", []string{longest})))
	scrape(t, tel).want(t, series{`tienda_filtered_total{k="[\"` + longest + `\"]"}`: 1})
}

// recordEach records a 1 with every instrument that records at once.
func recordEach(t *testing.T, m metric.Meter, attributes metric.MeasurementOption) {
	t.Helper()
	ctx := t.Context()
	iCounter, err := m.Int64Counter("i.counter")
	must(t, err)
	iCounter.Add(ctx, 1, attributes)
	iUpDownCounter, err := m.Int64UpDownCounter("i.updown")
	must(t, err)
	iUpDownCounter.Add(ctx, 1, attributes)
	iHistogram, err := m.Int64Histogram("i.histogram")
	must(t, err)
	iHistogram.Record(ctx, 1, attributes)
	iGauge, err := m.Int64Gauge("i.gauge")
	must(t, err)
	iGauge.Record(ctx, 1, attributes)
	fCounter, err := m.Float64Counter("f.counter")
	must(t, err)
	fCounter.Add(ctx, 1, attributes)
	fUpDownCounter, err := m.Float64UpDownCounter("f.updown")
	must(t, err)
	fUpDownCounter.Add(ctx, 1, attributes)
	fHistogram, err := m.Float64Histogram("f.histogram")
	must(t, err)
	fHistogram.Record(ctx, 1, attributes)
	fGauge, err := m.Float64Gauge("f.gauge")
	must(t, err)
	fGauge.Record(ctx, 1, attributes)
}

// TestFilterThatPanics: a filter of the user's does so nowhere where something
// is recorded.
func TestFilterThatPanics(t *testing.T) {
	t.Parallel()
	tel := start(t, func(c *Config) {
		c.Views = []sdkmetric.View{sdkmetric.NewView(sdkmetric.Instrument{Name: "hits"}, sdkmetric.Stream{
			AttributeFilter: func(attribute.KeyValue) bool { panic("no") }})}
	})
	count(t, tel.MeterProvider().Meter("library"), 3, attribute.String("k", "v"))
	scrape(t, tel).want(t, series{`tienda_hits_total{k="v"}`: 3})
	wantTold(t, journalOf(tel), "filter")
}

// TestForeignCost: looking at the attributes allocates nothing more than the
// SDK does.
func TestForeignCost(t *testing.T) {
	tel := start(t)
	option := metric.WithAttributeSet(attribute.NewSet(attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", "SELECT"),
		attribute.String("db.namespace", "shop"), attribute.String("server.address", "db"), attribute.Int("server.port", 5432)))
	allocs := func(m metric.Meter) float64 {
		counter, err := m.Int64Counter("queries")
		must(t, err)
		return testing.AllocsPerRun(100, func() { counter.Add(t.Context(), 1, option) })
	}
	bare := allocs(sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())).Meter("library"))
	if got := allocs(tel.MeterProvider().Meter("library")); got > bare {
		t.Errorf("%v allocations, the SDK has %v", got, bare)
	}
}
