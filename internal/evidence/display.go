package evidence

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// display is what an incident shows beside its findings, of every alert alike.
type display struct {
	sections      []Section
	waits         *Waiting
	goroutines    *Goroutines
	errors, moved []Move
	slowest       *Slowest
	deployed      *Deployment
	before, after *profile.Profile
	flame         string
	trace         []byte
	notes         []string
}

func (d *display) into(g *gathered) {
	in := g.incident
	in.Profiles, in.Waits, in.Goroutines, in.Flame = d.sections, d.waits, d.goroutines, d.flame
	in.Errors, in.Moved, in.Slowest, in.Deployed = d.errors, d.moved, d.slowest, d.deployed
	in.Notes = append(in.Notes, d.notes...)
	g.before, g.after, g.trace = d.before, d.after, d.trace
}

// display makes the tables and the graph of what was found, of one endpoint or
// of the whole service.
func (r *Recorder) display(ctx context.Context, f *found, endpoint string) *display {
	d := &display{}
	t, kept := f.input.Times, f.input.Profiles
	v := figures{r.cfg.Domain, f.input.Series, t}
	d.moved, d.errors, d.deployed = v.moved(), v.failures(endpoint), v.deployed()
	d.slowest, _ = inTime(ctx, 0.5, r, func(ctx context.Context) *Slowest { return r.slowest(ctx, endpoint, t.After) })
	d.profiles(r, kept, endpoint, first(f.result))
	d.waits = r.waiting(kept, endpoint)
	if g := kept.Goroutines; g.After != nil {
		d.goroutines = &Goroutines{Before: goroutineCount(g.Before), After: goroutineCount(g.After), Groups: profiles.DiffGoroutines(g.Before, g.After, maxListed)}
	}
	r.trace(ctx, d)
	return d
}

// first is the section that the best finding is about: its functions are the
// first ones to look at.
func first(result cause.Result) string {
	if len(result.Findings) == 0 {
		return "cpu"
	}
	switch result.Findings[0].Kind {
	case "memory":
		return "inuse_space"
	case "gc":
		return "alloc_space"
	case "lock":
		return "mutex"
	}
	return "cpu"
}

// profiles are the hot functions of each kind, those of the first one before
// all others; its profiles are kept, and drawn.
func (d *display) profiles(r *Recorder, p cause.Profiles, endpoint, first string) {
	for _, one := range []struct {
		name, sampleType string
		pair             cause.Pair
		endpoint         string
	}{
		{"cpu", "cpu", p.CPU, endpoint},
		{"alloc_space", "alloc_space", p.Heap, endpoint},
		{"inuse_space", "inuse_space", p.Heap, ""}, // whose request it was is long forgotten
		{"mutex", "delay", p.Mutex, ""},            // who holds a lock is another than who waits
	} {
		if one.pair.After == nil || one.name == "mutex" && profiles.Total("delay", one.pair.After) == 0 {
			continue
		}
		s := sectionOf(r.of(one.pair, one.endpoint), one.sampleType, one.name)
		if one.name == first || d.after == nil {
			d.before, d.after, d.flame = one.pair.Before, one.pair.After, one.sampleType
		}
		if one.name == first {
			d.sections = append([]Section{s}, d.sections...)
			continue
		}
		d.sections = append(d.sections, s)
	}
}

// of is the pair of one endpoint.
func (r *Recorder) of(b cause.Pair, endpoint string) cause.Pair {
	if endpoint == "" {
		return b
	}
	if b.Before != nil {
		b.Before = r.cfg.profiler.OfEndpoint(b.Before, endpoint)
	}
	if b.After != nil {
		b.After = r.cfg.profiler.OfEndpoint(b.After, endpoint)
	}
	return b
}

// maxListed is how many functions and places an incident lists of a kind.
const maxListed = 20

// sectionOf compares a pair in one sample type. What is in use is no rate.
func sectionOf(b cause.Pair, sampleType, name string) Section {
	beforeFor, afterFor := b.BeforeFor.Seconds(), b.AfterFor.Seconds()
	if sampleType == "inuse_space" {
		beforeFor, afterFor = 1, 1
	}
	s := Section{Type: name, Hot: profiles.TopOf(sampleType, b.After, maxListed)}
	if b.After != nil && afterFor > 0 {
		s.After = profiles.Total(sampleType, b.After) / afterFor
	}
	if b.Before != nil && beforeFor > 0 {
		s.Before = profiles.Total(sampleType, b.Before) / beforeFor
		s.Diff = profiles.Diff(sampleType, b.Before, beforeFor, b.After, afterFor)
		s.Diff = s.Diff[:min(maxListed, len(s.Diff))]
	}
	return s
}

// waiting is where requests wait: what a CPU profile does not show.
func (r *Recorder) waiting(p cause.Profiles, endpoint string) *Waiting {
	if p.Waits.After == nil {
		return nil
	}
	mine := r.of(p.Waits, endpoint)
	after := profiles.WaitsOf(mine.After, maxListed)
	w := &Waiting{Seen: after.Seen, Looks: after.Looks, After: after.Mean}
	before := profiles.Waits{}
	if mine.Before != nil {
		before = profiles.WaitsOf(mine.Before, 10*maxListed)
		w.Before = before.Mean
	}
	if after.Seen > 0 {
		w.Share = after.Mean * float64(after.Looks) / after.Seen
		if cpu := r.of(p.CPU, endpoint); cpu.After != nil && cpu.AfterFor > 0 {
			w.Busy = profiles.Total("cpu", cpu.After) / cpu.AfterFor.Seconds() / (after.Seen / float64(after.Looks))
		}
	}
	for _, place := range after.Places {
		w.Places = append(w.Places, WaitingPlace{WaitPlace: place, After: atATime(after, place), Before: atATime(before, place)})
	}
	return w
}

// atATime is how many goroutines wait at a place at a time.
func atATime(w profiles.Waits, at profiles.WaitPlace) float64 {
	for _, p := range w.Places {
		if p.Function == at.Function && p.Line == at.Line && p.Reason == at.Reason && w.Looks > 0 {
			return p.Share * w.Seen / float64(w.Looks)
		}
	}
	return 0
}

// trace takes the flight recorder's last moments, where one runs.
func (r *Recorder) trace(ctx context.Context, d *display) {
	var buf bytes.Buffer
	if err := r.cfg.profiler.WriteTrace(ctx, &buf); err == nil {
		d.trace = buf.Bytes()
	} else if r.cfg.profiler.Interval() > 0 && !errors.Is(err, continuous.ErrNothing) {
		d.notes = append(d.notes, clean(err.Error()))
	}
}

// goroutineCount is how many goroutines a profile is of, 0 without one.
func goroutineCount(p *profile.Profile) (n int64) {
	if p == nil {
		return 0
	}
	for _, s := range p.Sample {
		n += s.Value[0]
	}
	return n
}

// route is the path in the name of an endpoint: "/orders" of "GET /orders".
func route(endpoint string) string {
	if _, path, ok := strings.Cut(endpoint, " "); ok {
		return path
	}
	return endpoint
}
