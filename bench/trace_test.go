package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/latido-dev/latido/telemetry"
)

// BenchmarkHTTPTraced is BenchmarkHTTP with spans: what otelhttp and the SDK
// cost, and what the label of a span, which no two requests share, adds to it.
func BenchmarkHTTPTraced(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer collector.Close()
	traced := func(c *telemetry.Config) { c.OTLP = telemetry.OTLP{Endpoint: collector.URL, MetricInterval: -1} }
	both := func(c *telemetry.Config) { profiled(c); traced(c) }
	for _, of := range []struct {
		name, sampler string
		change        func(*telemetry.Config)
	}{
		{"latido", "always_on", traced},
		{"latido_profiled", "always_on", both},
		{"latido_not_sampled", "always_off", traced},
		{"latido_not_sampled_profiled", "always_off", both},
	} {
		b.Run(of.name, func(b *testing.B) {
			b.Setenv("OTEL_TRACES_SAMPLER", of.sampler)
			serve(b, routes(start(b, of.change).NewServeMux()))
		})
	}
}
