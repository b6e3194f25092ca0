package profiles

import (
	"fmt"
	"slices"
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

// Lacks reports whether something is missing for all of the time.
func (r *Report) Lacks(what string) bool {
	return slices.ContainsFunc(r.Missing, func(m Missing) bool { return m.What == what && m.Seconds == 0 })
}
