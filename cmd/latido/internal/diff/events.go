package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// events compares the events, and with them their series.
func events(u *uses, before, after domain.Domain) []Change {
	var changes []Change
	find := func(d domain.Domain, name string) *domain.Event {
		if i := slices.IndexFunc(d.Events, func(e domain.Event) bool { return e.Name == name }); i >= 0 {
			return &d.Events[i]
		}
		return nil
	}
	renamed := map[string]bool{} // new names of old events
	for i := range before.Events {
		old := &before.Events[i]
		if now := find(after, old.Name); now != nil {
			changes = append(changes, event(u, before, after, old, now)...)
			continue
		}
		c := Change{Kind: "removed", What: "event", Name: old.Name}
		m, _ := before.Metric(old.Name)
		if now := successor(before, after, old); now != nil {
			renamed[now.Name] = true
			c.Kind, c.Detail = "renamed", "now "+now.Name
			if slices.Contains(now.Was, old.Name) {
				c.Detail += fmt.Sprintf(", and under both names until %s", now.WasUntil)
				changes = append(append(changes, c), event(u, before, after, old, now)...)
				continue
			}
			c.Fix = fmt.Sprintf("keep both names for a while: add to %s was: [%s] and was_until: a date", now.Name, old.Name)
		}
		c.Breaks = breaks(u, m, "")
		if c.Fix == "" {
			c.Fix = "what asks for it from outside finds nothing any more; if it was renamed, add was: [" + old.Name + "] to the new event"
		}
		changes = append(changes, c)
	}
	for _, e := range after.Events {
		if find(before, e.Name) == nil && !renamed[e.Name] {
			m, _ := after.Metric(e.Name)
			changes = append(changes, Change{Kind: "added", What: "event", Name: e.Name, Detail: strings.Join(seriesOf(m), ", ")})
		}
	}
	return changes
}

// successor is the event that an old one has become: one that says so, or else
// one that is new and the same in all but its name.
func successor(before, after domain.Domain, old *domain.Event) *domain.Event {
	for i := range after.Events {
		if slices.Contains(after.Events[i].Was, old.Name) {
			return &after.Events[i]
		}
	}
	var same []*domain.Event
	for i := range after.Events {
		now := &after.Events[i]
		isNew := !slices.ContainsFunc(before.Events, func(e domain.Event) bool { return e.Name == now.Name })
		if isNew && now.Kind == old.Kind && now.Unit == old.Unit && reflect.DeepEqual(now.Attributes, old.Attributes) &&
			(now.Description == old.Description && now.Description != "" || spelling.Nearest(old.Name, []string{now.Name}) != "") {
			same = append(same, now)
		}
	}
	if len(same) == 1 {
		return same[0]
	}
	return nil
}

// breaks lists what a series' end, or that of one label or value of it, breaks.
func breaks(u *uses, m domain.Metric, of string, words ...string) []string {
	if u.series == nil {
		return nil // the prefix is another one: all is told there
	}
	series := seriesOf(m)
	all := []string{"series " + few(series) + of}
	for _, kind := range []string{"rule ", "objective ", "panel "} {
		var names []string
		for _, who := range u.of(series, words...) {
			if name, ok := strings.CutPrefix(who, kind); ok {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			all = append(all, strings.TrimSpace(kind)+" "+few(names))
		}
	}
	return all
}

// event compares an event with what it was.
func event(u *uses, before, after domain.Domain, old, now *domain.Event) []Change {
	var changes []Change
	m, _ := before.Metric(old.Name)
	n, _ := after.Metric(now.Name)
	if m.Kind != n.Kind || m.Unit != n.Unit {
		changes = append(changes, Change{
			Kind: "changed", What: "event", Name: old.Name,
			Detail: fmt.Sprintf("%s, %s; now %s, %s", m.Kind, or(m.Unit, "no unit"), n.Kind, or(n.Unit, "no unit")),
			Breaks: breaks(u, m, ""), Fix: "give the new one another name, and keep the old one until nobody asks for it",
		})
	}
	for _, a := range old.AttributeNames() {
		label := promname.Label(a)
		if _, kept := now.Attributes[a]; !kept {
			changes = append(changes, Change{
				Kind: "removed", What: "label", Name: label + " of " + old.Name, Breaks: breaks(u, m, " by "+label, label),
				Fix: "what groups or filters by it finds nothing: change it in the same pull request",
			})
			continue
		}
		for _, value := range old.Attributes[a] {
			if !slices.Contains(now.Attributes[a], value) {
				changes = append(changes, Change{
					Kind: "removed", What: "value", Name: fmt.Sprintf("%s=%q of %s", label, value, old.Name), Detail: "counts as " + domain.Other,
					Breaks: breaks(u, m, fmt.Sprintf("{%s=%q}", label, value), label, value),
				})
			}
		}
		for _, value := range now.Attributes[a] {
			if !slices.Contains(old.Attributes[a], value) {
				changes = append(changes, Change{Kind: "added", What: "value", Name: fmt.Sprintf("%s=%q of %s", label, value, old.Name)})
			}
		}
	}
	for _, a := range now.AttributeNames() {
		if _, had := old.Attributes[a]; !had {
			changes = append(changes, Change{Kind: "added", What: "label", Name: promname.Label(a) + " of " + now.Name, Detail: "its series begin anew"})
		}
	}
	if m.Kind == domain.KindHistogram && n.Kind == m.Kind {
		var gone []string
		for _, b := range m.Buckets {
			if !slices.Contains(n.Buckets, b) {
				gone = append(gone, number(b))
			}
		}
		if len(gone) > 0 {
			changes = append(changes, Change{
				Kind: "removed", What: "bounds", Name: few(gone) + " of " + old.Name, Breaks: []string{fmt.Sprintf("series %s_bucket{le=~%q}", m.Family, strings.Join(gone, "|"))},
				Fix: "quantiles over a time with both bounds are wrong: keep the bounds, or wait for the longest window",
			})
		}
	}
	return changes
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
