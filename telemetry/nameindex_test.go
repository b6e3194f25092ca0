package telemetry

import (
	"fmt"
	"testing"
)

func TestNameIndex(t *testing.T) {
	numbered := make([]string, 500)
	for i := range numbered {
		numbered[i] = fmt.Sprintf("r%03d", i)
	}
	for what, names := range map[string][]string{
		"none":       nil,
		"one":        {"web"},
		"few":        {"web", "movil", "tienda"},
		"with empty": {"", "a"},
		"many":       numbered,
	} {
		t.Run(what, func(t *testing.T) {
			x := newNameIndex(names)
			for i, name := range names {
				if got := x.find(name); got != i {
					t.Errorf("find(%q) = %d, want %d", name, got, i)
				}
			}
			for _, unknown := range []string{"wéb", "w", "r", "r0000", "aWcde", "abcZde"} {
				if got := x.find(unknown); got != len(names) {
					t.Errorf("find(%q) = %d, want %d for unknown", unknown, got, len(names))
				}
			}
		})
	}
}
