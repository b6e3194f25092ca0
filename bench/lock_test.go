package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
)

// BenchmarkLockContended serves at full load with one lock for everybody, and
// BenchmarkLockFree with a lock for each goroutine: what the mutex profile costs
// whose lock others wait for, and who waits for none. without has every other
// profile on.
func BenchmarkLockContended(b *testing.B) {
	var shared sync.Mutex
	locked(b, func() *sync.Mutex { return &shared })
	b.Run("every_one", func(b *testing.B) { // at no adapted rate: a convoy's first second, at worst
		serveLocked(b, continuous.Config{Interval: time.Second, MutexFraction: 1}, func() *sync.Mutex { return &shared })
	})
}

func BenchmarkLockFree(b *testing.B) { locked(b, func() *sync.Mutex { return new(sync.Mutex) }) }

func locked(b *testing.B, lock func() *sync.Mutex) {
	b.Run("latido", func(b *testing.B) { serveLocked(b, continuous.Config{Interval: time.Second}, lock) })
	b.Run("without", func(b *testing.B) { serveLocked(b, continuous.Config{Interval: time.Second, MutexFraction: -1}, lock) })
}

// adapted is the time in which the profile finds its rate.
const adapted = 2500 * time.Millisecond

// serveLocked calls a handler that computes with a lock held, from 16
// goroutines, 8,000 times, and reports the slowest hundredth of the calls. With the mutex
// profile it reports the CPU time that it takes, in hundredths of all.
func serveLocked(b *testing.B, cfg continuous.Config, lock func() *sync.Mutex) {
	b.Setenv("PYROSCOPE_SERVER_ADDRESS", "")
	profiler, err := continuous.Start(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = profiler.Stop(context.Background()) })
	load := func(more func() bool) (took []time.Duration) {
		m := lock()
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sum := computed(1000)
			m.Lock()
			sum += computed(5000)
			m.Unlock()
			w.WriteHeader(200 + int(sum&1))
		})
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		for more() {
			start := time.Now()
			handler.ServeHTTP(discarded{}, r)
			took = append(took, time.Since(start))
		}
		return took
	}
	const goroutines, calls = 16, 500
	var warm sync.WaitGroup
	for range goroutines {
		warm.Go(func() {
			end := time.Now().Add(adapted)
			load(func() bool { return time.Now().Before(end) })
		})
	}
	warm.Wait()

	var mu sync.Mutex
	var all []time.Duration
	begun := time.Now()
	for b.Loop() {
		var batch sync.WaitGroup
		for range goroutines {
			batch.Go(func() {
				n := 0
				took := load(func() bool { n++; return n <= calls })
				mu.Lock()
				defer mu.Unlock()
				all = append(all, took...)
			})
		}
		batch.Wait()
	}
	b.StopTimer()
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100]), "p99-ns")
	if cfg.MutexFraction < 0 {
		return
	}
	_ = profiler.Stop(context.Background()) // the last window is kept
	cpu, _, err := profiler.Profile(continuous.ProfileCPU, begun, time.Time{})
	if err != nil {
		return // too short for a window
	}
	if held, length, err := profiler.Profile(continuous.ProfileMutex, begun, time.Time{}); err == nil {
		b.ReportMetric(profiles.Total("contentions", held)/length.Seconds(), "contentions/s")
	}
	ours, total := 0.0, 0.0
	for _, s := range cpu.Sample {
		value := float64(s.Value[1])
		total += value
		for _, l := range s.Location {
			if slices.ContainsFunc([]string{"runtime.mutexevent", "runtime.pprof_mutexProfileInternal", "runtime.MutexProfile", "continuous.(*fraction)", "continuous.(*Profiler).keepDelta"},
				func(name string) bool {
					return strings.HasSuffix(l.Line[0].Function.Name, name) || strings.Contains(l.Line[0].Function.Name, name+".")
				}) {
				ours += value
				break
			}
		}
	}
	if total > 0 {
		b.ReportMetric(100*ours/total, "cpu-%")
		b.ReportMetric(total/1e7, "cpu-samples") // what that rests on
	}
}

//go:noinline
func computed(n int) (sum uint64) {
	for i := range n {
		sum = sum*31 + uint64(i)
	}
	return sum
}

type discarded struct{}

func (discarded) Header() http.Header         { return nil }
func (discarded) Write(b []byte) (int, error) { return len(b), nil }
func (discarded) WriteHeader(int)             {}
