package continuous

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// TestEveryLetterOfALabel: a name of whatever letters becomes one that Pyroscope
// takes, and one that it takes stays.
func TestEveryLetterOfALabel(t *testing.T) {
	taken := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	for r := range rune(256) {
		for _, name := range []string{string(r), "a" + string(r), string(r) + "a"} {
			got := labelName(name)
			if !taken.MatchString(got) || taken.MatchString(name) && got != name {
				t.Errorf("%q became %q", name, got)
			}
		}
	}
}

// TestLongestValue: a value of as many bytes as Pyroscope takes stays as it is.
func TestLongestValue(t *testing.T) {
	for length, changed := range map[int]bool{maxLabelValue: false, maxLabelValue + 1: true} {
		s := &profile.Sample{Label: map[string][]string{"endpoint": {strings.Repeat("a", length)}}}
		if got := cleanLabels(s); got != changed || len(s.Label["endpoint"][0]) != maxLabelValue {
			t.Errorf("of %d bytes: changed %v to %d", length, got, len(s.Label["endpoint"][0]))
		}
	}
}
