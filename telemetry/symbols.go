package telemetry

import (
	"math/bits"
	"slices"
)

// symbols finds a string among few that are known beforehand: event names, and
// the values of an attribute. It hashes four bytes (the length, the first, the
// middle and the last one) with a multiplier for which no two of the known
// strings meet, and so needs one comparison; a map, which hashes it all, takes
// three times as long. Where four bytes don't tell the strings apart, it is a
// map.
type symbols struct {
	names []string // and "" at the end, which free slots refer to
	slots []uint16 // index into names
	mul   uint32
	shift uint8
	byMap map[string]int // nil where the slots do
}

func newSymbols(names []string) symbols {
	s := symbols{names: append(slices.Clone(names), "")}
	if s.fit() {
		return s
	}
	s.slots, s.shift = []uint16{uint16(len(names))}, 32
	s.byMap = make(map[string]int, len(names))
	for i, name := range names {
		s.byMap[name] = i
	}
	return s
}

// len is the number of names.
func (s *symbols) len() int { return max(len(s.names)-1, 0) }

// fit looks for a multiplier without a collision, in tables of two to sixteen
// slots a name.
func (s *symbols) fit() bool {
	n := s.len()
	for width := bits.Len(uint(2 * n)); width <= bits.Len(uint(16*n)) && width <= 16; width++ {
		s.shift = uint8(32 - width)
		s.slots = make([]uint16, 1<<width)
		s.mul = 0x9E3779B1 // the golden ratio's
		for range 200 {
			if s.fill() {
				return true
			}
			s.mul = s.mul*0x2C1B3C6D | 1
		}
	}
	return false
}

func (s *symbols) fill() bool {
	free := uint16(s.len())
	for i := range s.slots {
		s.slots[i] = free
	}
	for i, name := range s.names[:free] {
		if name == "" {
			return false
		}
		slot := &s.slots[digest(name)*s.mul>>s.shift]
		if *slot != free {
			return false
		}
		*slot = uint16(i)
	}
	return true
}

func digest(s string) uint32 {
	n := len(s)
	return uint32(n) | uint32(s[0])<<8 | uint32(s[n/2])<<16 | uint32(s[n-1])<<24
}

// find is the index of name, or len if it is unknown.
func (s *symbols) find(name string) int {
	if len(name) > 0 && len(s.slots) > 0 {
		if i := s.slots[digest(name)*s.mul>>s.shift]; s.names[i] == name {
			return int(i)
		}
	}
	return s.findSlowly(name)
}

func (s *symbols) findSlowly(name string) int {
	if i, ok := s.byMap[name]; ok {
		return i
	}
	return s.len()
}
