package telemetry

import (
	"fmt"
	"strings"
	"testing"
)

func TestChanged(t *testing.T) {
	t.Parallel()
	tel := start(t)
	tel.Changed("cache", "off", "off") // how it starts
	scrape(t, tel).of("tienda_changes_total").wantOnly(t, series{`tienda_changes_total{change="cache"}`: 0})
	tel.Changed("cache", "off", "on")
	tel.Changed("cache", "on", "\xff"+strings.Repeat("x", 1<<20))
	wantTold(t, journalOf(tel), "a setting changed change=cache from=off to=on")
	for _, line := range journalOf(tel).told("a setting changed") {
		if len(line) > 1000 || strings.Contains(line, "\xff") {
			t.Errorf("%d bytes are logged: %.100q", len(line), line)
		}
	}
	scrape(t, tel).of("tienda_changes_total").wantOnly(t, series{`tienda_changes_total{change="cache"}`: 2})
}

func TestChangesAreBounded(t *testing.T) {
	t.Parallel()
	tel := start(t)
	tel.Changed("", "a", "b")
	for i := range 3 * maxChanges {
		tel.Changed(fmt.Sprint("flag", i), "a", "b")
	}
	wantTold(t, journalOf(tel), "too many settings change")
	got := scrape(t, tel).of("tienda_changes_total")
	sum := 0.0
	for _, n := range got {
		sum += n
	}
	if len(got) != maxChanges || sum != 3*maxChanges+1 { // other is one of them
		t.Errorf("%d series with %v changes", len(got), sum)
	}
}
