package bench

import (
	"net/http"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/latido-dev/latido/telemetry"
)

// BenchmarkOutgoing sends one request through a transport that answers at once:
// its metrics, and in Latido the profile label of the peer.
func BenchmarkOutgoing(b *testing.B) {
	b.Run("latido", func(b *testing.B) { send(b, start(b, profiled).Transport(instant{})) })
	b.Run("otelhttp", func(b *testing.B) {
		send(b, otelhttp.NewTransport(instant{}, otelhttp.WithTracerProvider(tracenoop.NewTracerProvider()), otelhttp.WithMeterProvider(metrics(b))))
	})
}

// BenchmarkOutgoingSampled is the same with a span that is sent.
func BenchmarkOutgoingSampled(b *testing.B) {
	url := collector(b)
	b.Run("latido", func(b *testing.B) {
		send(b, start(b, func(c *telemetry.Config) { sentTo(url)(c); profiled(c) }).Transport(instant{}))
	})
	b.Run("otelhttp", func(b *testing.B) {
		send(b, otelhttp.NewTransport(instant{}, otelhttp.WithTracerProvider(provider(b, url, sdktrace.AlwaysSample())),
			otelhttp.WithMeterProvider(metrics(b)), otelhttp.WithPropagators(propagation.TraceContext{})))
	})
}

func metrics(b *testing.B) *sdkmetric.MeterProvider {
	p := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	b.Cleanup(func() { _ = p.Shutdown(b.Context()) })
	return p
}

// instant answers at once.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusNoContent, Proto: "HTTP/1.1", Body: http.NoBody, Request: r}, nil
}

func send(b *testing.B, client http.RoundTripper) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://shop.example/orders/42", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		answer, err := client.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_ = answer.Body.Close() // which ends otelhttp's span
	}
}
