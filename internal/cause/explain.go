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
	computes, collector, keepsMemory, holdsLock, dependency, exhausted, leaks, starved, failing, oneValue, busier, eventFalls, clientsLeave, diskFills, changed, blocked,
}

// Explain returns the causes that explain the most of what an alert is about,
// the best one first, or why there is none. It is a pure function.
func Explain(in Input) Result {
	m := newModel(in)
	r := Result{Times: in.Times}
	for _, h := range hypotheses {
		for _, f := range h(m) {
			f.Score = min(f.Score, 1)
			if f.Score >= floor {
				r.Findings = append(r.Findings, f)
			}
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(b.Score, a.Score) })
	if len(r.Findings) == 0 {
		r.None = m.nothing()
	}
	return r
}

// nothing says what was looked at.
func (m *model) nothing() string {
	text := m.w.pick("nothing explains it: ", "nada lo explica: ")
	after, before := m.w.rates(m.requests)
	text += m.w.say("requests (%s%s)", "peticiones (%s%s)", after, m.w.within(before, m.w.figures))
	mean := both{}
	for _, e := range m.endpoints {
		mean.before += e.duration.before * e.requests.before
		mean.after += e.duration.after * e.requests.after
	}
	text += m.w.say(", their duration (%s%s)", ", su duración (%s%s)",
		m.w.seconds(per(mean.after, m.requests.after)), m.w.within(m.w.seconds(per(mean.before, m.requests.before)), m.requests.before > 0))
	if m.in.Profiles.CPU.After != nil {
		text += m.w.say(", CPU (%s%s)", ", CPU (%s%s)", m.w.coresOf(m.cores.after), m.w.within(m.w.number(m.cores.before), m.w.figures || m.w.cpu))
	}
	return text + m.w.pick(", errors, memory, goroutines, locks, calls and connections are about as before", ", errores, memoria, goroutines, candados, llamadas y conexiones están como antes")
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
