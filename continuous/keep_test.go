package continuous

import (
	"io"
	"testing"
	"time"

	"github.com/grafana/pyroscope-go/godeltaprof"
)

// TestNoContention: that nobody contended is kept, and no server is told.
func TestNoContention(t *testing.T) {
	profiler := godeltaprof.NewMutexProfiler()
	if err := profiler.Profile(io.Discard); err != nil { // what was before
		t.Fatal(err)
	}
	p := &Profiler{ring: ring{keep: time.Hour, maxBytes: 1 << 20}, up: &uploader{wake: make(chan struct{}, 1)}}
	now := time.Now()
	p.keepDelta(kindMutex, profiler, now.Add(-time.Second), now)
	if kept := p.ring.endedIn(kindMutex, time.Time{}, time.Time{}); len(kept) != 1 || len(p.up.queue) != 0 {
		t.Errorf("%d are kept and %d queued, want 1 and none", len(kept), len(p.up.queue))
	}
}

// TestRingOfConfig: the coarse part of the ring has half of its bytes, and is twelve
// times as long.
func TestRingOfConfig(t *testing.T) {
	t.Parallel()
	p, err := Start(Config{Disabled: true, MaxBytes: 8 << 20, Keep: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if r := &p.ring; r.maxBytes != 8<<20 || r.keep != time.Hour || r.coarseBytes != 4<<20 || r.coarseKeep != 12*time.Hour {
		t.Errorf("%d bytes for %v, and coarse %d for %v", r.maxBytes, r.keep, r.coarseBytes, r.coarseKeep)
	}
}
