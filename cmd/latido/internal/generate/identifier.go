package generate

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"
)

// Identifiers makes Go names out of the domain's, each once.
type Identifiers map[string]bool

// Exported makes a name of the words of a text: "pedidos_procesados" becomes
// PedidosProcesados, "tienda 24h" Tienda24h. Letters of any script stay; what
// is neither letter nor digit separates words. A name that is taken gets a
// number.
func (ids Identifiers) Exported(text string) string {
	var b strings.Builder
	start := true
	for _, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if start {
				r = unicode.ToUpper(r)
			}
			b.WriteRune(r)
			start = false
		default:
			start = true
		}
	}
	name := b.String()
	if first := []rune(name + "_")[0]; !unicode.IsUpper(first) { // a digit, or a script without capitals
		name = "X" + name
	}
	return ids.free(name)
}

// Unexported is the same with a small letter in front.
func (ids Identifiers) Unexported(text string) string {
	name := []rune(Identifiers{}.Exported(text))
	name[0] = unicode.ToLower(name[0])
	return ids.free(string(name))
}

func (ids Identifiers) free(name string) string {
	candidate := name
	for n := 2; ids[candidate] || token.IsKeyword(candidate); n++ {
		candidate = fmt.Sprintf("%s%d", name, n)
	}
	ids[candidate] = true
	return candidate
}
