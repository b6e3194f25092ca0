package continuous

import (
	"slices"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

// process is what all Profilers of the process share: Go has one CPU profile a
// process, and a second Telemetry has a Profiler of its own. The one that has
// the CPU profile gives each window of it to all of them.
var process profilers

type profilers struct {
	fraction fraction

	mu     sync.Mutex
	all    []*Profiler
	holder *Profiler // of the CPU profile, nil for none of ours
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

// hold says whose the CPU profile is now.
func (ps *profilers) hold(p *Profiler) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.holder = p
}

func (ps *profilers) release(p *Profiler) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.holder == p {
		ps.holder = nil
	}
}

// held is the Profiler that has the CPU profile, nil if none of ours has.
func (ps *profilers) held() *Profiler {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.holder
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
	p.cpu = startCPU()
	if p.cpu != nil {
		process.hold(p)
	}
	if p.cpu != nil || process.held() != nil {
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
