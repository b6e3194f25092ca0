package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// collectorFile is what a Collector runs, the agent and the gateway.
var collectorFile = filepath.Join(repository, "deploy", "otel-collector.yaml")

// startCollector runs the file with nothing changed but addresses.
func startCollector(t *testing.T, env ...string) *servers.Collector {
	t.Helper()
	return servers.StartCollector(t, servers.CollectorConfig{Files: []string{collectorFile}, Env: env})
}

// startPushing runs the example as one that sends what it measures every
// second, and that nobody asks anything.
func startPushing(t *testing.T, collector *servers.Collector) shop {
	t.Helper()
	return startShop(t, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.OTLP(), "OTEL_METRIC_EXPORT_INTERVAL=1000", "OTEL_BSP_SCHEDULE_DELAY=200",
	}, "-load=false")
}

// TestCollector sends the example's metrics through the Collector to a real
// Prometheus, by OTLP by way of an agent and a gateway, and by remote write.
// There they have the names, labels and values of /metrics. The spans reach a
// real Jaeger, where an exemplar of /metrics leads.
func TestCollector(t *testing.T) {
	t.Parallel()
	jaeger := servers.StartJaeger(t)
	traces := "TRACES_OTLP_ENDPOINT=" + jaeger.OTLP()
	flags := []string{"--web.enable-otlp-receiver", "--web.enable-remote-write-receiver"}
	file := filepath.Join(repository, "deploy", "prometheus", "prometheus.yaml")
	for name, through := range map[string]func(prom *servers.Prometheus) *servers.Collector{
		"otlp": func(prom *servers.Prometheus) *servers.Collector {
			gateway := startCollector(t, traces, "PROMETHEUS_OTLP_ENDPOINT="+prom.URL()+"/api/v1/otlp")
			return startCollector(t, "TRACES_OTLP_ENDPOINT="+gateway.OTLP(), "PROMETHEUS_OTLP_ENDPOINT="+gateway.OTLP())
		},
		"remote write": func(prom *servers.Prometheus) *servers.Collector {
			return startCollector(t, traces, "METRICS_EXPORTER=prometheus_remote_write", "REMOTE_WRITE_ENDPOINT="+prom.URL()+"/api/v1/write")
		},
	} {
		t.Run(name, func(t *testing.T) {
			prom := servers.StartPrometheus(t, servers.PrometheusConfig{File: file, Flags: flags})
			shop := startPushing(t, through(prom))
			for range 5 {
				shop.order(t)
			}
			servers.WaitFor(t, servers.Patience, "the series of /metrics in Prometheus", func() error { return sameSeries(t, shop, prom) })
			ids := exemplars(t, shop.Running)
			if len(ids) == 0 {
				t.Fatal("/metrics has no exemplar")
			}
			for _, id := range ids {
				jaeger.WaitForTrace(t, servers.Patience, id, 1)
			}
		})
	}
	t.Run("caller", func(t *testing.T) {
		service := startTracesService(t, startCollector(t, traces, "PROMETHEUS_OTLP_ENDPOINT=http://127.0.0.1:9/none").OTLP())
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+service.Addr(1)+"/pedidos/7", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
		servers.WaitFor(t, servers.Patience, "an answer", func() error {
			response, err := http.DefaultClient.Do(r)
			if err == nil {
				response.Body.Close()
			}
			return err
		})
		span := jaeger.WaitForTrace(t, servers.Patience, callersTrace, 3)["GET /pedidos/{id}"]
		if span.Parent() != callersSpan {
			t.Errorf("the span %+v is no child of the caller's", span)
		}
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		if got := span.Resource("host.name"); got != host {
			t.Errorf("host.name is %v, want %s: the Collector says where it was", got, host)
		}
	})
}

// order buys something.
func (s shop) order(t *testing.T) {
	t.Helper()
	response, err := http.Post(s.API()+"/pedidos", "application/json", strings.NewReader(`{"canal": "web", "producto": 1, "unidades": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
}

// settled are the families whose values do not change while nobody asks
// anything: those can be compared between two moments.
func settled(name string) bool {
	for _, part := range []string{"_go_", "_cpu_", "_memory_", "_disk_", "_telemetry_", "_uptime_", "_active_connections", "_function_", "_process_", "_container_"} {
		if strings.Contains(name, "tienda"+part) {
			return false
		}
	}
	return true
}

// sameSeries compares the domain's series of /metrics with those in Prometheus:
// their names, labels, and the values that do not change by themselves.
func sameSeries(t *testing.T, shop shop, prom *servers.Prometheus) error {
	families, err := shop.families()
	if err != nil {
		return err
	}
	want := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				if l.GetValue() != "" { // to Prometheus that is no label
					labels[l.GetName()] = l.GetValue()
				}
			}
			switch {
			case m.Histogram != nil:
				want[name+"_count"+labelSet(labels)] = float64(m.Histogram.GetSampleCount())
				want[name+"_sum"+labelSet(labels)] = m.Histogram.GetSampleSum()
			case m.Counter != nil:
				want[name+labelSet(labels)] = m.Counter.GetValue()
			default:
				want[name+labelSet(labels)] = m.GetGauge().GetValue()
			}
		}
	}
	got := map[string]float64{}
	for _, s := range prom.Query(t, `{__name__=~"tienda_.+", __name__!~".+_bucket", __name__!~"ALERTS.*|.*:.*"}`) {
		name := s.Labels["__name__"]
		labels := maps.Clone(s.Labels)
		for _, l := range []string{"__name__", "job", "instance"} {
			delete(labels, l)
		}
		got[name+labelSet(labels)] = s.Value
	}
	var wrong []string
	for _, series := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[series]
		if !ok {
			wrong = append(wrong, "missing: "+series)
		} else if value != want[series] && settled(series) {
			wrong = append(wrong, fmt.Sprintf("%s is %g, on /metrics %g", series, value, want[series]))
		}
	}
	for _, series := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[series]; !ok {
			wrong = append(wrong, "not on /metrics: "+series)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d series, %d differ:\n%s", len(want), len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	t.Logf("%d series are the same", len(want))
	return nil
}

// TestCollectorRefuses has the Collector's own check find a mistake in the file.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(servers.Path(t, "collector"), "validate", "--config="+collectorFile, "--config=yaml:processors::batch::no_such_key: 1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no_such_key") {
		t.Errorf("%v\n%s", err, out)
	}
}
