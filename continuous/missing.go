package continuous

import (
	"fmt"
	"slices"
	"time"
)

// Missing is something that a report does not rest on, or not for all of its
// time: a figure that was not measured is not a small one.
type Missing struct {
	What    string  `json:"what"`              // MissingCPU, MissingWaits or MissingMemory
	Seconds float64 `json:"seconds,omitempty"` // how much of the time; 0 for all of it
	Why     string  `json:"why"`               // in words
}

// What may be missing.
const (
	MissingCPU    = "cpu"
	MissingWaits  = "waits"
	MissingMemory = "memory"
)

// missing lists what the ring lacks of a report's time.
func (p *Profiler) missing(o ReportOptions, r *Report, seen map[kind]bool) (list []Missing) {
	gap := p.gapIn(o.From, o.To).Seconds()
	switch {
	case gap > 0 && r.Profiled > 0:
		list = append(list, Missing{MissingCPU, gap, otherProfile})
	case gap > 0:
		list = append(list, Missing{MissingCPU, 0, otherProfile})
	case r.Profiled == 0:
		list = append(list, Missing{MissingCPU, 0, "no window with a CPU profile ended in that time"})
	}
	if !seen[kindGoroutine] {
		list = append(list, Missing{MissingWaits, 0, "nobody looked at the goroutines in that time, or there are too many of them"})
	}
	if !seen[kindHeap] {
		list = append(list, Missing{MissingMemory, 0, "no garbage collection ended in that time, and heap profiles are as of the last one"})
	}
	return list
}

// text says it in a sentence.
func (m Missing) text() string {
	unknown := map[string]string{
		MissingCPU:    "where CPU time went is not known",
		MissingWaits:  "where requests wait is not known",
		MissingMemory: "what allocates is not known",
	}[m.What]
	if m.Seconds > 0 {
		return fmt.Sprintf("for %.0f s %s: %s.", m.Seconds, unknown, m.Why)
	}
	return fmt.Sprintf("%s: %s.", unknown, m.Why)
}

// lacks reports whether something is missing for all of the time.
func (r *Report) lacks(what string) bool {
	return slices.ContainsFunc(r.Missing, func(m Missing) bool { return m.What == what && m.Seconds == 0 })
}

const otherProfile = "another CPU profile ran in this process (runtime/pprof.StartCPUProfile), and Go allows one at a time"

// gapIn is how much of a range had no CPU profile.
func (p *Profiler) gapIn(from, to time.Time) (sum time.Duration) {
	for _, c := range p.ring.between(kindGap, from, to) {
		if !from.IsZero() && c.from.Before(from) {
			c.from = from
		}
		if !to.IsZero() && c.to.After(to) {
			c.to = to
		}
		sum += c.to.Sub(c.from)
	}
	return sum
}
