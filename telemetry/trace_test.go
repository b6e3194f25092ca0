package telemetry

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	foreignTrace = "0af7651916cd43dd8448eb211c80319c"
	foreignSpan  = "b7ad6b7169203331"
)

func TestSpanNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, target, name, route string }{
		{"GET", "/orders/7", "GET /orders/{id}", "/orders/{id}"},
		{"GET", "/stripped/orders/7", "GET /stripped/orders/{id}", "/stripped/orders/{id}"},
		{"GET", "/plain/orders/7", "GET /plain/", "/plain/"},
		{"GET", "/named", "GET /by-adapter", "/by-adapter"},
		{"GET", "/nothing", "GET", ""},
		{"BREW", "/nothing", "HTTP", ""},
		{"GARB7", "/any", "HTTP /any", "/any"},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			tel, spans := startTraced(t)
			mounted(t, tel).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(c.method, c.target, nil))
			if n := len(spans.Ended()); n != 1 {
				t.Fatalf("%d spans, want 1", n)
			}
			span := spans.Ended()[0]
			if span.Name() != c.name || span.SpanKind() != trace.SpanKindServer {
				t.Errorf("span %q of kind %v, want %q of a server", span.Name(), span.SpanKind(), c.name)
			}
			got := attribute.NewSet(span.Attributes()...)
			if v, _ := got.Value("http.route"); v.AsString() != c.route {
				t.Errorf("http.route is %q, want %q", v.AsString(), c.route)
			}
		})
	}
	for name, front := range map[string]func(*Telemetry, http.Handler) http.Handler{
		"GET /by-adapter": func(tel *Telemetry, h http.Handler) http.Handler { return tel.RouteHandler("/by-adapter", h) },
		"GET /resolved":   func(tel *Telemetry, h http.Handler) http.Handler { return tel.Middleware(h) },
	} {
		tel, spans := startTraced(t, func(c *Config) { c.Route = func(*http.Request) string { return "/resolved" } })
		front(tel, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
		if n := spans.Ended(); len(n) != 1 || n[0].Name() != name {
			t.Errorf("spans %v, want one called %s", n, name)
		}
	}
}

// TestForeignTrace: what a caller says of a trace is a link, and decides
// nothing, unless it is trusted.
func TestForeignTrace(t *testing.T) {
	t.Parallel()
	trust := func(c *Config) { c.TrustTraceParent = true }
	parentBased := func(fraction float64) sdktrace.Sampler {
		return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(fraction))
	}
	for name, c := range map[string]struct {
		change  func(*Config)
		flags   string
		sampler sdktrace.Sampler
		sampled bool
	}{
		"strangers' sampled":       {func(*Config) {}, "01", parentBased(1), true},
		"strangers' not sampled":   {func(*Config) {}, "00", parentBased(1), true},
		"strangers' want sampling": {func(*Config) {}, "01", parentBased(0), false},
		"trusted and sampled":      {trust, "01", parentBased(0), true},
		"trusted and not sampled":  {trust, "00", parentBased(1), false},
	} {
		t.Run(name, func(t *testing.T) {
			tel, spans := startSampled(t, c.sampler, c.change)
			var inside trace.SpanContext
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-"+c.flags)
			ofMux(tel, func(_ http.ResponseWriter, r *http.Request) { inside = trace.SpanContextFromContext(r.Context()) }).
				ServeHTTP(httptest.NewRecorder(), r)
			if inside.IsSampled() != c.sampled || len(spans.Ended()) > 0 != c.sampled {
				t.Errorf("sampled %v with %d spans, want %v", inside.IsSampled(), len(spans.Ended()), c.sampled)
			}
			if trusted := tel.cfg.TrustTraceParent; trusted != (inside.TraceID().String() == foreignTrace) {
				t.Errorf("the trace is %v, the caller's is %v", inside.TraceID(), foreignTrace)
			} else if c.sampled && !trusted {
				span := spans.Ended()[0]
				if span.Parent().IsValid() || len(span.Links()) != 1 || span.Links()[0].SpanContext.SpanID().String() != foreignSpan {
					t.Errorf("parent %v and links %v, want none and one to the caller", span.Parent(), span.Links())
				}
			}
		})
	}
}

// TestBaggage ends up in every request that the service sends: a stranger's is
// not taken, and a trusted caller's up to 8 KiB.
func TestBaggage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted bool
		headers []string
		want    int
	}{
		"a stranger's":        {false, []string{"tenant=a"}, 0},
		"trusted":             {true, []string{"tenant=a"}, 1},
		"trusted, two":        {true, []string{"tenant=a", "user=b"}, 2},
		"trusted, 8 KiB":      {true, []string{"a=" + strings.Repeat("a", maxBaggage/2-2) + ",b=" + strings.Repeat("b", maxBaggage/2-3)}, 2},
		"trusted, 500 KB":     {true, []string{"tenant=" + strings.Repeat("a", 500_000)}, 0},
		"trusted, 500 KB off": {true, []string{"tenant=a", "x=" + strings.Repeat("a", 500_000)}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tel, _ := startTraced(t, func(cfg *Config) { cfg.TrustTraceParent = c.trusted })
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			r.Header["Baggage"] = c.headers
			ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
				if got := baggage.FromContext(r.Context()).Len(); got != c.want {
					t.Errorf("%d members of baggage, want %d", got, c.want)
				}
			}).ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

// TestRequestExemplars: what is recorded in a sampled span carries its trace id, in
// OpenMetrics, and nothing else does.
func TestRequestExemplars(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sampler sdktrace.Sampler
		want    int
	}{"sampled": {sdktrace.AlwaysSample(), 2}, "not sampled": {sdktrace.NeverSample(), 0}} {
		t.Run(name, func(t *testing.T) {
			tel, _ := startSampled(t, c.sampler)
			value := tel.Histogram("valor_pedido").With()
			var id trace.TraceID
			ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
				id = trace.SpanContextFromContext(r.Context()).TraceID()
				value.Record(r.Context(), 1e9) // in the last bucket
			}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
			value.Record(t.Context(), 20)

			text := metricsText(t, tel, "application/openmetrics-text; version=1.0.0")
			found := regexp.MustCompile(`(?m)^(\w+)_bucket\{.*\} \d+ # \{(.*)\} (\S+) \S+$`).FindAllStringSubmatch(text, -1)
			if len(found) != c.want {
				t.Fatalf("exemplars %q, want %d", found, c.want)
			}
			for _, f := range found {
				if !strings.Contains(f[2], `trace_id="`+id.String()+`"`) {
					t.Errorf("exemplar %q, want the trace %v", f[0], id)
				}
			}
			if c.want > 0 && (found[1][1] != "tienda_valor_pedido_COP" || found[1][3] != "1e+09") {
				t.Errorf("exemplar %q, want that of the order's value", found[1])
			}
			if strings.Contains(metricsText(t, tel, ""), "trace_id") {
				t.Error("the plain text format has exemplars, which Prometheus cannot read")
			}
		})
	}
}

// TestSemconvMetrics are there on request, with the prefix, and without what a
// stranger can make up.
func TestSemconvMetrics(t *testing.T) {
	t.Parallel()
	if got := scrape(t, start(t)).of("tienda_http_server_request_duration_seconds_count"); len(got) > 0 {
		t.Errorf("unasked for: %v", got)
	}
	tel := start(t, func(c *Config) { c.SemconvMetrics = true })
	h := ofMux(tel, func(http.ResponseWriter, *http.Request) {})
	for i := range 50 {
		r := httptest.NewRequest("GARB"+string(rune('A'+i%26)), "/orders/7", nil)
		r.Host = "host" + string(rune('a'+i%26)) + ".example:" + string(rune('1'+i%9))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	got := scrape(t, tel).of("tienda_http_server_request_duration_seconds_count")
	if len(got) != 1 {
		t.Errorf("%d series, want 1: %v", len(got), got)
	}
	for one, n := range got {
		if n != 50 || !strings.Contains(one, `http_route="/orders/{id}"`) {
			t.Errorf("%s = %v", one, n)
		}
	}
}

// TestNoSpanWithoutTracing: without an endpoint nothing is spent on spans.
func TestNoSpanWithoutTracing(t *testing.T) {
	t.Parallel()
	ofMux(start(t), func(w http.ResponseWriter, r *http.Request) {
		if trace.SpanContextFromContext(r.Context()).IsValid() {
			t.Error("there is a span")
		}
		if _, ok := w.(*plainWriter); !ok {
			t.Errorf("the writer is a %T: something is around it", w)
		}
	}).ServeHTTP(plainRecorder{}, httptest.NewRequest(http.MethodGet, "/orders/7", nil))
}
