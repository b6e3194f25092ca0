package profiles

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// GoroutineGroup are the goroutines that were started in one way and are at one
// place, before and after.
type GoroutineGroup struct {
	Function string `json:"function"` // the own function nearest to where they are
	File     string `json:"file"`
	Line     int64  `json:"line"`
	Reason   string `json:"reason"`            // what they wait for; "" for those that run
	Started  string `json:"started,omitempty"` // the own function that they began with, or else the first one
	Owner    string `json:"owner"`             // Own, Dependency or Runtime
	Before   int64  `json:"before"`
	After    int64  `json:"after"`
}

// DiffGoroutines compares two profiles of all goroutines, as
// continuous.Profiler.Goroutines returns them: the groups that grew the most come first,
// top at most. Without one before, everything grew. It is a pure function.
func DiffGoroutines(before, after *profile.Profile, top int) []GoroutineGroup {
	groups := map[GoroutineGroup]*GoroutineGroup{}
	count := func(p *profile.Profile, add func(*GoroutineGroup, int64)) {
		if p == nil {
			return
		}
		for _, s := range p.Sample {
			key, ok := groupOf(stacks.Of(s))
			if !ok {
				continue
			}
			if groups[key] == nil {
				group := key
				groups[key] = &group
			}
			add(groups[key], s.Value[0])
		}
	}
	count(before, func(g *GoroutineGroup, n int64) { g.Before += n })
	count(after, func(g *GoroutineGroup, n int64) { g.After += n })
	list := make([]GoroutineGroup, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b GoroutineGroup) int {
		return cmp.Or(cmp.Compare(b.After-b.Before, a.After-a.Before), cmp.Compare(b.After, a.After),
			cmp.Compare(a.Function, b.Function), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Started, b.Started))
	})
	return list[:min(max(top, 0), len(list))]
}

// groupOf says where a goroutine is: in own code, or else in a library's, or
// else where it began.
func groupOf(frames []stacks.Frame) (GoroutineGroup, bool) {
	if len(frames) == 0 {
		return GoroutineGroup{}, false
	}
	wait := stacks.WaitOf(frames)
	i := wait.Own
	if i < 0 {
		i = slices.IndexFunc(frames, func(f stacks.Frame) bool { return stacks.Owner(f.Function) == stacks.Dependency })
	}
	if i < 0 {
		i = len(frames) - 1
	}
	g := GoroutineGroup{Function: frames[i].Function, File: frames[i].File, Line: frames[i].Line, Reason: wait.Reason, Owner: stacks.Owner(frames[i].Function)}
	if root := rootOf(frames).Function; root != g.Function {
		g.Started = root
	}
	return g, true
}

// rootOf is the own function that a goroutine began with, or else the first one:
// sync.(*WaitGroup).Go.func1 says little. There is at least one frame.
func rootOf(frames []stacks.Frame) stacks.Frame {
	for _, f := range slices.Backward(frames) {
		if stacks.Owner(f.Function) == stacks.Own {
			return f
		}
	}
	return frames[len(frames)-1]
}
