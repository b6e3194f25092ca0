package diff

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// item is a threshold or an objective as the file has it.
type item map[string]any

// items are those of a list of the domain, by their names, and the names in
// their order.
func items(d domain.Domain, list string) (named map[string]item, names []string) {
	var file map[string]any
	text, err := yaml.Marshal(d)
	if err == nil {
		err = yaml.Unmarshal(text, &file)
	}
	named = map[string]item{}
	all, _ := file[list].([]any)
	for _, each := range all {
		if fields, ok := each.(map[string]any); ok && err == nil {
			name := fmt.Sprint(fields["name"])
			named[name] = fields
			names = append(names, name)
		}
	}
	return named, names
}

// limits are the keys that say when an alert fires.
var limits = []string{"above", "below", "equals", "objective"}

// texts are the keys that only people read.
var texts = []string{"summary", "description", "impact", "runbook"}

// changed lists what differs between two items of a name.
func changed(what, name string, old, now item, unit string) []Change {
	var changes []Change
	keys := unique(slices.Concat(slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(now))))
	reworded := []string{}
	for _, key := range keys {
		switch {
		case key == "name" || reflect.DeepEqual(old[key], now[key]):
		case slices.Contains(texts, key):
			reworded = append(reworded, key)
		case slices.Contains(limits, key):
			changes = append(changes, Change{Kind: "changed", What: "limit", Name: key + " of " + name, Detail: said(old[key]) + unitOf(old[key], unit) + ", now " + said(now[key]) + unitOf(now[key], unit)})
		default:
			changes = append(changes, Change{Kind: "changed", What: what, Name: name, Detail: key + ": " + said(old[key]) + ", now " + said(now[key])})
		}
	}
	if len(reworded) > 0 {
		changes = append(changes, Change{Kind: "changed", What: "text", Name: name, Detail: strings.Join(reworded, ", ")})
	}
	return changes
}

// unitIn is the unit of a threshold's limit: that of its metric, unless its
// statistic has another one.
func unitIn(d domain.Domain, t item) string {
	m, ok := d.Metric(or(text(t["metric"]), text(t["event"])))
	switch stat := domain.Stat(text(t["stat"])); {
	case stat == domain.StatRatio || t["objective"] != nil:
		return "%"
	case !ok || stat == domain.StatRate || stat == domain.StatIncrease || stat == "" && m.Kind == domain.KindCounter:
		return ""
	}
	return m.Unit
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

// unitOf is the unit behind a limit that is there without one.
func unitOf(limit any, unit string) string {
	if limit == nil || text(limit) != "" {
		return ""
	}
	return map[string]string{"s": "s", "%": "%", "By": "B"}[unit]
}

// said is a value in one line.
func said(value any) string {
	if value == nil {
		return "nothing"
	}
	n := &yaml.Node{}
	if n.Encode(value) != nil {
		return fmt.Sprint(value)
	}
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(n)
	if err != nil {
		return fmt.Sprint(value)
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// named compares two lists of items. of says what breaks with one that is
// gone.
func named(what, list string, before, after domain.Domain, of func(name string) []string) []Change {
	var changes []Change
	old, names := items(before, list)
	now, nowNames := items(after, list)
	taken := map[string]bool{}
	for _, name := range names {
		if fields, ok := now[name]; ok {
			changes = append(changes, changed(what, name, old[name], fields, unitIn(after, fields))...)
			continue
		}
		c := Change{Kind: "removed", What: what, Name: name, Breaks: of(name)}
		for _, other := range nowNames {
			if _, had := old[other]; !had && !taken[other] && sameBut(old[name], now[other]) {
				c.Kind, c.Detail, taken[other] = "renamed", "now "+other, true
				break
			}
		}
		if c.Kind == "renamed" {
			c.Fix = "silences, routes and links that name the alert no longer match"
		}
		changes = append(changes, c)
	}
	for _, name := range nowNames {
		if _, had := old[name]; !had && !taken[name] {
			changes = append(changes, Change{Kind: "added", What: what, Name: name})
		}
	}
	return changes
}

// sameBut tells whether two items differ in name and texts only.
func sameBut(a, b item) bool {
	a, b = maps.Clone(a), maps.Clone(b)
	for _, key := range append([]string{"name"}, texts...) {
		delete(a, key)
		delete(b, key)
	}
	return reflect.DeepEqual(a, b)
}

func thresholds(before, after domain.Domain) []Change {
	changes := named("rule", "thresholds", before, after, func(string) []string { return nil })
	if before.Prefix == after.Prefix {
		// Expressions by hand that ask for what is gone.
		for _, t := range after.Thresholds {
			if gone := alerting.UnknownMetrics(after, name.FindAllString(t.Expr, -1)); len(gone) > 0 {
				changes = append(changes, Change{
					Kind: "changed", What: "rule", Name: t.Name, Detail: "asks for " + few(gone) + ", which is not there any more",
					Breaks: []string{"rule " + t.Name + ", which would never fire again"}, Fix: "change its expr",
				})
			}
		}
	}
	return changes
}

func objectives(u *uses, before, after domain.Domain) []Change {
	return named("objective", "slos", before, after, func(name string) []string {
		if u.series == nil {
			return nil
		}
		return []string{fmt.Sprintf("series %s:slo_*{slo=%q}, and with them its budget of the past", before.Prefix, name)}
	})
}

// defaults compares the rules that nobody wrote.
func defaults(before, after domain.Domain) []Change {
	of := func(d domain.Domain) map[string]bool {
		all := map[string]bool{}
		for _, r := range alerting.Rules(d, alerting.Options{}) {
			if r.Source == alerting.SourceDefault {
				all[r.Alert] = true
			}
		}
		return all
	}
	var changes []Change
	old, now := of(before), of(after)
	for _, name := range unique(slices.Concat(slices.Collect(maps.Keys(old)), slices.Collect(maps.Keys(now)))) {
		switch {
		case old[name] && !now[name]:
			changes = append(changes, Change{Kind: "removed", What: "rule", Name: name, Detail: "one that every domain gets: a threshold or objective takes its place, or default_rules leaves it out"})
		case !old[name] && now[name]:
			changes = append(changes, Change{Kind: "added", What: "rule", Name: name, Detail: "one that every domain gets"})
		}
	}
	return changes
}

// receivers compares who hears of alerts, by their names in Alertmanager.
func receivers(before, after domain.Domain) []Change {
	of := func(d domain.Domain) (named map[string]domain.Receiver, names []string) {
		named = map[string]domain.Receiver{}
		for _, r := range alerting.Receivers(d) {
			named[r.Name] = r.Receiver
			names = append(names, r.Name)
		}
		return named, names
	}
	var changes []Change
	old, names := of(before)
	now, nowNames := of(after)
	for _, name := range names {
		if r, kept := now[name]; !kept {
			changes = append(changes, Change{Kind: "removed", What: "receiver", Name: name})
		} else if !reflect.DeepEqual(r, old[name]) {
			changes = append(changes, Change{Kind: "changed", What: "receiver", Name: name})
		}
	}
	for _, name := range nowNames {
		if _, had := old[name]; !had {
			changes = append(changes, Change{Kind: "added", What: "receiver", Name: name})
		}
	}
	return changes
}
