package continuous

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/pprof/profile"
)

// The kinds of profile that the ring keeps, as [Profiler.Profile] takes them.
const (
	ProfileCPU   = "cpu"   // sample type cpu; labelled with the endpoint
	ProfileHeap  = "heap"  // sample types alloc_space, alloc_objects, inuse_space and inuse_objects
	ProfileWaits = "waits" // goroutines with own code, or that work for an endpoint or region, as often as they were seen
	ProfileMutex = "mutex" // sample types contentions and delay, by the stack that unlocked
	ProfileBlock = "block" // the same types, by the stack that waited; only with Config.BlockRate
)

var kindsByName = map[string]kind{
	ProfileCPU: kindCPU, ProfileHeap: kindHeap, ProfileWaits: kindGoroutine, ProfileMutex: kindMutex, ProfileBlock: kindBlock,
}

// Interval is the length of a window, 0 for a Profiler that profiles nothing.
func (p *Profiler) Interval() time.Duration {
	if !p.running() {
		return 0
	}
	return p.cfg.Interval
}

// running reports whether the Profiler was started. It stays so after Stop.
func (p *Profiler) running() bool { return p != nil && p.quit != nil }

// Profile adds up the windows of one kind, most of which lie between from and
// to: two ranges that touch share no window, so that they can be compared. A
// zero time leaves its side open. The duration is how much of the range was
// profiled. It returns ErrNothing, wrapped, if that is nothing.
//
// What is older than Config.Keep is kept in steps of half of that, each counted
// as one window, and twelve times as long. A step has its heaviest stacks; what
// the others cost is under the function _other, by their labels.
//
// The profile is the caller's. It is safe for concurrent use.
func (p *Profiler) Profile(kind string, from, to time.Time) (*profile.Profile, time.Duration, error) {
	k, ok := kindsByName[kind]
	if !ok {
		return nil, 0, fmt.Errorf("profile %q: write cpu, heap, waits, mutex or block", kind)
	}
	if !p.running() {
		return nil, 0, errOff
	}
	coarse, fine := p.ring.reach(k, func(c capture) bool { return c.mostlyIn(from, to) })
	if len(coarse)+len(fine) == 0 {
		return nil, 0, fmt.Errorf("%s: %w", kind, ErrNothing)
	}
	parsed, err := parseAll(slices.Concat(coarse, fine))
	if err != nil {
		return nil, 0, err
	}
	profiled := time.Duration(0)
	for i := range coarse { // between its ends there may be gaps
		profiled += time.Duration(parsed[i].DurationNanos)
	}
	for _, c := range fine {
		profiled += c.to.Sub(c.from)
	}
	all, err := merge(k, parsed)
	if err == nil {
		all, err = addUpSpans(all)
	}
	return all, profiled, err
}

// OfEndpoint returns the samples of one endpoint: those with its label, or, in
// a heap profile, which has none, those on whose stack its handler is (see
// BindEndpoint). The original is left as it is; the two share what they have in
// common, so that neither may be changed afterwards. It is never nil.
func (p *Profiler) OfEndpoint(all *profile.Profile, endpoint string) *profile.Profile {
	return p.endpoints().Samples(all, endpoint)
}

// ByEndpoint adds up a profile's values of one sample type by endpoint, as
// OfEndpoint has it: CPU seconds, bytes, or goroutines seen. What belongs to
// no endpoint is under "". It is never nil.
func (p *Profiler) ByEndpoint(sampleType string, all *profile.Profile) map[string]float64 {
	return p.endpoints().Sums(sampleType, all)
}

// Look looks at the goroutines that work for an endpoint or region, or have own
// code, now, up to n times, every so often, until ctx is done: a profile of the kind ProfileWaits.
// In the ring, looks at many goroutines on a busy machine may be seconds apart;
// these show what goes on at this moment. It looks but once at more than 10,000
// goroutines, and at more than 100,000 not at all, which is ErrNothing.
func (p *Profiler) Look(ctx context.Context, n int, every time.Duration) (*profile.Profile, error) {
	if !p.running() {
		return nil, errOff
	}
	from, w := time.Now(), goroutineSampler{period: every}
	if runtime.NumGoroutine() > manyGoroutines {
		n = 1
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		if err := w.look(); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
	sum, _ := w.take(from, time.Now())
	if sum == nil {
		return nil, fmt.Errorf("goroutines: %w", ErrNothing)
	}
	return sum, nil
}
