package evidence

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// TestClean: a text from elsewhere is one line of at most 500 bytes, and a cut can be
// seen.
func TestClean(t *testing.T) {
	long := strings.Repeat("x", maxText-1)
	for text, want := range map[string]string{
		"a b":                 "a b",
		"a\nb\x1f\x7f\u2028c": "a b   c",
		"a\xffb":              "a\uFFFDb",
		long + "y":            long + "y",
		long + "yz":           long + "y…",
		long + "ñ":            long + "…",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestOnce: each kind of problem is told of once, and a hundred kinds are.
func TestOnce(t *testing.T) {
	r := &Recorder{cfg: Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, said: map[string]bool{}}
	told := 0
	for range 2 {
		for i := range 101 {
			r.once(fmt.Sprint(i), func(*slog.Logger) { told++ })
		}
	}
	if told != 100 {
		t.Errorf("told %d times", told)
	}
}

// TestWrongConfig: a bound below zero is refused, each by itself; zero is the default.
func TestWrongConfig(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		wrong bool
	}{
		"none": {Config{}, false}, "Timeout": {Config{Timeout: -1}, true}, "MaxIncidents": {Config{MaxIncidents: -1}, true}, "MaxBytes": {Config{MaxBytes: -1}, true},
	} {
		got, err := c.cfg.withDefaults()
		if (err != nil) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
		if !c.wrong && (got.Timeout != DefaultTimeout || got.MaxIncidents != 100 || got.MaxBytes != 32<<20) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
