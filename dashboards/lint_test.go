package dashboards

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lintRule is a rule of https://github.com/grafana/dashboard-linter: the errors
// and warnings that it would give, each starting with its subject.
type lintRule struct {
	name     string
	excluded string                // why it does not apply, or where it is tested
	except   map[string]string     // subjects that may break it, and why
	wrong    func(m made) []string // nil if excluded
}

// inCommand is where the rules are that need Prometheus' parser, which the root
// module does without.
const inCommand = "TestDashboardLint of cmd/latido"

// lintRules are all rules of the linter, in its own order (lint/rules.go, June
// 2026).
var lintRules = []lintRule{
	{name: "template-datasource-rule", wrong: lintDatasources, except: map[string]string{
		"variable pyroscope": "would have to be grafana-pyroscope-datasource_datasource: Grafana takes no hyphen in a name",
		"label pyroscope":    "the label is for people: Profiles",
		"label prometheus_datasource: Fuente de datos Prometheus": "Spanish",
	}},
	{name: "template-job-rule", wrong: func(m made) []string { return lintTemplate(m, "job", "Job") }},
	{name: "template-instance-rule", wrong: func(m made) []string { return lintTemplate(m, "instance", "Instance") }, except: map[string]string{
		"label instance: Instancia": "Spanish",
	}},
	{name: "template-label-promql-rule", excluded: inCommand},
	{name: "template-on-time-change-reload-rule", wrong: func(m made) []string {
		return each(m.Templating.List, func(v madeVariable) string {
			if v.Type == "query" && v.Refresh != 2 {
				return "variable " + v.Name + ": is not asked again when the time range changes"
			}
			return ""
		})
	}},
	{name: "panel-datasource-rule", wrong: func(m made) []string {
		return each(m.shown(), func(p madePanel) string { // the rule has only some types of panel
			ok := slices.ContainsFunc(m.Templating.List, func(v madeVariable) bool {
				return v.Type == "datasource" && v.Query == p.Datasource.Type && p.Datasource.UID == "${"+v.Name+"}"
			})
			for _, q := range p.Targets {
				ok = ok && q.Datasource == p.Datasource
			}
			if !ok {
				return "panel " + p.Title + fmt.Sprintf(": its data source is no variable: %v", p.Datasource)
			}
			return ""
		})
	}},
	{name: "panel-title-description-rule", wrong: func(m made) []string {
		return each(m.shown(), func(p madePanel) string {
			if p.Title == "" || p.Description == "" {
				return "panel " + p.Title + ": has no title or no description"
			}
			return ""
		})
	}},
	{name: "panel-units-rule", wrong: lintUnits, except: map[string]string{
		"unit currency:COP": "one of Grafana's custom units, which the linter does not know: a currency by its code",
		"unit suffix:mL":    "one of Grafana's custom units, which the linter does not know: the domain's own",
	}},
	{name: "panel-no-targets-rule", wrong: func(m made) []string {
		return each(m.shown(), func(p madePanel) string {
			if len(p.Targets) == 0 {
				return "panel " + p.Title + ": asks nothing"
			}
			return ""
		})
	}},
	{name: "target-logql-rule", excluded: "there is no Loki among the data sources"},
	{name: "target-logql-auto-rule", excluded: "there is no Loki among the data sources"},
	{name: "target-promql-rule", excluded: inCommand},
	{name: "target-rate-interval-rule", excluded: inCommand},
	{name: "target-job-rule", excluded: inCommand},
	{name: "target-instance-rule", excluded: inCommand},
	{name: "target-counter-agg-rule", excluded: inCommand},
	{name: "uneditable-dashboard", wrong: func(m made) []string {
		if m.Editable {
			return []string{"dashboard: can be edited"}
		}
		return nil
	}},
}

// TestLint holds all dashboards against the rules of grafana/dashboard-linter,
// its warnings included. An exception that nothing needs is a mistake too.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, rule := range lintRules {
		t.Run(rule.name, func(t *testing.T) {
			if rule.wrong == nil {
				t.Log("not here:", rule.excluded)
				return
			}
			used := map[string]bool{}
			for _, file := range domainFiles {
				for _, m := range makeAll(t, load(t, file), Options{}) {
					for _, wrong := range rule.wrong(m) {
						excused := false
						for subject := range rule.except {
							if strings.HasPrefix(wrong, subject) {
								used[subject], excused = true, true
							}
						}
						if !excused {
							t.Errorf("%s: %s", m.file, wrong)
						}
					}
				}
			}
			for subject, why := range rule.except {
				if !used[subject] {
					t.Errorf("nothing needs the exception of %s: %s", subject, why)
				}
			}
		})
	}
}

// TestLintFinds breaks a dashboard, and sees each rule find it.
func TestLintFinds(t *testing.T) {
	t.Parallel()
	breaks := map[string]func(m *made){
		"template-datasource-rule":            func(m *made) { m.Templating.List[0].Name = "source" },
		"template-job-rule":                   func(m *made) { m.Templating.List[1].AllValue = ".*" },
		"template-instance-rule":              func(m *made) { m.Templating.List[2].Multi = false },
		"template-on-time-change-reload-rule": func(m *made) { m.Templating.List[2].Refresh = 1 },
		"panel-datasource-rule":               func(m *made) { m.Panels[1].Targets[0].Datasource.UID = "P1809F7CD0C75ACF3" },
		"panel-title-description-rule":        func(m *made) { m.Panels[1].Description = "" },
		"panel-units-rule":                    func(m *made) { m.Panels[1].FieldConfig.Defaults.Unit = "seconds" },
		"panel-no-targets-rule":               func(m *made) { m.Panels[1].Targets = nil },
		"uneditable-dashboard":                func(m *made) { m.Editable = true },
	}
	for _, rule := range lintRules {
		if rule.wrong == nil {
			continue
		}
		m := makeAll(t, load(t, "testdata/clinic.yaml"), Options{})[2]
		if before := rule.wrong(m); len(before) > 0 {
			t.Errorf("%s: %s", rule.name, before)
		}
		if breaks[rule.name](&m); len(rule.wrong(m)) != 1 {
			t.Errorf("%s finds %s", rule.name, rule.wrong(m))
		}
	}
}

func each[T any](all []T, wrong func(T) string) []string {
	var found []string
	for _, one := range all {
		if text := wrong(one); text != "" {
			found = append(found, text)
		}
	}
	return found
}

func lintDatasources(m made) []string {
	var wrong []string
	for _, v := range m.Templating.List {
		if v.Type != "datasource" {
			continue
		}
		if v.Name != v.Query+"_datasource" { // "datasource" too, where there is one
			wrong = append(wrong, "variable "+v.Name+": is not called "+v.Query+"_datasource")
		}
		if v.Label != strings.ToUpper(v.Query[:1])+v.Query[1:]+" data source" {
			wrong = append(wrong, "label "+v.Name+": "+v.Label)
		}
	}
	if len(m.Templating.List) == 0 || m.Templating.List[0].Type != "datasource" {
		wrong = append(wrong, "dashboard: its data source is no variable")
	}
	return wrong
}

func lintTemplate(m made, name, label string) []string {
	i := slices.IndexFunc(m.Templating.List, func(v madeVariable) bool { return v.Name == name })
	if i < 0 {
		return []string{"dashboard: there is no variable " + name}
	}
	v := m.Templating.List[i]
	var wrong []string
	if v.Type != "query" || v.Datasource.UID != "${prometheus_datasource}" {
		wrong = append(wrong, "variable "+name+": does not ask Prometheus")
	}
	if !v.Multi || v.AllValue != ".+" {
		wrong = append(wrong, "variable "+name+": is not many at once, and .+ for all")
	}
	if v.Label != label {
		wrong = append(wrong, "label "+name+": "+v.Label)
	}
	return wrong
}

// grafanaKnows are the units of ours that the linter's list has (taken from
// Grafana's categories.ts). A new one is looked up there before it is added.
var grafanaKnows = []string{
	"short", "percent", "percentunit", "cps", "reqps", "ns", "µs", "ms", "s", "m", "h", "d",
	"bytes", "kbytes", "mbytes", "gbytes", "deckbytes", "decmbytes", "decgbytes", "Bps",
	"celsius", "lengthm", "lengthkm", "massg", "masskg", "litre", "watt", "volt", "hertz",
	"currencyUSD", "currencyEUR", "currencyGBP", "currencyJPY", "currencyBRL", "currencyCHF",
}

// lintUnits looks at the columns of a table too.
func lintUnits(m made) []string {
	var wrong []string
	check := func(unit string) {
		if !slices.Contains(grafanaKnows, unit) {
			wrong = append(wrong, "unit "+unit)
		}
	}
	for _, p := range m.shown() {
		check(p.FieldConfig.Defaults.Unit)
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				var unit string
				if property.ID == "unit" && json.Unmarshal(property.Value, &unit) == nil {
					check(unit)
				}
			}
		}
	}
	return wrong
}
