package evidence

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
)

func TestEnrichCPU(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/reportes", burn)
	profiledFor(t, p, began, 4)

	a := firing("CPU")
	a.ActiveAt = began.Add(time.Second) // the rule's window ends there
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	in := incidentOf(t, r, out)
	how := "CPU use grew from "
	cpu := in.Profiles[0]
	if cpu.After <= grew*cpu.Before || len(cpu.Diff) == 0 || cpu.Diff[0].Growth <= 0.3*(cpu.After-cpu.Before) { // a machine that others use gave it too little
		how = "CPU use is "
	}
	want(t, out.Annotations["cause"], how, "evidence.burn (harness_test.go:", "mainly for /reportes")
	columns := strings.Split(out.Annotations["hot_1"], " | ")
	if len(columns) != 4 || columns[2] != "evidence.burn" || !strings.HasPrefix(columns[3], "harness_test.go:") || !strings.HasSuffix(columns[0], " %") {
		t.Errorf("hot_1 is %q", out.Annotations["hot_1"])
	}
	if in.Evidence != alerting.EvidenceCPU || in.Endpoint != "/reportes" || len(in.Files) != 2 || in.Baseline.Profiled < 0.2 || in.Window.Profiled < 0.3 {
		t.Errorf("%+v", in)
	}
}

// A request that waits leaves no CPU samples: hot functions would mislead.
func TestEnrichLatency(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/other", burn) // busy, and not what the alert is about
	for range 3 {
		labelled(t, "/proveedor/stock", awaitSupplier)
	}
	profiledFor(t, p, began, 6)
	waitUntil(t, "goroutines are looked at", func() bool {
		waits, _, err := p.Profile(continuous.ProfileWaits, began, time.Time{})
		return err == nil && continuous.WaitsOf(p.OfEndpoint(waits, "/proveedor/stock"), 1).Seen > 0
	})
	a := firing("Slow", "endpoint", "/proveedor/stock")
	a.ActiveAt = began.Add(time.Second)
	waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	for _, want := range []string{"Requests to /proveedor/stock wait", "no CPU samples", "evidence.awaitSupplier (harness_test.go:", "for: channel receive", "0 before"} {
		if cause := out.Annotations["cause"]; !strings.Contains(cause, want) {
			t.Errorf("cause %q, want %q in it", cause, want)
		}
	}
	if row := out.Annotations["waits_1"]; !strings.Contains(row, " | channel receive | evidence.awaitSupplier | harness_test.go:") {
		t.Errorf("waits_1 is %q", row)
	}
	if hot := out.Annotations["hot_1"]; strings.Contains(hot, "burn") {
		t.Errorf("hot_1 %q is another endpoint's", hot)
	}
}

// Requests that compute are slow for another reason, and it is said.
func TestEnrichLatencyBusy(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	began := time.Now()
	labelled(t, "/reportes", burn)
	profiledFor(t, p, began, 6)
	waitUntil(t, "goroutines are looked at", func() bool {
		waits, _, err := p.Profile(continuous.ProfileWaits, began, time.Time{})
		return err == nil && continuous.WaitsOf(p.OfEndpoint(waits, "/reportes"), 1).Seen > 0
	})
	out := r.Enrich(t.Context(), firing("Slow")) // without an endpoint: the one with requests
	t.Log(out.Annotations)
	// On a machine that others use, they are ready and have no CPU.
	in, how := incidentOf(t, r, out), "Requests to /reportes compute: CPU use"
	if in.Waits.Busy < mostBusy {
		how = "Requests to /reportes neither wait nor compute"
	}
	want(t, out.Annotations["cause"], how, "evidence.burn (harness_test.go:")
	if in.Waits.Share > 0.2 {
		t.Errorf("%+v", in.Waits)
	}
}

func TestEnrichMemory(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
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
	want(t, out.Annotations["cause"], "Memory in use grew from ", "evidence.hoard (enrich_test.go:", "MiB")
	want(t, out.Annotations["hot_1"], " | evidence.hoard | enrich_test.go:")
	if in := incidentOf(t, r, out); len(in.Profiles) != 2 || in.Profiles[0].Type != "inuse_space" || in.Flame != "inuse_space" {
		t.Errorf("%d sections, flame of %q", len(in.Profiles), in.Flame)
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
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
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
	want(t, out.Annotations["cause"], "Goroutines grew from ", "evidence.awaitSupplier (harness_test.go:", " went from 0 to 200, waiting for: channel receive, started as evidence.TestEnrichGoroutines.func")
	want(t, out.Annotations["hot_1"], " | +200 | evidence.awaitSupplier | harness_test.go:")
	if in := incidentOf(t, r, out); in.Goroutines.After-in.Goroutines.Before < 150 || in.Flame != "goroutine" {
		t.Errorf("%d to %d", in.Goroutines.Before, in.Goroutines.After)
	}
}

// A young process has nothing to compare with, and says so.
func TestNoBaseline(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	labelled(t, "/reportes", burn)
	profiledFor(t, p, time.Time{}, 3)
	out := r.Enrich(t.Context(), firing("CPU"))
	want(t, out.Annotations["hot_1"], " | no baseline | evidence.burn | ")
	want(t, out.Annotations["cause"], "CPU use is ", "evidence.burn (")
	in := incidentOf(t, r, out)
	want(t, strings.Join(in.Notes, " "), "no earlier profile to compare with")
	if strings.Contains(out.Annotations["cause"], "before") {
		t.Errorf("cause %q", out.Annotations["cause"])
	}
}

// An alert on the host's CPU that this process does not use says so.
func TestOtherProcess(t *testing.T) {
	p := profiler(t)
	mine := rule("CPU", alerting.EvidenceCPU)
	mine.Metric = "cpu_usage"
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second, Rules: []alerting.Rule{mine}})
	profiledFor(t, p, time.Time{}, 3)
	a := firing("CPU")
	a.Value = 97
	want(t, r.Enrich(t.Context(), a).Annotations["cause"], "outside of this process", "of the 97 % in use on the host")
}
