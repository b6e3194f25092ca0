package continuous

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

const testInterval = 200 * time.Millisecond

// waitUntil polls: nothing here has a fixed time.
func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// local starts a profiler without a server.
func local(t *testing.T, cfg Config) *Profiler {
	t.Helper()
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", "")
	cfg.Interval = testInterval
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	p, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *Profiler) captures(k kind) []capture { return p.ring.between(k, time.Time{}, time.Time{}) }

// What the service set itself stays, and what the profiler set goes with it.
func TestBlockRateGivenBack(t *testing.T) {
	defer runtime.SetBlockProfileRate(0)
	runtime.SetBlockProfileRate(1)
	stopped(t, Config{})
	if !blockIsProfiled() {
		t.Error("the service's own rate is gone")
	}
	runtime.SetBlockProfileRate(0)
	stopped(t, Config{BlockRate: 1})
	if blockIsProfiled() {
		t.Error("what blocks is profiled after Stop")
	}
}

// stopped is a Profiler that has run, and has ended.
func stopped(t *testing.T, cfg Config) {
	t.Helper()
	p := local(t, cfg)
	waitUntil(t, "a window", func() bool { return len(p.captures(kindCPU)) > 0 })
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// blockIsProfiled blocks, and looks whether that is in the process' profile. On a
// busy machine it may come too late to block.
func blockIsProfiled() bool {
	before := timesBlocked()
	for range 20 {
		ready := make(chan struct{})
		time.AfterFunc(time.Millisecond, func() { close(ready) })
		<-ready
	}
	return timesBlocked() > before
}

func timesBlocked() (n int64) {
	records := make([]runtime.BlockProfileRecord, 10_000)
	found, _ := runtime.BlockProfile(records)
	for _, r := range records[:found] {
		for frames, more := runtime.CallersFrames(r.Stack()), true; more; {
			var f runtime.Frame
			if f, more = frames.Next(); strings.HasSuffix(f.Function, ".blockIsProfiled") {
				n += r.Count
			}
		}
	}
	return n
}

// Who waits while a window has just begun is given that one whole.
func TestWaitForNewWindow(t *testing.T) {
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", "")
	p, err := Start(Config{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Stop(context.Background()) }()
	for n := range 2 {
		if err := p.waitFor(t.Context(), time.Now()); err != nil || len(p.captures(kindCPU)) != n+1 {
			t.Errorf("%d windows, want %d: %v", len(p.captures(kindCPU)), n+1, err)
		}
	}
}

// burn keeps a CPU busy until the end of the test, under labels of its own.
func burn(t *testing.T, labels ...string) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		pprof.Do(context.Background(), pprof.Labels(labels...), func(context.Context) { busyUntil(stop) })
	}()
	t.Cleanup(func() { close(stop); <-done })
}

func busyUntil(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			_ = busy()
		}
	}
}

//go:noinline
func busy() (spent float64) {
	for i := range 100_000 {
		spent += float64(i) * 1.000001
	}
	return spent
}

// has reports whether any of the captures has the function on a stack.
func has(t *testing.T, captures []capture, function string) bool {
	t.Helper()
	for _, c := range captures {
		p, err := c.parse()
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return strings.HasSuffix(f.Name, function) }) {
			return true
		}
	}
	return false
}

func TestWindows(t *testing.T) {
	burn(t)
	blocked(t, 2, profiles.LabelEndpoint, "/slow")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	previous := runtime.SetMutexProfileFraction(7)
	defer runtime.SetMutexProfileFraction(previous)

	p := local(t, Config{MutexFraction: 3, BlockRate: 1000})
	waitUntil(t, "three windows", func() bool { return len(p.captures(kindCPU)) >= 3 })
	waitUntil(t, "a wait", func() bool { return has(t, p.captures(kindGoroutine), ".waitForSupplier") })
	runtime.ReadMemStats(&after)
	if after.NumForcedGC != before.NumForcedGC {
		t.Errorf("%d garbage collections were forced", after.NumForcedGC-before.NumForcedGC)
	}
	waitUntil(t, "what burns in a CPU profile", func() bool { return has(t, p.captures(kindCPU), ".busy") })
	if runtime.SetMutexProfileFraction(-1) != 3 || len(p.captures(kindMutex)) == 0 || len(p.captures(kindBlock)) == 0 {
		t.Error("no mutex or block profiles")
	}
	runtime.GC()
	heaps := len(p.captures(kindHeap))
	waitUntil(t, "a heap profile after a garbage collection", func() bool { return len(p.captures(kindHeap)) > heaps })
	if s := p.Stats(); s.HeapAge <= 0 || s.HeapAge > 5*time.Minute || s.RingBytes == 0 || s.Gaps != 0 {
		t.Errorf("stats %+v", s)
	}

	cpus, heaps := len(p.captures(kindCPU)), len(p.captures(kindHeap))
	for range 2 {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if len(p.captures(kindCPU)) == cpus || len(p.captures(kindHeap)) == heaps {
		t.Error("Stop lost the last window")
	}
	if f := runtime.SetMutexProfileFraction(-1); f != 7 {
		t.Errorf("the mutex fraction is %d after Stop, want the previous 7", f)
	}
	for k, whole := range map[kind]bool{kindCPU: false, kindHeap: true, kindGoroutine: false, kindMutex: false, kindBlock: false} {
		list := p.captures(k)
		for i, c := range list {
			if !c.to.After(c.from) || i > 0 && c.from.Before(list[i-1].to) {
				t.Errorf("kind %d, window %d: from %v to %v, and the one before to %v", k, i, c.from, c.to, list[max(0, i-1)].to)
			}
			if whole && i > 0 && !c.from.Equal(list[i-1].to) { // what is allocated is allocated in one of them
				t.Errorf("kind %d, window %d: from %v, and the one before to %v", k, i, c.from, list[i-1].to)
			}
		}
	}
}

// With many goroutines a look costs more, and the next one comes some windows
// later: but it comes.
func TestLooksFarApart(t *testing.T) {
	blocked(t, 2000, profiles.LabelEndpoint, "/slow")
	p := local(t, Config{})
	waitUntil(t, "two looks", func() bool { return len(p.captures(kindGoroutine)) >= 2 })
}

var kept []byte

//go:noinline
func allocate() { kept = make([]byte, 8<<20) }

// Without a garbage collection the heap's figures do not change, and none is
// taken. With one they do, and it is.
func TestHeapWithoutCollection(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // ends one that runs
	p := local(t, Config{})
	waitUntil(t, "three windows", func() bool { return len(p.captures(kindCPU)) >= 3 })
	if n := len(p.captures(kindHeap)); n > 0 {
		t.Errorf("%d heap profiles without a garbage collection", n)
	}
	report, err := p.Report(t.Context(), ReportOptions{})
	if err != nil || !report.Lacks(profiles.MissingMemory) {
		t.Errorf("the report does not say that allocations are not known: %v", err)
	}
	allocate()
	runtime.GC() // figures are as of the cycle before the last one
	runtime.GC()
	waitUntil(t, "what was allocated", func() bool { return has(t, p.captures(kindHeap), ".allocate") })
	report, err = p.Report(t.Context(), ReportOptions{})
	if err != nil || report.Lacks(profiles.MissingMemory) || report.Process.AllocBytes < 8<<20 {
		t.Errorf("the report has %.0f bytes, want the 8 MiB: %v", report.Process.AllocBytes, err)
	}
}

// A user's CPU profile, begun before ours, lasts as long as the user wants.
func TestForeignProfileBefore(t *testing.T) {
	burn(t)
	var theirs bytes.Buffer
	if err := pprof.StartCPUProfile(&theirs); err != nil {
		t.Fatal(err)
	}
	p := local(t, Config{})
	start := time.Now()
	waitUntil(t, "gaps", func() bool { return p.Stats().Gaps >= 5 })
	if n := len(p.captures(kindCPU)); n > 0 {
		t.Errorf("%d CPU profiles beside another one", n)
	}
	wanted := time.Since(start)
	pprof.StopCPUProfile()
	survived(t, theirs.Bytes(), wanted)
	waitUntil(t, "a window after theirs", func() bool { return has(t, p.captures(kindCPU), ".busy") })
}

// A user who finds ours running and stops it, to start another one, has it.
func TestForeignProfileBetween(t *testing.T) {
	burn(t)
	p := local(t, Config{})
	waitUntil(t, "a window", func() bool { return len(p.captures(kindCPU)) > 0 })
	var theirs bytes.Buffer
	waitUntil(t, "their profile", func() bool {
		pprof.StopCPUProfile() // ours, or nothing between two windows
		return pprof.StartCPUProfile(&theirs) == nil
	})
	start, gaps := time.Now(), p.Stats().Gaps
	waitUntil(t, "gaps", func() bool { return p.Stats().Gaps >= gaps+5 })
	wanted := time.Since(start)
	pprof.StopCPUProfile()
	survived(t, theirs.Bytes(), wanted)
	n := len(p.captures(kindCPU))
	waitUntil(t, "a window after theirs", func() bool { return len(p.captures(kindCPU)) > n })
}

// survived checks that nobody cut a profile short. Over five windows, and not by
// some milliseconds: it may begin late on a busy machine.
func survived(t *testing.T, data []byte, wanted time.Duration) {
	t.Helper()
	p, err := profile.ParseData(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Duration(p.DurationNanos); got < wanted*3/4 {
		t.Errorf("their profile was stopped after %v of %v", got, wanted)
	}
	if len(p.Sample) == 0 {
		t.Error("their profile is empty")
	}
}

// A profiler that is stopped by others all the time still ends.
func TestStoppedByOthers(t *testing.T) {
	p := local(t, Config{})
	for end := time.Now().Add(2 * testInterval); time.Now().Before(end); {
		pprof.StopCPUProfile()
		runtime.Gosched()
	}
	n := len(p.captures(kindCPU))
	waitUntil(t, "a window afterwards", func() bool { return len(p.captures(kindCPU)) > n })
	for _, c := range p.captures(kindCPU) {
		if _, err := c.parse(); err != nil {
			t.Error(err)
		}
	}
}

// What Start is called from has labels; the profiler's goroutines must not.
func TestNotLabelled(t *testing.T) {
	var p *Profiler
	pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/starts"), func(context.Context) { p = local(t, Config{}) })
	waitUntil(t, "a look", func() bool { return len(p.captures(kindGoroutine)) > 0 })
	for _, c := range p.captures(kindGoroutine) {
		parsed, err := c.parse()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range parsed.Sample {
			if stacks.Label(s, profiles.LabelEndpoint) == "/starts" {
				t.Errorf("labelled as a request: %v", stacks.Of(s))
			}
		}
	}
}

func TestPanic(t *testing.T) {
	var out bytes.Buffer
	p := &Profiler{log: &sparseLog{log: slog.New(slog.NewTextHandler(&out, nil))}}
	if p.guard(func() { panic("boom") }) {
		t.Error("a panic is not reported")
	}
	if !p.guard(func() {}) || !strings.Contains(out.String(), "boom") {
		t.Errorf("logged %q", out.String())
	}
}

func TestDoesNothing(t *testing.T) {
	ctx := context.Background()
	var none *Profiler
	if err := none.Stop(ctx); err != nil || none.Stats() != (Stats{}) {
		t.Error("a nil Profiler does something")
	}
	none.BindEndpoint("GET", "/x", "main.x")
	p, err := Start(Config{Disabled: true, ServerAddress: "wrong"})
	if err != nil || p == nil || p.Stop(ctx) != nil || p.Stats() != (Stats{}) {
		t.Errorf("disabled: %v", err)
	}
	p, err = Start(Config{Interval: -1, Keep: -1, MaxBytes: -1, BlockRate: -1})
	if err == nil || p == nil || p.Stop(ctx) != nil || p.Stats() != (Stats{}) {
		t.Errorf("with an error: %v", err)
	}
}

func TestStopWithDoneContext(t *testing.T) {
	p, err := Start(Config{Interval: testInterval, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Stop(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
