package telemetry

// maxScanned is up to how many names a scan is as fast as a map.
const maxScanned = 8

// nameIndex finds a string among those that are known beforehand: event names,
// and the values of an attribute.
type nameIndex struct {
	names  []string
	byName map[string]int // nil where a scan is as fast
}

func newNameIndex(names []string) nameIndex {
	x := nameIndex{names: names}
	if len(names) > maxScanned {
		x.byName = make(map[string]int, len(names))
		for i, name := range names {
			x.byName[name] = i
		}
	}
	return x
}

// len is the number of names.
func (x *nameIndex) len() int { return len(x.names) }

// find is the index of name, or len if it is unknown.
func (x *nameIndex) find(name string) int {
	if x.byName != nil {
		if i, ok := x.byName[name]; ok {
			return i
		}
		return len(x.names)
	}
	for i, known := range x.names {
		if known == name {
			return i
		}
	}
	return len(x.names)
}
