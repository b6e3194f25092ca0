package alerting

import (
	"maps"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
	"github.com/latido-dev/latido/internal/promname"
)

// examples make up the labels of a series that the question is about, and of
// one that only the other side of its ratio counts. found is false if no value
// could be thought of that its filters let through.
func (q question) examples(d domain.Domain) (match, other map[string]string, found bool) {
	match = map[string]string{}
	for _, attribute := range q.metric.Attributes {
		label := promname.Label(attribute)
		value, ok := example(d, q.metric, label, q.where[label])
		if !ok {
			return nil, nil, false
		}
		match[label] = value
	}
	if q.stat != domain.StatRatio {
		return match, nil, true
	}
	kept := q.subject()
	for _, label := range slices.Sorted(maps.Keys(q.where)) {
		if _, both := kept[label]; both {
			continue
		}
		if value, ok := example(d, q.metric, label, negated(q.where[label])); ok {
			return match, with(match, label, value), true
		}
	}
	return nil, nil, false
}

// example is a value of a label that a filter lets through; an empty filter
// lets everything through.
func example(d domain.Domain, m domain.Metric, label, filter string) (string, bool) {
	candidates, open := candidates(d, m, label)
	if filter == "" {
		return candidates[0], true
	}
	matcher, err := labelmatch.Parse(filter)
	if err != nil { // a valid domain has none
		return "", false
	}
	if matcher.Op == "=" {
		return matcher.Value, true
	}
	if tree, err := syntax.Parse(matcher.Value, syntax.Perl); open && matcher.IsRegexp() && err == nil {
		candidates = append([]string{written(tree.Simplify())}, candidates...)
	}
	i := slices.IndexFunc(candidates, matcher.Keeps())
	if i < 0 {
		return "", false
	}
	return candidates[i], true
}

// lets tells whether a filter lets a value through; an empty one lets all.
func lets(filter, value string) bool {
	if filter == "" {
		return true
	}
	m, err := labelmatch.Parse(filter)
	return err == nil && m.Keeps()(value)
}

// candidates are values that a label may have, and whether it may have others.
func candidates(d domain.Domain, m domain.Metric, label string) (values []string, open bool) {
	if m.Event != nil {
		for name, values := range m.Event.Attributes {
			if promname.Label(name) == label {
				return append(slices.Clone(values), domain.Other), false
			}
		}
	}
	switch label {
	case "method":
		return []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "QUERY", domain.MethodOther}, false
	case "status":
		values = []string{"200", "500", "404"}
		for code := 100; code < 600; code++ {
			values = append(values, strconv.Itoa(code))
		}
		return append(values, domain.MethodOther), false
	case "error_type":
		values = append(append([]string{"internal"}, domain.BuiltinErrors()...), d.Errors...)
		if m.Key == "function_calls" { // one that succeeded
			values = append([]string{""}, values...)
		}
		return append(values, domain.Other), false
	case "endpoint":
		return []string{"/" + d.Entity, "/x"}, true
	}
	return []string{"x", "y"}, true
}

// written is a text that matches an expression, as short as it gets; without
// what an expression asks of the text around.
func written(e *syntax.Regexp) string {
	var b strings.Builder
	switch e.Op {
	case syntax.OpLiteral:
		b.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		if len(e.Rune) > 0 {
			b.WriteRune(e.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpConcat, syntax.OpCapture, syntax.OpPlus:
		for _, sub := range e.Sub {
			b.WriteString(written(sub))
		}
	case syntax.OpAlternate:
		b.WriteString(written(e.Sub[0]))
	case syntax.OpRepeat:
		b.WriteString(strings.Repeat(written(e.Sub[0]), e.Min))
	}
	return b.String()
}
