package generate

import (
	"go/token"
	"testing"
)

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	ids := Identifiers{}
	for _, c := range [][2]string{
		{"pedidos_procesados", "PedidosProcesados"}, {"tienda 24h", "Tienda24h"}, {"tienda-24h", "Tienda24h2"},
		{"24h", "X24h"}, {"é", "É"}, {"___", "X"}, {"", "X2"}, {"типа", "Типа"}, {"日本", "X日本"},
	} {
		if got := ids.Exported(c[0]); got != c[1] {
			t.Errorf("exported(%q) = %s, want %s", c[0], got, c[1])
		}
	}
	if got := ids.Unexported("func"); got != "func2" {
		t.Errorf("unexported(func) = %s, want func2", got)
	}
}

func FuzzIdentifiers(f *testing.F) {
	f.Add("tienda 24h", "tienda-24h")
	f.Fuzz(func(t *testing.T, a, b string) {
		ids := Identifiers{}
		seen := map[string]bool{}
		for _, text := range []string{a, b, a, b} {
			for _, name := range []string{ids.Exported(text), ids.Unexported(text)} {
				if !token.IsIdentifier(name) || seen[name] {
					t.Errorf("%q gives %q, which is no name or was given before", text, name)
				}
				seen[name] = true
			}
		}
	})
}
