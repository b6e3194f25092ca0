package cause

import (
	"cmp"
	"math"
	"slices"

	"github.com/latido-dev/latido/internal/stacks"
)

// mostQueues is for how many claims, the largest, it is asked who holds what is
// waited for: everything that was seen is gone through for each.
const mostQueues = 16

// redistributed gives the time spent in queues to what makes them long: more
// requests, or what those do who have what is waited for.
func (m *model) redistributed(all []claim) []claim {
	var list []claim
	for i, c := range all {
		switch {
		case i >= mostQueues:
			list = append(list, c) // too little to ask for
		case c.kind == claimReady:
			list = append(list, m.whoHasTheCPU(c)...)
		case m.endsLate(c):
			c.kind, c.peer, c.wait = claimReady, "", ""
			list = append(list, m.whoHasTheCPU(c)...)
		case c.kind == stacks.Sleep:
			list = append(list, m.pauseAfterFailure(c))
		case queues(c.kind):
			list = append(list, m.whoHolds(c)...)
		default:
			list = append(list, c)
		}
	}
	return list
}

// pauseAfterFailure gives a pause to the host whose calls fail in the same
// function: it waits to try again.
func (m *model) pauseAfterFailure(c claim) claim {
	for i := range m.seen {
		s := &m.seen[i]
		if s.peer == "" || !slices.ContainsFunc(s.frames, func(f stacks.Frame) bool { return f.Function == c.at.Function }) {
			continue
		}
		p := m.peers()[s.peer]
		if per(p.failed.after, p.calls.after)-per(p.failed.before, p.calls.before) > 0.1 {
			c.kind, c.peer, c.wait = claimCall, s.peer, stacks.Call
			return c
		}
	}
	return c
}

// activity is what some goroutines do, at a time.
type activity struct {
	function stacks.Frame // by which they are known
	at       stacks.Frame
	kind     string // of stacks.Wait, "" for what computes
	peer     string
	through  string
	library  string
	endpoint string // or who started them
	both
}

// activities are what goroutines do that match, those first that do it the most.
func (m *model) activities(match func(*sighting) (stacks.Frame, bool)) []activity {
	type key struct{ function, at, kind, peer, through string }
	var sums byKey[key, activity]
	for i := range m.seen {
		s := &m.seen[i]
		f, ok := match(s)
		if !ok {
			continue
		}
		at, index := s.own()
		t := through(s.frames, index)
		sum := sums.of(key{f.Function, at.Function, s.wait.Kind, s.peer, t},
			activity{function: f, at: at, kind: s.wait.Kind, peer: s.peer, through: t, library: s.wait.Library, endpoint: cmp.Or(s.endpoint, s.startedBy)})
		sum.both = sum.plus(s.both)
	}
	list := sums.list
	slices.SortFunc(list, func(a, b activity) int {
		return cmp.Or(cmp.Compare(b.after, a.after), cmp.Compare(a.function.Function, b.function.Function), cmp.Compare(a.at.Function, b.at.Function), cmp.Compare(a.kind, b.kind))
	})
	return list
}

// whoHolds finds what those do that have what a claim waits for, and passes the
// claim on where that is what became slow.
func (m *model) whoHolds(c claim) []claim {
	var holders []activity
	switch {
	case c.ofFile():
		holders = m.pastLock(c)
	case c.kind == stacks.Lock:
		holders = m.lockHolders(c)
	case c.kind == stacks.Pool:
		holders = m.poolHolders(c)
	default:
		holders = m.othersIn(c)
	}
	holders = slices.DeleteFunc(holders, func(a activity) bool { return a.after <= 0 })
	held := both{}
	for _, h := range holders {
		held = held.plus(h.both)
	}
	looked := m.looks.before
	if p, ok := m.poolOf(c); ok && p.used.after > 0 { // measured, and not looked at
		held = p.used
		looked = m.f.span(m.t.Before) / max(m.f.step.Seconds(), 1e-9)
	}
	if looked > 0 { // what is held for a short time is seldom seen, and not held by nobody
		held.before = max(held.before, 0.5/looked)
	}
	if len(holders) == 0 {
		return m.lessTraffic(c, held)
	}
	first, seen := holders[0], 0.0
	for _, h := range holders {
		seen += h.after
	}
	c.holder = &first
	list := m.lessTraffic(c, held)
	// What the holders wait for may be what became slow.
	passed := 0.0
	for _, h := range holders {
		part := h.after / max(seen, 1e-9)
		slower := 0.0
		switch {
		case c.ofHTTP(): // a call's own duration has the wait in it
			p := m.peers()[h.peer]
			if r := ratio(per(h.after, p.calls.after), per(h.before, p.calls.before)); r > 1.5 {
				slower = 1 - 1/r
			}
		case calls(h.kind) || isDatabase(h.through):
			if r := m.callRatio(h.peer, h.through); r > 1.5 {
				slower = 1 - 1/r
			}
		case h.kind == stacks.Log || h.kind == stacks.File && h.before*m.looks.before >= fewRequests:
			// A log that does not block is not seen; a file that was not written
			// before, and now is with the lock, is no slower.
			if r := ratio(h.after/max(m.requests.after, 1e-9), h.before/max(m.requests.before, 1e-9)); r > 2 && h.after > 0.05 {
				slower = 1 - 1/r
			}
		}
		if slower <= 0 || part < 0.1 {
			continue
		}
		kind := h.kind
		if calls(kind) || isDatabase(h.through) {
			kind = claimCall
		}
		passed += part * slower
		whose := c.endpoint
		if m.endpoints[h.endpoint] != nil {
			whose = h.endpoint
		}
		list = append(list, claim{kind: kind, share: list[0].share * part * slower, endpoint: whose, at: h.at, peer: h.peer, through: h.through, library: h.library, wait: h.kind, both: h.both})
	}
	list[0].share *= 1 - min(passed, 1)
	return list
}

// pastLock are those that are past a file's lock that others wait for: further in
// the function that asks for it, or in the one that has it asked for.
func (m *model) pastLock(c claim) []activity {
	asked := map[string]int64{} // the line, by function
	for _, s := range m.seen {
		i := stacks.DeepestOwn(s.frames)
		if i < 0 || s.wait.Kind != stacks.Lock || s.frames[i].Function != c.at.Function {
			continue
		}
		asked[c.at.Function] = s.frames[i].Line
		for _, f := range s.frames[i+1:] {
			if stacks.Owner(f.Function) == stacks.Own {
				asked[f.Function] = f.Line
				break
			}
		}
	}
	return m.activities(func(s *sighting) (stacks.Frame, bool) {
		for _, f := range s.frames {
			if line, ok := asked[f.Function]; ok && f.Line > line && s.wait.Kind != stacks.Lock {
				return f, true
			}
		}
		return stacks.Frame{}, false
	})
}

// lessTraffic splits a claim of a queue into what more requests make of it, at
// the same cost each, and the rest, which comes first. held is what those who
// have it hold, at a time, 0 where it is not known.
func (m *model) lessTraffic(c claim, held both) []claim {
	of := deed{c.kind, c.at.Function}
	if c.kind == stacks.Pool {
		of.what = c.library
	}
	more := m.moreOf(of)
	if more < 1.3 || m.requests.before <= 0 {
		return []claim{c}
	}
	part := 1 - 1/more // of what came, where nobody is seen to hold it
	if held.after > 0 {
		dearer := max(ratio(held.after, held.before*more), 1)
		part = math.Log(more) / (math.Log(more) + math.Log(dearer))
	}
	busier := claim{kind: claimTraffic, share: c.share * part, endpoint: c.endpoint, at: c.at, library: c.kind, both: m.requests}
	c.share *= 1 - part
	return []claim{c, busier}
}
