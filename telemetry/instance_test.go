package telemetry

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/latido-dev/latido/continuous"
)

// instances are the values of service.instance.id that a server has got, by the
// path that they came by.
type instances struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]map[string]bool
}

func startInstances(t *testing.T) *instances {
	t.Helper()
	in := &instances{seen: map[string]map[string]bool{}}
	note := func(path, id string) {
		if in.seen[path] == nil {
			in.seen[path] = map[string]bool{}
		}
		in.seen[path][id] = true
	}
	ofResource := func(path string, r *resourcepb.Resource) {
		id := "none"
		for _, a := range r.GetAttributes() {
			if a.Key == "service.instance.id" {
				id = a.Value.GetStringValue()
			}
		}
		note(path, id)
	}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		defer in.mu.Unlock()
		switch r.URL.Path {
		case "/v1/metrics":
			var request colmetrics.ExportMetricsServiceRequest
			_ = proto.Unmarshal(body, &request)
			for _, m := range request.ResourceMetrics {
				ofResource(r.URL.Path, m.Resource)
			}
		case "/v1/traces":
			var request coltrace.ExportTraceServiceRequest
			_ = proto.Unmarshal(body, &request)
			for _, s := range request.ResourceSpans {
				ofResource(r.URL.Path, s.Resource)
			}
		case "/ingest":
			_, tags, _ := strings.Cut(strings.TrimSuffix(r.FormValue("name"), "}"), "{")
			id := "none"
			for tag := range strings.SplitSeq(tags, ",") {
				if v, ok := strings.CutPrefix(tag, "service_instance_id="); ok {
					id = v
				}
			}
			note(r.URL.Path, id)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(in.Close)
	return in
}

// TestOneInstanceForAllSignals: metrics, spans and profiles of one process say
// the same service.instance.id, and those of another process another one.
func TestOneInstanceForAllSignals(t *testing.T) {
	random := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for name, c := range map[string]struct {
		env, code, want string // want: "" for a random one
	}{
		"nobody says":            {"", "", ""},
		"environment":            {"service.instance.id=pod-7", "", "pod-7"},
		"code":                   {"", "web-1", "web-1"},
		"code wins":              {"service.instance.id=pod-7", "web-1", "web-1"},
		"empty is not one":       {"team=shop,service.instance.id=", "", ""},
		"what Pyroscope refuses": {"", "a/b:c d", "a/b:c d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", c.env)
			var ids []string
			for range 2 {
				server := startInstances(t)
				tel, err := Init(t.Context(), quiet(func(cfg *Config) {
					cfg.OTLP = OTLP{Endpoint: server.URL, MetricInterval: time.Hour}
					cfg.Profiling = continuous.Config{ServerAddress: server.URL, Interval: 50 * time.Millisecond}
					if c.code != "" {
						cfg.Attributes = []attribute.KeyValue{attribute.String("service.instance.id", c.code)}
					}
				}))
				must(t, err)
				mux := tel.NewServeMux()
				mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {})
				mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders", nil))
				id := instanceOf(tel.resource)
				for line := range strings.Lines(metricsText(t, tel, "")) {
					if info := strings.HasPrefix(line, "tienda_build_info{"); strings.Contains(line, id) != info {
						t.Errorf("%s: build_info tells the instance, of all else it is the scraper's label", line)
					}
				}
				must(t, tel.Shutdown(t.Context()))
				if c.want != "" && id != c.want || c.want == "" && !random.MatchString(id) {
					t.Errorf("the instance is %q, want %q", id, c.want)
				}
				server.mu.Lock()
				for _, path := range []string{"/v1/metrics", "/v1/traces", "/ingest"} {
					if seen := server.seen[path]; len(seen) != 1 || !seen[id] {
						t.Errorf("%s: instances %v, want %q", path, seen, id)
					}
				}
				server.mu.Unlock()
				ids = append(ids, id)
			}
			if same := ids[0] == ids[1]; same != (c.want != "") {
				t.Errorf("two starts are %q", ids)
			}
		})
	}
}

// TestFirstPush: a new instance's series begin at once, not an interval later.
func TestFirstPush(t *testing.T) {
	t.Parallel()
	collector := startCollector(t)
	tel := start(t, func(c *Config) { c.OTLP = OTLP{Endpoint: collector.URL, MetricInterval: time.Hour, NoTraces: true} })
	eventually(t, "metrics are pushed, with an interval of an hour", func() bool { return tel.diagnostics.metricExports[exportSuccess].Load() > 0 })
}
