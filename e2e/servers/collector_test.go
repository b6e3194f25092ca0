package servers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// Metrics go by OTLP through the Collector to Prometheus.
func TestCollector(t *testing.T) {
	t.Parallel()
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{Flags: []string{"--web.enable-otlp-receiver"}})
	config := file(t, "collector.yaml", `
extensions: {health_check: {}}
receivers: {otlp: {protocols: {http: {}, grpc: {}}}}
exporters: {otlphttp: {endpoint: http://overridden.invalid}}
service:
  extensions: [health_check]
  pipelines: {metrics: {receivers: [otlp], exporters: [otlphttp]}}
`)
	collector := servers.StartCollector(t, servers.CollectorConfig{
		Files: []string{config},
		Extra: map[string]any{"exporters": map[string]any{"otlphttp": map[string]any{"endpoint": prom.URL() + "/api/v1/otlp"}}},
	})

	metrics := fmt.Sprintf(`{"resourceMetrics": [{
		"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "tienda-api"}}]},
		"scopeMetrics": [{"metrics": [{"name": "tienda.orders", "sum": {
			"aggregationTemporality": 2, "isMonotonic": true,
			"dataPoints": [{"asInt": "7", "timeUnixNano": "%d"}]}}]}]}]}`, time.Now().UnixNano())
	response, err := http.Post(collector.OTLP()+"/v1/metrics", "application/json", strings.NewReader(metrics))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("otlp: %s", response.Status)
	}

	prom.WaitForQuery(t, servers.Patience, `tienda_orders_total{job="tienda-api"} == 7`)
	own, err := http.Get("http://" + collector.MetricsAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Body.Close()
	if own.StatusCode != http.StatusOK {
		t.Errorf("the Collector's own metrics: %s", own.Status)
	}
}
