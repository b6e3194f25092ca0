package domain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/labelmatch"
	"github.com/latido-dev/latido/internal/promname"
)

// maxFilter is how many bytes a filter may have: an expression that long is
// slow wherever it runs.
const maxFilter = 1024

// knownMethods are those of the HTTP standards, and what stands for others.
var knownMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "QUERY", MethodOther}

// knownStatuses are those that can be answered, and what stands for others.
var knownStatuses = func() []string {
	all := []string{MethodOther}
	for code := 100; code < 600; code++ {
		all = append(all, fmt.Sprint(code))
	}
	return all
}()

// labelValues lists what a label of a metric may be, or nil if that is open.
func (v *validator) labelValues(m Metric, label string) []string {
	if m.Event != nil {
		for name, values := range m.Event.Attributes {
			if promname.Label(name) == label {
				return append([]string{Other}, values...)
			}
		}
		return nil
	}
	switch label {
	case "method":
		return knownMethods
	case "status":
		if m.Key == "client_requests" {
			return clientStatuses
		}
		return knownStatuses
	case "peer":
		if len(v.d.Peers) > 0 {
			return append([]string{Other}, v.d.Peers...)
		}
	case "error_type":
		all := append([]string{Other}, builtinErrors...)
		if m.Key == "function_calls" {
			all = append(all, "") // a call that succeeded
		}
		return append(all, v.d.Errors...)
	case "event":
		return v.d.costed()
	}
	return nil
}

// where checks filters against the labels that a metric has. share tells that
// what they keep is divided by all.
func (v *validator) where(path string, where map[string]string, m Metric, share bool) {
	if len(where) > maxAttributes {
		v.add(path, "%d filters, at most %d", len(where), maxAttributes)
		return
	}
	for _, label := range sortedNames(where) {
		at := key(path, label)
		if v.label(at, label, m) {
			v.matcher(at, label, where[label], m, share && len(where) == 1)
		}
	}
}

// label checks that a metric has a label, and reports whether.
func (v *validator) label(path, label string, m Metric) bool {
	labels := m.labels()
	switch {
	case slices.Contains(labels, label):
		return true
	case len(labels) == 0:
		v.add(path, "%s has no labels", m.Key)
	default:
		v.add(path, "%s has no label %q%s", m.Key, label, meantOr(label, labels, "its labels are"))
	}
	return false
}

// matcher checks one filter. One that no value can ever meet would keep an
// alert silent for ever, and so would a share of all in all: share tells that
// the filter says what of all is counted.
func (v *validator) matcher(path, label, text string, m Metric, share bool) {
	switch {
	case len(text) > maxText: // has an error already
		return
	case len(text) > maxFilter:
		v.add(path, "is too long, %d of at most %d bytes", len(text), maxFilter)
		return
	}
	match, err := labelmatch.Parse(text)
	if err != nil {
		v.check(path, err)
		return
	}
	known := v.labelValues(m, label)
	if known == nil { // open, or without any, of which onMetric tells
		return
	}
	if slices.ContainsFunc(known, match.About()) {
		kept := match.Keeps()
		if !slices.ContainsFunc(known, kept) {
			v.add(path, "keeps no value of %s: the values are %s", label, list(known))
		} else if share && !slices.ContainsFunc(known, func(value string) bool { return !kept(value) }) {
			v.add(path, "keeps every value of %s, so that the share of all is always 100 %%: leave some out", label)
		}
		return
	}
	switch {
	case match.IsRegexp():
		v.add(path, "no value of %s matches %q: the values are %s", label, match.Value, list(known))
	case label == "status" && len(match.Value) == 3 && strings.HasSuffix(strings.ToLower(match.Value), "xx"):
		op := map[string]string{"=": "=~", "!=": "!~"}[match.Op]
		if strings.HasSuffix(path, ".good.status") && match.Value[0] >= '4' {
			op = "!~" // nobody means that errors are the good ones
		}
		v.add(path, "unknown value %q of status (did you mean %q?)", match.Value, op+match.Value[:1]+"..")
	case label == "status":
		v.add(path, `unknown value %q of status: write a code such as "500", or "=~5.." for all that start with 5`, match.Value)
	default:
		v.add(path, "unknown value %q of %s%s", match.Value, label, meantOr(match.Value, known, "the values are"))
	}
}

// labels are the metric's attributes as Prometheus calls them.
func (m Metric) labels() []string {
	labels := make([]string, len(m.Attributes))
	for i, a := range m.Attributes {
		labels[i] = promname.Label(a)
	}
	return labels
}
