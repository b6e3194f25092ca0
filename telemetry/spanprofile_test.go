package telemetry

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/internal/profiles"
)

// wantProfileID checks which one of the spans says that it has a profile: the
// one whose id is given, or none for "".
func wantProfileID(t *testing.T, spans *tracetest.SpanRecorder, want string) {
	t.Helper()
	found := ""
	for _, s := range spans.Ended() {
		attributes := attribute.NewSet(s.Attributes()...)
		if id, ok := attributes.Value(profileID); ok {
			if found += id.AsString(); id.AsString() != s.SpanContext().SpanID().String() {
				t.Errorf("the span %v has the profile of %v", s.SpanContext().SpanID(), id.AsString())
			}
		}
	}
	if found != want {
		t.Errorf("the span %q has a profile, want %q", found, want)
	}
}

// TestSpanProfile: each way into the service labels its samples with the span
// that says so, beside the endpoint where it is known, and leaves nothing
// behind.
func TestSpanProfile(t *testing.T) {
	const mine, nobodys = true, false
	ofTenant := map[string]string{"tenant": "a"}
	maps.Copy(ofTenant, orderLabels)
	stripped := maps.Clone(orderLabels)
	stripped["endpoint"] = "/stripped/orders/{id}"
	for name, c := range map[string]struct {
		path   string
		span   bool              // the request's span has a profile
		labels map[string]string // beside its id
		change func(*Config)
		tune   func(*Telemetry)
	}{
		"mux":                    {path: "/orders/7", span: mine, labels: orderLabels},
		"mux in a mux":           {path: "/stripped/orders/7", span: mine, labels: stripped},
		"handler":                {path: "/handler", span: mine, labels: orderLabels},
		"middleware":             {path: "/middleware", span: mine, labels: methodAlone},
		"middleware over a mux":  {path: "/over/orders/7", span: mine, labels: orderLabels},
		"no request context":     {path: "/orders/7", span: mine, labels: orderLabels, change: noRequestContext},
		"trusted parent":         {path: "/orders/7", span: mine, labels: orderLabels, change: func(c *Config) { c.TrustTraceParent = true }},
		"labels of the caller's": {path: "/labelled/orders/7", span: mine, labels: ofTenant},
		"theirs in two routers":  {path: "/labelled/over/orders/7", span: mine, labels: ofTenant},
		"below another span":     {path: "/below/orders/7", span: nobodys, labels: orderLabels, change: func(c *Config) { c.TrustTraceParent = true }},
		"not sampled":            {path: "/orders/7", span: nobodys, labels: orderLabels, tune: sampledBy(sdktrace.NeverSample())},
		"recorded, not sampled":  {path: "/orders/7", span: nobodys, labels: orderLabels, tune: sampledBy(recordOnly{})},
		"not profiled":           {path: "/orders/7", span: nobodys, labels: noLabels, tune: func(tel *Telemetry) { tel.cfg.Profiling.Disabled = true }},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*Config) {}
			}
			tel, spans := startTraced(t, c.change)
			labelling(tel)
			if c.tune != nil {
				c.tune(tel)
			}
			id := ""
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-01")
			waysIn(tel, func(_ http.ResponseWriter, r *http.Request) {
				want := maps.Clone(c.labels)
				if c.span {
					id = trace.SpanContextFromContext(r.Context()).SpanID().String()
					want[profiles.LabelSpanID] = id
				}
				wantLabels(t, "in the handler", want)
				ctx, child := tel.TracerProvider().Tracer("shop").Start(r.Context(), "child")
				defer child.End()
				_ = tel.Monitor("pay", func(context.Context) error {
					want := id
					if tel.cfg.NoRequestContext { // whose price that is
						want = ""
					}
					if got := goroutineLabels(t)[profiles.LabelSpanID]; got != want {
						t.Errorf("below a child the span is %q, want the request's, %q", got, want)
					}
					return nil
				})(ctx)
			}).ServeHTTP(httptest.NewRecorder(), r)
			wantLabels(t, "after", noLabels)
			wantProfileID(t, spans, id)
		})
	}
}

// waysIn has a handler behind each way into a service.
func waysIn(tel *Telemetry, h http.HandlerFunc) http.Handler {
	mux := ofMux(tel, h)
	nested := tel.NewServeMux()
	nested.Handle("/stripped/", http.StripPrefix("/stripped", mux))
	front := http.NewServeMux()
	front.Handle("/", mux)
	front.Handle("/stripped/", nested)
	front.Handle("/handler", ofHandler(tel, h))
	front.HandleFunc("/middleware", func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = "" // as with a router that does not set it
		tel.Middleware(h).ServeHTTP(w, r)
	})
	front.Handle("/over/", http.StripPrefix("/over", tel.Middleware(mux)))
	front.Handle("/below/", http.StripPrefix("/below", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tel.TracerProvider().Tracer("gateway").Start(r.Context(), "gateway")
		defer span.End()
		r.Header.Del("traceparent")
		mux.ServeHTTP(w, r.WithContext(ctx))
	})))
	front.Handle("/labelled/", http.StripPrefix("/labelled", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pprof.Do(r.Context(), pprof.Labels("tenant", "a"), func(ctx context.Context) { front.ServeHTTP(w, r.WithContext(ctx)) })
	})))
	return front
}

// sampledBy takes another sampler, whose spans are not kept.
func sampledBy(s sdktrace.Sampler) func(*Telemetry) {
	return func(tel *Telemetry) { traceWith(tel, sdktrace.WithSampler(s)) }
}

// traceWith makes the spans from now on with another provider.
func traceWith(tel *Telemetry, options ...sdktrace.TracerProviderOption) {
	tel.tracers = sdktrace.NewTracerProvider(options...)
	tel.tracer = tel.tracers.Tracer(scopeName)
}

// recordOnly keeps spans in the process, where nobody asks for them.
type recordOnly struct{}

func (recordOnly) Description() string { return "record only" }

func (recordOnly) ShouldSample(sdktrace.SamplingParameters) sdktrace.SamplingResult {
	return sdktrace.SamplingResult{Decision: sdktrace.RecordOnly}
}

// TestSpanProfileOfAJob: a job has no request; its span is labelled where it is
// monitored.
func TestSpanProfileOfAJob(t *testing.T) {
	tel, spans := startTraced(t)
	labelling(tel)
	ctx, span := tel.TracerProvider().Tracer("jobs").Start(t.Context(), "nightly")
	id := span.SpanContext().SpanID().String()
	_ = tel.Monitor("export", func(ctx context.Context) error {
		wantLabels(t, "in the job", map[string]string{profiles.LabelRegion: "export", profiles.LabelSpanID: id})
		return tel.Monitor("part", func(context.Context) error {
			wantLabels(t, "in a part of it", map[string]string{profiles.LabelRegion: "part", profiles.LabelSpanID: id})
			return nil
		})(ctx)
	})(ctx)
	span.End()
	wantLabels(t, "after", noLabels)
	wantProfileID(t, spans, id)
}

// TestSpanProfileCost holds what a label that no two requests share may cost.
func TestSpanProfileCost(t *testing.T) {
	allocs := func(disabled bool) float64 {
		tel, _ := startTraced(t)
		traceWith(tel) // whose spans nobody keeps
		tel.cfg.Profiling.Disabled = disabled
		h := ofMux(tel, func(http.ResponseWriter, *http.Request) {})
		r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
		return testing.AllocsPerRun(100, func() { h.ServeHTTP(plainRecorder{}, r) })
	}
	// The request's copy, as without tracing; the id, the label set, its map and
	// context, and the attribute's value.
	if got := allocs(false) - allocs(true); got > 6 {
		t.Errorf("%v allocations a request more, want 6", got)
	}
}

// BenchmarkSpanProfile is a sampled request with the label of its span, and
// without profiles; the spans go nowhere.
func BenchmarkSpanProfile(b *testing.B) {
	for name, disabled := range map[string]bool{"labelled": false, "not_profiled": true} {
		b.Run(name, func(b *testing.B) {
			tel, _ := startTraced(b)
			traceWith(tel)
			tel.cfg.Profiling.Disabled = disabled
			h := ofMux(tel, func(http.ResponseWriter, *http.Request) {})
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(plainRecorder{}, r)
			}
		})
	}
}
