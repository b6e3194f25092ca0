package dashboards

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestDuty asks what a person on duty asks: is it one instance, is it the
// database, is it as it was a week ago, since when, how long does the budget last.
func TestDuty(t *testing.T) {
	d := load(t, "testdata/academia.yaml")
	d.SLOs = []domain.SLO{{Name: "disponibilidad", Objective: 99.9, Window: domain.Duration(90 * 24 * time.Hour), Good: domain.Good{Status: "!~5.."}}}
	all := makeAll(t, d, Options{})
	for _, c := range []struct {
		dashboard, panel string
		asks             []string // one query with all of them
	}{
		{"http", "Peticiones por instancia", []string{"sum by (job, instance)", "academia_requests_total{"}},
		{"http", "Peticiones fallidas por instancia", []string{"sum by (job, instance)", `status=~"5.."`}},
		{"http", "p95 por instancia", []string{"histogram_quantile(0.95", "by (job, instance, le)"}},
		{"http", "Conexiones a bases de datos", []string{"by (pool, state)", "academia_pool_connections{"}},
		{"http", "Conexiones a bases de datos", []string{"min by (pool)", "academia_pool_connections_max{"}},
		{"http", "Esperas de una base de datos", []string{"sum by (pool)", "academia_pool_wait_time_seconds_total{"}},
		{"overview", "Peticiones por estado", []string{"academia_requests_total{", "offset 1w"}},
		{"overview", "Peticiones fallidas", []string{`status=~"5.."`, "offset 1w"}},
		{"overview", "Tiempos de respuesta", []string{"histogram_quantile(0.95", "offset 1w"}},
		{"business", "Inscripciones por minuto", []string{"academia_inscripciones_total{", "offset 1w"}},
		{"business", "Altas de curso", []string{"academia_entities_created_total{", "offset 1w"}},
		{"overview", "Alertas en el tiempo", []string{"max by (alertname)", `2 * ALERTS{alertstate="firing"`, `or ALERTS{alertstate="pending"`}},
		{"overview", "Disponibilidad: presupuesto en el tiempo", []string{`min(academia:slo_budget_left:ratio{job=~"$job", slo="disponibilidad"})`}},
		// A ninetieth of what is allowed in 90 days, 0.1 %, is spent in a day.
		{"overview", "Disponibilidad: presupuesto de errores", []string{"clamp_min(academia:slo_budget_left:ratio{", " * 0.09 / (academia:slo_errors:ratio_rate9d{", "> 0)"}},
	} {
		p, found := find(t, all, c.dashboard, c.panel), false
		for _, q := range p.Targets {
			found = found || containsAll(q.Expr, c.asks)
		}
		if !found {
			t.Errorf("%s: %s asks nothing of %q: %+v", c.dashboard, c.panel, c.asks, p.Targets)
		}
	}
	if p := find(t, all, "overview", "Alertas en el tiempo"); p.Type != "state-timeline" || len(p.FieldConfig.Defaults.Mappings) != 1 || !containsAll(string(p.FieldConfig.Defaults.Mappings[0]), []string{"pendiente", "activa"}) {
		t.Errorf("%s, %s", p.Type, p.FieldConfig.Defaults.Mappings)
	}
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// TestRefresh holds how much a flame graph has merged at each refresh: Pyroscope
// merges all profiles of the time anew.
func TestRefresh(t *testing.T) {
	for _, m := range makeAll(t, load(t, "testdata/academia.yaml"), Options{}) {
		every, err := time.ParseDuration(m.Refresh)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range m.shown() {
			merged, err := time.ParseDuration(cmp.Or(p.TimeFrom, strings.TrimPrefix(m.Time.From, "now-")))
			if err != nil {
				t.Fatal(err)
			}
			if p.Type == "flamegraph" && merged > 30*every {
				t.Errorf("%s: %s merges %s each %s", m.file, p.Title, merged, every)
			}
		}
	}
}

// TestSpanish has no word that only its English reader knows.
func TestSpanish(t *testing.T) {
	for _, m := range makeAll(t, load(t, "testdata/academia.yaml"), Options{RunbookURL: "https://wiki.example.com/"}) {
		texts := []string{m.Description}
		for _, v := range m.Templating.List {
			texts = append(texts, v.Label, v.Description)
		}
		for _, p := range m.Panels {
			texts = append(texts, p.Title, p.Description, p.FieldConfig.Defaults.NoValue)
			for _, l := range p.links(t) {
				texts = append(texts, l.Title)
			}
		}
		for _, text := range texts {
			for _, word := range []string{"flame graph", "Con error", "malas", "busca ", "compara "} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
					t.Errorf("%s: %q in %q", m.file, word, text)
				}
			}
		}
	}
}
