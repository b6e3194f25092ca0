package telemetry

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRuntimeSignals makes the runtime do what each figure tells of.
func TestRuntimeSignals(t *testing.T) {
	tel := start(t)
	kept := make([]byte, 64<<20)
	var mu sync.Mutex
	mu.Lock()
	block := make(chan struct{})
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { <-block })
	}
	for range 4 { // they wait for as long as a collection takes, at least
		wg.Go(func() { mu.Lock(); mu.Unlock() }) //nolint:staticcheck // to have waited
	}
	before := scrape(t, tel)
	for range 3 {
		runtime.GC()
	}
	mu.Unlock()
	after := scrape(t, tel)
	close(block)
	wg.Wait()
	if n := after[`tienda_go_goroutine_states{go_goroutine_state="waiting"}`]; n < 200 {
		t.Errorf("%v goroutines wait, want 200 and more", n)
	}
	if n := after["tienda_go_memory_live_bytes"]; n < float64(len(kept)) {
		t.Errorf("%v bytes live, want those that are kept", n)
	}
	runtime.KeepAlive(kept)
	gc := `tienda_go_cpu_time_seconds_total{go_cpu_state="gc"}`
	if after[gc] <= before[gc] {
		t.Errorf("the collector's time went from %v to %v", before[gc], after[gc])
	}
	for _, one := range []string{
		`tienda_go_cpu_time_seconds_total{go_cpu_state="user"}`, `tienda_go_cpu_time_seconds_total{go_cpu_state="idle"}`, `tienda_go_cpu_time_seconds_total{go_cpu_state="scavenge"}`,
		`tienda_go_goroutine_states{go_goroutine_state="running"}`, `tienda_go_goroutine_states{go_goroutine_state="runnable"}`,
		`tienda_go_goroutine_states{go_goroutine_state="not_in_go"}`, "tienda_go_mutex_wait_time_seconds_total",
	} {
		if _, ok := after[one]; !ok {
			t.Errorf("there is no %s", one)
		}
	}
}

// TestWaitsForAProcessorAreOfNow: goroutines that have run are in the next scrape,
// as soon as a sample has had its time. The clock is synctest's.
func TestWaitsForAProcessorAreOfNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t)
		const count = "tienda_go_schedule_duration_seconds_count"
		before := scrape(t, tel)[count]
		var wg sync.WaitGroup
		for range 10_000 { // the runtime counts one of eight
			wg.Go(runtime.Gosched)
		}
		wg.Wait()
		time.Sleep(2 * hostTTL)
		if after := scrape(t, tel)[count]; after < before+1000 {
			t.Errorf("%v waits, and %v before 10,000 goroutines ran", after, before)
		}
	})
}

// TestRuntimeWithoutAFigure: a runtime that lacks one has no series of it.
func TestRuntimeWithoutAFigure(t *testing.T) {
	n := 0
	for p := range runtimePoints("a", []runtimeFigure{{"no", "/no/such:figure"}, {"yes", "/memory/classes/total:bytes"}, {"histogram", "/sched/latencies:seconds"}}) {
		if n++; p.value <= 0 {
			t.Errorf("%+v", p)
		}
	}
	if n != 1 {
		t.Errorf("%d series, want the one that is there", n)
	}
}
