package cause

import (
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// lockedTwice are those that have the lock that others wait for at a place, and
// wait for another: they are further in the function. There is one of them, as
// only one passes a lock; more would only come by a second time.
func (m *model) lockedTwice(place stacks.Frame) []activity {
	found := m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.wait.Kind == stacks.Lock {
			for _, f := range s.frames {
				if f.Function == place.Function {
					return f, f.Line > place.Line
				}
			}
		}
		return stacks.Frame{}, false
	})
	if n := held(found); n < 0.5 || n > mayPass {
		return nil
	}
	return found
}

// lockedWithin are those that wait for another type's lock in what a method of the
// type calls whose lock others wait for at a place: it has that one, or there would
// be many of them.
func (m *model) lockedWithin(place stacks.Frame) []activity {
	of := receiver(place.Function)
	if !strings.HasSuffix(of, ")") { // functions of a package may share no lock
		return nil
	}
	found := m.activities(func(s *sighting) (stacks.Frame, bool) {
		i := s.wait.Own
		if s.wait.Kind != stacks.Lock || i < 0 || receiver(s.frames[i].Function) == of {
			return stacks.Frame{}, false
		}
		outer := slices.IndexFunc(s.frames[i:], func(f stacks.Frame) bool { return receiver(f.Function) == of })
		if outer < 0 {
			return stacks.Frame{}, false
		}
		return s.frames[i+outer], true
	})
	if n := held(found); n < 0.5 || n > mayPass {
		return nil
	}
	return found
}

// lockedInTurn are those that wait for the last of several locks in the function of
// a place. Each has one that others there wait for: locks of one kind, as of
// accounts, that are not taken in one order.
func (m *model) lockedInTurn(place stacks.Frame) []activity {
	first, last := place.Line, place.Line
	waitsAt := func(s *sighting) (stacks.Frame, bool) {
		at, i := own(s.frames)
		return at, i >= 0 && s.wait.Kind == stacks.Lock && at.Function == place.Function
	}
	for i := range m.seen {
		if at, ok := waitsAt(&m.seen[i]); ok {
			first, last = min(first, at.Line), max(last, at.Line)
		}
	}
	if first == last {
		return nil
	}
	return m.activities(func(s *sighting) (stacks.Frame, bool) {
		at, ok := waitsAt(s)
		return at, ok && at.Line == last
	})
}

// mayPass is how many goroutines at a time can be past a lock, as it is measured.
const mayPass = 1.2

// crossed is the function that has the lock that another one waits for, which has
// its lock: a deadlock.
func (m *model) crossed(with activity) (other activity, ok bool) {
	tried := map[string]bool{with.function.Function: true}
	for _, s := range m.seen {
		at, i := own(s.frames)
		if s.wait.Kind != stacks.Lock || i < 0 || tried[at.Function] {
			continue
		}
		tried[at.Function] = true
		first := at // where most of them would stand
		for _, o := range m.seen {
			if f, _ := own(o.frames); o.wait.Kind == stacks.Lock && f.Function == at.Function && f.Line < first.Line {
				first = f
			}
		}
		for _, found := range [][]activity{m.lockedTwice(first), m.lockedWithin(first)} {
			if len(found) > 0 && found[0].after > other.after && found[0].function.Function != with.function.Function {
				other, ok = found[0], true
			}
		}
	}
	return other, ok
}
