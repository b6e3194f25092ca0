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
		// The first sending may come before Prometheus has found the Alertmanager.
		Flags: []string{"--rules.alert.resend-delay=2s"},
	})

	servers.WaitFor(t, servers.Patience, "the alert", func() error {
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
	servers.WaitFor(t, servers.Patience, "both alerts", func() error { // that of the rule ends where it is not sent again in time
		if alerts := alertmanager.Alerts(t); len(alerts) != 2 {
			return fmt.Errorf("alerts %v, want the posted one too", alerts)
		}
		return nil
	})
}

func waitForNotice(t *testing.T, notified <-chan []servers.Alert) {
	t.Helper()
	select {
	case <-notified:
	case <-time.After(servers.Patience):
		t.Fatal("no notification")
	}
}

func TestAmtool(t *testing.T) {
	out, err := servers.Amtool(t, "", "check-config", file(t, "alertmanager.yaml", "route: {receiver: nobody}\n"))
	if err == nil || !strings.Contains(out, "nobody") {
		t.Errorf("a receiver that does not exist: %s%v", out, err)
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
