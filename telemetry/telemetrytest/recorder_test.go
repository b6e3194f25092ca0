package telemetrytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/goleak"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tienda has an event of each kind.
func tienda() telemetry.Config {
	return telemetry.Config{Domain: domain.Domain{
		Prefix: "tienda", Entity: "pedido", Errors: []string{"payment_refused"},
		Events: []domain.Event{
			{Name: "pedidos_procesados", Attributes: map[string][]string{"canal": {"web", "movil"}, "pago": {"tarjeta", "efectivo"}}},
			{Name: "carritos_activos", Kind: domain.KindUpDown},
			{Name: "valor_pedido", Kind: domain.KindHistogram, Unit: "COP", Attributes: map[string][]string{"canal": {"web", "movil"}}},
			{Name: "nivel_tanque", Kind: domain.KindGauge, Unit: "L", Attributes: map[string][]string{"tanque.lado": {"norte", "sur"}}},
		},
	}}
}

func TestValue(t *testing.T) {
	t.Parallel()
	rec := New(t, tienda())
	tel, ctx := rec.Telemetry, t.Context()
	orders := tel.Counter("pedidos_procesados")
	orders.With("canal", "web", "pago", "tarjeta").Add(1)
	orders.With("canal", "web", "pago", "efectivo").Add(2)
	orders.With("canal", "movil", "pago", "efectivo").Add(4)
	tel.Count("pedidos_procesados", "canal", "fax", "pago", "efectivo")
	tel.UpDown("carritos_activos").With().Add(3)
	tel.UpDown("carritos_activos").With().Add(-4)
	tel.Gauge("nivel_tanque").With("tanque.lado", "norte").Set(40.5)
	tel.EntityCreated()
	tel.APIError(telemetry.ErrorType("payment_refused"))
	_, err := strconv.Atoi("x")
	tel.APIError(err)
	tel.APIError(errors.New("no type"))
	_ = tel.Monitor("charge_card", func(context.Context) error { return nil })(ctx)
	_ = tel.Monitor("charge_card", func(context.Context) error { return context.DeadlineExceeded })(ctx)

	for query, want := range map[string]float64{
		"pedidos_procesados":                                      8, // the sum of all
		"pedidos_procesados canal web":                            3, // of those with one attribute
		"pedidos_procesados pago efectivo":                        7,
		"pedidos_procesados pago efectivo canal web":              2,
		"pedidos_procesados pago tarjeta canal movil":             0,
		"pedidos_procesados canal _other":                         1,
		"carritos_activos":                                        -1,
		"nivel_tanque tanque.lado norte":                          40.5,
		"nivel_tanque tanque_lado norte":                          40.5, // the label's name, too
		"nivel_tanque tanque.lado sur":                            math.NaN(),
		"entities_created":                                        1,
		"entities_updated":                                        0,
		"api_errors":                                              3,
		"api_errors error.type payment_refused":                   1,
		"api_errors error_type *strconv.NumError":                 1,
		"api_errors error.type *os.PathError":                     0, // may happen
		"api_errors error.type error":                             1,
		"api_errors error.type panic":                             0,
		"function_calls function charge_card error.type ":         1, // a success
		"function_calls function charge_card error.type timeout":  1,
		"function_calls function charge_card":                     2,
		"telemetry_refused reason value":                          1,
		"build_info":                                              1,
		"go_processor_limit":                                      float64(runtime.GOMAXPROCS(0)), // another library's
		"client_requests status 2xx":                              0,
		"telemetry_alert_deliveries receiver log outcome success": 0,
	} {
		words := strings.Split(query, " ")
		if got := rec.Value(words[0], words[1:]...); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v, want %v", query, got, want)
		}
	}
	if n := rec.Refused(); n != 1 {
		t.Errorf("%d refused, want the one with the value fax", n)
	}
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	rec := New(t, tienda())
	value := rec.Telemetry.Histogram("valor_pedido")
	value.With("canal", "web").Record(t.Context(), 52_000)
	value.With("canal", "web").Record(t.Context(), 0.5)
	value.With("canal", "movil").Record(t.Context(), 7)
	for attributes, want := range map[string]string{"": "3 52007.5", "canal web": "2 52000.5", "canal movil": "1 7", "canal _other": "0 0"} {
		count, sum := rec.Histogram("valor_pedido", strings.Fields(attributes)...)
		if got := fmt.Sprint(count, sum); got != want {
			t.Errorf("valor_pedido %s: %s, want %s", attributes, got, want)
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	rec := New(t, tienda())
	mux := rec.Telemetry.NewServeMux()
	mux.HandleFunc("/pedidos/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("id") == "0" {
			w.WriteHeader(http.StatusConflict)
		}
	})
	for _, request := range []string{"GET /pedidos/1", "GET /pedidos/2", "PUT /pedidos/0", "GET /pedidos/0", "GET /nowhere"} {
		method, path, _ := strings.Cut(request, " ")
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	for _, c := range []struct {
		method, endpoint string
		status, want     int
	}{
		{"GET", "/pedidos/{id}", 200, 2},
		{"GET", "/pedidos/{id}", 409, 1},
		{"GET", "/pedidos/{id}", 0, 3},
		{"", "/pedidos/{id}", 409, 2},
		{"", "", 0, 5},
		{"GET", domain.Unmatched, 404, 1},
		{"DELETE", "/pedidos/{id}", 0, 0},
		{"GET", "/never", 0, 0},
	} {
		if got := rec.Requests(c.method, c.endpoint, c.status); got != c.want {
			t.Errorf("%q %q %d: %d requests, want %d", c.method, c.endpoint, c.status, got, c.want)
		}
	}
	if count, sum := rec.Histogram("response_duration", "endpoint", "/pedidos/{id}"); count != 4 || sum <= 0 || sum > 60 {
		t.Errorf("%d durations of %v seconds in all, want 4", count, sum)
	}
}

// failing is a test whose failure is what is tested.
type failing struct {
	testing.TB
	message string
}

func (f *failing) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// failure is the message with which fn fails the test.
func (f *failing) failure(fn func()) string {
	f.message = ""
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
	return f.message
}

func TestSlipsFail(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	rec := New(f, tienda())
	for query, want := range map[string]string{
		"pedidos_procesado":                            `no metric "pedidos_procesado" (did you mean "pedidos_procesados"?)`,
		"tienda_requests_total":                        `did you mean "requests"?`,
		"zebras":                                       `no metric "zebras": write the name of an event, or of a metric such as requests`,
		"":                                             `no metric ""`,
		"pedidos_procesados canall web":                `pedidos_procesados has no attribute "canall" (did you mean "canal"?)`,
		"pedidos_procesados ciudad cali":               `no attribute "ciudad": it has canal, pago`,
		"carritos_activos canal web":                   `no attribute "canal": it has none`,
		"requests route /pedidos":                      `no attribute "route": it has method, endpoint, status`,
		"pedidos_procesados canal webb":                `attribute "canal" has no value "webb" (did you mean "web"?)`,
		"pedidos_procesados canal fax":                 `no value "fax": it has web, movil, _other`,
		"nivel_tanque tanque_lado nort":                `did you mean "norte"?`,
		"pedidos_procesados canal":                     `attribute "canal" has no value: write names and values in turn`,
		"pedidos_procesados canal web canal movil":     `attribute "canal" is given twice`,
		"nivel_tanque tanque.lado sur tanque_lado sur": `attribute "tanque_lado" is given twice`,
		"api_errors error.type payment_refusd":         `did you mean "payment_refused"?`,
		"function_calls error.type tiemout":            `did you mean "timeout"?`,
		"valor_pedido":                                 `valor_pedido is a histogram: read it with Histogram`,
	} {
		words := strings.Split(query, " ")
		if got := f.failure(func() { rec.Value(words[0], words[1:]...) }); !strings.Contains(got, want) {
			t.Errorf("Value of %q fails with %q, want %q in it", query, got, want)
		}
	}
	for query, want := range map[string]string{
		"pedidos_procesados":   `pedidos_procesados is a counter: read it with Value`,
		"valor_pedidos":        `did you mean "valor_pedido"?`,
		"valor_pedido canal x": `no value "x": it has web, movil, _other`,
	} {
		words := strings.Split(query, " ")
		if got := f.failure(func() { rec.Histogram(words[0], words[1:]...) }); !strings.Contains(got, want) {
			t.Errorf("Histogram of %q fails with %q, want %q in it", query, got, want)
		}
	}
}

func TestWrongConfigFails(t *testing.T) {
	t.Parallel()
	f := &failing{TB: t}
	cfg := tienda()
	cfg.Domain.Prefix = "educación"
	if got, want := f.failure(func() { New(f, cfg) }), `did you mean "educacion"?`; !strings.Contains(got, want) {
		t.Errorf("fails with %q, want %q in it", got, want)
	}
}

func TestDisabledByEnvironmentFails(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	f := &failing{TB: t}
	if got, want := f.failure(func() { New(f, tienda()) }), "unset it for the tests"; !strings.Contains(got, want) {
		t.Errorf("fails with %q, want %q in it", got, want)
	}
}

// What the configuration of the service or the environment starts stays off.
func TestNothingLeavesTheTest(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", server.URL)
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", server.URL)
	t.Setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
	global := otel.GetMeterProvider()
	t.Run("", func(t *testing.T) {
		cfg := tienda()
		cfg.OTLP = telemetry.OTLP{Endpoint: server.URL}
		cfg.Admin.Address = "127.0.0.1:0"
		cfg.Profiling.ServerAddress = server.URL
		rec := New(t, cfg)
		mux := rec.Telemetry.NewServeMux()
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		if rec.Telemetry.Admin().URL() != "" {
			t.Error("there is an admin listener")
		}
		if otel.GetMeterProvider() != global {
			t.Error("OpenTelemetry's global MeterProvider is another one")
		}
		if err := rec.Telemetry.Flush(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n := sent.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// ended is a test that has completed: the testing package panics when it logs.
type ended struct{ testing.TB }

func (e ended) Output() io.Writer { return e }

func (ended) Write([]byte) (int, error) { panic("Write called after the test has completed") }

// A goroutine that outlives its test must not end the process by a log line.
func TestLogAfterTheTest(t *testing.T) {
	t.Parallel()
	log := New(ended{t}, tienda()).Telemetry.Logger()
	log.Warn("too late")
	log.With("key", "value").WithGroup("group").Error("too late")
}

func TestParallel(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			rec := New(t, tienda())
			rec.Telemetry.UpDown("carritos_activos").With().Add(int64(i))
			var readers sync.WaitGroup
			for range 20 { // more than /metrics answers at once
				readers.Go(func() {
					if got := rec.Value("carritos_activos"); got != float64(i) {
						t.Errorf("carritos_activos is %v, want %d", got, i)
					}
				})
			}
			readers.Wait()
		})
	}
}

func TestEndsWithTheTest(t *testing.T) {
	t.Parallel()
	var rec *Recorder
	var asked atomic.Int64
	t.Run("", func(t *testing.T) {
		rec = New(t, tienda())
		_, err := rec.Telemetry.MeterProvider().Meter("theirs").Int64ObservableGauge("theirs",
			metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { asked.Add(1); return nil }))
		if err != nil {
			t.Fatal(err)
		}
		rec.Refused()
	})
	before := asked.Load()
	rec.Telemetry.Admin().Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if after := asked.Load(); before == 0 || after != before {
		t.Errorf("the callback was called %d times, and %d times once the test had ended", before, after-before)
	}
}

// Code under test may end what it was given.
func TestAfterShutdown(t *testing.T) {
	t.Parallel()
	rec := New(t, tienda())
	rec.Telemetry.EntityCreated()
	if err := rec.Telemetry.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if got := rec.Value("entities_created"); got != 1 {
		t.Errorf("entities_created is %v, want 1", got)
	}
}

func TestInsideSynctest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rec := New(t, tienda())
		rec.Telemetry.EntityCreated()
		if got := rec.Value("entities_created"); got != 1 {
			t.Errorf("entities_created is %v, want 1", got)
		}
	})
}
