package telemetry

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// nowhere is an address at which nothing answers.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// TestInitWithNothing has a dead Pyroscope, a dead Collector and a taken admin
// port at once: the service runs, and hears of each once.
func TestInitWithNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	log := &journal{}
	tel, err := Init(t.Context(), Config{
		Domain: tienda(), KeepGlobals: true, Logger: slog.New(log),
		Admin:     AdminConfig{Address: listener.Addr().String()},
		OTLP:      OTLP{Endpoint: "http://" + nowhere(t), MetricInterval: 20 * time.Millisecond},
		Profiling: continuous.Config{ServerAddress: "http://" + nowhere(t), Interval: 100 * time.Millisecond},
	})
	must(t, err)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {})
	for deadline := time.Now().Add(3 * time.Minute); tel.diagnostics.metricExports[exportFailure].Load() < 3 && time.Now().Before(deadline); {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders", nil))
	}
	if tel.diagnostics.metricExports[exportFailure].Load() < 3 {
		t.Error("failed exports are not counted")
	}
	wantTold(t, log, "the admin listener cannot start")
	wantTold(t, log, "metrics cannot be sent by OTLP")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("Shutdown does not say that the last metrics were lost")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Shutdown took %v of 2 s", took)
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("the second Shutdown: %v", err)
	}
}

// TestShutdownAgainstHanging has a Collector and a Pyroscope that take
// connections and never answer.
func TestShutdownAgainstHanging(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hanging.Close()
	defer close(release)
	tel, err := Init(t.Context(), Config{
		Domain: tienda(), KeepGlobals: true, Logger: slog.New(&journal{}), Admin: AdminConfig{Disabled: true},
		OTLP:      OTLP{Endpoint: hanging.URL, MetricInterval: time.Hour},
		Profiling: continuous.Config{ServerAddress: hanging.URL, Interval: time.Hour},
	})
	must(t, err)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {})
	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders", nil)) // a span is pending
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	var wg sync.WaitGroup
	for range 3 { // from several places at once
		wg.Go(func() { _ = tel.Shutdown(ctx) })
	}
	wg.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Shutdown took %v of 0.3 s", took)
	}
}

func TestInitTwice(t *testing.T) {
	cfg := quiet()
	cfg.KeepGlobals = false
	first, err := Init(t.Context(), cfg)
	must(t, err)
	second, err := Init(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "KeepGlobals") {
		t.Errorf("the second Init: %v, want what to do instead", err)
	}
	second.Counter("pedidos_procesados").With("canal", "web").Add(1)
	must(t, second.Shutdown(t.Context()))
	scrape(t, first).want(t, series{`tienda_pedidos_procesados_total{canal="web"}`: 0})
	must(t, first.Shutdown(t.Context()))
	third, err := Init(t.Context(), cfg)
	if err != nil {
		t.Errorf("Init after Shutdown: %v", err)
	}
	must(t, third.Shutdown(t.Context()))
}

// TestAddresses has what people write instead of a URL. In the code it is an
// error that says what to write; in the environment it is warned of.
func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:4318":     "http://localhost:4318",
		"collector":          "http://collector",
		"ftp://x":            "http://x",
		"http://":            "no host",
		"http://user:pw@":    "no host",
		"http://[::1":        "not a URL",
		"unix:///x.sock":     "not a URL of HTTP: write one such as http://localhost:4318",
		"grpc://c:4317":      "http://c:4317",
		"[::1]:4318":         "http://[::1]:4318",
		"10.0.0.7:4318":      "http://10.0.0.7:4318",
		"::1":                "not a URL",
		"http://c:99999":     "no port from 1 to 65535",
		"http://good:4318":   "",
		"https://good/otlp/": "",
	} {
		t.Run(address, func(t *testing.T) {
			cfg := quiet(func(c *Config) { c.OTLP = OTLP{Endpoint: address, MetricInterval: -1, NoTraces: true} })
			tel, err := Init(t.Context(), cfg)
			defer func() { must(t, tel.Shutdown(context.Background())) }()
			switch {
			case want == "" && err != nil:
				t.Error(err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "OTLP.Endpoint")):
				t.Errorf("error %v, want %q in it", err, want)
			}
			if err != nil && strings.Contains(err.Error(), "pw") {
				t.Errorf("the error shows a password: %v", err)
			}

			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
			log := &journal{}
			env := readEnvironment(slog.New(log), OTLP{})
			if sends := want == ""; (env.metrics.url != "") != sends || (env.traces.url != "") != sends {
				t.Errorf("metrics to %q, traces to %q", env.metrics.url, env.traces.url)
			}
			if want != "" {
				wantTold(t, log, want)
			}
		})
	}
}

// collector is an OTLP receiver over HTTP that keeps the last export.
type collector struct {
	*httptest.Server
	mu   sync.Mutex
	last *colmetrics.ExportMetricsServiceRequest
	path string
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		request := &colmetrics.ExportMetricsServiceRequest{}
		if err != nil || proto.Unmarshal(body, request) != nil {
			http.Error(w, "no protobuf", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		c.last, c.path = request, r.URL.Path
		c.mu.Unlock()
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// TestPushedNames compares what is sent by OTLP with /metrics: the same names,
// and a callback that panics does not end the process.
func TestPushedNames(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	tel, err := Init(t.Context(), quiet(func(cfg *Config) {
		cfg.OTLP = OTLP{Endpoint: c.URL, MetricInterval: 20 * time.Millisecond, NoTraces: true}
	}))
	must(t, err)
	meter := tel.MeterProvider().Meter("library")
	add(t, meter, "hits")
	_, err = meter.Int64ObservableCounter("bad", metric.WithInt64Callback(func(context.Context, metric.Int64Observer) error { panic("no") }))
	must(t, err)
	tel.Counter("pedidos_procesados").With("canal", "web").Add(4)
	tel.Histogram("valor_pedido").With().Record(t.Context(), 60)
	for deadline := time.Now().Add(3 * time.Minute); tel.diagnostics.metricExports[exportSuccess].Load() < 2 && time.Now().Before(deadline); {
		scrape(t, tel)
	}
	scraped := map[string]bool{}
	for line := range strings.Lines(metricsText(t, tel, "")) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			scraped[strings.Fields(name)[0]] = true
		}
	}
	must(t, tel.Shutdown(t.Context())) // which sends once more
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		t.Fatal("nothing arrived")
	}
	if c.path != "/v1/metrics" {
		t.Errorf("sent to %s", c.path)
	}
	pushed := map[string]bool{}
	for _, rm := range c.last.ResourceMetrics {
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				kind := domain.KindGauge
				switch {
				case m.GetHistogram() != nil:
					kind = domain.KindHistogram
				case m.GetSum() != nil && m.GetSum().IsMonotonic:
					kind = domain.KindCounter
				case m.GetSum() != nil:
					kind = domain.KindUpDown
				}
				pushed[promname.Family(m.Name, m.Unit, string(kind))] = true
				if m.Name == "tienda.pedidos_procesados" && m.GetSum().DataPoints[0].GetAsInt()+m.GetSum().DataPoints[1].GetAsInt()+m.GetSum().DataPoints[2].GetAsInt() != 4 {
					t.Errorf("%v", m)
				}
			}
		}
	}
	for name := range scraped {
		if !pushed[name] {
			t.Errorf("%s is on /metrics and not sent by OTLP", name)
		}
	}
	if len(scraped) < 25 || !pushed["tienda_hits_total"] {
		t.Errorf("%d families, pushed %v", len(scraped), pushed)
	}
}

// maxSeriesOfStrangers is how many series requests and events can add whose
// paths, methods and values are made up. For `unmatched` and each of the ten
// methods that are 20: the histogram's 17, the statuses 200 and 500, which
// exist from the start, and the one that was answered. An event gets one for
// domain.Other.
const maxSeriesOfStrangers = 10*(17+3) + 2

// TestCardinality sends 100,000 requests with paths, methods and values that
// strangers made up.
func TestCardinality(t *testing.T) {
	t.Parallel()
	tel := start(t)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	before := len(scrape(t, tel))
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"}
	r := &http.Request{Header: http.Header{}, Host: "shop", Proto: "HTTP/1.1", Body: http.NoBody}
	for i := range 100_000 {
		made := strconv.Itoa(i)
		r.Method = methods[i%len(methods)]
		if i%3 == 0 {
			r.Method = "GARB" + made
		}
		r.URL = &url.URL{Path: "/made/up/" + made}
		w := plainRecorder{}
		mux.ServeHTTP(w, r)
		tel.Count("pedidos_procesados", "canal", made)
		tel.Count("envios", "ciudad", made, "modo", made, made, made)
		tel.Count("event" + strconv.Itoa(i%50))
		tel.APIError(ErrorType(made))
	}
	if added := len(scrape(t, tel)) - before; added > maxSeriesOfStrangers {
		t.Errorf("%d series were added, want %d at most", added, maxSeriesOfStrangers)
	} else {
		t.Logf("%d series were added, of %d at most", added, maxSeriesOfStrangers)
	}
}

// plainRecorder throws an answer away.
type plainRecorder struct{}

func (plainRecorder) Header() http.Header         { return http.Header{} }
func (plainRecorder) Write(b []byte) (int, error) { return len(b), nil }
func (plainRecorder) WriteHeader(int)             {}
