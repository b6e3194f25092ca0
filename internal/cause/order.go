package cause

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// inOrder are the entries of a map by their keys. What is told does not depend on
// chance: which is first of those that are equal, and the last bit of a sum. A loop
// that asks for neither reads the map itself.
func inOrder[K cmp.Ordered, V any](m map[K]V) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// byKey are values by a key, in the order in which the keys came.
type byKey[K comparable, V any] struct {
	at   map[K]int
	list []V
}

// of is the value of a key, to be changed before another one is asked for; first is
// that of a new key.
func (b *byKey[K, V]) of(k K, first V) *V {
	i, known := b.at[k]
	if !known {
		if b.at == nil {
			b.at = map[K]int{}
		}
		i = len(b.list)
		b.at[k], b.list = i, append(b.list, first)
	}
	return &b.list[i]
}
