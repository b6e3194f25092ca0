package telemetry

import (
	"regexp"
	"strings"
	"testing"

	"github.com/shirou/gopsutil/v4/cpu"
	"go.opentelemetry.io/otel/attribute"
)

// TestPlainAttributes: an attribute of another library stays if its name is one of
// Prometheus' with dots, and its value is short and a text, a number or a truth.
func TestPlainAttributes(t *testing.T) {
	t.Parallel()
	plain := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._]*$`)
	for c := range rune(128) {
		for _, key := range []string{string(c), "a" + string(c), "a" + string(c) + "b"} {
			if got, want := isPlain(attribute.String(key, "x")), plain.MatchString(key); got != want {
				t.Errorf("%q: %v, want %v", key, got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		of   attribute.KeyValue
		want bool
	}{
		"nothing":   {attribute.String("", "x"), false},
		"le":        {attribute.String("le", "1"), false},
		"quantile":  {attribute.Float64("quantile", 0.5), false},
		"bool":      {attribute.Bool("a", true), true},
		"int":       {attribute.Int("a", 1), true},
		"float":     {attribute.Float64("a", 1), true},
		"list":      {attribute.StringSlice("a", []string{"b"}), false},
		"longest":   {attribute.String("a", strings.Repeat("x", maxForeignValue)), true},
		"longer":    {attribute.String("a", strings.Repeat("x", maxForeignValue+1)), false},
		"no UTF-8":  {attribute.String("a", "\xff"), false},
		"any UTF-8": {attribute.String("a", "ñ"), true},
	} {
		if got := isPlain(c.of); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestInUse: all that cores do is use but to wait for a disk, or for work.
func TestInUse(t *testing.T) {
	t.Parallel()
	busy, total := inUse(cpu.TimesStat{User: 1, System: 2, Nice: 4, Idle: 8, Iowait: 16, Irq: 32, Softirq: 64, Steal: 128, Guest: 1, GuestNice: 4})
	if busy != 231 || total != 255 {
		t.Errorf("%v of %v, want 231 of 255", busy, total)
	}
}
