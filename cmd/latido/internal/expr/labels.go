package expr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// labelSet is what is known of the labels of all series of a result.
type labelSet struct {
	has    map[string]string // labels that each series has, with the one value, "" for any
	maybe  map[string]bool   // labels that some may have
	closed bool              // there are no others
	own    bool              // there are no others of those that the domain's metrics have
}

// lacks tells whether no series has a label.
func (s labelSet) lacks(label string, x *reading) bool {
	_, has := s.has[label]
	return !has && !s.maybe[label] && (s.closed || s.own && x.labels[label])
}

// without is the set less some labels.
func (s labelSet) without(names ...string) labelSet {
	s.has, s.maybe = maps.Clone(s.has), maps.Clone(s.maybe)
	for _, name := range names {
		delete(s.has, name)
		delete(s.maybe, name)
	}
	return s
}

// only is the set with no labels but some.
func (s labelSet) only(names []string, x *reading) labelSet {
	kept := labelSet{has: map[string]string{}, maybe: map[string]bool{}, closed: true}
	for _, name := range names {
		if value, ok := s.has[name]; ok {
			kept.has[name] = value
		} else if !s.lacks(name, x) {
			kept.maybe[name] = true
		}
	}
	return kept
}

// with is the set where some labels may be too.
func (s labelSet) with(names ...string) labelSet {
	s.has, s.maybe = maps.Clone(s.has), maps.Clone(s.maybe)
	if s.maybe == nil {
		s.maybe = map[string]bool{}
	}
	for _, name := range names {
		delete(s.has, name)
		s.maybe[name] = true
	}
	return s
}

// either are the labels of two results together.
func either(a, b labelSet) labelSet {
	both := labelSet{has: map[string]string{}, maybe: map[string]bool{}, closed: a.closed && b.closed, own: (a.own || a.closed) && (b.own || b.closed)}
	for _, s := range []labelSet{a, b} {
		for name := range s.maybe {
			both.maybe[name] = true
		}
		for name := range s.has {
			both.maybe[name] = true
		}
	}
	for name, value := range a.has {
		if other, ok := b.has[name]; ok {
			delete(both.maybe, name)
			if both.has[name] = value; other != value {
				both.has[name] = ""
			}
		}
	}
	return both
}

// selected are the labels of a selector: of ours, those of the contract and those
// that the server gives.
func (x *reading) selected(e *parser.VectorSelector) labelSet {
	s := labelSet{has: map[string]string{}, maybe: map[string]bool{}}
	m, ours := x.metrics[e.Name]
	if ours {
		s.own = true
		s.has["job"], s.has["instance"] = "", ""
		for _, a := range m.Attributes {
			s.has[promname.Label(a)] = ""
		}
		if strings.HasSuffix(e.Name, "_bucket") && m.Kind == domain.KindHistogram {
			s.has[model.BucketLabel] = ""
		}
		if m.Key == "function_calls" { // empty, and so no label, for a call that succeeded
			s = s.with("error_type")
		}
	}
	for _, match := range e.LabelMatchers {
		switch {
		case match.Name == model.MetricNameLabel:
			continue
		case match.Type == labels.MatchEqual && match.Value == "":
			s = s.without(match.Name)
		case match.Type == labels.MatchEqual:
			s.has[match.Name] = match.Value
		}
		if ours && !match.Matches("") {
			x.filter(e, m, match)
		}
	}
	x.contradiction(e, m)
	return s
}

// contradiction finds filters of one label that no value passes all of.
func (x *reading) contradiction(e *parser.VectorSelector, m domain.Metric) {
	all := map[string][]*labels.Matcher{}
	for _, match := range e.LabelMatchers {
		if match.Name != model.MetricNameLabel {
			all[match.Name] = append(all[match.Name], match)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var values []string
		if m.Event != nil {
			for attribute, each := range m.Event.Attributes {
				if promname.Label(attribute) == name {
					values = append(slices.Clone(each), domain.Other)
				}
			}
		}
		for _, match := range all[name] {
			if match.Type == labels.MatchEqual {
				values = []string{match.Value}
			}
		}
		passes := func(value string) bool {
			return !slices.ContainsFunc(all[name], func(m *labels.Matcher) bool { return !m.Matches(value) })
		}
		if len(values) == 0 || slices.ContainsFunc(values, passes) || len(all[name]) == 1 && !passes("") {
			continue // or the filter alone is told of already
		}
		x.add(e, "no value of %s passes the filters %s, so this would never be true", name, joined(all[name]))
	}
}

func joined(all []*labels.Matcher) string {
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// filter checks one filter of a metric of ours, as where is checked.
func (x *reading) filter(e *parser.VectorSelector, m domain.Metric, match *labels.Matcher) {
	names := make([]string, len(m.Attributes))
	for i, a := range m.Attributes {
		names[i] = promname.Label(a)
	}
	if !slices.Contains(names, match.Name) {
		if match.Name == "job" || match.Name == "instance" || match.Name == model.BucketLabel {
			return
		}
		if near := spelling.Nearest(match.Name, names); near != "" {
			x.add(e, "%s has no label %s, so this would never be true (did you mean %s?)", e.Name, match.Name, near)
		} else if x.labels[match.Name] {
			x.add(e, "%s has no label %s, so this would never be true: leave the filter out, or ask for another metric", e.Name, match.Name)
		}
		return
	}
	filter := match.Type.String() + match.Value
	if match.Type == labels.MatchEqual {
		filter = match.Value
	}
	one, limit := x.Domain, domain.Quantity(1e6)
	one.Thresholds = []domain.Threshold{{Name: "x", Metric: m.Key, Stat: m.Kind.Stats()[0], Where: map[string]string{match.Name: filter}, Above: &limit}}
	if m.Event != nil {
		one.Thresholds[0].Metric, one.Thresholds[0].Event = "", m.Key
	}
	if wrong, ok := errors.AsType[domain.Errors](one.Validate()); ok {
		for _, w := range wrong {
			if strings.HasPrefix(w.Path, "thresholds[0].where") {
				x.add(e, "%s, so this would never be true", w.Message)
			}
		}
	}
}

// match says why two sides never have the same labels.
func (x *reading) match(e *parser.BinaryExpr, l, r labelSet) {
	m := e.VectorMatching
	var shared []string
	for _, label := range slices.Sorted(maps.Keys(l.has)) {
		if _, both := r.has[label]; both {
			shared = append(shared, label)
		}
	}
	never := "so the sides of " + e.Op.String() + " never match"
	if e.Op == parser.LUNLESS {
		never = "so unless leaves nothing out"
	}
	all := map[string]bool{}
	for _, s := range []labelSet{l, r} {
		for label := range s.has {
			all[label] = true
		}
	}
	for _, label := range m.MatchingLabels {
		if m.On && l.lacks(label, x) && r.lacks(label, x) {
			x.add(e, "neither side of %s has the label %s that on names", e.Op, label)
			return
		}
		all[label] = true
	}
	for _, label := range slices.Sorted(maps.Keys(all)) {
		if slices.Contains(m.MatchingLabels, label) != m.On {
			continue
		}
		one, left := l.has[label]
		two, right := r.has[label]
		switch {
		case left && r.lacks(label, x):
			x.add(e, "the left side has the label %s and the right one has not, %s: %s", label, never, onOnly(e.Op, shared, label, l, r))
		case right && l.lacks(label, x):
			x.add(e, "the right side has the label %s and the left one has not, %s: %s", label, never, onOnly(e.Op, shared, label, l, r))
		case left && right && one != "" && two != "" && one != two:
			x.add(e, "the label %s is %q on the left side and %q on the right one, %s: write %s ignoring (%s)", label, one, two, never, e.Op, label)
		default:
			continue
		}
		return
	}
}

// onOnly says what to write instead.
func onOnly(op parser.ItemType, shared []string, label string, l, r labelSet) string {
	for _, s := range []labelSet{l, r} {
		if s.closed && len(s.has)+len(s.maybe) == 0 && op.IsSetOperator() {
			return fmt.Sprintf("write %s on ()", op)
		}
	}
	if shared = slices.DeleteFunc(shared, func(s string) bool { return s == label }); len(shared) == 0 {
		return "aggregate both sides by the same labels"
	}
	return fmt.Sprintf("write %s on (%s), or aggregate both sides by the same labels", op, strings.Join(shared, ", "))
}
