package continuous

import "testing"

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
