package telemetry

import (
	"fmt"
	"testing"
)

func TestSymbols(t *testing.T) {
	numbered := make([]string, 500)
	for i := range numbered {
		numbered[i] = fmt.Sprintf("r%03d", i)
	}
	for what, names := range map[string][]string{
		"none":          nil,
		"one":           {"web"},
		"few":           {"web", "movil", "tienda"},
		"like in bytes": {"aXcde", "aYcde", "aZcde"}, // length, first, middle and last are the same
		"with empty":    {"", "a"},
		"many":          numbered,
	} {
		t.Run(what, func(t *testing.T) {
			s := newSymbols(names)
			for i, name := range names {
				if got := s.find(name); got != i {
					t.Errorf("find(%q) = %d, want %d", name, got, i)
				}
			}
			for _, unknown := range []string{"wéb", "w", "r", "r0000", "aWcde", "abcZde"} {
				if got := s.find(unknown); got != len(names) {
					t.Errorf("find(%q) = %d, want %d for unknown", unknown, got, len(names))
				}
			}
		})
	}
	if s := newSymbols([]string{"aXcde", "aYcde"}); s.byMap == nil {
		t.Error("names that four bytes don't tell apart want a map")
	}
	if s := newSymbols(numbered[:50]); s.byMap != nil {
		t.Error("fifty names should fit without a map")
	}
}

func FuzzSymbols(f *testing.F) {
	f.Add("web", "movil", "tienda", "x")
	f.Fuzz(func(t *testing.T, a, b, c, x string) {
		names := []string{a}
		for _, name := range []string{b, c} {
			if name != a && name != names[len(names)-1] {
				names = append(names, name)
			}
		}
		s := newSymbols(names)
		want := len(names)
		for i, name := range names {
			if name == x {
				want = i
			}
			if got := s.find(name); got != i {
				t.Errorf("find(%q) = %d, want %d in %q", name, got, i, names)
			}
		}
		if got := s.find(x); got != want {
			t.Errorf("find(%q) = %d, want %d in %q", x, got, want, names)
		}
	})
}
