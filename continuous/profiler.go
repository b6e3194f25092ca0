package continuous

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/grafana/pyroscope-go/godeltaprof"

	"github.com/latido-dev/latido/internal/profiles"
)

// Profiler profiles the process. A nil Profiler, and one that Start returned
// with an error, profiles nothing. It is safe for concurrent use.
type Profiler struct {
	cfg  Config
	ring ring
	log  *sparseLog
	up   *uploader // nil without a server

	quit      chan struct{}      // closed by Stop; nil for a Profiler that does nothing
	done      chan struct{}      // closed when the loop has ended
	cut       chan struct{}      // somebody waits for the window that runs; holds one
	flushes   chan chan struct{} // ends the window that runs, and is closed when it is kept
	aged      chan struct{}      // a window has ended, and an old one may have left the ring; holds one
	coarsened chan struct{}      // closed when coarsen has ended
	beaten    chan struct{}      // closed when beat has ended
	stopOnce  sync.Once
	stopErr   error

	started  time.Time
	gaps     atomic.Uint64
	stalled  atomic.Int64          // nanoseconds
	blocked  atomic.Bool           // another CPU profile runs, which is not ours
	recorder *trace.FlightRecorder // nil without one

	// The loop's own.
	cpu      *cpuWindow // nil while somebody else's runs
	gap      gap
	looks    goroutineSampler
	heap     *godeltaprof.HeapProfiler
	heapFrom time.Time
	stacksAt time.Time // when all goroutines were kept
	leaksAt  time.Time // when the next leaks are due
	cycles   uint64    // garbage collections at heapFrom
	mutex    *godeltaprof.BlockProfiler
	block    *godeltaprof.BlockProfiler
	fraction int       // of mutexes, before Start, where Config sets one
	noSpans  time.Time // windows that ended until then have lost their spans' labels

	handlers profiles.Handlers
}

// Stats are counts since Start.
type Stats struct {
	Uploaded  uint64        // profiles that the server took
	Failed    uint64        // uploads that failed, each try counted
	Dropped   uint64        // profiles dropped because the queue was full, or refused for good
	Gaps      uint64        // windows without a CPU profile, because somebody else's ran
	RingBytes int           // size of the profiles kept
	Stalled   time.Duration // that the process did not run, by ticks of a second that came more than 0.1 s late
	HeapAge   time.Duration // how old the heap's figures are: they change with each garbage collection
}

// Start begins to profile. The network is never waited for. It returns an
// error for an address that cannot work, or a negative limit; the Profiler is
// never nil. An address from the environment that cannot work is a warning, and
// profiles stay in the process.
//
// While somebody else's CPU profile runs, ours waits: it never stops theirs. The
// log says so, and so do Stats, reports and pages. Several Profilers of one
// process share one CPU profile: each has all of it.
func Start(cfg Config) (*Profiler, error) {
	cfg, err := cfg.withDefaults()
	p := &Profiler{cfg: cfg, ring: ring{
		maxBytes: cfg.MaxBytes, keep: cfg.Keep, coarseBytes: cfg.MaxBytes / 2, coarseKeep: coarseReach * cfg.Keep,
	}}
	if cfg.Disabled {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.log = &sparseLog{log: cfg.Logger}
	if p.up, err = newUploader(cfg, p.log); err != nil {
		return p, err
	}
	p.started = time.Now()
	p.quit, p.done, p.cut, p.flushes = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1), make(chan chan struct{})
	p.aged, p.coarsened, p.beaten = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	if p.up != nil {
		go p.up.run()
	}
	p.startRecorder()
	process.join(p)
	go p.coarsen()
	go p.beat()
	go p.run()
	return p, nil
}

// Stop ends the profiler, and uploads what it has, within ctx and at most 5
// seconds. With an unfinished ctx or not, it takes some 0.2 s to end the last
// CPU profile. Further calls return the same result. No goroutine is left. The
// error says how many profiles could not be uploaded; they stay readable in the
// process.
func (p *Profiler) Stop(ctx context.Context) error {
	if !p.running() {
		return nil
	}
	p.stopOnce.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, stopBudget)
		defer cancel()
		close(p.quit)
		<-p.done
		<-p.coarsened
		<-p.beaten
		if p.recorder != nil {
			p.recorder.Stop()
		}
		if p.up != nil {
			p.stopErr = p.up.stop(ctx)
		}
	})
	return p.stopErr
}

// Stats returns the counts. It is cheap.
func (p *Profiler) Stats() Stats {
	if p == nil {
		return Stats{}
	}
	s := Stats{Gaps: p.gaps.Load(), Stalled: time.Duration(p.stalled.Load())}
	s.RingBytes, _ = p.ring.size()
	if p.up != nil {
		s.Uploaded, s.Failed, s.Dropped = p.up.uploaded.Load(), p.up.failed.Load(), p.up.dropped.Load()
	}
	if p.running() {
		s.HeapAge = heapAge(p.started)
	}
	return s
}

// heapAge is the time since the last garbage collection, or since the start.
func heapAge(started time.Time) time.Duration {
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	if gc.NumGC == 0 {
		return time.Since(started)
	}
	return max(time.Since(gc.LastGC), 0)
}

// run profiles one window after the other until Stop.
func (p *Profiler) run() {
	defer close(p.done)
	defer process.leave(p)
	// A goroutine inherits the labels of the one that started it.
	pprof.SetGoroutineLabels(context.Background())
	p.guard(p.begin)
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for more := true; more; {
		if p.guard(func() { more = p.window(retry.C) }) {
			continue
		}
		p.guard(func() { p.endCPU() })
		select { // not in a tight loop
		case <-p.quit:
			more = false
		case <-time.After(p.cfg.Interval):
		}
	}
	p.guard(p.restore)
}

// guard runs fn, and reports whether it came back without a panic: nothing here
// is worth the service.
func (p *Profiler) guard(fn func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.log.warn("profiling panicked; it goes on with the next window", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	fn()
	return true
}

// begin takes the baselines: what happened before is no part of a window.
func (p *Profiler) begin() {
	p.looks.period = min(time.Second, p.cfg.Interval/10)
	p.looks.next = time.Now().Add(p.looks.period)
	p.leaksAt = time.Now().Add(leaksPause)
	p.heap = godeltaprof.NewHeapProfiler()
	switch {
	case p.cfg.MutexFraction > 0:
		p.fraction = runtime.SetMutexProfileFraction(p.cfg.MutexFraction)
	case p.cfg.MutexFraction == 0:
		process.fraction.join(time.Now())
	}
	if p.cfg.MutexFraction >= 0 {
		p.mutex = godeltaprof.NewMutexProfiler()
		p.drop(p.mutex.Profile(io.Discard))
	}
	if p.cfg.BlockRate > 0 {
		runtime.SetBlockProfileRate(p.cfg.BlockRate)
		p.block = godeltaprof.NewBlockProfiler()
		p.drop(p.block.Profile(io.Discard))
	}
	p.heapFrom, p.cycles = time.Now(), gcCycles()
	p.drop(p.heap.Profile(io.Discard))
}

// restore gives the process its rates back, unless somebody changed them since.
func (p *Profiler) restore() {
	switch {
	case p.mutex == nil:
	case p.cfg.MutexFraction == 0:
		process.fraction.leave()
	case runtime.SetMutexProfileFraction(-1) == p.cfg.MutexFraction:
		runtime.SetMutexProfileFraction(p.fraction)
	}
	if p.block != nil {
		runtime.SetBlockProfileRate(0)
	}
}

// minCut is the shortest window that somebody who waits for it is given: many
// who wait do not make many windows.
const minCut = time.Second

// window profiles for one interval, until somebody waits for it, or until Stop.
// It reports whether there is another window to come. At a tick of retry it tries
// again what did not work.
func (p *Profiler) window(retry <-chan time.Time) (more bool) {
	from := time.Now()
	end := time.NewTimer(p.cfg.Interval)
	defer end.Stop()
	look := time.NewTimer(time.Until(p.looks.next))
	defer look.Stop()

	var kept chan struct{}
	defer func() {
		if kept != nil {
			close(kept)
		}
	}()

	profiled := p.tryCPU()
	more = true
	for running := true; running; {
		var ended <-chan struct{}
		if p.cpu != nil {
			ended = p.cpu.ended
		}
		select {
		case <-p.quit:
			running, more = false, false
		case <-end.C:
			running = false
		case kept = <-p.flushes:
			running = false
		case <-p.cut:
			now := time.Now()
			end.Reset(min(from.Add(p.cfg.Interval).Sub(now), max(0, from.Add(minCut).Sub(now))))
		case <-ended: // by somebody who wants to profile: let them
			p.endCPU()
		case <-retry:
			process.fraction.step(time.Now())
			if p.cpu == nil {
				profiled = p.tryCPU() || profiled
			}
		case <-look.C:
			p.drop(p.looks.look())
			look.Reset(time.Until(p.looks.next))
		}
	}
	if !profiled && more { // the last window may be too short to have one
		p.gaps.Add(1)
	}
	to := time.Now()
	p.keepGap(to)
	p.keepWaits(from, to)
	p.keepHeap(to, !more || kept != nil)
	p.keepDelta(kindMutex, p.mutex, from, to)
	p.keepDelta(kindBlock, p.block, from, to)
	if more {
		p.keepLeaks(to)
	}
	p.dropSpans(to)
	p.endCPU() // last, so that what profiling costs is in the profile
	select {
	case p.aged <- struct{}{}:
	default: // one step of it is behind
	}
	return more
}
