package load

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Mix says how often each action is chosen, relative to the others.
type Mix map[string]int

// DefaultMix is that of a shop: most look, some buy, few need the expensive
// endpoints. "perdido" asks for paths that do not exist.
func DefaultMix() Mix {
	return Mix{
		"ver": 28, "listar": 10, "crear": 20, "cambiar": 6, "cancelar": 3, "carrito": 10,
		"reporte": 4, "proveedor": 5, "catalogo": 4, "pagos": 6, "salud": 2, "perdido": 2,
	}
}

// ParseMix reads a mix as a flag has it: "crear=20,ver=40". Actions that are
// not named are never chosen.
func ParseMix(text string) (Mix, error) {
	mix := Mix{}
	total := 0
	for part := range strings.SplitSeq(text, ",") {
		name, number, ok := strings.Cut(strings.TrimSpace(part), "=")
		weight, err := strconv.Atoi(number)
		if !ok || err != nil || weight < 0 || weight > 1000 {
			return nil, fmt.Errorf("%q: write name=weight with a weight from 0 to 1000, as in crear=20", part)
		}
		if _, known := actions[name]; !known {
			return nil, fmt.Errorf("%q: no such action; there are %s", name, strings.Join(DefaultMix().names(), ", "))
		}
		mix[name] = weight
		total += weight
	}
	if total == 0 {
		return nil, fmt.Errorf("%q: no action has a weight: leave it out, or use -load=false for no traffic", text)
	}
	return mix, nil
}

// String writes the mix as ParseMix reads it.
func (m Mix) String() string {
	parts := make([]string, 0, len(m))
	for _, name := range m.names() {
		parts = append(parts, fmt.Sprintf("%s=%d", name, m[name]))
	}
	return strings.Join(parts, ",")
}

// names are the actions, those with the highest weight first.
func (m Mix) names() []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
}

// chooser picks actions as a mix has them.
type chooser struct {
	names []string
	upTo  []int // the sum of the weights up to and with this one
}

func newChooser(m Mix) chooser {
	c := chooser{names: m.names()}
	sum := 0
	for _, name := range c.names {
		sum += m[name]
		c.upTo = append(c.upTo, sum)
	}
	return c
}

func (c chooser) pick() string {
	n := rand.IntN(c.upTo[len(c.upTo)-1])
	i, _ := slices.BinarySearch(c.upTo, n+1)
	return c.names[i]
}
