package evidence

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// What the profiles of both times show goes to the engine, and what it finds is
// in the annotations and in the incident.
func TestEnrich(t *testing.T) {
	p := profiler(t)
	explain, given := explains(
		cause.Finding{Kind: "cpu", Sentence: "GET /reportes computes for 2 s.", Next: "Look at burn.", Endpoint: "GET /reportes", Rests: []string{"cores 0.1 → 1.1"}},
		cause.Finding{Kind: "traffic", Sentence: "Requests doubled."}, cause.Finding{Sentence: "A release."}, cause.Finding{Sentence: "Never shown."})
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second, explain: explain})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/reportes", burn)
	profiledFor(t, p, began, 4)

	a := firing("CPU")
	a.ActiveAt = began.Add(time.Second) // the rule's window ends there
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	for name, text := range map[string]string{"cause": "GET /reportes computes for 2 s.", "next": "Look at burn.", "also_1": "Requests doubled.", "also_2": "A release.", "also_3": "", "evidence": ""} {
		if out.Annotations[name] != text {
			t.Errorf("%s: %q, want %q", name, out.Annotations[name], text)
		}
	}
	in := *given.Load()
	if cpu := in.Profiles.CPU; hasFunction(cpu.Before, "evidence.burn") || !hasFunction(cpu.After, "evidence.burn") || cpu.BeforeFor < 200*time.Millisecond || cpu.AfterFor < 300*time.Millisecond {
		t.Errorf("the engine was given %v before and %v after", cpu.BeforeFor, cpu.AfterFor)
	}
	if in.Alert.Name != "CPU" || in.Alert.ActiveAt != a.ActiveAt || in.Alert.Window != time.Second || in.Procs < 1 || in.CPUs < 1 || in.Domain.Prefix != "tienda" {
		t.Errorf("the engine was given %+v", in.Alert)
	}
	columns := strings.Split(out.Annotations["hot_1"], " | ")
	if len(columns) != 4 || columns[2] != "evidence.burn" || !strings.HasPrefix(columns[3], "harness_test.go:") || !strings.HasSuffix(columns[0], " %") {
		t.Errorf("hot_1 is %q", out.Annotations["hot_1"])
	}
	kept := incidentOf(t, r, out)
	if kept.Endpoint != "/reportes" || len(kept.Files) != 2 || kept.Baseline.Profiled < 0.2 || kept.Window.Profiled < 0.3 || len(kept.Findings) != 4 {
		t.Errorf("%+v", kept)
	}
	page := body(t, get(t, r.Handler(), "/incidents/"+kept.ID))
	want(t, page, "computes for 2 s.", "What to do:</strong> Look at burn.", "<li>Requests doubled.", "<li>cores 0.1 → 1.1")
}

// A request that waits leaves no CPU samples: where it waits is looked at while
// the alert begins to fire.
func TestEnrichWaits(t *testing.T) {
	p := profiler(t)
	explain, given := explains()
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second, explain: explain})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/other", burn) // busy, and not what the alert is about
	for range 3 {
		labelled(t, "/proveedor/stock", awaitSupplier)
	}
	profiledFor(t, p, began, 2)
	a := firing("Slow", "endpoint", "/proveedor/stock")
	a.ActiveAt = began.Add(time.Second)
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	if row := out.Annotations["waits_1"]; !strings.Contains(row, " | channel receive | evidence.awaitSupplier | harness_test.go:") {
		t.Errorf("waits_1 is %q", row)
	}
	if hot := out.Annotations["hot_1"]; strings.Contains(hot, "burn") {
		t.Errorf("hot_1 %q is another endpoint's", hot)
	}
	waits := given.Load().Profiles.Waits
	if after := profiles.WaitsOf(p.OfEndpoint(waits.After, "/proveedor/stock"), 1); after.Looks < looksNow || after.Seen < 3 {
		t.Errorf("the engine was given %+v", after)
	}
}

func TestEnrichMemory(t *testing.T) {
	p := profiler(t)
	explain, given := explains(cause.Finding{Kind: "memory", Sentence: "hoard keeps it."})
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second, explain: explain})
	t.Cleanup(func() { hoarded = nil })
	heap := func(from time.Time) bool { // a window with a garbage collection
		runtime.GC()
		_, d, err := p.Profile(continuous.ProfileHeap, from, time.Time{})
		return err == nil && d > 2*p.Interval()
	}
	waitUntil(t, "a baseline", func() bool { return heap(time.Time{}) })
	began := time.Now()
	// A window that began before the alert's time counts for the time before it.
	waitUntil(t, "a window that begins after", func() bool { return heap(began) })
	hoarding := time.Now()
	hoard(300)
	waitUntil(t, "a window", func() bool { return heap(hoarding) })
	a := firing("Memory")
	a.ActiveAt = began.Add(time.Second)
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Log(out.Annotations)
	want(t, out.Annotations["hot_1"], " | evidence.hoard | enrich_test.go:")
	if in := incidentOf(t, r, out); len(in.Profiles) < 3 || in.Profiles[0].Type != "inuse_space" || in.Flame != "inuse_space" {
		t.Errorf("%d sections, flame of %q", len(in.Profiles), in.Flame)
	}
	if heap := given.Load().Profiles.Heap; heap.Before == nil || !hasFunction(heap.After, "evidence.hoard") {
		t.Error("the engine was not given the heap of both times")
	}
}

// hoarded grows so that there is something in the heap profile.
var hoarded [][]byte

//go:noinline
func hoard(n int) {
	for range n {
		hoarded = append(hoarded, make([]byte, 1<<20))
	}
}

func TestEnrichGoroutines(t *testing.T) {
	p := profiler(t)
	explain, given := explains(cause.Finding{Kind: "leak", Sentence: "They wait for ever."})
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second, explain: explain})
	waitUntil(t, "all goroutines are kept", func() bool { _, _, err := p.Goroutines(time.Now()); return err == nil })
	began := time.Now()
	stop := make(chan struct{})
	var leaked sync.WaitGroup
	for range 200 {
		leaked.Go(func() { awaitSupplier(stop) })
	}
	t.Cleanup(func() { close(stop); leaked.Wait() })
	a := firing("Leak")
	a.ActiveAt = began.Add(time.Second)
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Log(out.Annotations)
	want(t, out.Annotations["hot_1"], " | +200 | evidence.awaitSupplier | harness_test.go:")
	if in := incidentOf(t, r, out); in.Goroutines.After-in.Goroutines.Before < 150 {
		t.Errorf("%d to %d", in.Goroutines.Before, in.Goroutines.After)
	}
	if g := given.Load().Profiles.Goroutines; goroutineCount(g.After)-goroutineCount(g.Before) < 150 {
		t.Errorf("the engine was given %d to %d", goroutineCount(g.Before), goroutineCount(g.After))
	}
}

// A young process has nothing to compare with, and says so.
func TestNoBaseline(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	labelled(t, "/reportes", burn)
	profiledFor(t, p, time.Time{}, 3)
	a := firing("CPU")
	a.ActiveAt = time.Now().Add(-time.Hour) // it has been so for longer than the process runs
	out := r.Enrich(t.Context(), a)
	want(t, out.Annotations["hot_1"], " | no baseline | evidence.burn | ")
	want(t, strings.Join(incidentOf(t, r, out).Notes, " "), "no earlier profile to compare with")
}

// TestDiskAlertSaysWhat: an alert on the disk says what fills it, of the time that
// it filled in.
func TestDiskAlertSaysWhat(t *testing.T) {
	usage, _ := shop.Metric("disk_usage")
	series := func(context.Context, ...cause.Range) ([]cause.Series, error) {
		s := cause.Series{Name: usage.Family}
		now := time.Now()
		for back := 900; back >= 0; back-- {
			s.Points = append(s.Points, cause.Point{At: now.Add(-time.Duration(back) * time.Second), Value: min(95, 40+max(0, float64(300-back)/4))})
		}
		return []cause.Series{s}, nil
	}
	full := rule("Full", alerting.EvidenceMemory)
	full.Metric, full.Op, full.Bound = "disk_usage", ">", 90
	grown := func(_ context.Context, since time.Time, share float64) cause.Folder {
		if ago := time.Since(since); ago < 5*time.Minute || ago > 15*time.Minute || share < 0.5 || share > 0.56 {
			t.Errorf("asked of %v and a share of %g", ago, share)
		}
		return cause.Folder{Path: "/data/exports", Bytes: 3 << 30, Files: 2}
	}
	r := start(t, Config{Grown: grown, Series: series, Rules: []alerting.Rule{full}, Timeout: time.Minute, compared: cause.Compared})
	a := firing("Full")
	a.Value = 95
	out := r.Enrich(t.Context(), a)
	if want := "3 GiB went to /data/exports, in 2 files"; !strings.Contains(out.Annotations["cause"], want) {
		t.Errorf("cause %q, want %q in it", out.Annotations["cause"], want)
	}
}

// TestCauseOnResend: what nothing explained when it began is explained when it is
// sent again, once; a drill is not looked at again.
func TestCauseOnResend(t *testing.T) {
	var known atomic.Bool
	asked := atomic.Int64{}
	explain := func(cause.Input) cause.Result {
		asked.Add(1)
		if !known.Load() {
			return cause.Result{None: "nothing explains it"}
		}
		return cause.Result{Findings: []cause.Finding{{Kind: "lock", Sentence: "A lock is held."}}}
	}
	r := start(t, Config{Series: oneSeries, explain: explain, Timeout: time.Minute})
	a, drill := firing("Slow"), firing("CPU", "drill", "true")
	first := r.Enrich(t.Context(), a)
	if first.Annotations[AnnotationCause] != "" {
		t.Fatalf("it says %v", first.Annotations)
	}
	incidentOf(t, r, r.Enrich(t.Context(), drill))
	known.Store(true)
	var again alert.Alert
	waitUntil(t, "the cause on a resend", func() bool {
		again = r.Enrich(t.Context(), a)
		return again.Annotations[AnnotationCause] == "A lock is held."
	})
	in := incidentOf(t, r, again)
	if in.ID == "" || !slices.ContainsFunc(in.Notes, func(n string) bool { return strings.Contains(n, "after the first message") }) {
		t.Errorf("the incident does not say that it came late: %q", in.Notes)
	}
	before := asked.Load()
	r.Enrich(t.Context(), a)
	if said := r.Enrich(t.Context(), drill).Annotations[AnnotationCause]; said != "" || asked.Load() != before {
		t.Errorf("a drill says %q, and it was asked %d times more", said, asked.Load()-before)
	}
}
