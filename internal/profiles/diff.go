package profiles

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// Change is what became of one function between two profiles.
type Change struct {
	Function string  `json:"function"`
	File     string  `json:"file"`
	Line     int64   `json:"line"` // the one that costs the most now
	Owner    string  `json:"owner"`
	Before   float64 `json:"before"` // per second of profile
	After    float64 `json:"after"`
	Growth   float64 `json:"growth"` // After less Before; negative for less
}

// Diff compares what own code costs in two profiles of one sample type
// ("cpu", in CPU seconds, or "alloc_space", in bytes): by the innermost own
// function, for each second that the profiles are of, given in seconds. Those
// that changed the most come first. A length of 0 counts as 1. It is a pure
// function.
func Diff(sampleType string, before *profile.Profile, beforeSeconds float64, after *profile.Profile, afterSeconds float64) []Change {
	old, now := byFunctionOf(sampleType, before), byFunctionOf(sampleType, after)
	rate := func(t *byFunction, name string, seconds float64) float64 {
		if t.own[name] == nil {
			return 0
		}
		if seconds <= 0 {
			seconds = 1
		}
		return t.own[name].self / seconds
	}
	names := maps.Clone(old.own)
	maps.Copy(names, now.own)
	changes := make([]Change, 0, len(names))
	for name, c := range names {
		change := Change{Function: name, File: c.file, Line: heaviest(c.byLine), Owner: stacks.Owner(name),
			Before: rate(old, name, beforeSeconds), After: rate(now, name, afterSeconds)}
		change.Growth = change.After - change.Before
		changes = append(changes, change)
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(max(b.Growth, -b.Growth), max(a.Growth, -a.Growth)), cmp.Compare(a.Function, b.Function))
	})
	return changes
}
