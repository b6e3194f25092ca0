package telemetry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.opentelemetry.io/otel/attribute"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

// measured are figures that differ from one run and machine to the next.
var measured = regexp.MustCompile(`(?m)^(tienda_(go|cpu|memory|disk|process|build|response_duration_seconds|function_duration_seconds)\S*?(?:\{[^}]*\})?) .*$`)

// TestMetricsGolden is all of /metrics for a small shop that answered a few
// requests, as a person and Prometheus read it.
func TestMetricsGolden(t *testing.T) {
	tel := start(t, func(c *Config) {
		c.Attributes = append(c.Attributes, attribute.String("service.instance.id", "tienda-1"))
		c.Domain.Peers = []string{"pagos.example.com"}
		c.Domain.Events = append(c.Domain.Events,
			domain.Event{Name: "nivel", Kind: domain.KindGauge, Unit: "Cel", Attributes: map[string][]string{"tanque": {"norte", "sur"}}},
			domain.Event{Name: "espera", Kind: domain.KindHistogram, Unit: "s", Buckets: []float64{1, 60}},
			domain.Event{Name: "adjunto", Kind: domain.KindHistogram, Unit: "By", Buckets: []float64{1 << 10, 1 << 20}},
			domain.Event{Name: "cola", Kind: domain.KindUpDown, Unit: "{pedido}"})
	})
	tel.host.container = inContainer(limited2)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "/orders/1", nil),
		httptest.NewRequest(http.MethodPost, "/orders", nil),
		httptest.NewRequest(http.MethodGet, "/nowhere", nil),
	} {
		mux.ServeHTTP(httptest.NewRecorder(), r)
	}
	tel.Counter("pedidos_procesados").With("canal", "web").Add(2)
	tel.Count("envios", "ciudad", "bogota", "modo", "barco")
	tel.UpDown("carritos_activos").With("canal", "movil").Add(-1)
	tel.Histogram("valor_pedido").With().Record(t.Context(), 60)
	tel.Histogram("valor_pedido").With().Record(t.Context(), 0.5)
	tel.Gauge("nivel").With("tanque", "norte").Set(40)
	tel.Histogram("espera").With().Record(t.Context(), 2)
	tel.Histogram("adjunto").With().Record(t.Context(), 2000)
	tel.UpDown("cola").With().Add(3)
	tel.EntityCreated()
	tel.APIError(ErrorType("pago"))
	tel.Changed("cache", "off", "on")
	tel.Database("pedidos", opened(t, 8))
	_ = tel.Monitor("cobrar", func(ctx context.Context) error { return ctx.Err() })(t.Context())

	text := metricsText(t, tel, "")
	testkit.Golden(t, "testdata/metrics.golden.txt", []byte(measured.ReplaceAllString(text, "$1 MEASURED")))

	problems, err := promlint.New(strings.NewReader(text)).Lint()
	must(t, err)
	for _, p := range problems {
		if p.Text != testkit.KnownToLint[metricOf(tel, p.Metric).Key] {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
}

func metricOf(tel *Telemetry, family string) domain.Metric {
	for _, m := range tel.cfg.Domain.Metrics() {
		if m.Family == family {
			return m
		}
	}
	return domain.Metric{}
}

// TestAllocations holds the budgets of the hot path.
func TestAllocations(t *testing.T) {
	tel := start(t)
	ctx := t.Context()
	web := tel.Counter("pedidos_procesados").With("canal", "web")
	carts := tel.UpDown("carritos_activos").With("canal", "web")
	value := tel.Histogram("valor_pedido").With()
	for what, f := range map[string]func(){
		"Counter.Add":         func() { web.Add(1) },
		"UpDown.Add":          func() { carts.Add(-1) },
		"Histogram.Record":    func() { value.Record(ctx, 20) },
		"a fraction":          func() { value.Record(ctx, 20.5) },
		"Record":              func() { tel.Count("envios", "ciudad", "cali", "modo", "moto") },
		"Record in any order": func() { tel.Count("envios", "modo", "moto", "ciudad", "cali") },
		"undeclared value":    func() { tel.Count("envios", "ciudad", "x", "modo", "y") },
		"With":                func() { tel.Counter("pedidos_procesados").With("canal", "web").Add(1) },
		"APIError by name":    func() { tel.APIError(ErrorType("timeout")) },
	} {
		f() // what is made once
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
	bare := http.NewServeMux()
	bare.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	for name, c := range map[string]struct {
		change func(*Config)
		budget float64
	}{
		"the endpoint in the context": {func(*Config) {}, 2},
		"NoRequestContext":            {noRequestContext, 0},
	} {
		tel := labelling(start(t, c.change))
		mux := tel.NewServeMux()
		mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
		r := httptest.NewRequest(http.MethodGet, "/orders/1", nil)
		ask := func(h http.Handler) func() { return func() { h.ServeHTTP(plainRecorder{}, r) } }
		if more := testing.AllocsPerRun(200, ask(mux)) - testing.AllocsPerRun(200, ask(bare)); more > c.budget {
			t.Errorf("%s: %v allocations more than the bare mux, want %v", name, more, c.budget)
		}
	}
}
