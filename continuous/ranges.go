package continuous

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
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

// Keep is how far back profiles reach, at most: MaxBytes may end it sooner. It
// is thirteen times Config.Keep, of which all but the last one has no windows
// any more: see [Profiler.Profile].
func (p *Profiler) Keep() time.Duration {
	if p == nil {
		return 0
	}
	return p.cfg.Keep * (1 + coarseReach)
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
	if all == nil {
		return &profile.Profile{}
	}
	of := p.endpointOf(all)
	part := &profile.Profile{
		SampleType: all.SampleType, DefaultSampleType: all.DefaultSampleType, Comments: all.Comments,
		Mapping: all.Mapping, Location: all.Location, Function: all.Function, PeriodType: all.PeriodType, Period: all.Period,
		TimeNanos: all.TimeNanos, DurationNanos: all.DurationNanos,
	}
	for _, s := range all.Sample {
		if of(s).endpoint == endpoint {
			part.Sample = append(part.Sample, s)
		}
	}
	return part
}

// ByEndpoint adds up a profile's values of one sample type by endpoint, as
// OfEndpoint has it: CPU seconds, bytes, or goroutines seen. What belongs to
// no endpoint is under "". It is never nil.
func (p *Profiler) ByEndpoint(sampleType string, all *profile.Profile) map[string]float64 {
	sums := map[string]float64{}
	if all == nil {
		return sums
	}
	i := stacks.Index(all, sampleType)
	if i < 0 {
		return sums
	}
	of, unit := p.endpointOf(all), unitOf(all.SampleType[i])
	for _, s := range all.Sample {
		sums[of(s).endpoint] += float64(s.Value[i]) * unit
	}
	return sums
}

// endpointOf tells which endpoint and method a sample belongs to, by its labels
// or else by a handler that is bound to one endpoint only. Goroutines are told
// by their labels alone: without any they count for nobody.
func (p *Profiler) endpointOf(all *profile.Profile) func(*profile.Sample) binding {
	h, goroutines := p.handlers(), stacks.Index(all, "goroutine") >= 0
	return func(s *profile.Sample) binding {
		if endpoint := stacks.Label(s, LabelEndpoint); endpoint != "" {
			return binding{endpoint, stacks.Label(s, LabelMethod)}
		}
		if stacks.Label(s, LabelStartedBy) != "" || goroutines && unlabelled(s) {
			return binding{}
		}
		by, _ := h.endpoint(stacks.Of(s))
		return by
	}
}

// unitOf turns a sample's value into seconds where it is nanoseconds.
func unitOf(t *profile.ValueType) float64 {
	if t.Unit == "nanoseconds" {
		return 1e-9
	}
	return 1
}

// HotOf lists the functions and lines that cost the most in a profile, of one
// sample type: top of each kind. It is a pure function.
func HotOf(sampleType string, p *profile.Profile, top int) Hot {
	return tallyOf(sampleType, p).hot(top, nil)
}

// Total is the sum of a profile's values of one sample type: CPU seconds, or
// bytes. It is a pure function.
func Total(sampleType string, p *profile.Profile) float64 {
	return tallyOf(sampleType, p).total
}

// WaitsOf says where the goroutines of a profile of the kind ProfileWaits wait
// that work for an endpoint or region, at most at top places. It is a pure
// function.
func WaitsOf(p *profile.Profile, top int) Waits {
	var t waitTally
	if p == nil {
		return Waits{}
	}
	for _, s := range p.Sample {
		if stacks.Label(s, LabelStartedBy) == "" && !unlabelled(s) { // no request waits in the others
			t.add(stacks.Of(s), float64(s.Value[0]))
		}
	}
	return t.waits(stacks.Rounds(p), top)
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
	from, w := time.Now(), waits{period: every}
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

// AddWaits adds up two profiles of the kind ProfileWaits. Either may be nil.
func AddWaits(a, b *profile.Profile) (*profile.Profile, error) {
	if a == nil || b == nil {
		return cmp.Or(a, b), nil
	}
	sum, err := profile.Merge([]*profile.Profile{a, b})
	if err != nil {
		return nil, fmt.Errorf("merge goroutine profiles: %w", err)
	}
	sum.Comments = []string{fmt.Sprintf("rounds=%d", stacks.Rounds(a)+stacks.Rounds(b))}
	return sum, nil
}

// Short is a function's name with the last element of its package's path only:
// shop.(*Supplier).Stock.
func Short(function string) string { return stacks.Short(function) }

// Whose code a function is.
const (
	Own        = stacks.Own        // the main module's
	Dependency = stacks.Dependency // another module's
	Runtime    = stacks.Runtime    // Go's runtime and standard library
)

// OwnerOf says whose code a function is: Own, Dependency or Runtime.
func OwnerOf(function string) string { return stacks.Owner(function) }
