package continuous

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope-go/godeltaprof"
	"golang.org/x/net/http/httpguts"
)

// Config says what is profiled and where it goes. The zero value keeps ten
// minutes of CPU, heap and goroutine profiles in the process.
type Config struct {
	// Disabled profiles nothing.
	Disabled bool
	// Service is the name under which Pyroscope shows the service. Empty means
	// unknown_service. Characters that Pyroscope refuses become underscores.
	Service string
	// Tags are on every profile that is uploaded. Characters that Pyroscope
	// refuses in a name become underscores. A tag named endpoint, method,
	// region, span_id or started_by would hide that label of the samples, and becomes
	// tag_endpoint and so on.
	Tags map[string]string
	// ServerAddress is Pyroscope's URL. Empty means PYROSCOPE_SERVER_ADDRESS;
	// without either, profiles stay in the process.
	ServerAddress string
	// BasicAuthUser, BasicAuthPassword and TenantID identify the service to
	// Pyroscope. Empty means PYROSCOPE_BASIC_AUTH_USER,
	// PYROSCOPE_BASIC_AUTH_PASSWORD and PYROSCOPE_TENANT_ID.
	BasicAuthUser, BasicAuthPassword, TenantID string
	// HTTPHeaders are on every upload, and win over what the fields above make
	// of Authorization and X-Scope-OrgID: {"Authorization": "Bearer " + token}.
	// Space around a value is dropped. No log line shows a value.
	HTTPHeaders map[string]string
	// RoundTripper makes the uploads, for a private CA, a client certificate or
	// a proxy: an http.Transport with its TLSClientConfig. It must be safe for
	// concurrent use, obey the request's context, and stays the caller's to
	// close. nil means an http.Transport with the proxy of the environment.
	RoundTripper http.RoundTripper
	// Interval is the length of a window, and the time between uploads. 0
	// means 10 seconds; less than 20 milliseconds means that.
	Interval time.Duration
	// Keep is how far back the ring reaches. 0 means 10 minutes.
	Keep time.Duration
	// MaxBytes bounds the ring. 0 means 16 MiB.
	MaxBytes int
	// MutexFraction and BlockRate turn those profiles on, as
	// runtime.SetMutexProfileFraction and runtime.SetBlockProfileRate have
	// them, until Stop. 0 leaves them as they are. Stop restores the fraction
	// that was set before; Go does not tell the rate, so Stop sets it to 0.
	MutexFraction, BlockRate int
	// TraceFor keeps an execution trace of about the last so long, by
	// runtime/trace.FlightRecorder, until Stop: see [Profiler.WriteTrace]. It
	// costs a per cent or two of the CPU time. 0 keeps none.
	TraceFor time.Duration
	// TraceBytes bounds it, about. 0 means 4 MiB.
	TraceBytes uint64
	// Logger gets what a person should know. nil means slog.Default().
	Logger *slog.Logger
}

const (
	defaultInterval = 10 * time.Second
	minInterval     = 20 * time.Millisecond
	defaultKeep     = 10 * time.Minute
	defaultMaxBytes = 16 << 20

	// stopBudget bounds Stop for a context without a deadline.
	stopBudget = 5 * time.Second
)

func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("interval %v: write a positive duration, such as 10s, or set disabled", c.Interval))
	}
	if c.Keep < 0 {
		errs = append(errs, fmt.Errorf("keep %v: write a positive duration, such as 10m", c.Keep))
	}
	if c.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("max bytes %d: write a positive number, such as %d", c.MaxBytes, defaultMaxBytes))
	}
	if c.MutexFraction < 0 || c.BlockRate < 0 {
		errs = append(errs, fmt.Errorf("mutex fraction %d, block rate %d: write 0 for off, or a positive number", c.MutexFraction, c.BlockRate))
	}
	for _, name := range slices.Sorted(maps.Keys(c.HTTPHeaders)) {
		if !httpguts.ValidHeaderFieldName(name) {
			errs = append(errs, fmt.Errorf("http header %q: no HTTP header has such a name: write one like Authorization", name))
		} else if !httpguts.ValidHeaderFieldValue(strings.TrimSpace(c.HTTPHeaders[name])) {
			errs = append(errs, fmt.Errorf("http header %q: its value has a line break or another control character: write it without", name))
		}
	}
	if err := c.traceDefaults(); err != nil {
		errs = append(errs, err)
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	c.Interval = max(c.Interval, minInterval)
	if c.Keep == 0 {
		c.Keep = defaultKeep
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultMaxBytes
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, errors.Join(errs...)
}

// Profiler profiles the process. A nil Profiler, and one that Start returned
// with an error, profiles nothing. It is safe for concurrent use.
type Profiler struct {
	cfg  Config
	ring ring
	log  *sparseLog
	up   *uploader // nil without a server

	quit     chan struct{}      // closed by Stop; nil for a Profiler that does nothing
	done     chan struct{}      // closed when the loop has ended
	cut      chan struct{}      // somebody waits for the window that runs; holds one
	flushes  chan chan struct{} // ends the window that runs, and is closed when it is kept
	stopOnce sync.Once
	stopErr  error

	started  time.Time
	gaps     atomic.Uint64
	blocked  atomic.Bool           // another CPU profile runs, which is not ours
	recorder *trace.FlightRecorder // nil without one

	// The loop's own.
	cpu      *cpuWindow // nil while somebody else's runs
	gap      gap
	waits    waits
	heap     *godeltaprof.HeapProfiler
	heapFrom time.Time
	stacksAt time.Time // when all goroutines were kept
	leaksAt  time.Time // when the next leaks are due
	cycles   uint64    // garbage collections at heapFrom
	mutex    *godeltaprof.BlockProfiler
	block    *godeltaprof.BlockProfiler
	fraction int       // of mutexes, before Start
	noSpans  time.Time // windows that ended until then have lost their spans' labels

	mu    sync.Mutex
	bound map[string]binding // by the name of a handler's function
}

// Stats are counts since Start.
type Stats struct {
	Uploaded  uint64        // profiles that the server took
	Failed    uint64        // uploads that failed, each try counted
	Dropped   uint64        // profiles dropped because the queue was full, or refused for good
	Gaps      uint64        // windows without a CPU profile, because somebody else's ran
	RingBytes int           // size of the profiles kept
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
	p := &Profiler{cfg: cfg, ring: ring{maxBytes: cfg.MaxBytes, keep: cfg.Keep}}
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
	if p.up != nil {
		go p.up.run()
	}
	p.startRecorder()
	process.join(p)
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
	s := Stats{Gaps: p.gaps.Load()}
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
	for more := true; more; {
		if p.guard(func() { more = p.window() }) {
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
	p.waits.period = min(time.Second, p.cfg.Interval/10)
	p.waits.next = time.Now().Add(p.waits.period)
	p.leaksAt = time.Now().Add(leaksPause)
	p.heap = godeltaprof.NewHeapProfiler()
	if p.cfg.MutexFraction > 0 {
		p.fraction = runtime.SetMutexProfileFraction(p.cfg.MutexFraction)
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
	if p.mutex != nil && runtime.SetMutexProfileFraction(-1) == p.cfg.MutexFraction {
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
// It reports whether there is another window to come.
func (p *Profiler) window() (more bool) {
	from := time.Now()
	end := time.NewTimer(p.cfg.Interval)
	defer end.Stop()
	retry := time.NewTicker(min(time.Second, p.cfg.Interval/4))
	defer retry.Stop()
	look := time.NewTimer(time.Until(p.waits.next))
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
		case <-retry.C:
			if p.cpu == nil {
				profiled = p.tryCPU() || profiled
			}
		case <-look.C:
			p.drop(p.waits.look())
			look.Reset(time.Until(p.waits.next))
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
	return more
}

// keep gives a capture to the ring and to the server.
func (p *Profiler) keep(c capture) {
	p.ring.add(c)
	if p.up != nil {
		p.up.add(c)
	}
}

// drop tells of a profile that could not be taken, and goes on.
func (p *Profiler) drop(err error) {
	if err != nil {
		p.log.warn("a profile could not be taken", "error", err)
	}
}

func (p *Profiler) endCPU() {
	if p.cpu == nil {
		return
	}
	w := p.cpu
	p.cpu = nil
	defer process.release(p)
	c, ok := w.stop()
	if !ok {
		return
	}
	c, labelled, err := c.settled(cpuDepth)
	p.drop(err)
	process.share(c, labelled)
}

func (p *Profiler) keepWaits(from, to time.Time) {
	sum, whole := p.waits.take(from, to)
	if len(whole) > 0 {
		if own, _, err := (capture{data: whole}).settled(goroutineDepth); err == nil {
			whole = own.data
		}
		if slim, err := withoutSpans(whole); err == nil {
			whole = slim // nobody asks where one request waited
		}
	}
	p.keepStacks(to, whole)
	if sum == nil {
		return
	}
	if data := p.encode(sum); data != nil {
		p.ring.add(capture{kindGoroutine, from, to, data})
	}
	if p.up != nil {
		// Pyroscope's goroutines are how many there are, of all kinds.
		p.up.add(capture{kindGoroutine, from, to, whole})
	}
}

// keepHeap takes what was allocated since the last one, and what is in use. The
// figures change only with a garbage collection; none is forced for them.
func (p *Profiler) keepHeap(to time.Time, last bool) {
	cycles := gcCycles()
	if cycles == p.cycles && !last {
		return
	}
	var buf bytes.Buffer
	if err := p.heap.Profile(&buf); err != nil {
		p.drop(fmt.Errorf("heap profile: %w", err))
		return
	}
	p.keep(capture{kindHeap, p.heapFrom, to, bytes.Clone(buf.Bytes())})
	p.heapFrom, p.cycles = to, cycles
}

func (p *Profiler) keepDelta(k kind, profiler *godeltaprof.BlockProfiler, from, to time.Time) {
	if profiler == nil {
		return
	}
	var buf bytes.Buffer
	if err := profiler.Profile(&buf); err != nil {
		p.drop(fmt.Errorf("contention profile: %w", err))
		return
	}
	p.keep(capture{k, from, to, bytes.Clone(buf.Bytes())})
}

func (p *Profiler) encode(sum *profile.Profile) []byte {
	var buf bytes.Buffer
	if err := sum.Write(&buf); err != nil {
		p.drop(fmt.Errorf("goroutine profile: %w", err))
		return nil
	}
	return bytes.Clone(buf.Bytes())
}

// gcCycles is how many garbage collections there were. Unlike
// runtime.ReadMemStats it stops nothing.
func gcCycles() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
