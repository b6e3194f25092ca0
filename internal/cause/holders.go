package cause

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// receiver is the type that a method is of, with its package, or else the
// package: who may share a lock.
func receiver(function string) string {
	pkg := stacks.Package(function)
	rest := strings.TrimPrefix(function[len(pkg):], ".")
	if strings.HasPrefix(rest, "(") {
		if i := strings.IndexByte(rest, ')'); i > 0 {
			return pkg + "." + rest[:i+1]
		}
	}
	return pkg
}

// contended are the own functions that gave contended locks back, by the seconds
// that others had waited: the growth since the time before.
func (m *model) contended() map[string]float64 {
	waited := map[string]float64{}
	for s, value := range m.in.Profiles.Mutex.samples("delay") {
		if f, ok := gaveBack(s.frames); ok {
			waited[f.Function] += value.growth()
		}
	}
	return waited
}

// lockHolders are those that hold the lock of a claim, and what they do
// meanwhile.
func (m *model) lockHolders(c claim) []activity {
	waited := m.contended()
	most, holder := 0.0, ""
	all := 0.0
	for function, seconds := range inOrder(waited) {
		if seconds <= 0 {
			continue
		}
		all += seconds
		weight := seconds
		if receiver(function) == receiver(c.at.Function) {
			weight *= 3 // methods of one type share its locks
		}
		if weight > most {
			most, holder = weight, function
		}
	}
	if most < leastGivenBack*c.growth() {
		holder = "" // others wait for what it gave back
	}
	on := func(s *sighting, is func(string) bool) (stacks.Frame, bool) {
		if s.wait.Kind == stacks.Lock {
			return stacks.Frame{}, false
		}
		for _, f := range s.frames {
			if is(f.Function) && stacks.Owner(f.Function) == stacks.Own {
				return f, true
			}
		}
		return stacks.Frame{}, false
	}
	nested := m.lockedTwice(c.at)
	if len(nested) == 0 {
		nested = m.lockedWithin(c.at)
	}
	if holder != "" && most > 0.2*all {
		found := m.activities(func(s *sighting) (stacks.Frame, bool) { return on(s, func(f string) bool { return f == holder }) })
		if held(found) > 0.5*held(nested) {
			return found
		}
	}
	if len(nested) > 0 {
		return nested
	}
	if holder != "" && most > 0.2*all {
		if found := m.computing(holder); len(found) > 0 {
			return found
		}
	}
	// Long holders may not have given it back yet. Those that wait for work as
	// ever have nothing to give.
	of := receiver(c.at.Function)
	found := slices.DeleteFunc(m.activities(func(s *sighting) (stacks.Frame, bool) {
		return on(s, func(f string) bool { return strings.HasPrefix(f, of) && receiver(f) == of })
	}), func(a activity) bool {
		return (a.kind == stacks.Receive || a.kind == stacks.Select || a.kind == stacks.Condition) && a.after < 1.5*a.before+0.1
	})
	if held(found) > 0 {
		return found
	}
	if holder != "" {
		at := stacks.Frame{Function: holder}
		for _, s := range m.mutexFrames() {
			if s.Function == holder {
				at = s
			}
		}
		return []activity{{function: at, at: at, kind: "", both: both{0, 1e-6}}}
	}
	return m.lockedInTurn(c.at)
}

// leastGivenBack is the least that others must have waited for what a holder gave
// back, of what is waited for.
const leastGivenBack = 0.01

// mutexFrames are the places where contended locks were given back.
func (m *model) mutexFrames() (frames []stacks.Frame) {
	if p := m.in.Profiles.Mutex.After; p != nil {
		for _, s := range heaviest(p, 0) {
			if f, ok := gaveBack(stacks.Of(s)); ok {
				frames = append(frames, f)
			}
		}
	}
	return frames
}

// gaveBack is the own function that gave a lock back: of a defer, the one that
// it is in. The locks within the standard library are nobody's in own code.
func gaveBack(frames []stacks.Frame) (stacks.Frame, bool) {
	for _, f := range frames {
		switch pkg := stacks.Package(f.Function); {
		case stacks.Owner(f.Function) == stacks.Own && !strings.Contains(f.Function, ".deferwrap"):
			return f, true
		case stacks.Owner(f.Function) == stacks.Runtime && pkg != "sync" && pkg != "internal/sync" && pkg != "runtime":
			return stacks.Frame{}, false
		}
	}
	return stacks.Frame{}, false
}

func held(list []activity) (sum float64) {
	for _, a := range list {
		sum += a.after
	}
	return sum
}

// computing is what CPU profiles have of a function, and of what it calls.
func (m *model) computing(function string) []activity {
	a := activity{}
	for s, value := range m.in.Profiles.CPU.samples("cpu") {
		i := slices.IndexFunc(s.frames, func(f stacks.Frame) bool { return f.Function == function })
		if i < 0 {
			continue
		}
		a.both = a.plus(value)
		if value.after > 0 {
			at, index := own(s.frames)
			a.function, a.at, a.through = s.frames[i], at, through(s.frames, index)
		}
	}
	if a.after <= 0 {
		return nil
	}
	return []activity{a}
}

// poolHolders are the goroutines that have a connection of the pool: those in a
// call of the library, and those of requests that have a transaction or rows
// open and do something else.
func (m *model) poolHolders(c claim) []activity {
	open := m.keptOpen()
	users := m.databaseUsers()
	return m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.wait.Kind == stacks.Pool {
			return stacks.Frame{}, false
		}
		at, index := s.own()
		library := through(s.frames, index)
		if c.ofHTTP() { // whose answer is waited for is on a connection
			return at, s.peer == c.peer && calls(s.wait.Kind)
		}
		if library == "database/sql" || library != "" && library == c.through {
			return at, true
		}
		// Of a request that has one open, everything that it does holds it.
		return keeper(s.frames, index, users), s.endpoint != "" && open[s.endpoint] > 0
	})
}

// keptOpen are the transactions and rows, at a time, that requests have open while
// they do something else than to use the database, by endpoint. Where the most of
// them are in use, what else the requests do is done before or after.
func (m *model) keptOpen() map[string]float64 {
	open, used := map[string]float64{}, map[string]float64{}
	for _, s := range m.seen {
		if _, i := own(s.frames); s.wait.Kind != stacks.Pool && s.endpoint != "" && isDatabase(through(s.frames, i)) {
			used[s.endpoint] += s.after
		}
		if s.startedBy != "" && slices.ContainsFunc(s.frames, isAwaitDone) {
			open[s.startedBy] += s.after
		}
	}
	maps.DeleteFunc(open, func(endpoint string, n float64) bool { return used[endpoint] > 0.5*n })
	return open
}

// isAwaitDone tells whether a frame is that of the goroutine which database/sql
// has for each transaction and each rows until they are closed.
func isAwaitDone(f stacks.Frame) bool {
	return stacks.Package(f.Function) == "database/sql" && strings.HasSuffix(f.Function, ".awaitDone")
}

// databaseUsers are the own functions that call a database.
func (m *model) databaseUsers() map[string]bool {
	users := map[string]bool{}
	for _, s := range m.seen {
		if at, i := own(s.frames); isDatabase(through(s.frames, i)) {
			users[at.Function] = true
		}
	}
	for _, s := range m.spent {
		if isDatabase(s.through) {
			users[s.at.Function] = true
		}
	}
	return users
}

// keeper is the function on a stack that has a connection while it does something
// else: the innermost that uses the database itself, or what that calls within a
// transaction that it opened, or else the caller.
func keeper(frames []stacks.Frame, at int, users map[string]bool) stacks.Frame {
	inner, caller := frames[at], stacks.Frame{}
	if users[inner.Function] {
		return inner
	}
	for _, f := range frames[at+1:] {
		if stacks.Owner(f.Function) != stacks.Own {
			continue
		}
		if users[f.Function] {
			if strings.Contains(path.Base(inner.Function), ".func") {
				return inner
			}
			return f
		}
		if caller.Function == "" && f.File != frames[at].File {
			caller = f
		}
		inner = f
	}
	if caller.Function != "" {
		return caller
	}
	return frames[at]
}

// othersIn are goroutines that are further in the function that a claim waits in
// or, for what is handed on, those that work on it.
func (m *model) othersIn(c claim) []activity {
	// Whoever holds others up does more than before.
	idle := func(a activity) bool { return c.kind != stacks.Limiter && a.after < 1.5*a.before+0.1 }
	found := slices.DeleteFunc(m.activities(func(s *sighting) (stacks.Frame, bool) {
		if s.wait.Kind == c.kind {
			if at, _ := own(s.frames); at.Function == c.at.Function {
				return stacks.Frame{}, false
			}
		}
		for _, f := range s.frames {
			if f.Function == c.at.Function {
				// Above the wait it has nothing yet of what is waited for.
				return f, f.Line >= c.at.Line && (s.endpoint != "" || s.startedBy != "")
			}
		}
		return stacks.Frame{}, false
	}), idle)
	if held(found) > 0 || c.kind == stacks.Limiter {
		return found
	}
	// Workers: goroutines of own code that serve no request. What waits for work
	// does it less when there is more to do.
	busy := m.takeNoMore()
	workers := func(isOne func(*sighting) bool) []activity {
		return m.activities(func(s *sighting) (stacks.Frame, bool) {
			if s.endpoint != "" || !isOne(s) {
				return stacks.Frame{}, false
			}
			i := stacks.DeepestOwn(s.frames)
			if i < 0 || stacks.Package(s.frames[i].Function) != stacks.Package(c.at.Function) && s.startedBy != c.endpoint {
				return stacks.Frame{}, false
			}
			return s.frames[i], true
		})
	}
	// They were stuck before anybody had to wait, while there was room.
	if those := workers(func(s *sighting) bool {
		return slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return busy[f.Function] })
	}); held(those) > 0 {
		return those
	}
	busiest := slices.DeleteFunc(workers(func(*sighting) bool { return true }), idle)
	if held(busiest) < mostlyBusy {
		return nil // whoever holds up all others has no time left
	}
	return busiest
}

// mostlyBusy is how many goroutines at a time must be seen to do something for
// others to wait for that.
const mostlyBusy = 0.5

// takeNoMore are the own functions of no request that waited before for something
// to be handed to them, and no longer do: workers at rest that are busy now.
func (m *model) takeNoMore() map[string]bool {
	rest := map[string]both{}
	for _, s := range m.seen {
		at, i := own(s.frames)
		if s.endpoint == "" && (s.wait.Kind == stacks.Receive || s.wait.Kind == stacks.Select) && through(s.frames, i) == "" {
			rest[at.Function] = rest[at.Function].plus(s.both)
		}
	}
	busy := map[string]bool{}
	for function, b := range rest {
		busy[function] = b.after < 0.5*b.before
	}
	return busy
}
