package domain

import (
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestParseMatcher(t *testing.T) {
	for text, want := range map[string]Matcher{
		"web":      {"=", "web"},
		"":         {"=", ""},
		"=web":     {"=", "web"},
		"!=web":    {"!=", "web"},
		"!=":       {"!=", ""},
		"=~5..":    {"=~", "5.."},
		"!~ 5..":   {"!~", "5.."},
		"==~tilde": {"=", "=~tilde"}, // a value that looks like an operator
		"a=~b":     {"=", "a=~b"},
	} {
		got, err := ParseMatcher(text)
		testkit.Error(t, err, "")
		if got != want {
			t.Errorf("ParseMatcher(%q) = %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"=~(", "!~[a", "=~a{2000}", "=~)|(", `=~\8`} {
		_, err := ParseMatcher(text)
		testkit.Error(t, err, "is no regular expression")
	}
}

func TestMatcherIsAnchored(t *testing.T) {
	m, _ := ParseMatcher("=~web|movil")
	for value, want := range map[string]bool{"web": true, "movil": true, "web2": false, "xmovil": false} {
		if m.names()(value) != want {
			t.Errorf("%v about %q: want %v", m, value, want)
		}
	}
}
