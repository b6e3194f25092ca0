package evidence

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
)

// cpu looks at where CPU time went.
func (r *Recorder) cpu(f *findings, endpoint string, s span) {
	p := r.cfg.Profiler
	all := r.pair(continuous.ProfileCPU, s)
	f.window, f.base = all.afterFor.Seconds(), all.beforeFor.Seconds()
	f.before, f.after, f.flame = all.before, all.after, "cpu"
	if all.after == nil {
		f.none = r.words.noProfile()
		return
	}
	r.noBaseline(f, all)
	if whole := s.length(); all.afterFor < whole/2 {
		f.notes = append(f.notes, r.words.halfProfiled(all.afterFor, whole))
	}
	if endpoint == "" {
		f.endpoint = most(p.ByEndpoint("cpu", all.after), continuous.Total("cpu", all.after))
	}
	f.sections = append(f.sections, all.of(p, endpoint).section("cpu", "cpu"))
}

// memory looks at what is in use and at what is allocated; the one that grew
// comes first.
func (r *Recorder) memory(f *findings, endpoint string, s span) {
	p := r.cfg.Profiler
	all := r.pair(continuous.ProfileHeap, s)
	f.window, f.base = all.afterFor.Seconds(), all.beforeFor.Seconds()
	f.before, f.after, f.flame = all.before, all.after, "alloc_space"
	if all.after == nil {
		f.none = r.words.noHeap(p.Stats().HeapAge)
		return
	}
	r.noBaseline(f, all)
	if endpoint == "" {
		f.endpoint = most(p.ByEndpoint("alloc_space", all.after), continuous.Total("alloc_space", all.after))
	}
	allocated := all.of(p, endpoint).section("alloc_space", "alloc_space")
	inUse := all.section("inuse_space", "inuse_space") // whose request it was is long forgotten
	f.sections = []Section{allocated, inUse}
	const leak = 1.1 // in use grew by a tenth
	if inUse.Before > 0 && inUse.After > leak*inUse.Before || all.before == nil {
		f.sections, f.flame = []Section{inUse, allocated}, "inuse_space"
	}
}

// noBaseline says that there is nothing to compare with.
func (r *Recorder) noBaseline(f *findings, all pair) {
	if all.before == nil {
		f.notes = append(f.notes, r.words.noBaseline(r.cfg.Profiler.Keep()))
	}
}

// most is the endpoint with a good part of a total, "" if there is none.
func most(by map[string]float64, total float64) (endpoint string) {
	const goodPart = 0.3
	best := goodPart * total
	for name, value := range by {
		if name != "" && value > 0 && (value > best || value == best && name < endpoint) {
			endpoint, best = name, value
		}
	}
	return endpoint
}

// How often the goroutines are looked at when an alert begins to fire.
const (
	looksNow     = 5
	betweenLooks = 30 * time.Millisecond
)

// waiting looks at where requests wait: what a CPU profile does not show.
func (r *Recorder) waiting(ctx context.Context, f *findings, endpoint string, s span) {
	p := r.cfg.Profiler
	all := r.pair(continuous.ProfileWaits, s)
	// The window that runs is not in the ring yet, and its looks may be few. What
	// waits while the alert begins to fire is what the alert is about.
	if now, err := p.Look(ctx, looksNow, betweenLooks); err == nil {
		if sum, err := continuous.AddWaits(all.after, now); err == nil {
			all.after = sum
		}
	}
	if all.after == nil {
		return
	}
	if endpoint == "" { // the store could not tell: the one with the most requests at a time
		by := p.ByEndpoint(all.after.SampleType[0].Type, all.after)
		delete(by, "")
		if slow := most(by, 0); slow != "" {
			endpoint, f.endpoint = slow, slow
			cpu := r.pair(continuous.ProfileCPU, s)
			if cpu.after != nil {
				f.sections = []Section{cpu.of(p, endpoint).section("cpu", "cpu")}
			}
		}
	}
	mine := all.of(p, endpoint)
	after := continuous.WaitsOf(mine.after, maxListed)
	w := &Waiting{Seen: after.Seen, Looks: after.Looks, After: after.Mean}
	before := continuous.Waits{}
	if mine.before != nil {
		before = continuous.WaitsOf(mine.before, 10*maxListed)
		w.Before = before.Mean
	}
	if after.Seen > 0 && after.Looks > 0 {
		w.Share = after.Mean * float64(after.Looks) / after.Seen
		if len(f.sections) > 0 {
			w.Busy = f.sections[0].After / (after.Seen / float64(after.Looks))
		}
	}
	for _, place := range after.Places {
		w.Places = append(w.Places, WaitingPlace{WaitPlace: place, After: atATime(after, place), Before: atATime(before, place)})
	}
	f.waits = w
	for name, kind := range map[string]string{"mutex": continuous.ProfileMutex, "block": continuous.ProfileBlock} {
		if contended := r.pair(kind, s); contended.after != nil && continuous.Total("delay", contended.after) > 0 {
			f.sections = append(f.sections, contended.section("delay", name))
		}
	}
}

// atATime is how many goroutines wait at a place at a time.
func atATime(w continuous.Waits, at continuous.WaitPlace) float64 {
	for _, p := range w.Places {
		if p.Function == at.Function && p.Line == at.Line && p.Reason == at.Reason && w.Looks > 0 {
			return p.Share * w.Seen / float64(w.Looks)
		}
	}
	return 0
}

// trace takes the flight recorder's last moments, where one runs.
func (r *Recorder) trace(ctx context.Context, f *findings) {
	var buf bytes.Buffer
	if err := r.cfg.Profiler.WriteTrace(ctx, &buf); err == nil {
		f.trace = buf.Bytes()
	} else if !errors.Is(err, continuous.ErrNothing) {
		f.notes = append(f.notes, clean(err.Error()))
	}
}

// goroutines looks at which there are more of.
func (r *Recorder) goroutines(f *findings, s span) {
	p := r.cfg.Profiler
	after, _, err := p.Goroutines(time.Time{})
	if err != nil {
		f.none = clean(err.Error())
		return
	}
	g := &Goroutines{After: goroutineCount(after)}
	// The newest that was kept before the window; of a young process, the oldest.
	for _, part := range []float64{0, 0.25, 0.5, 0.75, 0.95} {
		at := s.profiled(s.from).Add(time.Duration(part * float64(s.length())))
		before, when, err := p.Goroutines(at)
		if err != nil {
			continue
		}
		g.Before, g.BeforeTime = goroutineCount(before), when.Add(-s.skew)
		f.before = before
		break
	}
	if f.before == nil {
		f.notes = append(f.notes, r.words.noBaseline(p.Keep()))
	}
	g.Groups = continuous.DiffGoroutines(f.before, after, maxListed)
	f.goroutines, f.after, f.flame = g, after, after.SampleType[0].Type
}

// goroutineCount is how many goroutines a profile is of.
func goroutineCount(p *profile.Profile) (n int64) {
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}
