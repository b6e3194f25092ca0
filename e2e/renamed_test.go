package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// renamed has an event of each kind, with the name of the release before.
const renamed = `prefix: floreria
entity: ramo
events:
  - {name: pedidos, was: [ordenes], was_until: 2099-12-31, attributes: {canal: [web, movil]}}
  - {name: valor, was: [importe], was_until: 2099-12-31, kind: histogram, unit: COP, buckets: [10, 100]}
  - {name: cola, was: [fila], was_until: 2099-12-31, kind: updown}
  - {name: nivel, was: [altura], was_until: 2099-12-31, kind: gauge}
thresholds:
  - {name: Pocos, event: pedidos, stat: increase, below: 1, window: 1m, where: {canal: web}}
  - {name: Caros, event: valor, stat: p95, above: 50}
  - {name: Largos, event: cola, stat: max, above: 500, window: 1m}
notify: [{log: {}}]
`

// TestRenamedEventPanels runs two releases side by side, of which one knows the
// former names only: the panels of the events show both, from a real Prometheus.
func TestRenamedEventPanels(t *testing.T) {
	t.Parallel()
	before := renamed
	for name, was := range map[string]string{"pedidos": "ordenes", "valor": "importe", "cola": "fila", "nivel": "altura"} {
		before = strings.ReplaceAll(before, name+", was: ["+was+"], was_until: 2099-12-31", was)
		before = strings.ReplaceAll(before, "event: "+name, "event: "+was)
	}
	releases := map[string]*servers.Running{}
	scrape := servers.Scrape{Job: "floreria-api"}
	for name, text := range map[string]string{"before": before, "after": renamed} {
		source := filepath.Join(t.TempDir(), "domain.yaml")
		write(t, source, []byte(text))
		releases[name] = startAnyDomain(t, source, nil)
		scrape.Targets = append(scrape.Targets, releases[name].Addr(0))
	}
	d, err := domain.Parse("domain.yaml", []byte(renamed))
	if err != nil {
		t.Fatal(err)
	}
	files, err := dashboards.All(d, dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var questions []question
	for _, f := range files {
		for _, q := range questionsOf(t, f) {
			for _, name := range []string{"pedidos_total", "valor_COP_", "cola{", "nivel{"} {
				if strings.Contains(q.expr, "floreria_"+name) {
					questions = append(questions, q)
					break
				}
			}
		}
	}
	if len(questions) < 12 {
		t.Errorf("only %d panels ask for the events", len(questions))
	}
	ask := asking{prom: servers.StartPrometheus(t, servers.PrometheusConfig{Scrape: []servers.Scrape{scrape}})}
	ask.prom.WaitForQuery(t, servers.Patience, `count(up{job="floreria-api"} == 1) == 2`)
	for name, release := range releases {
		t.Run(name, func(t *testing.T) {
			ask.all(t, questions, map[string]string{"job": ".+", "instance": chosen(release.Addr(0)), "endpoint": ".+"})
		})
	}
}
