package check

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestCheckGood runs every check on a world with which nothing is wrong.
func TestCheckGood(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	code, stdout, stderr := w.check("json")
	var found result.Set
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 || !found.OK || len(found.Checks) != len(checks) {
		t.Fatalf("exit %d, error %v\n%s%s", code, err, stdout, stderr)
	}
	for _, f := range found.Checks {
		if f.Status != result.OK {
			t.Errorf("%s: %s %s", f.Check, f.Status, f.Detail)
		}
	}
}

// TestCheckFaults breaks the world in one way at a time. The check of that
// name finds it, and no other complains.
func TestCheckFaults(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]string{}
	t.Cleanup(func() { // all faults are told by then
		var golden strings.Builder
		for _, name := range slices.Sorted(maps.Keys(told)) {
			golden.WriteString(name + "\n" + told[name])
		}
		testkit.Golden(t, "testdata/faults.golden.txt", []byte(filepath.ToSlash(golden.String())))
	})
	for name, c := range map[string]struct {
		check string // that finds it
		want  string // part of what it says
		fault func(w *world)
	}{
		"too many combinations": {"cardinality", "the events can make 1020 series, and the budget is 1000: pedidos_procesados alone makes 1014", func(w *world) {
			w.args = []string{"-max-series", "1000"}
			w.edit("domain.yaml", "canal: [web, movil]", "canal: [web, movil, c, d, e, f, g, h, i, j, k, l], hora: [m, t, n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]")
		}},
		"rule on a missing metric": {"rules", "there is no metric tienda_pagos_total, so this would never be true", func(w *world) {
			w.write(moreRules, ruleText("Pagos", "sum(rate(tienda_pagos_total[5m])) > 1"))
		}},
		"rule on a misspelt metric": {"rules", "more.rules.yaml:5:24: Pedidos: there is no metric tienda_pedidos_procesado_total, so this would never be true (did you mean tienda_pedidos_procesados_total?)", func(w *world) {
			w.write(moreRules, ruleText("Pedidos", "sum(rate(tienda_pedidos_procesado_total[5m])) > 1"))
		}},
		"rule that does not load": {"rules", "could not parse expression", func(w *world) {
			w.write(moreRules, ruleText("Pedidos", "sum(("))
		}},
		"duplicate alert": {"rules", "SlowResponses is there twice, with the same labels", func(w *world) {
			text := ruleText("SlowResponses", "up == 0")
			w.write(moreRules, strings.Replace(text, "severity: ticket", "severity: page\n          domain: tienda", 1))
		}},
		"stale generated file": {"generated", "is not as", func(w *world) {
			w.edit(ruleFile, "for: 1m", "for: 2m")
		}},
		"stale runbook": {"generated", "write it again with: latido generate runbook", func(w *world) {
			w.edit(generate.RunbookFile, "slow", "quick")
		}},
		"stale dashboard": {"generated", "write it again with: latido generate dashboards", func(w *world) {
			w.edit(generate.DashboardsFolder+"/tienda-http.json", `"refresh": "30s"`, `"refresh": "5s"`)
		}},
		"alert without a runbook": {"runbook", "Pedidos has no section #pedidos in", func(w *world) {
			w.write(moreRules, ruleText("Pedidos", "up == 0"))
		}},
		"alert without a link": {"runbook", "Pedidos has no runbook_url with a section", func(w *world) {
			text, _, _ := strings.Cut(ruleText("Pedidos", "up == 0"), "        annotations:")
			w.write(moreRules, text)
		}},
		"alert that nobody hears": {"receivers", "nobody hears of ManyCarts, severity ticket", func(w *world) {
			w.edit("domain.yaml", `"https://example.com/alerts"}`, `"https://example.com/alerts"}`+"\n    severities: [page, info]")
			w.regenerate()
		}},
		"route to nobody": {"receivers", `undefined receiver "team" used in route`, func(w *world) {
			w.write(routingFile, "route: {receiver: team}\nreceivers: [{name: others}]\n")
		}},
		"dashboard with a stale query": {"dashboards", "p95: there is no metric tienda_response_time_seconds_bucket", func(w *world) {
			w.edit(ownBoard, "tienda_response_duration_seconds_bucket", "tienda_response_time_seconds_bucket")
		}},
		"dashboard with a stale variable": {"dashboards", "variable canal: there is no metric tienda_pedidos_total", func(w *world) {
			w.edit(ownBoard, "label_values(tienda_pedidos_procesados_total", "label_values(tienda_pedidos_total")
		}},
		"dashboard with wrong PromQL": {"dashboards", "Budget: not PromQL: ", func(w *world) {
			w.edit(ownBoard, "tienda:slo_budget_left:ratio{", "tienda:slo_budget_left:ratio{{")
		}},
		"wrong PromQL": {"expressions", "domain.yaml:27:35: thresholds[1].expr: not PromQL: ", func(w *world) {
			w.edit("domain.yaml", "sum by (job) (rate(tienda_pedidos", "sum by (job) (rate tienda_pedidos")
		}},
		"expression on a misspelt metric": {"expressions", "domain.yaml:26:21: thresholds[1].expr: there is no metric tienda_carrito_activos, so this would never be true (did you mean tienda_carritos_activos?)", func(w *world) {
			w.edit("domain.yaml", "(tienda_carritos_activos)", "(tienda_carrito_activos)")
		}},
		"placeholder": {"domain", `domain.yaml:2:1: prefix: "tu_prefijo" is a placeholder`, func(w *world) {
			w.edit("domain.yaml", "prefix: tienda", "prefix: tu_prefijo")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.fault(w)
			both := bothLanguages(t, append(w.args, w.path("domain.yaml"))...)
			if !strings.Contains(both, c.want) {
				t.Fatalf("no %q in\n%s", c.want, both)
			}
			own := c.check
			if own == "domain" {
				own = "domain.yaml"
			}
			found := false
			for line := range strings.Lines(strings.ReplaceAll(both, w.dir+string(filepath.Separator), "")) {
				switch check, fails, _ := strings.Cut(strings.TrimSpace(line), " "); {
				case !strings.HasPrefix(strings.TrimSpace(fails), "FAIL"):
				case check == own:
					found = true
					mu.Lock()
					if strings.Count(told[name], "\n") < 2 { // the first of many alerts is enough
						told[name] += line
					}
					mu.Unlock()
				case !follows(c.check, check):
					t.Errorf("%s fails, too: %s", check, line)
				}
			}
			if !found {
				t.Errorf("%s finds nothing:\n%s", own, both)
			}
		})
	}
}

// follows tells whether a fault that one check finds makes another one fail as
// well: a domain file that changed no longer agrees with what was written.
func follows(check, other string) bool {
	after := map[string][]string{
		"expressions": {"generated", "rules"}, "cardinality": {"generated"}, "receivers": {"generated"}, "rules": {"runbook"},
	}
	return slices.Contains(after[check], other)
}

// ruleText is a rule file with one alert.
func ruleText(alert, expr string) string {
	return "groups:\n  - name: more\n    rules:\n      - alert: " + alert + "\n        expr: " + expr +
		"\n        labels:\n          severity: ticket\n        annotations:\n          runbook_url: https://example.com/runbook#" + strings.ToLower(alert) + "\n"
}

// TestCheckNames: what the linter says of an event is a note, and no problem.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ event, want string }{
		"base unit":      {"{name: espera, kind: histogram, unit: s}", ""},
		"currency":       {"{name: pago, kind: histogram, unit: COP}", ""},
		"milliseconds":   {"{name: espera, kind: histogram, unit: ms}", `use base unit "seconds" instead of "milliseconds"`},
		"minutes, gauge": {"{name: espera, kind: gauge, unit: min}", `domain.yaml:4:5: events[0]: tienda_espera_minutes: use base unit "seconds" instead of "minutes"`},
		"kWh":            {"{name: consumo, kind: updown, unit: kWh}", "tienda_consumo_kWh: metric names should be written in 'snake_case'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &inspection{file: "domain.yaml", data: []byte("prefix: tienda\nentity: pedido\nevents:\n  - " + c.event + "\n")}
			if checkDomain(in); in.err != nil {
				t.Fatal(in.err)
			}
			f := checkNames(in)
			notes := strings.Join(f.Notes, "\n")
			if len(f.Problems) > 0 || c.want == "" && notes != "" || !strings.Contains(notes, c.want) {
				t.Errorf("problems %v, notes %q, want %q", f.Problems, notes, c.want)
			}
		})
	}
}

// Files that were written with -fast are as the domain says with -fast only.
func TestCheckFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	say(t, 0, "generate", "all", "-fast", "-domain", w.path("domain.yaml"))
	if code, stdout, _ := w.check("text"); code != 1 || !strings.Contains(stdout, "write it again with") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	w.args = []string{"-fast"}
	if code, stdout, stderr := w.check("text"); code != 0 {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// TestCheckJUnit reads the report as a CI system does.
func TestCheckJUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("domain.yaml", "(tienda_carritos_activos)", "(tienda_carrito_activos)")
	code, stdout, _ := w.check("junit")
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure string `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(stdout), &suite); err != nil || code != 1 || suite.Failures < 1 || suite.Tests != len(checks) {
		t.Fatalf("exit %d, error %v\n%s", code, err, stdout)
	}
	found := false
	for _, c := range suite.Cases {
		found = found || strings.HasPrefix(c.Name, "expressions") && strings.Contains(c.Failure, "domain.yaml:26:21: ")
	}
	if !found {
		t.Errorf("%s", stdout)
	}
}

// TestDashboardsAreCounted says how many dashboards were read, and where.
func TestDashboardsAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := 0
	err := filepath.WalkDir(w.dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "dashboards") && strings.HasSuffix(path, ".json") {
			files++
		}
		return err
	})
	if err != nil || files < 2 {
		t.Fatalf("%d dashboards, %v", files, err)
	}
	if _, stdout, _ := w.check("text"); !strings.Contains(stdout, fmt.Sprintf(" queries of %d dashboards in ", files)) {
		t.Errorf("of %d dashboards it says\n%s", files, stdout)
	}
}
