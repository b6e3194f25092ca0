package stacks

import "testing"

// Type arguments hold paths, dots and brackets, and are nobody's name.
func TestNamesOfGenericFunctions(t *testing.T) {
	for function, want := range map[string][2]string{
		"main.main": {"main", "main.main"},
		"slices.SortFunc[go.shape.[]github.com/acme/shop.Order,go.shape.struct { ID [4]int }]": {"slices", "slices.SortFunc"},
		"slices.SortFunc[...].func1":                                     {"slices", "slices.SortFunc.func1"},
		"crypto/pbkdf2.Key[go.shape.interface { Sum([]uint8) []uint8 }]": {"crypto/pbkdf2", "pbkdf2.Key"},
		"github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire":    {"github.com/jackc/puddle/v2", "v2.(*Pool).acquire"},
		"github.com/acme/shop.Map[int,string]":                           {"github.com/acme/shop", "shop.Map"},
	} {
		if got := [2]string{Package(function), Short(function)}; got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
}
