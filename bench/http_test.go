package bench

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/latido-dev/latido/telemetry"
)

// BenchmarkHTTP answers one request through a mux with three routes, without a
// network: what each library adds to the bare mux. The handler does nothing.
func BenchmarkHTTP(b *testing.B) {
	b.Run("bare", func(b *testing.B) { serve(b, routes(http.NewServeMux())) })
	b.Run("latido", func(b *testing.B) { // RED, in flight, profile labels; the endpoint in the request's context
		serve(b, routes(start(b, profiled).NewServeMux()))
	})
	b.Run("latido_no_context", func(b *testing.B) {
		serve(b, routes(start(b, func(c *telemetry.Config) {
			profiled(c)
			c.NoRequestContext = true
		}).NewServeMux()))
	})
	b.Run("promhttp", func(b *testing.B) { serve(b, promChain(routes(http.NewServeMux()))) })
	b.Run("promhttp_labels", func(b *testing.B) { // with pprof labels, as ours has them
		next := routes(http.NewServeMux())
		serve(b, promChain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pprof.Do(r.Context(), pprof.Labels("endpoint", "/orders/{id}", "method", r.Method), func(ctx context.Context) {
				next.ServeHTTP(w, r.WithContext(ctx))
			})
		})))
	})
	b.Run("otelhttp", func(b *testing.B) {
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
		b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
		serve(b, otelhttp.NewHandler(routes(http.NewServeMux()), "shop",
			otelhttp.WithMeterProvider(provider), otelhttp.WithTracerProvider(noop.NewTracerProvider())))
	})
}

// BenchmarkHTTPFailure answers one request with an error, over and over: of the
// stacks, which say who did, a hundred a second are read.
func BenchmarkHTTPFailure(b *testing.B) {
	fail := func(m mux) http.Handler {
		m.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) })
		return m
	}
	b.Run("bare", func(b *testing.B) { serve(b, fail(http.NewServeMux())) })
	b.Run("latido", func(b *testing.B) { serve(b, fail(start(b, profiled).NewServeMux())) })
}

// profiled keeps the profile labels on without the profiler, which would
// measure itself.
func profiled(c *telemetry.Config) {
	c.Profiling.Disabled = false
	c.Profiling.Interval = time.Hour
}

type mux interface {
	http.Handler
	HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request))
}

func routes(m mux) http.Handler {
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	m.HandleFunc("GET /orders", answer)
	m.HandleFunc("GET /orders/{id}", answer)
	m.HandleFunc("POST /orders", answer)
	return m
}

func promChain(next http.Handler) http.Handler {
	labels := []string{"code", "method"}
	total := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, labels)
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "duration_seconds"}, labels)
	active := prometheus.NewGauge(prometheus.GaugeOpts{Name: "active"})
	return promhttp.InstrumentHandlerInFlight(active,
		promhttp.InstrumentHandlerDuration(took, promhttp.InstrumentHandlerCounter(total, next)))
}

// serve sends one request over and over. The request has a context with a
// cancel in it and the writer the interfaces of net/http's, as behind a server.
func serve(b *testing.B, h http.Handler) {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.ServerContextKey, &http.Server{}))
	defer cancel()
	r := httptest.NewRequest(http.MethodGet, "/orders/42", nil).WithContext(ctx)
	w := &sink{header: http.Header{}}
	for b.Loop() {
		r.Pattern = ""
		h.ServeHTTP(w, r)
	}
}

// sink is a ResponseWriter that throws away what it gets, and has all that
// net/http's writer for HTTP/1 has.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header                 { return s.header }
func (s *sink) Write(b []byte) (int, error)         { return len(b), nil }
func (s *sink) WriteString(t string) (int, error)   { return len(t), nil }
func (s *sink) WriteHeader(int)                     {}
func (s *sink) Flush()                              {}
func (s *sink) FlushError() error                   { return nil }
func (s *sink) ReadFrom(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) }
func (s *sink) CloseNotify() <-chan bool            { return nil }
func (s *sink) SetReadDeadline(time.Time) error     { return nil }
func (s *sink) SetWriteDeadline(time.Time) error    { return nil }
func (s *sink) EnableFullDuplex() error             { return nil }
func (s *sink) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("a sink has no connection")
}
