package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/latido-dev/latido/telemetry"
)

// BenchmarkHTTPSampled is BenchmarkHTTP with a span for each request, which is
// sent. otelhttp has the same SDK and exporter, makes spans and nothing else, and
// treats the caller as a stranger, as Latido does. profiled adds the label of
// the span, which no two requests share.
func BenchmarkHTTPSampled(b *testing.B) { traced(b, "always_on", sdktrace.AlwaysSample()) }

// BenchmarkHTTPNotSampled is the same where no trace is kept.
func BenchmarkHTTPNotSampled(b *testing.B) { traced(b, "always_off", sdktrace.NeverSample()) }

func traced(b *testing.B, name string, sampler sdktrace.Sampler) {
	url := collector(b)
	b.Setenv("OTEL_TRACES_SAMPLER", name)
	b.Run("latido", func(b *testing.B) { serve(b, routes(start(b, sentTo(url)).NewServeMux())) })
	b.Run("latido_profiled", func(b *testing.B) {
		serve(b, routes(start(b, func(c *telemetry.Config) { sentTo(url)(c); profiled(c) }).NewServeMux()))
	})
	b.Run("otelhttp", func(b *testing.B) {
		mux := http.NewServeMux()
		serve(b, otelhttp.NewHandler(routes(mux), "shop",
			otelhttp.WithTracerProvider(provider(b, url, sampler)),
			otelhttp.WithMeterProvider(noop.NewMeterProvider()),
			otelhttp.WithPropagators(propagation.TraceContext{}),
			otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true })))
	})
}

// sentTo switches tracing on.
func sentTo(url string) func(*telemetry.Config) {
	return func(c *telemetry.Config) { c.OTLP = telemetry.OTLP{Endpoint: url, MetricInterval: -1} }
}

// provider is OpenTelemetry's SDK as its documentation sets it up.
func provider(b *testing.B, url string, sampler sdktrace.Sampler) *sdktrace.TracerProvider {
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(url+"/v1/traces"))
	if err != nil {
		b.Fatal(err)
	}
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithSampler(sampler))
	b.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return p
}

// collector takes spans and forgets them.
func collector(b *testing.B) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	b.Cleanup(s.Close)
	return s.URL
}
