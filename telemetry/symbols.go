package telemetry

import "math/bits"

// symbols finds a string among few that are known beforehand: event names, and
// the values of an attribute. It hashes four bytes (the length, the first, the
// middle and the last one) with a multiplier for which no two of the known
// strings meet, and so needs one comparison; a map, which hashes it all, takes
// three times as long. Where four bytes don't tell the strings apart, it is a
// map.
type symbols struct {
	names []string
	slots []uint16 // index into names, or len(names)
	mul   uint32
	shift uint8
	byMap map[string]int // instead of slots
}

func newSymbols(names []string) symbols {
	s := symbols{names: names}
	if s.fit() {
		return s
	}
	s.byMap = make(map[string]int, len(names))
	for i, name := range names {
		s.byMap[name] = i
	}
	return s
}

// fit looks for a multiplier without a collision, in tables of two to sixteen
// slots a name.
func (s *symbols) fit() bool {
	n := len(s.names)
	for width := bits.Len(uint(2*n)) | 1; width <= bits.Len(uint(16*n)) && width <= 16; width++ {
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
	free := uint16(len(s.names))
	for i := range s.slots {
		s.slots[i] = free
	}
	for i, name := range s.names {
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

// find is the index of name, or the number of names if it is unknown.
func (s *symbols) find(name string) int {
	if s.byMap != nil {
		if i, ok := s.byMap[name]; ok {
			return i
		}
		return len(s.names)
	}
	if name == "" || len(s.slots) == 0 {
		return len(s.names)
	}
	i := int(s.slots[digest(name)*s.mul>>s.shift])
	if i < len(s.names) && s.names[i] == name {
		return i
	}
	return len(s.names)
}
