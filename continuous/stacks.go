package continuous

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// All goroutines are kept once in some windows, for leaks, which grow slowly: a
// minute apart by default. One that is larger is left out: the process has more
// different stacks than anybody reads, and the ring has better to keep.
const (
	stacksEvery    = 6 // windows
	maxStacksBytes = 512 << 10
)

// keepStacks keeps the window's last look at all goroutines, now and then.
func (p *Profiler) keepStacks(to time.Time, whole []byte) {
	if len(whole) == 0 || len(whole) > maxStacksBytes || !p.stacksAt.IsZero() && to.Sub(p.stacksAt) < stacksEvery*p.cfg.Interval-p.cfg.Interval/2 {
		return
	}
	p.stacksAt = to
	p.ring.add(capture{kindStacks, to, to, bytes.Clone(whole)})
}

// Goroutines returns all goroutines as they were kept last before at, and when
// that was. They are kept once in six windows, and once
// in Config.Keep of what is older than that. A zero time means as they are
// now. It returns ErrNothing, wrapped, if there is none that old. It is safe
// for concurrent use.
func (p *Profiler) Goroutines(at time.Time) (*profile.Profile, time.Time, error) {
	if !p.running() {
		return nil, time.Time{}, errOff
	}
	if at.IsZero() {
		if n := runtime.NumGoroutine(); n > tooManyGoroutines {
			return nil, time.Time{}, fmt.Errorf("%d goroutines are too many to look at: %w", n, ErrNothing)
		}
		var buf bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&buf, 0); err != nil {
			return nil, time.Time{}, fmt.Errorf("goroutine profile: %w", err)
		}
		small, _, err := slim(buf.Bytes())
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("goroutine profile: %w", err)
		}
		now, err := capture{data: small}.parse()
		return now, time.Now(), err
	}
	list := slices.Concat(p.ring.reach(kindStacks, func(c capture) bool { return !c.to.After(at) }))
	if len(list) == 0 {
		return nil, time.Time{}, fmt.Errorf("goroutines: %w", ErrNothing)
	}
	last := list[len(list)-1]
	then, err := last.parse()
	return then, last.to, err
}

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
// [Profiler.Goroutines] returns them: the groups that grew the most come first,
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
		i = slices.IndexFunc(frames, func(f stacks.Frame) bool { return stacks.Owner(f.Function) == Dependency })
	}
	if i < 0 {
		i = len(frames) - 1
	}
	root := frames[len(frames)-1].Function // sync.(*WaitGroup).Go.func1 says little
	for _, f := range slices.Backward(frames) {
		if stacks.Owner(f.Function) == Own {
			root = f.Function
			break
		}
	}
	g := GoroutineGroup{Function: frames[i].Function, File: frames[i].File, Line: frames[i].Line, Reason: wait.Reason, Owner: stacks.Owner(frames[i].Function)}
	if root != g.Function {
		g.Started = root
	}
	return g, true
}
