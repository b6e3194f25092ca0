package alerting

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/ruletext"
)

// RuleTests are unit tests of a domain's rule file for promtool test rules.
// ruleFile is that file as seen from the tests' own folder. Each alert fires
// on its drill, after its time and not before, with its labels and texts; and
// just before its bound it does not, so that rules with another bound fail.
//
// A rule whose series cannot be made up has none: an expression of the domain
// file in PromQL. Nor has one that would take too long to try, as promtool
// evaluates all rules at every step of every test: then the file says so. It
// returns an error where [RuleFile] does.
func RuleTests(d domain.Domain, o Options, ruleFile string) ([]byte, error) {
	if _, err := RuleFile(d, o); err != nil {
		return nil, err
	}
	groups := Groups(d, o)
	var all []ruleTrial
	for _, g := range groups {
		for _, r := range g.Rules {
			for _, t := range r.trialsOf() {
				if !t.untested {
					all = append(all, ruleTrial{r, t})
				}
			}
		}
	}
	interval := evaluation(all)
	var left []string
	all = slices.DeleteFunc(all, func(t ruleTrial) bool {
		long := interval > 0 && t.end() > maxEvaluations*interval
		if long && !slices.Contains(left, t.rule.Alert) {
			left = append(left, t.rule.Alert)
		}
		return long
	})
	tests := []fields{}
	for _, t := range all {
		tests = append(tests, t.fields(t.rule))
	}
	content := fields{{key: "rule_files", value: []string{ruleFile}}}
	if interval = evaluation(all); interval > 0 {
		content = append(content, field{key: "evaluation_interval", value: length(interval)})
	}
	// By itself promtool evaluates groups in any order, and one reads what another
	// recorded.
	var order []string
	for _, g := range groups {
		order = append(order, g.Name)
	}
	if len(order) > 0 {
		content = append(content, field{key: "group_eval_order", value: order})
	}
	top := head(d, "rule-tests")
	if len(left) > 0 {
		top += "# Not tried up to its bound, as that takes too long: " + strings.Join(left, ", ") + ".\n"
	}
	return file(top, append(content, field{key: "tests", value: tests}))
}

// maxEvaluations is how many steps a test has at most: some ten seconds of
// promtool's.
const maxEvaluations = 1500

// ruleTrial is a trial and its rule.
type ruleTrial struct {
	rule Rule
	trial
}

// end is the time of the last check.
func (t trial) end() time.Duration {
	var last time.Duration
	for _, c := range t.checks {
		last = max(last, c.after)
	}
	return last
}

// evaluation is the time between evaluations, so that something is evaluated
// whenever something begins; 0 if nothing does.
func evaluation(all []ruleTrial) time.Duration {
	var interval time.Duration
	for _, t := range all {
		interval = gcd(interval, t.rule.For)
		for _, c := range t.checks {
			interval = gcd(interval, c.after)
		}
	}
	return interval
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
		// Of the values of our own rules it is known that their digits are these; so
		// it is of a level as it stands.
		annotations, ok := f.expanded(r.Annotations, r.Source == SourceThreshold && r.Window > 0)
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

// expanded are the texts of annotations as Prometheus makes them. ok is false
// where they are not known beforehand: one asks the server, or shows more than
// the first digits of a value that is computed.
func (f firing) expanded(annotations map[string]string, computed bool) (texts map[string]string, ok bool) {
	labels := maps.Clone(f.labels)
	delete(labels, "alertname") // the templates see the series' labels
	texts = make(map[string]string, len(annotations))
	for name, annotation := range annotations {
		text, err := ruletext.Parse(annotation)
		if err != nil || text.Asks() {
			return nil, false
		}
		values := []float64{f.value}
		if computed {
			values = append(values, f.value*(1-1e-9), f.value*(1+1e-9))
		}
		for _, value := range values {
			shown, err := text.Run(labels, value)
			if err != nil || texts[name] != "" && texts[name] != shown {
				return nil, false
			}
			texts[name] = shown
		}
	}
	return texts, true
}
