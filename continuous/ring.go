package continuous

import (
	"sync"
	"time"
)

// kind is what a capture is of.
type kind int

const (
	kindCPU       kind = iota // of one window
	kindHeap                  // allocated in one window, and in use at its end
	kindGoroutine             // labelled goroutines, sampled several times in one window
	kindMutex                 // contended in one window
	kindBlock                 // blocked in one window
	kindStacks                // all goroutines, as they were at the end of one window
	kindLeaks                 // goroutines that nothing can wake up any more
	kindGap                   // a time without a CPU profile: no data
)

// capture is one profile of one window of time.
type capture struct {
	kind     kind
	from, to time.Time
	data     []byte // a gzipped pprof profile
}

// ring keeps the newest captures, bounded in bytes and in age. It is safe for
// concurrent use; the captures' bytes are shared and never written to again.
type ring struct {
	maxBytes int
	keep     time.Duration

	mu      sync.Mutex
	list    []capture // oldest first
	bytes   int
	dropped uint64 // for lack of space, not for age
}

// captureOverhead is what a capture costs beside its bytes.
const captureOverhead = 96

// add keeps a capture, and forgets the oldest ones beyond the bounds. One that
// is larger than the whole ring is not kept.
func (r *ring) add(c capture) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := len(c.data) + captureOverhead
	if size > r.maxBytes {
		r.dropped++
		return
	}
	r.list = append(r.list, c)
	r.bytes += size
	old := 0
	for r.bytes > r.maxBytes || c.to.Sub(r.list[old].to) > r.keep {
		if c.to.Sub(r.list[old].to) <= r.keep {
			r.dropped++
		}
		r.bytes -= len(r.list[old].data) + captureOverhead
		r.list[old] = capture{}
		old++
	}
	r.list = append(r.list[:0:0], r.list[old:]...)
}

// between returns the captures of a kind that overlap a range of time, oldest
// first. A zero time leaves its side open.
func (r *ring) between(k kind, from, to time.Time) []capture {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []capture
	for _, c := range r.list {
		if c.kind == k && (to.IsZero() || c.from.Before(to)) && (from.IsZero() || c.to.After(from)) {
			found = append(found, c)
		}
	}
	return found
}

// endedIn returns the captures of a kind that ended after since and not after
// until, oldest first. A zero time leaves its side open.
func (r *ring) endedIn(k kind, since, until time.Time) []capture {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []capture
	for _, c := range r.list {
		if c.kind == k && (since.IsZero() || c.to.After(since)) && (until.IsZero() || !c.to.After(until)) {
			found = append(found, c)
		}
	}
	return found
}

// size is the number of bytes kept, and the captures lost for lack of space.
func (r *ring) size() (bytes int, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes, r.dropped
}
