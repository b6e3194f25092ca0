package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const notUTF8 = "caf\xe9"

// TestPushSurvivesText: text that is not UTF-8, wherever it comes from, fails
// no export: protobuf would refuse all of it, and as data is cumulative every
// later one.
func TestPushSurvivesText(t *testing.T) {
	t.Parallel()
	sampled := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
	}))
	for name, c := range map[string]struct {
		change func(*Config)
		record func(*testing.T, *Telemetry, metric.Meter)
	}{
		"value": {nil, func(t *testing.T, _ *Telemetry, m metric.Meter) { add(t, m, "bad", attribute.String("k", notUTF8)) }},
		"key":   {nil, func(t *testing.T, _ *Telemetry, m metric.Meter) { add(t, m, "bad", attribute.String(notUTF8, "v")) }},
		"list": {nil, func(t *testing.T, _ *Telemetry, m metric.Meter) {
			add(t, m, "bad", attribute.StringSlice("k", []string{"a", notUTF8}))
		}},
		"value in an exemplar": {nil, func(t *testing.T, _ *Telemetry, m metric.Meter) {
			counter, err := m.Int64Counter("bad")
			must(t, err)
			counter.Add(sampled, 1, metric.WithAttributes(attribute.String("k", notUTF8)))
			histogram, err := m.Float64Histogram("bad.values")
			must(t, err)
			histogram.Record(sampled, 1, metric.WithAttributes(attribute.String("k", notUTF8)))
		}},
		"description": {nil, func(t *testing.T, _ *Telemetry, m metric.Meter) {
			c, err := m.Int64Counter("bad", metric.WithDescription(notUTF8))
			must(t, err)
			c.Add(sampled, 1)
		}},
		"scope": {nil, func(t *testing.T, tel *Telemetry, _ metric.Meter) {
			add(t, tel.MeterProvider().Meter(notUTF8, metric.WithInstrumentationVersion(notUTF8),
				metric.WithInstrumentationAttributes(attribute.String("k", notUTF8))), "bad")
		}},
		"resource": {func(c *Config) { c.Attributes = []attribute.KeyValue{attribute.String("k", notUTF8)} }, nil},
		"version":  {func(c *Config) { c.Version = notUTF8 }, nil},
		"endpoint": {nil, func(_ *testing.T, tel *Telemetry, _ metric.Meter) {
			tel.RouteHandler("/"+notUTF8, http.NotFoundHandler())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := startCollector(t)
			tel := start(t, func(cfg *Config) {
				cfg.OTLP = OTLP{Endpoint: collector.URL, MetricInterval: time.Hour, NoTraces: true}
				if c.change != nil {
					c.change(cfg)
				}
			})
			add(t, tel.MeterProvider().Meter("good"), "good")
			if c.record != nil {
				c.record(t, tel, tel.MeterProvider().Meter("library"))
			}
			must(t, tel.pusher.push(t.Context()))
			collector.mu.Lock()
			defer collector.mu.Unlock()
			if collector.last == nil || !strings.Contains(collector.last.String(), "tienda.good") {
				t.Error("the rest did not arrive")
			}
			scrape(t, tel).want(t, series{"tienda_good_total": 1})
		})
	}
}

// spanCollector is an OTLP receiver of spans.
type spanCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
}

func startSpanCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request coltrace.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			http.Error(w, "no spans", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range request.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// TestSpansSurviveText: what a stranger sends does not cost the spans of all
// others.
func TestSpansSurviveText(t *testing.T) {
	t.Parallel()
	collector := startSpanCollector(t)
	tel, err := Init(t.Context(), quiet(func(c *Config) { c.OTLP = OTLP{Endpoint: collector.URL, MetricInterval: -1} }))
	must(t, err)
	h := ofMux(tel, func(_ http.ResponseWriter, r *http.Request) {
		span := trace.SpanFromContext(r.Context())
		span.AddEvent(notUTF8, trace.WithAttributes(attribute.String("k", notUTF8)))
		span.AddLink(trace.Link{SpanContext: span.SpanContext(), Attributes: []attribute.KeyValue{attribute.StringSlice("k", []string{notUTF8})}})
		_, child := span.TracerProvider().Tracer("library").Start(r.Context(), "query "+notUTF8)
		child.RecordError(errBoom)
		child.End()
	})
	for _, target := range []string{"/orders/7", "/orders/%ff", "/orders/8"} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("User-Agent", notUTF8)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	must(t, tel.Shutdown(t.Context()))
	collector.mu.Lock()
	defer collector.mu.Unlock()
	if len(collector.spans) != 6 {
		t.Fatalf("%d spans arrived, want 6; told %q", len(collector.spans), journalOf(tel).told(""))
	}
	for _, s := range collector.spans {
		if strings.HasPrefix(s.Name, "query") && s.Name != "query caf�" {
			t.Errorf("the span's name is %q", s.Name)
		}
	}
}
