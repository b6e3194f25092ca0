package telemetry

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// FuzzSpanAsOtelhttp: a span says of a request what otelhttp's says, attribute by
// attribute, and the route beside it.
func FuzzSpanAsOtelhttp(f *testing.F) {
	const (
		host, peer = "shop.example", "192.0.2.1:1234"
		agent      = "curl/8"
	)
	f.Add("GET", host, peer, agent, "", "HTTP/1.1", "/orders/7", "", 200)
	f.Add("POST", host+":8080", peer, "", "203.0.113.9, 10.0.0.1", "HTTP/2.0", "/", "two lines\nof a body", 201)
	f.Add("GARB7", "[::1]:8443", "[2001:db8::1]:99", agent, " ", "QUIC/1", "", "", 404)
	f.Add("get", "[::1]", "@", agent, ",", "http/1", "/x", "x", 500)
	f.Add("", "", "", "", "", "", "/a b", "", 599)
	f.Add("_OTHER", "::1", ":80", "\xff", "", "SPDY", "/\xff", "", 999)
	f.Add("HEAD", host+":80", "[::1]x", agent, "", "HTTP", "/", "", 101)
	f.Add("PATCH", host+":port", "[half", agent, "", "HtTp/1.0", "/", "", 100)

	spans := tracetest.NewSpanRecorder()
	theirs := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tel, ours := startTraced(f)
	f.Fuzz(func(t *testing.T, method, host, peer, agent, forwarded, proto, path, body string, status int) {
		if status < 200 && status != http.StatusSwitchingProtocols || status > 999 {
			status = http.StatusOK // 1xx comes before an answer, and others are refused by net/http
		}
		answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent, _ := io.ReadAll(r.Body)
			w.WriteHeader(status)
			_, _ = w.Write(sent)
		})
		for _, h := range []http.Handler{
			tel.RouteHandler("/orders/{id}", answer),
			otelhttp.NewHandler(answer, "", otelhttp.WithTracerProvider(theirs), otelhttp.WithMeterProvider(noop.NewMeterProvider()),
				otelhttp.WithPropagators(propagation.TraceContext{})),
		} {
			r := &http.Request{
				Method: method, Host: host, RemoteAddr: peer, Proto: proto, URL: &url.URL{Path: path}, Body: http.NoBody,
				Header: http.Header{"User-Agent": {agent}, "X-Forwarded-For": {forwarded}},
			}
			if body != "" {
				r.Body = io.NopCloser(strings.NewReader(body))
			}
			h.ServeHTTP(plainRecorder{}, r)
		}
		got, want := described(t, ours), described(t, spans)
		if got["http.route"].AsString() != "/orders/{id}" {
			t.Errorf("http.route is %q", got["http.route"].AsString())
		}
		delete(got, "http.route")
		if !maps.Equal(got, want) {
			t.Errorf("the span says %v\notelhttp's says %v", got, want)
		}
	})
}

// described is all that the only span says, which is then forgotten.
func described(t *testing.T, spans *tracetest.SpanRecorder) map[attribute.Key]attribute.Value {
	t.Helper()
	ended := spans.Ended()
	spans.Reset()
	if len(ended) != 1 {
		t.Fatalf("%d spans, want 1", len(ended))
	}
	says := map[attribute.Key]attribute.Value{
		"kind":   attribute.StringValue(ended[0].SpanKind().String()),
		"status": attribute.StringValue(ended[0].Status().Code.String() + ": " + ended[0].Status().Description),
	}
	for _, a := range ended[0].Attributes() {
		says[a.Key] = a.Value
	}
	return says
}

// TestBodySizes of both ways are on the span, however they were sent, and the
// request's own body stays the server's.
func TestBodySizes(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(w http.ResponseWriter, text string){
		"Write":       func(w http.ResponseWriter, text string) { _, _ = w.Write([]byte(text)) },
		"WriteString": func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text) },
		"ReadFrom":    func(w http.ResponseWriter, text string) { _, _ = io.Copy(w, strings.NewReader(text)) },
		"wrapped":     func(w http.ResponseWriter, text string) { _, _ = io.WriteString(plainWrapper{w}, text) },
		"in parts": func(w http.ResponseWriter, text string) {
			_, _ = io.WriteString(w, text[:2])
			_, _ = io.WriteString(w, text[2:])
		},
	} {
		for _, c := range []struct {
			protocol int
			foreign  bool // somebody's writer is around the server's
		}{{1, false}, {2, false}, {1, true}} {
			tel, spans := startTraced(t)
			front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body := r.Body
				if c.foreign {
					w = plainWrapper{w}
				}
				ofMux(tel, func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					write(w, "12345")
				}).ServeHTTP(w, r)
				if r.Body != body {
					t.Error("the body of the server's request was exchanged")
				}
			})
			serve(t, c.protocol, front).send(t, http.MethodGet, "/orders/7", io.MultiReader(strings.NewReader("chunked")))
			says := described(t, spans)
			if got := says["http.request.body.size"].AsInt64(); got != 7 {
				t.Errorf("%s over HTTP/%d: the request had %d bytes, want 7", name, c.protocol, got)
			}
			if got := says["http.response.body.size"].AsInt64(); got != 5 {
				t.Errorf("%s over HTTP/%d: the answer had %d bytes, want 5", name, c.protocol, got)
			}
		}
	}
}

// TestNoBodySizes: a size that nobody knows is not on the span: of a body that the
// handler left unread, and of an answer that has none.
func TestNoBodySizes(t *testing.T) {
	t.Parallel()
	tel, spans := startTraced(t)
	h := ofMux(tel, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	serve(t, 1, h).send(t, http.MethodGet, "/orders/7", strings.NewReader("unread"))
	says := described(t, spans)
	for _, key := range []attribute.Key{"http.request.body.size", "http.response.body.size"} {
		if size, ok := says[key]; ok {
			t.Errorf("%s is %d", key, size.AsInt64())
		}
	}
}

type plainWrapper struct{ http.ResponseWriter }

// TestNotSampled: a trace that is not kept goes on all the same, and its request
// is not described to nobody.
func TestNotSampled(t *testing.T) {
	tel, spans := startSampled(t, sdktrace.NeverSample())
	var inside trace.SpanContext
	h := ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
		inside = trace.SpanContextFromContext(r.Context())
		sent := http.Header{}
		tel.Propagator().Inject(r.Context(), propagation.HeaderCarrier(sent))
		if want := "00-" + inside.TraceID().String() + "-" + inside.SpanID().String() + "-00"; sent.Get("traceparent") != want {
			t.Errorf("sent on %q, want %q", sent.Get("traceparent"), want)
		}
	})
	r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
	r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-01")
	h.ServeHTTP(plainRecorder{}, r)
	if !inside.IsValid() || inside.IsSampled() || len(spans.Started()) > 0 {
		t.Errorf("inside %v, %d spans, want a context that is not sampled", inside, len(spans.Started()))
	}

	quick := func(http.ResponseWriter, *http.Request) {}
	cost := func(h http.Handler) float64 {
		return testing.AllocsPerRun(100, func() { h.ServeHTTP(plainRecorder{}, r) })
	}
	// The span's state, its context and SDK's span, the ids, and the request's copy.
	if got := cost(ofMux(tel, quick)) - cost(ofMux(start(t), quick)); got > 7 {
		t.Errorf("%v allocations more than without tracing, want 7 at most", got)
	}
}

// TestRequestSpanIsTheHandlers: what a handler says on its span is there beside
// what is said of the request, even where otelhttp measures in between.
func TestRequestSpanIsTheHandlers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"plain":              func(*Config) {},
		"otelhttp's metrics": func(c *Config) { c.SemconvMetrics = true },
	} {
		for way, path := range map[string]string{"mux": "/orders/7", "handler": "/handler", "middleware": "/middleware", "in another": "/stripped/orders/7"} {
			tel, spans := startTraced(t, change)
			waysIn(tel, func(_ http.ResponseWriter, r *http.Request) {
				trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("canal", "web"))
				_, child := tel.TracerProvider().Tracer("shop").Start(r.Context(), "child")
				child.End()
			}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
			ended := spans.Ended()
			if len(ended) != 2 || ended[0].Parent().SpanID() != ended[1].SpanContext().SpanID() {
				t.Fatalf("%s, %s: %d spans, want the child and the request's", name, way, len(ended))
			}
			set := attribute.NewSet(ended[1].Attributes()...)
			if v, _ := set.Value("canal"); v.AsString() != "web" {
				t.Errorf("%s, %s: what the handler said is lost: %v", name, way, ended[1].Attributes())
			}
		}
	}
}

// TestSemconvExemplars: otelhttp's metrics are recorded in the request's span.
func TestSemconvExemplars(t *testing.T) {
	t.Parallel()
	tel, spans := startTraced(t, func(c *Config) { c.SemconvMetrics = true })
	ofMux(tel, func(http.ResponseWriter, *http.Request) {}).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
	want := `trace_id="` + spans.Ended()[0].SpanContext().TraceID().String() + `"`
	for line := range strings.Lines(metricsText(t, tel, "application/openmetrics-text; version=1.0.0")) {
		if strings.HasPrefix(line, "tienda_http_server_request_duration_seconds_bucket") && strings.Contains(line, want) {
			return
		}
	}
	t.Errorf("no exemplar of %s in http.server.request.duration", want)
}

// TestPanicOnTheSpan: its type and message are an event of the span.
func TestPanicOnTheSpan(t *testing.T) {
	t.Parallel()
	tel, spans := startTraced(t)
	func() {
		defer func() { _ = recover() }()
		ofMux(tel, func(http.ResponseWriter, *http.Request) { panic(context.DeadlineExceeded) }).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
	}()
	events := spans.Ended()[0].Events()
	if len(events) != 1 || events[0].Name != "exception" {
		t.Fatalf("events %v, want one exception", events)
	}
	set := attribute.NewSet(events[0].Attributes...)
	kind, _ := set.Value("exception.type")
	message, _ := set.Value("exception.message")
	if kind.AsString() != "context.deadlineExceededError" || message.AsString() != "context deadline exceeded" {
		t.Errorf("exception %q: %q", kind.AsString(), message.AsString())
	}
}
