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

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestSampledSpans are the ones that leave, as the environment says to the SDK,
// and one line tells of what is wrong with it.
func TestSampledSpans(t *testing.T) {
	for _, c := range []struct {
		sampler string
		arg     string
		trusted bool
		spans   int64 // of 20 requests, half of them with a sampled traceparent
		told    string
	}{
		{"always_on", "", false, 20, ""},
		{" Always_OFF ", "", false, 0, ""},
		{"parentbased_always_off", "", false, 0, ""}, // strangers do not decide
		{"parentbased_always_off", "", true, 10, ""},
		{"parentbased_traceidratio", "0", true, 10, ""},
		{"parentbased_traceidratio", "50%", false, 20, "parsing sampler argument"},
		{"traceidratio", "1.5", false, 20, "invalid trace ID ratio"},
		{"sometimes", "", false, 20, "unsupported sampler: sometimes"},
	} {
		t.Run(c.sampler+"/"+c.arg, func(t *testing.T) {
			var spans atomic.Int64
			server := countSpans(t, &spans)
			t.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.arg)
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
			lines := journalOf(tel).told("opentelemetry")
			if c.told == "" && len(lines) > 0 || c.told != "" && (len(lines) != 1 || !strings.Contains(lines[0], c.told)) {
				t.Errorf("logged %q, want %q once", lines, c.told)
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
