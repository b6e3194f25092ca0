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

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

const (
	maxWaitStacks = 2000 // distinct ones in a window

	// A look costs one record for each goroutine, labelled or not.
	manyGoroutines    = 10_000
	manyPause         = 30 * time.Second
	tooManyGoroutines = 100_000 // some 200 bytes each, at once: no looks at all

	lookShare = 100 // a look may cost this part of the time between looks: 1 %
)

// goroutineSampler looks at the goroutines several times in a window, and adds up those
// that work for an endpoint or a region, or have own code: whoever holds what
// requests wait for may work for none. A CPU profile shows where a request
// computes; this shows where it waits. It belongs to one goroutine.
type goroutineSampler struct {
	period time.Duration // between looks, at best
	next   time.Time     // of the next look, maybe some windows away

	rounds int
	sum    *profile.Profile
	buf    bytes.Buffer
	last   []byte // the whole profile of the last look: labelled and not
}

// look takes one goroutine profile.
func (w *goroutineSampler) look() error {
	start := time.Now()
	defer func() {
		w.next = time.Now().Add(lookPause(w.period, time.Since(start), runtime.NumGoroutine()))
	}()
	if runtime.NumGoroutine() > tooManyGoroutines {
		return nil
	}
	small, err := allGoroutines(&w.buf)
	if err != nil {
		return err
	}
	w.last = append(w.last[:0], small...)
	seen, err := profile.ParseData(w.last)
	if err != nil {
		return fmt.Errorf("goroutine profile: %w", err)
	}
	profiles.Settle(seen, profiles.GoroutineDepth)
	onlyTelling(seen)
	both := []*profile.Profile{seen}
	if w.sum != nil {
		both = append(both, w.sum)
	}
	sum, err := profile.Merge(both)
	if err != nil {
		return fmt.Errorf("goroutine profile: %w", err)
	}
	heaviestWaits(sum, maxWaitStacks)
	w.sum = sum
	w.rounds++
	return nil
}

// allGoroutines is the profile of all goroutines now. It is in buf, as long as
// buf is not used again.
func allGoroutines(buf *bytes.Buffer) ([]byte, error) {
	buf.Reset()
	if err := pprof.Lookup("goroutine").WriteTo(buf, 0); err != nil {
		return nil, fmt.Errorf("goroutine profile: %w", err)
	}
	small, _, err := slim(buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("goroutine profile: %w", err)
	}
	return small, nil
}

// lookPause is the time until the next look, for what the last one cost.
func lookPause(period, cost time.Duration, goroutines int) time.Duration {
	pause := max(period, lookShare*cost)
	if goroutines > manyGoroutines {
		pause = max(pause, manyPause)
	}
	return pause
}

// take returns the window's sum, and begins a new one. Its value is how often
// such a goroutine was seen; the comment `rounds=N` says in how many looks, so
// that value/N is how many there were at a time. It returns nil without a look.
// whole is the profile of the last look.
func (w *goroutineSampler) take(from, to time.Time) (sum *profile.Profile, whole []byte) {
	if w.rounds == 0 {
		return nil, nil
	}
	sum, whole = w.sum, w.last
	sum.TimeNanos, sum.DurationNanos = from.UnixNano(), int64(to.Sub(from))
	sum.Comments = []string{fmt.Sprintf("rounds=%d", w.rounds)}
	w.sum, w.last, w.rounds = nil, nil, 0
	return sum, whole
}

// onlyTelling drops the goroutines that work for no endpoint and no region, were
// started by none, have no own code, and open no connection for one that has; and
// every label that tells requests apart: a span's id would make a stack of its own
// out of each.
func onlyTelling(p *profile.Profile) {
	telling := make(map[*profile.Function]bool, len(p.Function))
	for _, f := range p.Function {
		telling[f] = stacks.Owner(stacks.Named(f.Name, f.Filename)) == stacks.Own || f.Name == stacks.DialsHTTP
	}
	p.Sample = slices.DeleteFunc(p.Sample, func(s *profile.Sample) bool { return profiles.Unlabelled(s) && !on(s, telling) })
	for _, s := range p.Sample {
		kept := make(map[string][]string, 4)
		for _, name := range []string{profiles.LabelEndpoint, profiles.LabelMethod, profiles.LabelRegion, profiles.LabelPeer, profiles.LabelStartedBy} {
			if v := s.Label[name]; len(v) > 0 {
				kept[name] = v
			}
		}
		s.Label, s.NumLabel, s.NumUnit = kept, nil, nil
	}
}

// on reports whether one of the functions is on a stack.
func on(s *profile.Sample, functions map[*profile.Function]bool) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if functions[line.Function] {
				return true
			}
		}
	}
	return false
}

// heaviestWaits keeps the stacks that were seen most often, those that work for
// requests before the others.
func heaviestWaits(p *profile.Profile, n int) {
	if len(p.Sample) <= n {
		return
	}
	first := func(s *profile.Sample) int {
		if profiles.Unlabelled(s) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(p.Sample, func(a, b *profile.Sample) int {
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(b.Value[0], a.Value[0]))
	})
	p.Sample = p.Sample[:n]
}
