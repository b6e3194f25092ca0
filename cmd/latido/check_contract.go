package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// kindNames are Prometheus' names of the kinds.
var kindNames = map[domain.Kind]string{
	domain.KindCounter: "counter", domain.KindUpDown: "gauge", domain.KindGauge: "gauge", domain.KindHistogram: "histogram",
}

// checkKinds compares the types that the service declares.
func checkKinds(in *inspection) finding {
	if in.live.kinds == nil {
		return skip("%s does not know the types of metrics", address(in.live.base))
	}
	var f finding
	n := 0
	for _, m := range in.d.Metrics() {
		got := in.live.kinds[m.Family]
		if got == "" { // OpenMetrics has a counter's family without the suffix of its series
			got = in.live.kinds[strings.TrimSuffix(m.Family, "_total")]
		}
		switch want := kindNames[m.Kind]; got {
		case "":
		case want:
			n++
		default:
			f.fail("%s is a %s, but should be a %s, as %s", m.Family, got, want, kindSource(in, m)).
				Fix = "somebody else records under this name, or the service is of a version before"
		}
	}
	f.Detail = fmt.Sprintf("%d metrics", n)
	return f
}

// kindSource says who says what a metric is.
func kindSource(in *inspection, m domain.Metric) string {
	if m.Event != nil {
		return in.cfg.file + " says of the event " + m.Event.Name
	}
	return "in every service of Latido's"
}

// checkLabels compares the labels of every series with the contract. Those
// that the scrape adds are on `up` as well.
func checkLabels(in *inspection) finding {
	var f finding
	byName := in.byName()
	n := 0
	for _, m := range in.d.Metrics() {
		var want []string
		for _, a := range m.Attributes {
			want = append(want, domain.Label(a))
		}
		all := byName[sample(m)]
		if len(all) > 0 {
			n++
		}
		wrong := map[string]bool{}
		for _, s := range all {
			for _, name := range sortedKeys(s.labels) {
				if !slices.Contains(want, name) && !slices.Contains(in.live.added, name) {
					wrong[fmt.Sprintf("%s has the label %s, which it should not have", m.Family, name)] = true
				}
			}
			for _, name := range want {
				if _, ok := s.labels[name]; !ok && m.Event != nil {
					wrong[fmt.Sprintf("%s has a series without the label %s", m.Family, name)] = true
				}
			}
		}
		for _, message := range sortedKeys(wrong) {
			p := f.fail("%s", message)
			p.Fix = "record it with the helpers that latido generate events writes"
			if m.Event == nil {
				p.Fix = "somebody else records under this name"
			}
		}
	}
	f.Detail = fmt.Sprintf("%d metrics", n)
	return f
}

// checkValues compares the values of attributes with those that the domain
// lists. The value that stands for all others is right, and worth a note.
func checkValues(in *inspection) finding {
	var f finding
	byName := in.byName()
	n := 0
	look := func(m domain.Metric, attribute string, values []string) {
		label := domain.Label(attribute)
		bad := map[string]bool{}
		other := 0.0
		for _, s := range byName[sample(m)] {
			value, ok := s.labels[label]
			switch {
			case !ok: // told by checkLabels
			case value == domain.Other:
				other += s.value
			case !slices.Contains(values, value):
				bad[value] = true
			}
		}
		n++
		for _, value := range sortedKeys(bad) {
			p := f.fail("%s has %s=%q, which %s does not list", m.Family, label, value, in.cfg.file)
			p.Fix = fmt.Sprintf("add it to the values of %s, or record one of: %s", attribute, strings.Join(values, ", "))
		}
		if other > 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("%s counts %g as %s=%q: a value that %s does not list", m.Family, other, label, domain.Other, in.cfg.file))
		}
	}
	for _, m := range in.d.Metrics() {
		switch {
		case m.Event != nil:
			for _, a := range m.Attributes {
				look(m, a, m.Event.Attributes[a])
			}
		case m.Key == "api_errors":
			look(m, "error.type", append(slices.Clone(domain.BuiltinErrors), in.d.Errors...))
		}
	}
	f.Detail = count(n, "attribute")
	return f
}

// checkLoaded looks for every rule in the server.
func checkLoaded(in *inspection) finding {
	var f finding
	want := in.rules
	if in.cfg.fast {
		want = ruleSet{from: "what latido generate rules -fast would write"}
		data, err := alerting.RuleFile(in.d, alerting.Options{Fast: true})
		if err != nil {
			f.fail("the domain's rules cannot be made: %v", err)
			return f
		}
		want.load(&f, "", data)
	}
	f.Detail = fmt.Sprintf("%s of %s", count(len(want.rules), "rule"), want.from)
	for _, r := range want.rules {
		var there []serverRule
		for _, s := range in.live.rules {
			if s.Name == r.name() && (s.Type == "alerting") == (r.Alert != "") {
				there = append(there, s)
			}
		}
		if len(there) == 0 {
			f.at(r, "%s is not loaded at %s", r.name(), address(in.live.base)).
				Fix = "name the file in rule_files of prometheus.yml, and reload: curl -X POST URL/-/reload"
			continue
		}
		if !slices.ContainsFunc(there, func(s serverRule) bool { return sameExpr(s.Query, r.Expr) && sameLabels(s.Labels, r.Labels) }) {
			f.at(r, "%s is another one at %s: %s", r.name(), address(in.live.base), there[0].Query).
				Fix = "the server has an older rule file: copy it there, and reload: curl -X POST URL/-/reload"
		}
	}
	return f
}

// sameExpr compares expressions as the parser writes them: the server has
// them so.
func sameExpr(a, b string) bool {
	x, err := promql.ParseExpr(a)
	if err != nil {
		return false
	}
	y, err := promql.ParseExpr(b)
	return err == nil && x.String() == y.String()
}

func sameLabels(a, b map[string]string) bool { return labelText(a) == labelText(b) }

// checkHealth looks for rules whose last evaluation failed.
func checkHealth(in *inspection) finding {
	f := finding{Detail: count(len(in.live.rules), "rule")}
	for _, s := range in.live.rules {
		if s.Health == "err" || s.LastError != "" {
			f.fail("%s fails at %s: %s", s.Name, address(in.live.base), s.LastError).
				Fix = "two series that are one to the rule, or a server without memory: run its query by hand"
		}
	}
	return f
}
