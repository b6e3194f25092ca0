package evidence

import (
	"context"
	"slices"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// How often the goroutines are looked at when an alert begins to fire. Who waits
// for a lock in turns is let go all at once: looks that are close together see the
// one or the other.
const (
	looksNow     = 5
	betweenLooks = 200 * time.Millisecond
)

// moment is how the goroutines are now: what the alert is about waits there
// while it begins to fire. The window that runs is not in the ring yet, and its
// looks may be few.
type moment struct {
	waits, all *profile.Profile // nil for none
}

// lookNow begins to look, and returns what waits for the end of that.
func (r *Recorder) lookNow(ctx context.Context) (wait func() (moment, bool)) {
	return meanwhile(ctx, 0.5, r, func(ctx context.Context) (m moment) {
		m.waits, _ = r.cfg.profiler.Look(ctx, looksNow, r.cfg.betweenLooks)
		m.all, _, _ = r.cfg.profiler.Goroutines(time.Time{})
		m.waits, m.all = largest(m.waits), largest(m.all)
		return m
	})
}

// profiles reads the profiles of both times, and says what they lack. Each kind
// is read by itself: one that takes too long costs no other. CPU profiles that are
// known already are not read again.
func (r *Recorder) profiles(ctx context.Context, t cause.Times, skew time.Duration, look func() (moment, bool), cpu cause.Pair) (found cause.Profiles, notes []string) {
	p := r.cfg.profiler
	if p.Interval() == 0 {
		return found, []string{r.words.profilingOff()}
	}
	t = cause.Times{Before: shifted(t.Before, skew), After: shifted(t.After, skew)}
	pairs := r.eachKind(ctx, func(_ context.Context, kind string) cause.Pair {
		if kind == continuous.ProfileCPU && cpu.After != nil {
			return cpu
		}
		return r.pair(kind, t)
	})
	goroutines := meanwhile(ctx, 0.6, r, func(context.Context) *profile.Profile { return r.goroutinesBefore(t) })
	late := pairs(&found)
	now, ok := look()
	late = late || !ok
	if sum, err := profiles.AddWaits(found.Waits.After, now.waits); err == nil {
		found.Waits.After = sum
	}
	if found.Goroutines.After = now.all; now.all == nil {
		found.Goroutines.After, _ = inTime(ctx, 0.3, r, func(context.Context) *profile.Profile { return r.goroutinesKept(t.After) })
	}
	found.Goroutines.Before, ok = goroutines()
	if late = late || !ok; late {
		notes = append(notes, r.words.profilesLate())
	}
	return found, append(notes, r.lacks(found.CPU, t)...)
}

// eachKind begins to read each kind of profile, by itself, and returns what waits
// for them and tells whether one was late.
func (r *Recorder) eachKind(ctx context.Context, read func(ctx context.Context, kind string) cause.Pair) (wait func(*cause.Profiles) (late bool)) {
	kinds := []string{continuous.ProfileCPU, continuous.ProfileHeap, continuous.ProfileWaits, continuous.ProfileMutex}
	waits := make([]func() (cause.Pair, bool), len(kinds))
	for i, kind := range kinds {
		waits[i] = meanwhile(ctx, 0.6, r, func(ctx context.Context) cause.Pair { return read(ctx, kind) })
	}
	return func(found *cause.Profiles) (late bool) {
		for i, to := range []*cause.Pair{&found.CPU, &found.Heap, &found.Waits, &found.Mutex} {
			var ok bool
			*to, ok = waits[i]()
			late = late || !ok
		}
		return late
	}
}

// lacks says what limits a comparison of CPU profiles.
func (r *Recorder) lacks(cpu cause.Pair, t cause.Times) (notes []string) {
	whole := t.After.Length()
	switch {
	case cpu.After == nil:
		return []string{r.words.noProfile()}
	case cpu.AfterFor < whole/2:
		notes = append(notes, r.words.halfProfiled(cpu.AfterFor, whole))
	}
	if cpu.Before == nil {
		notes = append(notes, r.words.noBaseline())
	}
	return notes
}

// maxStacks is how many stacks of a profile are looked at.
const maxStacks = 10_000

// largest leaves a profile its largest samples only, where it has too many to be
// looked at in time.
func largest(p *profile.Profile) *profile.Profile {
	if p == nil || len(p.Sample) <= maxStacks {
		return p
	}
	totals := make([]float64, len(p.SampleType))
	for _, s := range p.Sample {
		for i, v := range s.Value {
			totals[i] += float64(v)
		}
	}
	shares := make([]float64, len(p.Sample))
	for i, s := range p.Sample {
		for j, v := range s.Value {
			if totals[j] > 0 {
				shares[i] += float64(v) / totals[j]
			}
		}
	}
	least := slices.Sorted(slices.Values(shares))[len(shares)-maxStacks]
	kept := p.Sample[:0]
	for i, s := range p.Sample {
		if shares[i] >= least && len(kept) < maxStacks {
			kept = append(kept, s)
		}
	}
	clear(p.Sample[len(kept):])
	p.Sample = kept
	return p
}

func shifted(r cause.Range, by time.Duration) cause.Range {
	return cause.Range{From: r.From.Add(by), To: r.To.Add(by)}
}

// pair reads the windows of both times, which are on the profiler's clock. Where
// a time is shorter than a window, the windows nearest to it stand for it; and
// where this process did not run before, or kept nothing, the release before
// does.
func (r *Recorder) pair(kind string, t cause.Times) (both cause.Pair) {
	p := r.cfg.profiler
	read := func(from, to time.Time) (*profile.Profile, time.Duration) {
		one, length, err := p.Profile(kind, from, to)
		if err != nil {
			return nil, 0
		}
		return largest(one), length
	}
	from := t.After.From
	if both.After, both.AfterFor = read(from, time.Time{}); both.After == nil {
		from = time.Now().Add(-2 * p.Interval())
		both.After, both.AfterFor = read(from, time.Time{})
	}
	before := t.Before
	if least := 2 * p.Interval(); before.Length() < least {
		before.From = before.To.Add(-least)
	}
	ring := []func() (*profile.Profile, time.Duration){
		func() (*profile.Profile, time.Duration) { return read(before.From, before.To) },
		func() (*profile.Profile, time.Duration) { return read(time.Time{}, from) },
	}
	kept := func() (*profile.Profile, time.Duration) { return r.before.Load().profile(kind) }
	sources := append(ring, kept)
	if r.elsewhere(before) {
		sources = append([]func() (*profile.Profile, time.Duration){kept}, ring...)
	}
	for _, source := range sources {
		if both.Before, both.BeforeFor = source(); both.Before != nil {
			break
		}
	}
	return both
}

// elsewhere tells whether most of a time was before this process: its first
// windows are as bad as the rest of it.
func (r *Recorder) elsewhere(t cause.Range) bool {
	return t.From.Add(t.Length() / 2).Before(r.began)
}

// goroutinesKept are all goroutines as they were kept last in a time, nil for
// none: where there are so many that they cannot be looked at now, or not in time.
func (r *Recorder) goroutinesKept(t cause.Range) *profile.Profile {
	kept, at, err := r.cfg.profiler.Goroutines(t.To)
	if err != nil || at.Before(t.From) {
		return nil
	}
	return largest(kept)
}

// goroutinesBefore are all goroutines of the time before: the newest that were
// kept until its end, or else the first ones after that. Those of the bad time
// itself are none.
func (r *Recorder) goroutinesBefore(t cause.Times) *profile.Profile {
	kept, _ := r.before.Load().profile(goroutinesKept)
	if kept != nil && r.elsewhere(t.Before) {
		return kept
	}
	const steps = 10
	between := t.After.From.Sub(t.Before.To) / steps
	for i := range steps + 1 {
		if before, _, err := r.cfg.profiler.Goroutines(t.Before.To.Add(time.Duration(i) * between)); err == nil {
			return largest(before)
		}
	}
	return kept
}
