package doctor

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
)

// Each part has its own log and its own way to be started.
func TestLogOfEachPart(t *testing.T) {
	t.Parallel()
	for flag, p := range newParts() {
		service := flag == "url"
		if (p.log == "the service's own") != service || strings.HasPrefix(p.log, "docker compose logs ") == service || strings.Contains(p.start, "docker compose up -d ") == service {
			t.Errorf("%s: log %q, start %q", flag, p.log, p.start)
		}
	}
}

// The addresses that a container has of itself.
func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true, "tienda": false, "10.0.0.1": false, "": false} {
		if loopback(host) != want {
			t.Errorf("%q: want %v", host, want)
		}
	}
}

// A filter of an objective is looked for in the metric that the objective is of.
func TestFiltersOfObjectives(t *testing.T) {
	t.Parallel()
	families, err := remote.Families([]byte(strings.ReplaceAll(serviceMetrics, `endpoint="/"`, `endpoint="/pedidos"`)))
	if err != nil {
		t.Fatal(err)
	}
	for family, good := range map[string]domain.Good{
		"tienda_requests_total":            {Status: "!~5.."},
		"tienda_response_duration_seconds": {FasterThan: 1},
		"":                                 {Event: "pedidos_procesados"},
	} {
		x := &examination{families: families, d: domain.Domain{Prefix: "tienda", Entity: "pedido", SLOs: []domain.SLO{
			{Name: "rapido", Objective: 99, Good: good, Where: map[string]string{"endpoint": "/pedidso"}},
		}}}
		var c result.Check
		x.filters(&c)
		said := strings.Join(c.Notes, "\n")
		if want := "rapido is silent until a series of " + family; family == "" && said != "" || family != "" && !strings.HasPrefix(said, want) {
			t.Errorf("%+v: %q", good, said)
		}
	}
}
