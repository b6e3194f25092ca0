package servers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Alertmanager is a running Alertmanager server, without alerts or silences at
// first.
type Alertmanager struct {
	*Running
}

// Alert is an alert as Alertmanager takes it and shows it.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt,omitzero"` // zero is now, for one that is posted
	EndsAt      time.Time         `json:"endsAt,omitzero"`   // zero is unknown, for one that is posted

	// What only Alertmanager says.
	Receivers []struct {
		Name string `json:"name"`
	} `json:"receivers,omitempty"`
	Status struct {
		State       string   `json:"state"` // unprocessed, active or suppressed
		SilencedBy  []string `json:"silencedBy"`
		InhibitedBy []string `json:"inhibitedBy"`
	} `json:"status,omitzero"`
}

// StartAlertmanager starts an Alertmanager server, without a cluster, on the
// configuration file at path config, and waits until it is ready. flags are
// added to its command line.
func StartAlertmanager(t testing.TB, config string, flags ...string) *Alertmanager {
	t.Helper()
	binary := Path(t, "alertmanager")
	dir := t.TempDir()
	config, err := filepath.Abs(config)
	if err != nil {
		t.Fatalf("alertmanager configuration: %v", err)
	}
	return &Alertmanager{Run(t, Process{
		Name:  "alertmanager",
		Ports: 1,
		Ready: "/-/ready",
		Command: func(addrs []string) *exec.Cmd {
			return exec.Command(binary, append([]string{
				"--config.file=" + config,
				"--storage.path=" + dir,
				"--web.listen-address=" + addrs[0],
				"--cluster.listen-address=", // no cluster
			}, flags...)...)
		},
	})}
}

// Alerts returns the alerts that the server has and that have not ended.
func (a *Alertmanager) Alerts(t testing.TB) []Alert {
	t.Helper()
	body, err := get(t.Context(), a.URL()+"/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	var alerts []Alert
	if err := json.Unmarshal(body, &alerts); err != nil {
		t.Fatalf("alerts: %v", err)
	}
	return alerts
}

// Post sends alerts, as Prometheus does. Of each only the labels are required;
// one with an EndsAt that has passed resolves the alert with these labels.
func (a *Alertmanager) Post(t testing.TB, alerts ...Alert) {
	t.Helper()
	text, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL()+"/api/v2/alerts", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if _, err := do(request); err != nil {
		t.Fatal(err)
	}
}
