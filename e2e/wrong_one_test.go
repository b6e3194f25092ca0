package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// oneOfEachWrong is a domain file that loads, with a rule that no Prometheus
// reads and a receiver that no Alertmanager takes.
const oneOfEachWrong = `prefix: floreria
entity: ramo
events:
  - {name: ventas}
thresholds:
  - {name: Mala, expr: 'sum(rate(floreria_ventas_total[5m]) > 1'}
  - {name: MuchasVentas, event: ventas, stat: increase, window: 1m, above: 1, severity: page}
notify:
  - telegram: {chat_id: "@canal", bot_token_file: /run/token}
  - webhook: {url_env: HOOK}
`

// TestWrongOneCostsItself: beside a rule and a receiver that are wrong, the others
// fire and are told, in the process and on real servers, and the wrong ones are
// named with their lines.
func TestWrongOneCostsItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "domain.yaml")
	write(t, source, []byte(oneOfEachWrong))
	inProcess, fromServers := startWebhook(t), startWebhook(t)
	service := startAnyDomain(t, source, []string{"HOOK=" + inProcess.URL}, "-alerts")

	files := map[string]string{"rules": filepath.Join(dir, "p.rules.yaml"), "alertmanager": filepath.Join(dir, "alertmanager.yaml")}
	for what, names := range map[string]string{"rules": "domain.yaml:6:", "alertmanager": "domain.yaml:9:"} {
		out, err := exec.Command(program(t, "cmd/latido"), "generate", what, "-fast", "-domain", source, "-out", files[what]).CombinedOutput()
		if err == nil || !strings.Contains(string(out), names) || !strings.Contains(string(out), "left out") {
			t.Errorf("generate %s does not name the wrong one: %v\n%s", what, err, out)
		}
	}
	config, err := os.ReadFile(files["alertmanager"])
	if err != nil {
		t.Fatal(err)
	}
	write(t, files["alertmanager"], bytes.ReplaceAll(config, []byte("/run/secrets/"), []byte(dir+"/")))
	write(t, filepath.Join(dir, "HOOK"), []byte(fromServers.URL))
	alertmanager := servers.StartAlertmanager(t, files["alertmanager"])
	servers.StartPrometheus(t, servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: "floreria-api", Targets: []string{service.Addr(0)}}},
		Rules:  []string{files["rules"]}, Alertmanagers: []string{alertmanager.Addr(0)},
	})
	for where, w := range map[string]*webhook{"in the process": inProcess, "on servers": fromServers} {
		servers.WaitFor(t, servers.Patience, "the alert "+where, func() error {
			if told := w.names("firing", func(map[string]string) bool { return true }); !slices.Contains(told, "MuchasVentas") {
				return fmt.Errorf("told of %v", told)
			}
			return nil
		})
	}
	for _, name := range []string{"rule=Mala", "receiver=telegram"} {
		if !strings.Contains(service.Output(), name) {
			t.Errorf("the process does not name %s:\n%s", name, service.Output())
		}
	}
}
