package telemetry

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestOutgoingSpan says of a request what otelhttp's transport says.
func TestOutgoingSpan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, url string
		base        tripper
	}{
		"answered":      {"GET", "http://shop.example/x?y=1", answering(200)},
		"port":          {"POST", "http://shop.example:8080/", answering(201)},
		"default port":  {"HEAD", "https://shop.example:443", answering(301)},
		"password":      {"GET", "http://user:secret@shop.example", answering(404)},
		"IPv6":          {"BREW", "http://[::1]:99/", answering(503)},
		"invalid":       {"get", "http://shop.example", answering(50)},
		"unknown error": {"GET", "http://shop.example", failing(io.ErrUnexpectedEOF)},
	} {
		t.Run(name, func(t *testing.T) {
			tel, ours := startTraced(t)
			spans := tracetest.NewSpanRecorder()
			theirs := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			for _, client := range []http.RoundTripper{tel.Transport(c.base),
				otelhttp.NewTransport(c.base, otelhttp.WithTracerProvider(theirs), otelhttp.WithMeterProvider(noop.NewMeterProvider()))} {
				r := outgoingRequest(t, t.Context(), c.url)
				r.Method = c.method
				if answer, err := client.RoundTrip(r); err == nil {
					must(t, answer.Body.Close())
				}
				if len(r.Header) > 0 {
					t.Errorf("the caller's request was changed: %v", r.Header)
				}
			}
			got, want := described(t, ours), described(t, spans)
			delete(want, "network.protocol.name")
			if v := want["status"].AsString(); strings.HasPrefix(v, "Error: Invalid") {
				want["status"] = attribute.StringValue("Error: ")
			}
			if !maps.Equal(got, want) {
				if _, err := c.base(nil); err != nil { // theirs has the version that was asked for
					delete(want, "network.protocol.version")
				}
				if !maps.Equal(got, want) {
					t.Errorf("the span says %v\notelhttp's says %v", got, want)
				}
			}
		})
	}
}

// TestOutgoingTrace: the trace goes along, also one that is not kept, and the
// request's span is the client's parent.
func TestOutgoingTrace(t *testing.T) {
	t.Parallel()
	for name, sampler := range map[string]sdktrace.Sampler{"sampled": sdktrace.AlwaysSample(), "not sampled": sdktrace.NeverSample()} {
		tel, spans := startSampled(t, sampler, func(c *Config) { c.TrustTraceParent = true })
		client := tel.Transport(tripper(func(r *http.Request) (*http.Response, error) {
			sc := trace.SpanContextFromContext(r.Context())
			flags := map[bool]string{true: "-01", false: "-00"}[sc.IsSampled()]
			if want := "00-" + foreignTrace + "-" + sc.SpanID().String() + flags; r.Header.Get("traceparent") != want {
				t.Errorf("%s: traceparent %q, want %q", name, r.Header.Get("traceparent"), want)
			}
			if r.Header.Get("baggage") != "tenant=a" || r.Header.Get("tracestate") != "vendor=x" || r.Header.Get("Accept") != "text/plain" {
				t.Errorf("%s: headers %v", name, r.Header)
			}
			return nil, errors.New("no")
		}))
		r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
		r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-01")
		r.Header.Set("tracestate", "vendor=x")
		r.Header.Set("baggage", "tenant=a")
		ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
			out := outgoingRequest(t, r.Context(), "http://shop.example")
			out.Header.Set("Accept", "text/plain")
			_, _ = client.RoundTrip(out)
		}).ServeHTTP(httptest.NewRecorder(), r)
		if ended := spans.Ended(); len(ended) == 2 {
			if ended[0].Parent().SpanID() != ended[1].SpanContext().SpanID() || ended[0].SpanKind() != trace.SpanKindClient {
				t.Errorf("%s: the client's span is a %v below %v", name, ended[0].SpanKind(), ended[0].Parent())
			}
		} else if name == "sampled" || len(ended) != 0 {
			t.Errorf("%s: %d spans", name, len(ended))
		}
	}
}
