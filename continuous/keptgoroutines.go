package continuous

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
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
// that was. They are kept once in six windows, and once in Config.Keep of what
// is older than that. A zero time means as they are now. It returns ErrNothing,
// wrapped, if there is none that old. It is safe for concurrent use.
func (p *Profiler) Goroutines(at time.Time) (*profile.Profile, time.Time, error) {
	if !p.running() {
		return nil, time.Time{}, errOff
	}
	if at.IsZero() {
		if n := runtime.NumGoroutine(); n > tooManyGoroutines {
			return nil, time.Time{}, fmt.Errorf("%d goroutines are too many to look at: %w", n, ErrNothing)
		}
		small, err := allGoroutines(new(bytes.Buffer))
		if err != nil {
			return nil, time.Time{}, err
		}
		now, err := owned(capture{data: small})
		return now, time.Now(), err
	}
	list := slices.Concat(p.ring.reach(kindStacks, func(c capture) bool { return !c.to.After(at) }))
	if len(list) == 0 {
		return nil, time.Time{}, fmt.Errorf("goroutines: %w", ErrNothing)
	}
	last := list[len(list)-1]
	then, err := owned(last)
	return then, last.to, err
}

// owned reads a capture of goroutines, and decides whose each is.
func owned(c capture) (*profile.Profile, error) {
	p, err := c.parse()
	if err == nil {
		profiles.Settle(p, profiles.GoroutineDepth)
	}
	return p, err
}
