package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

// startTracesService runs the program of docs/traces.md, whose spans go where
// otlp says. Addr(1) is the service itself.
func startTracesService(t *testing.T, otlp string) *servers.Running {
	t.Helper()
	var source string
	for _, b := range blocks(t, "docs/traces.md") {
		if b.language == "go" {
			source = b.text
		}
	}
	return servers.Run(t, servers.Process{
		Name: "the service of docs/traces.md", Ports: 2, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			cmd := exec.Command(compile(t, strings.ReplaceAll(source, "127.0.0.1:8080", addrs[1])))
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd.Env = append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port,
				"OTEL_EXPORTER_OTLP_ENDPOINT="+otlp, "OTEL_METRICS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=200")
			return cmd
		},
	})
}

// TestTraces runs the program of docs/traces.md with a real Jaeger: its spans
// are children of the caller's trace, and the log and /metrics lead there.
func TestTraces(t *testing.T) {
	t.Parallel()
	jaeger := servers.StartJaeger(t)
	service := startTracesService(t, jaeger.OTLP())
	ask := func(id, traceparent string) {
		t.Helper()
		servers.WaitFor(t, servers.Patience, "an answer", func() error {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+service.Addr(1)+"/pedidos/"+id, nil)
			if err != nil {
				return err
			}
			if traceparent != "" {
				r.Header.Set("traceparent", traceparent)
			}
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return fmt.Errorf("status %s", response.Status)
			}
			return nil
		})
	}

	ask("7", "00-"+callersTrace+"-"+callersSpan+"-01")
	spans := jaeger.WaitForTrace(t, servers.Patience, callersTrace, 3)
	order, client, price := spans["GET /pedidos/{id}"], spans["GET"], spans["GET /precios"]
	for _, c := range []struct {
		what         string
		span         servers.Span
		parent, kind string
		profiled     bool
	}{
		{"the request", order, callersSpan, "server", true},
		{"what it asks", client, order.ID, "client", false},
		{"the answer to that", price, client.ID, "server", true}, // whose parent is in another service
	} {
		if c.span.ID == "" || c.span.Parent() != c.parent || c.span.Tag("span.kind") != c.kind || c.span.Service != "tienda-api" {
			t.Errorf("%s: %+v, want a span of the kind %s of tienda-api below %s", c.what, c.span, c.kind, c.parent)
		}
		if id := c.span.Tag("pyroscope.profile.id"); c.profiled != (id == any(c.span.ID)) {
			t.Errorf("%s has the profile %v, its id is %s: want one: %v", c.what, id, c.span.ID, c.profiled)
		}
	}

	var line struct {
		Order   string `json:"order"`
		TraceID string `json:"trace_id"`
		SpanID  string `json:"span_id"`
		Domain  string `json:"domain"`
	}
	for text := range strings.Lines(service.Output()) {
		if strings.Contains(text, "order shown") {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Errorf("log line %q: %v", text, err)
			}
		}
	}
	if line.Order != "7" || line.TraceID != callersTrace || line.SpanID != order.ID || line.Domain != "tienda" {
		t.Errorf("logged %+v, want the span %s of the trace %s", line, order.ID, callersTrace)
	}

	ask("8", "") // begins a trace, which is found by the exemplar only
	found := exemplars(t, service)
	if len(found) == 0 {
		t.Fatal("/metrics has no exemplar")
	}
	others := 0
	for _, id := range found {
		if spans := jaeger.WaitForTrace(t, servers.Patience, id, 3); spans["GET /pedidos/{id}"].ID == "" {
			t.Errorf("the trace %s of an exemplar has the spans %v", id, spans)
		}
		if id != callersTrace {
			others++
		}
	}
	if others == 0 {
		t.Errorf("exemplars of %v only, want the newer trace", found)
	}
}

var exemplar = regexp.MustCompile(`(?m)^tienda_response_duration_seconds_bucket\{.*# \{.*trace_id="([0-9a-f]{32})"`)

// exemplars are the traces that the durations on /metrics point at.
func exemplars(t *testing.T, service *servers.Running) (traces []string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range exemplar.FindAllStringSubmatch(string(text), -1) {
		traces = append(traces, match[1])
	}
	return traces
}

// TestTraceToProfile asks as Grafana does beside a trace: the profile of one
// span, by its id, of a real Pyroscope.
func TestTraceToProfile(t *testing.T) {
	t.Parallel()
	started := time.Now()
	jaeger, pyroscope := servers.StartJaeger(t), servers.StartPyroscope(t)
	startShop(t, []string{
		"PYROSCOPE_SERVER_ADDRESS=" + pyroscope.URL(), "OTEL_EXPORTER_OTLP_ENDPOINT=" + jaeger.OTLP(),
		"OTEL_METRICS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=200",
	})
	const cpu = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	pyroscope.WaitForProfile(t, servers.Patience, cpu+`{service_name="tienda-api",endpoint="`+burningEndpoint+`"}`, started)
	servers.WaitFor(t, servers.Patience, "the profile of a span", func() error {
		spans := jaeger.Spans(t, "tienda-api", "GET "+burningEndpoint)
		for _, s := range spans {
			id, ok := s.Tag("pyroscope.profile.id").(string)
			if !ok {
				return fmt.Errorf("the span %+v says nothing of a profile", s)
			}
			for function, value := range pyroscope.SpanProfile(t, cpu, `{service_name="tienda-api"}`, started, id) {
				if strings.HasSuffix(function, burningFunction) && value > 0 {
					return nil
				}
			}
		}
		return fmt.Errorf("%s is in the profile of none of %d spans", burningFunction, len(spans))
	})
	if nobody := pyroscope.SpanProfile(t, cpu, `{service_name="tienda-api"}`, started, callersSpan); len(nobody) > 0 {
		t.Errorf("a span that is not there has the profile %v", nobody)
	}
	if values := pyroscope.LabelValues(t, "span_id"); len(values) > 0 {
		t.Errorf("Pyroscope has %d series of spans: %v", len(values), values)
	}
}
