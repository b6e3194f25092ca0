// Package labelmatch reads the filters of the domain file: which series of a metric
// a rule is about.
package labelmatch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Matcher keeps the series whose label has, or has not, a value.
type Matcher struct {
	// Op is PromQL's: "=", "!=", "=~" or "!~".
	Op string
	// Value is a value, or after "=~" and "!~" a regular expression (RE2)
	// that the whole value matches.
	Value string
}

// Parse reads the text of the domain file's Threshold.Where, SLO.Where and Good.Status:
// a value, or a value or regular expression after one of the operators. It
// returns an error for an expression that does not compile.
func Parse(text string) (Matcher, error) {
	m := Matcher{"=", text}
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if value, ok := strings.CutPrefix(text, op); ok {
			m = Matcher{op, strings.TrimSpace(value)}
			break
		}
	}
	if m.IsRegexp() {
		if _, err := m.compile(); err != nil {
			return Matcher{}, fmt.Errorf("%q is no regular expression: %w", m.Value, err)
		}
	}
	return m, nil
}

// PromQL writes the filters of a valid domain in PromQL, in the order of their
// labels: status=~"5..".
func PromQL(where map[string]string) []string {
	var all []string
	for _, label := range slices.Sorted(maps.Keys(where)) {
		m, _ := Parse(where[label])
		all = append(all, label+m.Op+Quote(m.Value))
	}
	return all
}

// Quote writes a string of PromQL. Its parser takes U+FFFD, which stands for what
// was no UTF-8 in labels' values, for a mistake unless it is escaped.
func Quote(text string) string {
	return strings.ReplaceAll(strconv.Quote(text), "\uFFFD", `\ufffd`)
}

// IsRegexp tells whether Value is a regular expression.
func (m Matcher) IsRegexp() bool { return strings.HasSuffix(m.Op, "~") }

// compile anchors the expression as Prometheus does.
func (m Matcher) compile() (*regexp.Regexp, error) {
	if _, err := regexp.Compile(m.Value); err != nil { // tells of the expression as the user wrote it
		return nil, err
	}
	return regexp.Compile(`^(?s:` + m.Value + `)$`)
}

// Keeps tells of a value of the label whether the matcher keeps its series.
func (m Matcher) Keeps() func(value string) bool {
	about, keeps := m.About(), !strings.HasPrefix(m.Op, "!")
	return func(value string) bool { return about(value) == keeps }
}

// About tells of a value of the label whether the matcher's own value or
// expression, whichever way it is used, is about it.
func (m Matcher) About() func(value string) bool {
	if !m.IsRegexp() {
		return func(value string) bool { return m.Value == value }
	}
	re, err := m.compile()
	if err != nil { // Parse refuses it
		return func(string) bool { return false }
	}
	return re.MatchString
}
