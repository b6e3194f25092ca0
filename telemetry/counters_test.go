package telemetry

import (
	"runtime"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestCountersCountAll: whatever goroutines count at once is what a map would
// have, in one series for each key.
func TestCountersCountAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		work := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 3), 1, 50), 1, 8).Draw(t, "keys of each goroutine")
		want := map[int]int64{}
		for _, keys := range work {
			for _, key := range keys {
				want[key]++
			}
		}
		var c counters[int]
		start := make(chan struct{})
		var wg sync.WaitGroup
		for _, keys := range work {
			wg.Go(func() {
				<-start
				for _, key := range keys {
					c.get(key, func() *labelSet {
						runtime.Gosched() // others come meanwhile
						return newLabels([]string{"status"}, []string{strconv.Itoa(key)})
					}).n.Add(1)
				}
			})
		}
		close(start)
		wg.Wait()
		got := map[int]int64{}
		for _, one := range c.all() {
			if _, twice := got[one.key]; twice {
				t.Fatalf("key %d has two series", one.key)
			}
			got[one.key] = one.n.Load()
		}
		if len(got) != len(want) {
			t.Fatalf("series of %v, want of %v", got, want)
		}
		for key, n := range want {
			if got[key] != n {
				t.Fatalf("key %d: %d, want %d", key, got[key], n)
			}
		}
	})
}
