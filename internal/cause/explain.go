package cause

import (
	"cmp"
	"slices"
)

// floor is the least share that is worth a word: what explains less is told by
// nobody.
const floor = 0.3

// hypotheses are all that compete. Each is in a file of its own.
var hypotheses = []func(*model) []Finding{
	computes, collector, keepsMemory, holdsLock, dependency, exhausted, leaks, starved, failing, oneValue, busier, eventFalls, eventSize, backlog, clientsLeave, diskFills, descriptorsRunOut, limitFalls, changed, blocked, loses, stalled,
}

// standing are those that need no time before to compare with.
var standing = []func(*model) []Finding{
	computes, collector, keepsMemory, holdsLock, dependency, exhausted, leaks, starved, failing, clientsLeave, diskFills, descriptorsRunOut, blocked, stalled,
}

// standingWorth is what an explanation is worth that compares with nothing.
const standingWorth = 0.8

// Explain returns the causes that explain the most of what an alert is about,
// the best one first, or why there is none. Where nothing grew, but it is as bad
// as the alert says, all of it is explained, and not what was added. It is a pure
// function.
func Explain(in Input) Result {
	m := newModel(in)
	r := Result{Times: in.Times}
	// A healthy service's all is no excess, and nobody who asks what stands out is
	// told that it has begun.
	begun := in.Alert.Name == "" && (m.f.first.After(m.t.Before.From) || m.t.Before.Length() < 2*m.t.After.Length() || m.requests.before == 0 && m.requests.after > 0)
	if !begun && (!in.Alert.Drill || m.w.figures) {
		r.Findings = m.compete(hypotheses)
	}
	if len(r.Findings) == 0 && in.Alert.Name != "" && !in.Alert.Drill {
		r.Findings = withoutBefore(in).steady()
	}
	if len(r.Findings) == 0 {
		r.None = m.nothing()
	}
	return r
}

// compete returns what hypotheses have found that is worth a word, the best first.
func (m *model) compete(all []func(*model) []Finding) (list []Finding) {
	for _, h := range all {
		for _, f := range h(m) {
			if f.Score >= floor {
				list = append(list, f)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	for i := range list { // what says more than all of it still comes first
		list[i].Score = min(list[i].Score, 1)
	}
	return list
}

// withoutBefore is the model of the bad time alone.
func withoutBefore(in Input) *model {
	in.Times.Before = Range{}
	for _, p := range []*Pair{&in.Profiles.CPU, &in.Profiles.Heap, &in.Profiles.Waits, &in.Profiles.Mutex, &in.Profiles.Goroutines} {
		p.Before, p.BeforeFor = nil, 0
	}
	return newModel(in)
}

// steady explains what has been so for as long as is known, if it is so.
func (m *model) steady() []Finding {
	const manyFail = 0.05 // of the requests
	bad := false
	switch m.kind {
	case failures:
		bad = m.manyFail() && m.added() > manyFail*m.requests.after
	case cpu:
		bad = m.saturated()
	case latency:
		for _, e := range m.endpoints {
			bad = bad || e.about && m.slow(e)
		}
	}
	if !bad {
		return nil
	}
	all := standing
	if m.kind == failures { // what fails beside it may always have
		all = []func(*model) []Finding{failing, diskFills, descriptorsRunOut}
	}
	list := m.compete(all)
	for i := range list {
		list[i].Score *= standingWorth
		list[i].Rests = append(list[i].Rests, m.w.T("it has been so for as long as is known", "es así desde que hay datos"))
	}
	return slices.DeleteFunc(list, func(f Finding) bool { return f.Score < floor })
}

// spentTime are the claims on the time that requests take more, found once.
func (m *model) spentTime(kind string) []claim {
	if m.claims == nil {
		m.claims = append([]claim{}, m.timeClaims()...)
	}
	var list []claim
	for _, c := range m.claims {
		if c.kind == kind {
			list = append(list, c)
		}
	}
	return list
}
