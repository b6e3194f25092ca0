package continuous

import (
	"sync/atomic"
	"testing"
)

// TestQueueBytes: the queue is as large as the profiles in it, and takes as many as
// its bound is long.
func TestQueueBytes(t *testing.T) {
	up := &uploader{wake: make(chan struct{}, 1)}
	for _, c := range []struct{ parts, jobs, bytes int }{{4, 1, 1}, {4, 2, 2}, {4, 3, 3}, {4, 4, 4}, {2, 3, 4}, {1, 1, 4}, {4, 1, 1}} {
		up.add(heapCapture(maxQueueBytes / c.parts))
		if len(up.queue) != c.jobs || up.bytes != c.bytes*maxQueueBytes/4 {
			t.Errorf("%d jobs of %d bytes, want %d of %d", len(up.queue), up.bytes, c.jobs, c.bytes*maxQueueBytes/4)
		}
	}
}

// TestFinishDropped: a job that was dropped while it was on its way is not counted
// again, and takes no other one out.
func TestFinishDropped(t *testing.T) {
	t.Parallel()
	up := &uploader{wake: make(chan struct{}, 1)}
	var sent atomic.Uint64
	up.finish(&job{}, &sent)
	up.add(heapCapture(1))
	up.finish(&job{}, &sent)
	if len(up.queue) != 1 || sent.Load() != 0 {
		t.Errorf("%d queued and %d counted, want 1 and 0", len(up.queue), sent.Load())
	}
	up.finish(up.queue[0], &sent)
	if len(up.queue) != 0 || sent.Load() != 1 {
		t.Errorf("%d queued and %d counted, want 0 and 1", len(up.queue), sent.Load())
	}
}
