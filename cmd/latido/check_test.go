package main

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/alerting"
)

// TestCheckGood runs every check on a world with which nothing is wrong: a
// Prometheus, a service with Prometheus in it, and a service alone.
func TestCheckGood(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server, api bool
		checks      int
	}{"server": {true, true, len(checks)}, "both": {false, true, len(checks)}, "service": {false, false, len(checks) - 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.server, w.api = c.server, c.api
			code, stdout, stderr := w.check("json")
			var found checked
			if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 0 || !found.OK {
				t.Fatalf("exit %d, error %v\n%s%s", code, err, stdout, stderr)
			}
			if len(found.Checks) != c.checks {
				t.Errorf("%d checks, want %d", len(found.Checks), c.checks)
			}
			for _, f := range found.Checks {
				if f.Status != statusOK {
					t.Errorf("%s: %s %s", f.Check, f.Status, f.Detail)
				}
			}
		})
	}
}

// TestCheckFaults breaks the world in one way at a time. The check of that
// name finds it, and no other complains.
func TestCheckFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		check string // that finds it
		want  string // part of what it says
		fault func(w *world)
	}{
		"removed event": {"events", "the event pedidos_procesados does not exist: there is no series tienda_pedidos_procesados_total", func(w *world) {
			w.series = slices.DeleteFunc(w.series, func(s series) bool { return s.name == "tienda_pedidos_procesados_total" })
		}},
		"renamed event": {"events", "(there is tienda_valor_pedidos_COP_count)", func(w *world) {
			w.change("tienda_valor_pedido_COP_count", func(s *series) { s.name = "tienda_valor_pedidos_COP_count" })
		}},
		"event without data": {"data", "the event pedidos_procesados has no data: tienda_pedidos_procesados_total is 0 in the last 1d", func(w *world) {
			w.change("tienda_pedidos_procesados_total", func(s *series) { s.value = 0 })
		}},
		"event without data since the start": {"data", "tienda_valor_pedido_COP_count is 0 since the service started", func(w *world) {
			w.server = false
			w.change("tienda_valor_pedido_COP_count", func(s *series) { s.value = 0 })
		}},
		"clashing prefix": {"prefix", "the job almacen uses the prefix tienda too: it has tienda_requests_total", func(w *world) {
			w.add("tienda_requests_total", "job", "almacen", "endpoint", "/", "method", "GET", "status", "200")
		}},
		"other job": {"prefix", "no job nuevo has series of prefix tienda, but tienda-api has", func(w *world) {
			w.args = []string{"-job", "nuevo"}
		}},
		"family without prefix": {"foreign", "process_cpu_seconds_total has not the prefix tienda", func(w *world) {
			w.add("process_cpu_seconds_total")
		}},
		"family without prefix at the service": {"foreign", "http_requests_total has not the prefix tienda", func(w *world) {
			w.server = false
			w.add("http_requests_total")
		}},
		"wrong kind": {"kinds", "tienda_carritos_activos is a counter, but should be a gauge", func(w *world) {
			w.kinds["tienda_carritos_activos"] = "counter"
		}},
		"wrong kind of the contract": {"kinds", "tienda_requests_total is a gauge, but should be a counter", func(w *world) {
			w.kinds["tienda_requests_total"] = "gauge"
		}},
		"undeclared label": {"labels", "tienda_pedidos_procesados_total has the label cliente, which it should not have", func(w *world) {
			w.change("tienda_pedidos_procesados_total", func(s *series) { s.labels["cliente"] = "4711" })
		}},
		"missing label": {"labels", "tienda_pedidos_procesados_total has a series without the label pago", func(w *world) {
			w.change("tienda_pedidos_procesados_total", func(s *series) { delete(s.labels, "pago") })
		}},
		"undeclared value": {"values", `tienda_pedidos_procesados_total has canal="fax"`, func(w *world) {
			w.change("tienda_pedidos_procesados_total", func(s *series) { s.labels["canal"] = "fax" })
		}},
		"undeclared error type": {"values", `tienda_api_errors_total has error_type="oops"`, func(w *world) {
			w.change("tienda_api_errors_total", func(s *series) { s.labels["error_type"] = "oops" })
		}},
		"too many series": {"series", "and the budget is 300: most are of tienda_requests_total, 301 in all processes", func(w *world) {
			w.args = []string{"-max-series", "300"}
			for i := range 300 {
				w.add("tienda_requests_total", "endpoint", string(rune('a'+i)), "method", "GET", "status", "200")
			}
		}},
		"too many combinations": {"cardinality", "the events can make 1020 series, and the budget is 1000: pedidos_procesados alone makes 1014", func(w *world) {
			w.args = []string{"-max-series", "1000"}
			w.edit("domain.yaml", "canal: [web, movil]", "canal: [web, movil, c, d, e, f, g, h, i, j, k, l], hora: [m, t, n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]")
		}},
		"rule not loaded": {"loaded", "SlowResponses is not loaded at http://", func(w *world) {
			w.rules = slices.DeleteFunc(w.rules, func(r serverRule) bool { return r.Name == "SlowResponses" })
		}},
		"old rule loaded": {"loaded", "SlowResponses is another one at http://", func(w *world) {
			for i, r := range w.rules {
				if r.Name == "SlowResponses" {
					w.rules[i].Query = strings.Replace(r.Query, "> 2", "> 3", 1)
				}
			}
		}},
		"rules of another pace loaded": {"loaded", "SlowResponses is another one at http://", func(w *world) {
			w.args = []string{"-fast"}
		}},
		"unhealthy rule": {"health", "ManyCarts fails at", func(w *world) {
			for i, r := range w.rules {
				if r.Name == "ManyCarts" {
					w.rules[i].Health, w.rules[i].LastError = "err", "many-to-many matching not allowed"
				}
			}
		}},
		"rule on a missing metric": {"rules", "there is no metric tienda_pagos_total, so this would never be true", func(w *world) {
			w.write("rules/more.yaml", ruleText("Pagos", "sum(rate(tienda_pagos_total[5m])) > 1"))
			w.load("Pagos", "sum(rate(tienda_pagos_total[5m])) > 1")
		}},
		"rule on a misspelt metric": {"rules", "more.yaml:5:24: Pedidos: there is no metric tienda_pedidos_procesado_total, so this would never be true (did you mean tienda_pedidos_procesados_total?)", func(w *world) {
			w.write("rules/more.yaml", ruleText("Pedidos", "sum(rate(tienda_pedidos_procesado_total[5m])) > 1"))
			w.load("Pedidos", "sum(rate(tienda_pedidos_procesado_total[5m])) > 1")
		}},
		"rule that does not load": {"rules", "could not parse expression", func(w *world) {
			w.write("rules/more.yaml", ruleText("Pedidos", "sum(("))
			w.load("Pedidos", "sum((")
		}},
		"duplicate alert": {"rules", "SlowResponses is there twice, with the same labels", func(w *world) {
			text := ruleText("SlowResponses", "up == 0")
			w.write("rules/more.yaml", strings.Replace(text, "severity: ticket", "severity: page\n          domain: tienda", 1))
			w.rules = append(w.rules, serverRule{Name: "SlowResponses", Query: "up == 0", Type: "alerting", Labels: map[string]string{"severity": "page", "domain": "tienda"}})
		}},
		"stale generated file": {"generated", "is not as", func(w *world) {
			w.edit("rules/tienda.rules.yaml", "for: 1m", "for: 2m")
		}},
		"stale runbook": {"generated", "write it again with: latido generate runbook", func(w *world) {
			w.edit("runbook.md", "slow", "quick")
		}},
		"stale dashboard": {"generated", "write it again with: latido generate dashboards", func(w *world) {
			w.edit("dashboards/tienda-http.json", `"refresh": "30s"`, `"refresh": "5s"`)
		}},
		"alert without a runbook": {"runbook", "Pedidos has no section #pedidos in", func(w *world) {
			w.write("rules/more.yaml", ruleText("Pedidos", "up == 0"))
			w.load("Pedidos", "up == 0")
		}},
		"alert without a link": {"runbook", "Pedidos has no runbook_url with a section", func(w *world) {
			text, _, _ := strings.Cut(ruleText("Pedidos", "up == 0"), "        annotations:")
			w.write("rules/more.yaml", text)
			w.load("Pedidos", "up == 0")
		}},
		"alert that nobody hears": {"receivers", "nobody hears of ManyCarts, severity ticket", func(w *world) {
			w.edit("domain.yaml", `"https://example.com/alerts"}`, `"https://example.com/alerts"}`+"\n    severities: [page, info]")
			w.regenerate()
		}},
		"route to nobody": {"receivers", `undefined receiver "team" used in route`, func(w *world) {
			w.write("alertmanager.yaml", "route: {receiver: team}\nreceivers: [{name: others}]\n")
		}},
		"dashboard with a stale query": {"dashboards", "p95: there is no metric tienda_response_time_seconds_bucket", func(w *world) {
			w.edit("dashboards/tienda.json", "tienda_response_duration_seconds_bucket", "tienda_response_time_seconds_bucket")
		}},
		"dashboard with a stale variable": {"dashboards", "variable canal: there is no metric tienda_pedidos_total", func(w *world) {
			w.edit("dashboards/tienda.json", "label_values(tienda_pedidos_procesados_total", "label_values(tienda_pedidos_total")
		}},
		"dashboard with wrong PromQL": {"dashboards", "Budget: not PromQL: ", func(w *world) {
			w.edit("dashboards/tienda.json", "tienda:slo_budget_left:ratio{", "tienda:slo_budget_left:ratio{{")
		}},
		"wrong PromQL": {"expressions", "domain.yaml:28:35: thresholds[1].expr: not PromQL: ", func(w *world) {
			w.edit("domain.yaml", "sum by (job) (rate(tienda_pedidos", "sum by (job) (rate tienda_pedidos")
		}},
		"expression on a misspelt metric": {"expressions", "domain.yaml:27:21: thresholds[1].expr: there is no metric tienda_carrito_activos, so this would never be true (did you mean tienda_carritos_activos?)", func(w *world) {
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
			code, stdout, stderr := w.check("text")
			if code != 1 || stderr != "" || !strings.Contains(stdout, c.want) {
				t.Fatalf("exit %d, no %q in\n%s%s", code, c.want, stdout, stderr)
			}
			_, stdout, _ = w.check("json")
			var found checked
			if err := json.Unmarshal([]byte(stdout), &found); err != nil || found.OK {
				t.Fatalf("error %v\n%s", err, stdout)
			}
			for _, f := range found.Checks {
				if (f.Status == statusFail) != (f.Check == c.check) && !follows(c.check, f.Check) {
					t.Errorf("%s: %s\n%v", f.Check, f.Status, f.Problems)
				}
			}
		})
	}
}

// follows tells whether a fault that one check finds makes another one fail as
// well: a domain file that changed no longer agrees with what runs.
func follows(check, other string) bool {
	after := map[string][]string{
		"expressions": {"generated", "loaded", "rules"}, "cardinality": {"generated", "loaded", "labels"},
		"receivers": {"generated"}, "generated": {"loaded"}, "prefix": {"events"}, "rules": {"runbook", "loaded"},
	}
	return slices.Contains(after[check], other)
}

// ruleText is a rule file with one alert.
func ruleText(alert, expr string) string {
	return "groups:\n  - name: more\n    rules:\n      - alert: " + alert + "\n        expr: " + expr +
		"\n        labels:\n          severity: ticket\n        annotations:\n          runbook_url: https://example.com/runbook#" + strings.ToLower(alert) + "\n"
}

// load has the server load such a rule too.
func (w *world) load(alert, expr string) {
	w.rules = append(w.rules, serverRule{Name: alert, Query: expr, Type: "alerting", Labels: map[string]string{"severity": "ticket"}})
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
			in := &inspection{cfg: checkConfig{file: "domain.yaml"}, data: []byte("prefix: tienda\nentity: pedido\nevents:\n  - " + c.event + "\n")}
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

// With -fast what runs is held against the rules in which a minute passes in a
// second; the files are those of production all the same.
func TestCheckFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.args, w.rules = []string{"-fast"}, nil
	for _, r := range alerting.Rules(w.d, alerting.Options{Fast: true}) {
		kind := "recording"
		if r.Alert != "" {
			kind = "alerting"
		}
		w.rules = append(w.rules, serverRule{Name: r.Alert + r.Record, Query: r.Expr, Type: kind, Health: "ok", Labels: r.Labels})
	}
	if code, stdout, stderr := w.check("text"); code != 0 || !strings.Contains(stdout, "generate rules -fast would write") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestCheckNothingAnswers(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/elsewhere": "404 Not Found", "/text": "not in Prometheus' text format"} {
		t.Run(path, func(t *testing.T) {
			code, stdout, _ := checkAt(t, path)
			if code != 1 || !strings.Contains(stdout, want) || strings.Contains(stdout, "secret") {
				t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
			}
		})
	}
}

// TestCheckJUnit reads the report as a CI system does.
func TestCheckJUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.edit("domain.yaml", "(tienda_carritos_activos)", "(tienda_carrito_activos)")
	code, stdout, _ := w.check("junit")
	var suite junitSuite
	if err := xml.Unmarshal([]byte(stdout), &suite); err != nil || code != 1 || suite.Failures < 1 || suite.Tests != len(checks) {
		t.Fatalf("exit %d, error %v\n%s", code, err, stdout)
	}
	i := slices.IndexFunc(suite.Cases, func(c junitCase) bool { return strings.HasPrefix(c.Name, "expressions") })
	if i < 0 || suite.Cases[i].Failure == nil || !strings.Contains(suite.Cases[i].Failure.Text, "domain.yaml:27:21: ") {
		t.Errorf("%s", stdout)
	}
}
