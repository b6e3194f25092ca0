package telemetry

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v4/disk"
)

// TestDiskThatHangs: a file system whose server is gone costs its own figure,
// which is absent and not 0, and the first scrape a second. It comes back with
// the server.
func TestDiskThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tel := start(t)
		release := make(chan struct{})
		var calls atomic.Int64
		tel.host.diskUsage = func(string) (*disk.UsageStat, error) {
			calls.Add(1)
			<-release
			return &disk.UsageStat{UsedPercent: 42}, nil
		}
		for i := range 3 {
			began := time.Now()
			seen := scrape(t, tel)
			if took := time.Since(began); i == 0 && took > callbackTimeout || i > 0 && took > 0 {
				t.Errorf("scrape %d took %v", i, took)
			}
			if got := seen.of("tienda_disk_usage_percent"); len(got) > 0 {
				t.Errorf("scrape %d: %v", i, got)
			}
			if len(seen.of("tienda_memory_usage_bytes")) == 0 {
				t.Error("the other figures are missing")
			}
			time.Sleep(2 * hostTTL)
		}
		if calls.Load() != 1 {
			t.Errorf("asked %d times at once", calls.Load())
		}
		scrape(t, tel).want(t, series{collectErrors("timeout"): 4})
		wantTold(t, journalOf(tel), "hangs")
		close(release)
		synctest.Wait()
		time.Sleep(2 * hostTTL)
		scrape(t, tel).want(t, series{"tienda_disk_usage_percent": 42})
	})
}

// TestShutdownWithHungDisk: neither the export nor the end waits for it.
func TestShutdownWithHungDisk(t *testing.T) {
	t.Parallel()
	collector := startCollector(t)
	tel, err := Init(t.Context(), quiet(func(c *Config) {
		c.OTLP = OTLP{Endpoint: collector.URL, MetricInterval: time.Hour, NoTraces: true}
	}))
	must(t, err)
	release := make(chan struct{})
	defer close(release)
	tel.host.mu.Lock()
	tel.host.at = time.Time{}
	tel.host.diskUsage = func(string) (*disk.UsageStat, error) { <-release; return nil, errors.New("late") }
	tel.host.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	must(t, tel.Shutdown(ctx))
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	collector.mu.Lock()
	defer collector.mu.Unlock()
	if text := collector.last.String(); !strings.Contains(text, "tienda.memory.usage") || strings.Contains(text, "tienda.disk.usage") {
		t.Error("the last export has not the figures that are known, and no other")
	}
}

// TestGuardRecovers lets calls end at the very moment at which they are given
// up: whichever comes first, the next one is made.
func TestGuardRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		diagnostics := newDiagnostics(quiet().Logger)
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				g := newGuard("instrument", diagnostics)
				for range 200 {
					g.run(t.Context(), func() error { time.Sleep(callbackTimeout); return nil })
					time.Sleep(callbackTimeout) // nothing runs any more
					called := false
					g.run(t.Context(), func() error { called = true; return nil })
					if !called {
						t.Error("nothing runs, and nothing is called any more")
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// TestGuardOfCallsThatDoNotReturn: a call that panics, or ends its goroutine,
// has ended.
func TestGuardOfCallsThatDoNotReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGuard("instrument", newDiagnostics(quiet().Logger))
		for _, call := range []func() error{func() error { panic("no") }, func() error { panic(error(nil)) }, func() error { runtime.Goexit(); return nil }, func() error { return nil }} {
			began := time.Now()
			g.run(t.Context(), call)
			if took := time.Since(began); took != 0 {
				t.Errorf("waited %v", took)
			}
		}
	})
}

// TestBusyHost: the CPU's use is that of the time since the last look, and not since
// the machine's start.
func TestBusyHost(t *testing.T) {
	t.Parallel()
	h := newHost("", newDiagnostics(quiet().Logger))
	busy, total, err := cpuSeconds()
	must(t, err)
	h.busy, h.total = busy-600, total-1000 // it was in use for 600 of the last 1000 seconds
	if used := *h.read().cpu; math.Abs(used-60) > 1 {
		t.Errorf("%v %% of the CPU are used, want 60", used)
	}
}
