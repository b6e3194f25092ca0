package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// failing is a domain whose service, anydomain, fails one request in six.
const failing = `
prefix: escuela
entity: curso
thresholds:
  - {name: MuchosErrores, metric: requests, stat: ratio, where: {status: "=~5.."}, above: 5%, for: 1m, severity: page}
default_rules: {disable: [all]}
`

// TestEvidenceForServers leaves rules and alerts to a real Prometheus and
// Alertmanager. The service only keeps the evidence: the Alertmanager asks for
// it, and the alert links to it.
func TestEvidenceForServers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "domain.yaml")
	write(t, file, []byte(failing))
	service := shopAt(startAnyDomain(t, file, nil, "-evidence", t.TempDir()))
	hook := startWebhook(t)
	_, alertmanager := startServers(t, service.Running, file, hook.URL, fmt.Sprintf("links: {evidence: %q, external_url: %[1]q}\n", service.URL()))

	all := func(map[string]string) bool { return true }
	servers.WaitFor(t, servers.Patience, "the alert", func() error {
		if got := hook.names("firing", all); len(got) != 1 || got[0] != "MuchosErrores" {
			return fmt.Errorf("told of %v", got)
		}
		return nil
	})
	link := hook.all()[0].Annotations["incident"]
	if link != service.URL()+"/incidents/?alert=MuchosErrores" {
		t.Fatalf("the alert links to %q", link)
	}
	var page string
	servers.WaitFor(t, servers.Patience, "the incident behind the link", func() (err error) {
		if page, err = service.get(strings.TrimPrefix(link, service.URL())); err != nil {
			return err
		}
		if !strings.Contains(page, "/failing") {
			return fmt.Errorf("the page does not name the endpoint that fails:\n%s", page)
		}
		return nil
	})
	list, err := service.get("/api/incidents")
	if err != nil || strings.Count(list, `"id"`) != 1 || !strings.Contains(list, "/failing") {
		t.Errorf("incidents %s, %v, want one that names the endpoint", list, err)
	}
	// Receivers and drills are the server's business.
	if answer, err := service.get("/api/v2/status"); err == nil {
		t.Errorf("the process has an Alertmanager too: %s", answer)
	}
	if out, err := exec.Command(program(t, "cmd/latido"), "fire", "MuchosErrores", "-url", service.URL()).CombinedOutput(); err == nil || !strings.Contains(string(out), "drills no alerts") {
		t.Errorf("the process drills: %v: %s", err, out)
	}
	if alerts := alertmanager.Alerts(t); len(alerts) != 1 {
		t.Errorf("alerts %v", alerts)
	}
	rules, err := service.get("/api/v1/rules")
	if err != nil || strings.Contains(rules, "MuchosErrores") {
		t.Errorf("the process has the rules too: %s, %v", rules, err)
	}
}
