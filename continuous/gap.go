package continuous

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
)

// process is what all Profilers of the process share: Go has one CPU profile a
// process, and a second Telemetry has a Profiler of its own. The one that has
// the CPU profile gives each window of it to all of them.
var process profilers

type profilers struct {
	fraction fraction

	mu  sync.Mutex
	all []*Profiler

	turn   sync.Mutex               // of those that start a CPU profile; it may take 0.2 s, until another one has ended
	holder atomic.Pointer[Profiler] // of the CPU profile, nil for none of ours
}

func (ps *profilers) join(p *Profiler) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all = append(ps.all, p)
}

func (ps *profilers) leave(p *Profiler) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all = slices.DeleteFunc(ps.all, func(other *Profiler) bool { return other == p })
}

// start starts a CPU profile for p, nil if one runs. It reports whether the one
// that runs now is ours. Both are one step: in between, another of ours could
// begin or end, and its profile would look like a stranger's.
func (ps *profilers) start(p *Profiler) (w *cpuWindow, ours bool) {
	ps.turn.Lock()
	defer ps.turn.Unlock()
	if w = startCPU(); w != nil {
		ps.holder.Store(p)
	}
	return w, ps.held() != nil
}

func (ps *profilers) release(p *Profiler) {
	ps.turn.Lock()
	defer ps.turn.Unlock()
	ps.holder.CompareAndSwap(p, nil)
}

// held is the Profiler that has the CPU profile, nil if none of ours has.
func (ps *profilers) held() *Profiler {
	return ps.holder.Load()
}

// share gives a CPU window, and what it says, to all of them.
func (ps *profilers) share(c capture, labelled *profile.Profile) {
	ps.mu.Lock()
	defer ps.mu.Unlock() // whoever has left is given nothing more
	for _, p := range ps.all {
		p.handlers.Learn(labelled)
		p.keep(c)
	}
}

// gap is a time without a CPU profile, because somebody else's runs. It belongs
// to the Profiler's loop.
type gap struct {
	since time.Time // zero for none
	kept  time.Time // until when the ring has it
	told  bool      // the log has its beginning
	last  time.Time // when the log had one
}

const (
	shortGap = 20 * time.Millisecond // no profile is started in the very moment that another one ends
	gapPause = 10 * time.Minute      // between two gaps that are logged: some profilers come every minute
)

// tryCPU starts a CPU profile, unless one runs. It reports whether the CPU is
// profiled for us: by this Profiler, or by another one of the process.
func (p *Profiler) tryCPU() bool {
	now := time.Now()
	var ours bool
	if p.cpu, ours = process.start(p); ours {
		p.endGap(now)
		return true
	}
	switch g := &p.gap; {
	case g.since.IsZero():
		g.since, g.kept = now, now
	case !g.told && now.Sub(g.since) > shortGap && (g.last.IsZero() || now.Sub(g.last) > gapPause):
		g.told, g.last = true, now
		p.cfg.Logger.Warn("another CPU profile runs in this process, and Go allows one at a time: CPU figures have a gap until it ends")
	}
	p.blocked.Store(true)
	return false
}

func (p *Profiler) endGap(now time.Time) {
	g := &p.gap
	if g.since.IsZero() {
		return
	}
	p.keepGap(now)
	if g.told {
		p.cfg.Logger.Info("the other CPU profile has ended: CPU figures go on", "gap", now.Sub(g.since).Round(time.Millisecond))
	}
	*g = gap{last: g.last}
	p.blocked.Store(false)
}

// keepGap puts the gap, so far, into the ring: a report of that time says what
// it lacks.
func (p *Profiler) keepGap(now time.Time) {
	if g := &p.gap; !g.since.IsZero() && now.Sub(g.kept) > shortGap {
		p.ring.add(capture{kind: kindGap, from: g.kept, to: now})
		g.kept = now
	}
}
