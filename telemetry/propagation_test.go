package telemetry

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// TestPropagation: a request that the handler sends on belongs to the trace
// that it answers in. With OpenTelemetry's globals a client needs otelhttp's
// transport and nothing else; without them it is given what it needs.
func TestPropagation(t *testing.T) {
	before, provider := otel.GetTextMapPropagator(), otel.GetTracerProvider()
	defer func() {
		otel.SetTextMapPropagator(before)
		otel.SetTracerProvider(provider)
	}()
	for name, global := range map[string]bool{"globals": true, "KeepGlobals": false} {
		t.Run(name, func(t *testing.T) {
			got := make(chan http.Header, 1)
			supplier := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
			defer supplier.Close()
			tel, spans := startTraced(t, func(c *Config) { c.TrustTraceParent = true })
			client := &http.Client{Transport: otelhttp.NewTransport(supplier.Client().Transport,
				otelhttp.WithTracerProvider(tel.TracerProvider()), otelhttp.WithPropagators(tel.Propagator()))}
			if global {
				tel.cfg.KeepGlobals = false
				tel.takeProviders()
				client.Transport = otelhttp.NewTransport(supplier.Client().Transport)
			}
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-01")
			r.Header.Set("tracestate", "vendor=x")
			r.Header.Set("baggage", "tenant=a")
			ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
				out, err := http.NewRequestWithContext(r.Context(), http.MethodGet, supplier.URL, nil)
				must(t, err)
				answer, err := client.Do(out)
				must(t, err)
				must(t, answer.Body.Close())
			}).ServeHTTP(httptest.NewRecorder(), r)

			if n := len(spans.Ended()); n != 2 {
				t.Fatalf("%d spans, want the client's and the server's", n)
			}
			sent, served := spans.Ended()[0], spans.Ended()[1]
			if sent.SpanKind() != trace.SpanKindClient || sent.Parent().SpanID() != served.SpanContext().SpanID() {
				t.Errorf("the span of the client is a %v below %v, want it below %v", sent.SpanKind(), sent.Parent().SpanID(), served.SpanContext().SpanID())
			}
			headers := <-got
			for name, want := range map[string]string{
				"traceparent": "00-" + foreignTrace + "-" + sent.SpanContext().SpanID().String() + "-01",
				"tracestate":  "vendor=x",
				"baggage":     "tenant=a",
			} {
				if headers.Get(name) != want {
					t.Errorf("sent %s: %q, want %q", name, headers.Get(name), want)
				}
			}
		})
	}
}
