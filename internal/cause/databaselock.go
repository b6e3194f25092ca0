package cause

import (
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// lockedBy says who has the lock of the database that others wait for, and where
// that is.
func (m *model) lockedBy() (text string, at stacks.Frame, ok bool) {
	w := m.w
	if h, ok := m.locksDatabase(); ok {
		return w.Say("%s, which meanwhile %s", "%s, que mientras tanto %s", where(h.function), w.does(&h)), h.function, true
	}
	if by, at, ok := m.leftOpen(); ok {
		return w.Say("a transaction that %s left open in %s", "una transacción que %s dejaron abierta en %s", w.requestsTo(by), where(at)), at, true
	}
	return "", at, false
}

// locksDatabase is who keeps a transaction open while others wait for the lock of
// the database: one that uses it, and is now seen to do something else there.
func (m *model) locksDatabase() (h activity, ok bool) {
	users := m.databaseUsers()
	for _, a := range m.activities(func(s *sighting) (stacks.Frame, bool) {
		at, i := own(s.frames)
		if s.wait.Kind == stacks.Pool || isDatabase(through(s.frames, i)) {
			return at, false
		}
		at = keeper(s.frames, i, users)
		return at, users[at.Function]
	}) {
		if g := a.growth(); g > max(0.3, 0.5*a.before) && g > h.growth() {
			h, ok = a, true
		}
	}
	return h, ok
}

// leftOpen is whose requests left a transaction behind: there are more of them
// than requests that work in one.
func (m *model) leftOpen() (by string, at stacks.Frame, ok bool) {
	left := map[string]both{}
	for _, s := range m.goroutines() {
		for _, f := range s.frames {
			if s.startedBy != "" && f.Function == "database/sql.(*Tx).awaitDone" {
				left[s.startedBy] = left[s.startedBy].plus(s.both)
			}
		}
	}
	for _, s := range m.seen {
		if slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return strings.HasPrefix(f.Function, "database/sql.(*Tx).") }) {
			left[s.endpoint] = left[s.endpoint].plus(both{-s.before, -s.after})
		}
	}
	most := 0.0
	for name, b := range inOrder(left) {
		if g := b.after - max(b.before, 0); g > most {
			most, by = g, name
		}
	}
	if most < oneLeft {
		return "", at, false
	}
	at, ok = m.opener(by)
	return by, at, ok
}

// oneLeft is one that was left behind, as it is measured.
const oneLeft = 0.7
