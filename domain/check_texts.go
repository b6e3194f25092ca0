package domain

import (
	"errors"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/ruletext"
)

// AlertLabels are the labels of a threshold's alerts on the metric: the job, the
// instance where what a process or its host says of itself is not added up with
// what another says, and by, the threshold's By, unless that is "". Texts of the
// alert can show these and no others.
func (m Metric) AlertLabels(by string) []string {
	labels := []string{"job"}
	if m.Event == nil && (m.Kind == KindGauge || m.Kind == KindUpDown) {
		labels = append(labels, "instance")
	}
	if by != "" {
		labels = append(labels, by)
	}
	return labels
}

// ruleLabels are those that an alert gets from its rule, which texts do not see.
var ruleLabels = []string{"alertname", "severity", "domain", "heartbeat", "slo"}

// alertTexts runs the texts of a threshold's alert, which are templates, as
// Prometheus does when it fires. m is nil where the labels are not known: those
// of an expression.
func (v *validator) alertTexts(t Threshold, path string, m *Metric) {
	for _, text := range []struct{ at, value string }{{path + ".summary", t.Summary}, {path + ".description", t.Description}} {
		if strings.Contains(text.value, "{{") && !v.unread(text.at) {
			v.alertText(t, text.at, text.value, m)
		}
	}
}

func (v *validator) alertText(t Threshold, path, text string, m *Metric) {
	parsed, err := ruletext.Parse(text)
	if err != nil {
		v.wrongText(path, err, "is no template that Prometheus can run: %s: write {{`{{`}} for two braces")
		return
	}
	kept := []string{}
	if m != nil {
		kept = m.AlertLabels(t.By)
	}
	for _, l := range parsed.Labels() {
		if slices.Contains(kept, l.Name) || m == nil && !t.Heartbeat {
			continue
		}
		v.add(path, "%s", dropped(t, m, l.Name, kept))
		v.errs[len(v.errs)-1].offset = l.Offset
		return
	}
	if parsed.Asks() {
		return // what it is answered nobody knows before
	}
	for _, labels := range v.alertExamples(t, m, parsed.Labels()) {
		if _, err := parsed.Run(labels, alertValue(t)); err != nil {
			v.wrongText(path, err, "does not run, and the alert would say so instead: %s")
			return
		}
		if name := parsed.Missing(labels, alertValue(t)); name != "" && m != nil {
			v.add(path, "%s", dropped(t, m, name, kept))
			return
		}
	}
}

// wrongText adds what ruletext says, at the byte where it says it.
func (v *validator) wrongText(path string, err error, format string) {
	v.add(path, format, err)
	if wrong, ok := errors.AsType[*ruletext.Error](err); ok {
		v.errs[len(v.errs)-1].offset = wrong.Offset
	}
}

// dropped says why a label is not there, and what to write instead.
func dropped(t Threshold, m *Metric, label string, kept []string) string {
	show := "$labels." + label
	switch {
	case slices.Contains(ruleLabels, label):
		return show + " is empty: a label of the rule is not one of its series: write its value"
	case t.Heartbeat:
		return show + " is empty: a heartbeat has no series, and so no labels: leave it out"
	case slices.Contains(m.labels(), label) && t.By == "":
		return show + " is empty, as the rule adds up all of them: add by: " + label + ", or leave it out"
	case slices.Contains(m.labels(), label):
		return show + " is empty, as the rule is by " + t.By + " and adds up the others: write $labels." + t.By + ", or leave it out"
	}
	return show + " is empty: there is no such label" + meantOr(label, kept, "the alert has")
}

// alertValue is a value with which the alert fires.
func alertValue(t Threshold) float64 {
	for _, q := range t.quantities() {
		if q != nil {
			return float64(*q)
		}
	}
	return 1
}

// alertExamples are labels that the alert may have. Of those of an expression
// only the names are known, from the text itself: each may be a number.
func (v *validator) alertExamples(t Threshold, m *Metric, shown []ruletext.Label) []map[string]string {
	labels := map[string]string{"job": v.d.Service(), "instance": "127.0.0.1:9464"}
	if m == nil {
		for _, l := range shown {
			if labels[l.Name] == "" {
				labels[l.Name] = "1"
			}
		}
		return []map[string]string{labels}
	}
	if !slices.Contains(m.AlertLabels(t.By), "instance") {
		delete(labels, "instance")
	}
	if t.By == "" {
		return []map[string]string{labels}
	}
	var all []map[string]string
	for _, value := range append(v.valuesOf(m, t.By), Other) {
		one := map[string]string{"job": labels["job"], t.By: value}
		if instance, ok := labels["instance"]; ok {
			one["instance"] = instance
		}
		all = append(all, one)
	}
	return all
}

// valuesOf are some values that a label may have.
func (v *validator) valuesOf(m *Metric, label string) []string {
	if m.Event != nil {
		for name, values := range m.Event.Attributes {
			if promname.Label(name) == label {
				return slices.Clone(values)
			}
		}
	}
	if label == "endpoint" {
		return []string{"/" + v.d.Entity}
	}
	return nil
}
