//go:build allservers

// These tests need what build.sh makes only when it is asked for: run
// e2e/servers/build.sh all, then go test -tags allservers ./servers.

package servers_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// An alert goes from a rule through both servers to whoever is called.
func TestAlertmanager(t *testing.T) {
	t.Parallel()
	notified := make(chan []servers.Alert, 16)
	webhook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var message struct{ Alerts []servers.Alert }
		// An alert of a notification has a status in words, which Alert has not.
		_ = json.NewDecoder(r.Body).Decode(&message)
		notified <- message.Alerts
	}))
	defer webhook.Close()
	config := file(t, "alertmanager.yaml", fmt.Sprintf(`
route: {receiver: shop, group_by: [alertname], group_wait: 0s}
receivers: [{name: shop, webhook_configs: [{url: %q}]}]
`, webhook.URL))
	if out, err := servers.Amtool(t, "", "check-config", config); err != nil || !strings.Contains(out, "SUCCESS") {
		t.Errorf("%s%v", out, err)
	}
	alertmanager := servers.StartAlertmanager(t, config)
	rules := file(t, "rules.yaml", `
groups:
  - name: shop
    rules: [{alert: NoOrders, expr: vector(0) < 1, labels: {severity: page}, annotations: {summary: Nothing sold}}]
`)
	prom := servers.StartPrometheus(t, servers.PrometheusConfig{
		Rules: []string{rules}, Alertmanagers: []string{alertmanager.Addr(0)},
	})

	servers.WaitFor(t, timeout, "the alert", func() error {
		alerts := alertmanager.Alerts(t)
		if len(alerts) != 1 {
			return fmt.Errorf("alerts %v", alerts)
		}
		if a := alerts[0]; a.Labels["alertname"] != "NoOrders" || a.Annotations["summary"] != "Nothing sold" ||
			a.Receivers[0].Name != "shop" || a.StartsAt.IsZero() {
			t.Errorf("alert %v", a)
		}
		return nil
	})
	if alerts := prom.Alerts(t); len(alerts) != 1 || alerts[0].State != "firing" {
		t.Errorf("alerts of Prometheus: %v, want one that fires", alerts)
	}
	waitForNotice(t, notified)

	alertmanager.Post(t, servers.Alert{Labels: map[string]string{"alertname": "Posted"}})
	waitForNotice(t, notified)
	if alerts := alertmanager.Alerts(t); len(alerts) != 2 {
		t.Errorf("alerts %v, want the posted one too", alerts)
	}
}

func waitForNotice(t *testing.T, notified <-chan []servers.Alert) {
	t.Helper()
	select {
	case <-notified:
	case <-time.After(timeout):
		t.Fatal("no notification")
	}
}

func TestAmtool(t *testing.T) {
	out, err := servers.Amtool(t, "", "check-config", file(t, "alertmanager.yaml", "route: {receiver: nobody}\n"))
	if err == nil || !strings.Contains(out, "nobody") {
		t.Errorf("a receiver that does not exist: %s%v", out, err)
	}
}

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

	prom.WaitForQuery(t, timeout, `tienda_orders_total{job="tienda-api"} == 7`)
	own, err := http.Get("http://" + collector.MetricsAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Body.Close()
	if own.StatusCode != http.StatusOK {
		t.Errorf("the Collector's own metrics: %s", own.Status)
	}
}

// file writes a file for the test and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
