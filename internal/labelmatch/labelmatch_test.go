package labelmatch

import (
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestParse(t *testing.T) {
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
		got, err := Parse(text)
		testkit.Error(t, err, "")
		if got != want {
			t.Errorf("Parse(%q) = %v, want %v", text, got, want)
		}
	}
	for _, text := range []string{"=~(", "!~[a", "=~a{2000}", "=~)|(", `=~\8`} {
		_, err := Parse(text)
		testkit.Error(t, err, "is no regular expression")
	}
}

func TestMatcherIsAnchored(t *testing.T) {
	m, _ := Parse("=~web|movil")
	for value, want := range map[string]bool{"web": true, "movil": true, "web2": false, "xmovil": false} {
		if m.About()(value) != want {
			t.Errorf("%v about %q: want %v", m, value, want)
		}
	}
}
