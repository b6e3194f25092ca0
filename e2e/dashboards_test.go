package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// maybeEmpty are the queries that may have no data though all is well, by the
// panel's title in Spanish or English and the query's letter, and why.
var maybeEmpty = map[string]string{
	"annotation Alertas":        "no alert is firing",
	"annotation Alerts":         "no alert is firing",
	"Alertas activas A":         "no alert is firing",
	"Firing alerts A":           "no alert is firing",
	"Alertas en el tiempo A":    "no alert was firing",
	"Alerts over time A":        "no alert was firing",
	"Goroutines por petición A": "no request is in flight at the moment of a scrape",
	"Goroutines of a request A": "no request is in flight at the moment of a scrape",
	"Entregas de alertas A":     "the service has no alerts in the process",
	"Alert deliveries A":        "the service has no alerts in the process",

	"a week before":                  "nothing ran then",
	"until a budget is gone":         "it lasts for ever where nothing is bad",
	"Conexiones a bases de datos A":  "the shop has no database",
	"Connections to databases A":     "the shop has no database",
	"Conexiones a bases de datos B":  "the shop has no database",
	"Connections to databases B":     "the shop has no database",
	"Esperas de una base de datos A": "the shop has no database",
	"Waiting for a database A":       "the shop has no database",

	"Peticiones salientes por destino A": "the shop asks no other service",
	"Outgoing requests by peer A":        "the shop asks no other service",
	"p95 por destino A":                  "the shop asks no other service",
	"p95 by peer A":                      "the shop asks no other service",
	"CPU del proceso B":                  "the control group of the test has no limit",
	"CPUs of the process B":              "the control group of the test has no limit",
	"Períodos limitados A":               "the control group of the test has no limit",
	"Throttled periods A":                "the control group of the test has no limit",
	"Memoria del contenedor B":           "the control group of the test has no limit",
	"Memory of the container B":          "the control group of the test has no limit",
}

// domains are those whose dashboards are asked, by their files from the root.
var domains = []string{"examples/echo-api/domain.yaml", "dashboards/testdata/academia.yaml", "dashboards/testdata/clinic.yaml"}

// TestDashboards asks a real Prometheus every query of every dashboard of three
// domains, whose services it scrapes, with the variables as Grafana fills them
// in: all values, and one of each.
func TestDashboards(t *testing.T) {
	t.Parallel()
	pyroscope := servers.StartPyroscope(t)
	started := time.Now()
	var cfg servers.PrometheusConfig
	all := make([]domain.Domain, len(domains))
	for i, path := range domains {
		d, err := domain.Load(filepath.Join(repository, path))
		if err != nil {
			t.Fatal(err)
		}
		all[i] = d
		env := []string{"PYROSCOPE_SERVER_ADDRESS=" + pyroscope.URL(), "GOMEMLIMIT=1GiB"}
		var service *servers.Running
		if path == domains[0] {
			service = startShop(t, env).Running
		} else {
			service = startAnyDomain(t, filepath.Join(repository, path), env)
		}
		cfg.Scrape = append(cfg.Scrape, servers.Scrape{Job: d.Service(), Targets: []string{service.Addr(0)}})
		rules, err := alerting.RuleFile(d, alerting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), d.Prefix+".rules.yaml")
		if err := os.WriteFile(file, rules, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.Rules = append(cfg.Rules, file)
	}
	ask := asking{prom: servers.StartPrometheus(t, cfg), pyroscope: pyroscope, started: started}
	asked := map[string]bool{}
	for _, d := range all {
		t.Run(d.Prefix, func(t *testing.T) {
			files, err := dashboards.All(d, dashboards.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var questions []question
			for _, f := range files {
				questions = append(questions, questionsOf(t, f)...)
			}
			for _, q := range questions {
				asked[q.name] = true
			}
			target := ask.prom.WaitForQuery(t, servers.Patience, `up{job="`+d.Service()+`"} == 1`)[0].Labels
			for name, variables := range map[string]map[string]string{
				"all": {"job": ".+", "instance": ".+", "endpoint": ".+", "process": ".*"},
				"one": {
					"job": chosen(d.Service()), "instance": chosen(target["instance"]), "endpoint": "(" + chosen(ask.busiest(t, d)) + "|x)",
					"process": strings.Join(pyroscope.LabelValues(t, "service_instance_id"), "|"),
				},
			} {
				t.Run(name, func(t *testing.T) { ask.all(t, questions, variables) })
			}
		})
	}
	for name := range maybeEmpty {
		if !asked[name] {
			t.Errorf("%q may be empty, but no panel asks it", name)
		}
	}
}

// busiest is the endpoint that uses most CPU, as soon as the profiles know one:
// a handler that only answers is never seen in them.
func (ask asking) busiest(t *testing.T, d domain.Domain) string {
	t.Helper()
	m, _ := d.Metric("requests")
	var found string
	servers.WaitFor(t, servers.Patience, "CPU time of an endpoint of "+d.Prefix, func() error {
		var most int64
		for _, s := range ask.prom.WaitForQuery(t, servers.Patience, `group by (endpoint) (`+m.Family+`{endpoint!="unmatched"})`) {
			endpoint := s.Labels["endpoint"]
			selector := `{service_name="` + d.Service() + `", endpoint="` + endpoint + `"}`
			if n := ask.pyroscope.Render(t, "process_cpu:cpu:nanoseconds:cpu:nanoseconds"+selector, ask.started).NumTicks; n > most {
				most, found = n, endpoint
			}
		}
		if found == "" {
			return errors.New("none has a sample")
		}
		return nil
	})
	return found
}

// question is one query of a dashboard.
type question struct {
	file    string // the dashboard's
	name    string // the panel's title, and the query's letter
	expr    string // for Prometheus, or else what selects profiles
	instant bool
	values  string // of this label: expr is a selector
	profile string // the type of profile
}

// questionsOf are the queries for Prometheus of a dashboard: of its panels, its
// variables and its annotations.
func questionsOf(t *testing.T, f dashboards.File) []question {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct {
				Expr, LabelSelector, ProfileTypeID, RefID string
				Instant                                   bool
			}
		}
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Annotations struct {
			List []struct{ Name, Expr string }
		}
	}
	if err := json.Unmarshal(f.JSON, &board); err != nil {
		t.Fatal(err)
	}
	var all []question
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			name := p.Title + " " + target.RefID
			switch {
			case strings.Contains(target.Expr, "offset 1w"):
				name = "a week before"
			case strings.Contains(target.Expr, "slo_budget_left") && strings.Contains(target.Expr, "slo_errors"):
				name = "until a budget is gone"
			}
			all = append(all, question{
				file: f.Name, name: name, expr: target.Expr + target.LabelSelector, instant: target.Instant, profile: target.ProfileTypeID,
			})
		}
	}
	labelValues := regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)
	for _, v := range board.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := labelValues.FindStringSubmatch(v.Query)
		if m == nil {
			t.Fatalf("%s: variable %s asks %q", f.Name, v.Name, v.Query)
		}
		all = append(all, question{file: f.Name, name: "variable " + v.Name, expr: m[1], values: m[2]})
	}
	for _, a := range board.Annotations.List {
		all = append(all, question{file: f.Name, name: "annotation " + a.Name, expr: a.Expr})
	}
	return all
}

// chosen is a value of a variable as Grafana writes it into a query for
// Prometheus: escaped for a regular expression, and for the string around it.
func chosen(value string) string {
	return strings.ReplaceAll(regexp.QuoteMeta(value), `\`, `\\`)
}

// Grafana's own variables, with scrapes of once a second and an hour on a wide
// screen.
var grafana = map[string]string{"__rate_interval": "8s", "__interval": "4s", "__range": "1h"}

var variable = regexp.MustCompile(`\$(\w+)|\$\{(\w+)(?::\w+)?\}`)

// expanded fills in the variables; what is none stays as it is.
func expanded(expr string, variables map[string]string) string {
	return variable.ReplaceAllStringFunc(expr, func(text string) string {
		m := variable.FindStringSubmatch(text)
		name := m[1] + m[2]
		for _, values := range []map[string]string{variables, grafana} {
			if value, ok := values[name]; ok {
				return value
			}
		}
		return text
	})
}

// asking is who is asked.
type asking struct {
	prom      *servers.Prometheus
	pyroscope *servers.Pyroscope
	started   time.Time
}

// all waits until each question has an answer.
func (ask asking) all(t *testing.T, questions []question, variables map[string]string) {
	t.Helper()
	open := slices.Clone(questions)
	// The long windows of an objective are evaluated every two minutes.
	servers.WaitFor(t, 2*servers.Patience, "data for every panel", func() error {
		open = slices.DeleteFunc(open, func(q question) bool { return ask.hasData(t, q, variables) })
		var missing []string
		for _, q := range open {
			if maybeEmpty[q.name] == "" {
				missing = append(missing, fmt.Sprintf("%s: %s: %s", q.file, q.name, expanded(q.expr, variables)))
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("no data for\n%s", strings.Join(missing, "\n"))
		}
		return nil
	})
	t.Logf("%d of %d queries have data", len(questions)-len(open), len(questions))
	for _, q := range open {
		t.Logf("%s: %s is empty: %s", q.file, q.name, maybeEmpty[q.name])
	}
}

// hasData asks one question as Grafana does. A wrong one ends the test.
func (ask asking) hasData(t *testing.T, q question, variables map[string]string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	expr, now := expanded(q.expr, variables), time.Now()
	var value model.Value
	var warnings promapi.Warnings
	var remarks promapi.Infos
	var err error
	switch {
	case q.profile != "":
		return ask.pyroscope.Render(t, q.profile+expr, ask.started).NumTicks > 0
	case q.values != "":
		values, _, _, err := ask.prom.API().LabelValues(ctx, q.values, []string{expr}, now.Add(-time.Hour), now)
		if err != nil {
			t.Fatalf("%s: %s: %s: %v", q.file, q.name, expr, err)
		}
		return len(values) > 0
	case q.instant:
		value, warnings, remarks, err = ask.prom.API().Query(ctx, expr, now)
	default:
		value, warnings, remarks, err = ask.prom.API().QueryRange(ctx, expr, promapi.Range{Start: now.Add(-10 * time.Minute), End: now, Step: time.Second})
	}
	if err != nil {
		t.Fatalf("%s: %s: %s: %v", q.file, q.name, expr, err)
	}
	for _, remark := range append([]string(warnings), remarks...) {
		t.Errorf("%s: %s: %s: %s", q.file, q.name, expr, remark)
	}
	switch value := value.(type) {
	case model.Vector:
		return slices.ContainsFunc(value, func(s *model.Sample) bool { return !math.IsNaN(float64(s.Value)) })
	case model.Matrix:
		return slices.ContainsFunc(value, func(s *model.SampleStream) bool {
			return slices.ContainsFunc(s.Values, func(p model.SamplePair) bool { return !math.IsNaN(float64(p.Value)) })
		})
	}
	return false
}
