package prom

import (
	"sync"
	"time"
)

// freshness knows how recent the data are: since when scrapes succeed without
// a gap. It is safe for concurrent use.
type freshness struct {
	interval time.Duration // between scrapes
	grace    time.Duration // see maxLate

	mu     sync.Mutex
	last   time.Time // scrape that succeeded
	since  time.Time // the first one of the row that last ends
	before time.Time // when the gap before that row began, at the latest the start
	first  chan struct{}
	any    bool // scrape, successful or not
}

func newFreshness(interval, grace time.Duration, start time.Time) *freshness {
	return &freshness{interval: interval, grace: grace, before: start, first: make(chan struct{})}
}

// maxLate is how long scrapes that are not answered in time are only late. In
// the process that asks itself they mean that all processors are busy. After
// that, /metrics hangs.
const maxLate = time.Minute

// late tells whether a scrape that was not answered in time is to be forgotten.
func (f *freshness) late(at time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := f.last
	if since.IsZero() {
		since = f.before
	}
	return at.Sub(since) < f.grace
}

// patience is how long after a scrape its data count as recent: one may fail
// to come in time without anything being wrong.
func (f *freshness) patience() time.Duration { return 5 * f.interval / 2 }

// scraped is told of every scrape that was stored.
func (f *freshness) scraped(at time.Time, up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.any {
		f.any = true
		close(f.first)
	}
	if !up {
		f.since = time.Time{}
		return
	}
	if f.since.IsZero() || at.Sub(f.last) > f.patience() {
		f.since = at
		if !f.last.IsZero() {
			f.before = f.last.Add(f.patience())
		}
	}
	f.last = at
}

// at tells whether there are recent data at a time, for how long there have been
// without a gap, and when that gap began.
func (f *freshness) at(now time.Time) (fresh bool, covered time.Duration, before time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.since.IsZero() || now.Sub(f.last) > f.patience() {
		return false, 0, f.before
	}
	return true, now.Sub(f.since), f.before
}
