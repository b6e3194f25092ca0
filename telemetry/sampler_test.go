package telemetry

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestSampler has every value that the specification names, and what people
// write in their place. A decision is asked for without a parent, and below a
// sampled and a not sampled one; half are the trace ids whose last bytes are
// large.
func TestSampler(t *testing.T) {
	const (
		unknown  = "OTEL_TRACES_SAMPLER is not known"
		noRatio  = "OTEL_TRACES_SAMPLER_ARG is no ratio"
		noEffect = "OTEL_TRACES_SAMPLER_ARG has no effect"
		byParent = "root yes, parent sampled yes, parent not sampled no" // the default
		always   = "root yes, parent sampled yes, parent not sampled yes"
		never    = "root no, parent sampled no, parent not sampled no"
		half     = "root half, parent sampled half, parent not sampled half"
	)
	for _, c := range []struct{ name, arg, want, warning string }{
		{"", "", byParent, ""},
		{"parentbased_always_on", "", byParent, ""},
		{"parentbased_always_off", "", "root no, parent sampled yes, parent not sampled no", ""},
		{"parentbased_traceidratio", "0.5", "root half, parent sampled yes, parent not sampled no", ""},
		{"parentbased_traceidratio", "0", "root no, parent sampled yes, parent not sampled no", ""},
		{"parentbased_traceidratio", "", byParent, ""},
		{"always_on", "", always, ""},
		{"always_off", "", never, ""},
		{"traceidratio", "0.5", half, ""},
		{"traceidratio", "", always, ""},
		{" Always_OFF ", "", never, ""},
		{"traceidratio", " 5e-1 ", half, ""},

		{"allways_on", "", byParent, unknown},
		{"jaeger_remote", "endpoint=http://localhost:14250", byParent, unknown},
		{"traceidratio", "50%", always, noRatio},
		{"traceidratio", "1.5", always, noRatio},
		{"traceidratio", "NaN", always, noRatio},
		{"parentbased_traceidratio", "-1", byParent, noRatio},
		{"", "0.5", byParent, noEffect},
		{"always_off", "0.5", never, noEffect},
	} {
		t.Run(c.name+"/"+c.arg, func(t *testing.T) {
			t.Setenv(samplerVariable, c.name)
			t.Setenv(samplerArgVariable, c.arg)
			tel := newTelemetry(quiet())
			if got := decisions(tel.sampler()); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if lines := journalOf(tel).told(""); c.warning == "" && len(lines) > 0 || c.warning != "" && len(lines) != 1 {
				t.Errorf("logged %q, want %q once", lines, c.warning)
			} else if c.warning != "" {
				wantTold(t, journalOf(tel), c.warning)
			}
		})
	}
}

// decisions says what a sampler does.
func decisions(s sdktrace.Sampler) string {
	parent := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true,
		}))
	}
	below := []struct {
		name string
		ctx  context.Context
	}{{"root", context.Background()}, {"parent sampled", parent(trace.FlagsSampled)}, {"parent not sampled", parent(0)}}
	said := make([]string, len(below))
	for i, b := range below {
		kept := 0
		for _, last := range []byte{0x10, 0xf0} { // the ratio is taken of the last 8 bytes
			id := trace.TraceID{15: 1, 8: last}
			if s.ShouldSample(sdktrace.SamplingParameters{ParentContext: b.ctx, TraceID: id}).Decision == sdktrace.RecordAndSample {
				kept++
			}
		}
		said[i] = b.name + " " + []string{"no", "half", "yes"}[kept]
	}
	return strings.Join(said, ", ")
}

// TestSampledSpans are the ones that leave, as the environment says, and one
// line tells of what is wrong with it, although the SDK reads it too.
func TestSampledSpans(t *testing.T) {
	for _, c := range []struct {
		sampler string
		trusted bool
		spans   int64 // of 20 requests, half of them with a sampled traceparent
	}{
		{"always_on", false, 20},
		{"always_off", false, 0},
		{"parentbased_always_off", false, 0}, // strangers do not decide
		{"parentbased_always_off", true, 10},
		{"sometimes", false, 20},
	} {
		t.Run(c.sampler, func(t *testing.T) {
			var spans atomic.Int64
			server := countSpans(t, &spans)
			t.Setenv(samplerVariable, c.sampler)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server)
			tel, err := Init(t.Context(), quiet(func(cfg *Config) {
				cfg.KeepGlobals, cfg.TrustTraceParent = false, c.trusted
				cfg.OTLP.MetricInterval = -1
			}))
			must(t, err)
			h := ofMux(tel, func(http.ResponseWriter, *http.Request) {})
			for i := range 20 {
				r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
				if i%2 == 0 {
					r.Header.Set("traceparent", "00-"+foreignTrace+"-"+foreignSpan+"-01")
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			must(t, tel.Shutdown(ctx))
			if spans.Load() != c.spans {
				t.Errorf("%d spans, want %d", spans.Load(), c.spans)
			}
			if c.sampler == "sometimes" {
				wantTold(t, journalOf(tel), "OTEL_TRACES_SAMPLER")
			}
			if lines := journalOf(tel).told("opentelemetry"); len(lines) > 0 {
				t.Errorf("the SDK says it once more: %q", lines)
			}
		})
	}
}

// countSpans receives by OTLP, and counts the spans.
func countSpans(t *testing.T, spans *atomic.Int64) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent coltrace.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil {
			t.Error(err)
		}
		for _, resource := range sent.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				spans.Add(int64(len(scope.Spans)))
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}
