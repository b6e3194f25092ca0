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

// overlaps reports whether some of the capture is in a range of time. A zero
// time leaves its side open.
func (c capture) overlaps(from, to time.Time) bool {
	return (to.IsZero() || c.from.Before(to)) && (from.IsZero() || c.to.After(from))
}

// mostlyIn reports whether most of it is.
func (c capture) mostlyIn(from, to time.Time) bool {
	middle := c.from.Add(c.to.Sub(c.from) / 2)
	return (from.IsZero() || !middle.Before(from)) && (to.IsZero() || middle.Before(to))
}

// ring keeps the newest captures, bounded in bytes and in age, and coarser ones
// of what was before. It is safe for concurrent use; the captures' bytes are
// shared and never written to again.
type ring struct {
	maxBytes int
	keep     time.Duration

	coarseBytes int // bounds the coarse ones; 0 keeps none
	coarseKeep  time.Duration

	mu      sync.Mutex
	list    []capture // oldest first
	bytes   int
	newest  time.Time // the end of the newest one
	dropped uint64    // for lack of space, not for age

	coarse     []capture // oldest first; their profiles say how long they are of
	coarseSize int
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
	if c.to.After(r.newest) {
		r.newest = c.to
	}
	keep := r.keep
	if r.coarseBytes > 0 {
		keep += 2 * r.step() // until they are in a coarse one
	}
	old := 0
	for r.bytes > r.maxBytes || c.to.Sub(r.list[old].to) > keep {
		if c.to.Sub(r.list[old].to) <= r.keep {
			r.dropped++
		}
		r.bytes -= len(r.list[old].data) + captureOverhead
		r.list[old] = capture{}
		old++
	}
	r.list = append(r.list[:0:0], r.list[old:]...)
}

// recent reports whether a capture is no older than the ring keeps them. The
// caller holds the lock.
func (r *ring) recent(c capture) bool { return r.newest.Sub(c.to) <= r.keep }

// between returns the captures of a kind that overlap a range of time, oldest
// first. A zero time leaves its side open.
func (r *ring) between(k kind, from, to time.Time) []capture {
	_, found := r.reach(k, func(c capture) bool { return r.recent(c) && c.overlaps(from, to) })
	return found
}

// endedIn returns the captures of a kind that ended after since and not after
// until, oldest first. A zero time leaves its side open.
func (r *ring) endedIn(k kind, since, until time.Time) []capture {
	_, found := r.reach(k, func(c capture) bool {
		return r.recent(c) && (since.IsZero() || c.to.After(since)) && (until.IsZero() || !c.to.After(until))
	})
	return found
}

// size is the number of bytes kept, and the captures lost for lack of space.
func (r *ring) size() (bytes int, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes + r.coarseSize, r.dropped
}
