package alerting

import (
	"cmp"
	"maps"
	"strings"
	"text/template"
	"time"

	"github.com/prometheus/common/helpers/templates"

	"github.com/latido-dev/latido/domain"
)

// RuleTests are unit tests of a domain's rule file for promtool test rules.
// ruleFile is that file as seen from the tests' own folder. Each alert fires
// on its drill, after its time and not before, with its labels and texts; and
// just before its bound it does not, so that rules with another bound fail.
//
// A rule whose series cannot be made up has none: an expression of the domain
// file in PromQL. It returns an error where [RuleFile] does.
func RuleTests(d domain.Domain, o Options, ruleFile string) ([]byte, error) {
	if _, err := RuleFile(d, o); err != nil {
		return nil, err
	}
	var interval time.Duration
	tests := []fields{}
	for _, r := range Rules(d, o) {
		for _, t := range r.trials {
			if t.untested {
				continue
			}
			tests = append(tests, t.fields(r))
			interval = gcd(interval, r.For) // so that something is evaluated whenever something begins
			for _, c := range t.checks {
				interval = gcd(interval, c.after)
			}
		}
	}
	content := fields{{key: "rule_files", value: []string{ruleFile}}}
	if interval > 0 {
		content = append(content, field{key: "evaluation_interval", value: length(interval)})
	}
	return file(head(d, "rule-tests"), append(content, field{key: "tests", value: tests}))
}

// fields are the trial as promtool has it.
func (t trial) fields(r Rule) fields {
	series := make([]fields, len(t.series))
	for i, s := range t.series {
		series[i] = fields{{key: "series", value: s.Series}, {key: "values", value: s.Values}}
	}
	f := fields{{key: "name", value: t.name}, {key: "interval", value: length(t.interval)}, {key: "input_series", value: series}}
	var alerts, exprs []fields
	for _, c := range t.checks {
		expected := fields{{key: "eval_time", value: cmp.Or(length(c.after), "0s")}, {key: "alertname", value: r.Alert}}
		firing, known := c.expected(r)
		switch {
		case !known:
			exprs = append(exprs, c.samples(r))
			continue
		case len(firing) > 0:
			expected = append(expected, field{key: "exp_alerts", value: firing})
		}
		alerts = append(alerts, expected)
	}
	if len(alerts) > 0 {
		f = append(f, field{key: "alert_rule_test", value: alerts})
	}
	if len(exprs) > 0 {
		f = append(f, field{key: "promql_expr_test", value: exprs})
	}
	return f
}

// expected are the alerts of a check with their texts. known is false if only
// Prometheus can write those: a template may ask it anything.
func (c check) expected(r Rule) (alerts []fields, known bool) {
	for _, f := range c.alerts {
		annotations, ok := f.expanded(r.Annotations)
		if !ok {
			return nil, false
		}
		labels := maps.Clone(f.labels)
		delete(labels, "alertname") // promtool adds it
		alerts = append(alerts, fields{{key: "exp_labels", value: labels}, {key: "exp_annotations", value: annotations}})
	}
	return alerts, true
}

// samples are the alerts of a check without their texts.
func (c check) samples(r Rule) fields {
	var samples []fields
	for _, f := range c.alerts {
		labels := with(f.labels, "alertstate", "firing")
		for name, value := range labels {
			labels[name] = "=" + value // as filters are written
		}
		samples = append(samples, fields{{key: "labels", value: selector("ALERTS", labels)}, {key: "value", value: 1}})
	}
	where := map[string]string{"alertname": r.Alert, "alertstate": "firing"}
	return fields{
		{key: "expr", value: selector("ALERTS", where)}, {key: "eval_time", value: cmp.Or(length(c.after), "0s")}, {key: "exp_samples", value: samples},
	}
}

// expanded runs the templates of annotations as Prometheus does. ok is false
// if one uses a function that is not known here.
func (f firing) expanded(annotations map[string]string) (texts map[string]string, ok bool) {
	labels := maps.Clone(f.labels)
	delete(labels, "alertname") // the templates see the series' labels
	data := struct {
		Labels, ExternalLabels map[string]string
		ExternalURL            string
		Value                  any
	}{labels, map[string]string{}, "", f.value}
	texts = make(map[string]string, len(annotations))
	for name, text := range annotations {
		t, err := template.New(name).Option("missingkey=zero").Funcs(humanizers).Parse(preamble + text)
		if err != nil {
			return nil, false
		}
		var b strings.Builder
		if err := t.Execute(&b, data); err != nil {
			return nil, false
		}
		texts[name] = b.String()
	}
	return texts, true
}

// humanizers are the functions of Prometheus' templates that show a number.
var humanizers = template.FuncMap{
	"humanize":           func(v float64) string { return humanize(v, 1000, "kMGTPEZY") },
	"humanize1024":       humanize1024,
	"humanizeDuration":   templates.HumanizeDuration,
	"humanizePercentage": func(v float64) string { return four(v*100) + "%" },
	"toUpper":            strings.ToUpper,
	"toLower":            strings.ToLower,
}
