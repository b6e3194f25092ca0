package prom

import (
	"sync"
	"time"
)

// timeSource is where a clock has its time from.
type timeSource interface {
	// Wall is what the system says the time is. It may jump either way.
	Wall() time.Time
	// Monotonic is the time since some start. It never goes back, and it may
	// stand still while the machine sleeps.
	Monotonic() time.Duration
}

// systemTime is the system's.
type systemTime struct{ started time.Time }

func (systemTime) Wall() time.Time            { return time.Now().Round(0) }
func (s systemTime) Monotonic() time.Duration { return time.Since(s.started) }

const (
	// A wall clock that is ahead by more than clockTolerance was set, or the
	// machine slept. Below that it is the reading that takes time.
	clockTolerance = 50 * time.Millisecond
	// It is followed once it has been ahead for a thousandth of what it is ahead
	// by, within these bounds: an hour takes five seconds, a weekend four
	// minutes, and a wild date long enough for somebody to put it right.
	minProof, maxProof = 5 * time.Second, time.Hour
	proofShare         = 1000
	// maxFuture is how far ahead of the wall clock stored samples may be for the
	// clock to go on from them. Beyond that it is they who are wrong.
	maxFuture = 2 * time.Hour
)

// clock is the time of the store: of its samples and of the evaluations. It
// starts with the wall clock and goes on with the monotonic one, so that it
// never goes back; a wall clock that is behind is ignored until it has caught
// up, one that stays ahead is followed. It is safe for concurrent use.
type clock struct {
	source timeSource

	mu     sync.Mutex
	offset time.Time // what the time was when the monotonic time was 0
	ahead  time.Duration
	since  time.Duration // monotonic time since which the wall is ahead; -1 for not
	jumps  func()        // called when the wall clock was followed
}

// newClock returns a clock that is not before floor, the newest sample that is
// stored, unless that is too far in the future.
func newClock(source timeSource, floor time.Time) *clock {
	start := source.Wall()
	if floor.After(start) && floor.Before(start.Add(maxFuture)) {
		start = floor
	}
	return &clock{source: source, offset: start.Add(-source.Monotonic()), since: -1, jumps: func() {}}
}

// Now is the time. Of two calls, the later one does not return an earlier time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, _ := c.now()
	return now
}

// now returns the time and the wall clock's.
func (c *clock) now() (now, wall time.Time) {
	mono := c.source.Monotonic()
	wall = c.source.Wall()
	now = c.offset.Add(mono)
	ahead := wall.Sub(now)
	if ahead <= clockTolerance {
		c.since = -1
		return now, wall
	}
	// A wall clock that goes on jumping has to prove itself anew.
	if moved := (ahead - c.ahead).Abs(); c.since < 0 || moved > clockTolerance+ahead/proofShare {
		c.since, c.ahead = mono, ahead
		return now, wall
	}
	if mono-c.since >= min(max(ahead/proofShare, minProof), maxProof) {
		c.offset, c.since = c.offset.Add(ahead), -1
		now = now.Add(ahead)
		c.jumps()
	}
	return now, wall
}

// stamp is the time of something that the wall clock put at t, a moment ago.
// Where the two agree it is t itself: aligned times cost the store less.
func (c *clock) stamp(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, wall := c.now()
	apart := now.Sub(wall)
	if apart.Abs() < clockTolerance && wall.Sub(t).Abs() < maxStampAge {
		return t
	}
	age := wall.Sub(t)
	if age < 0 || age > maxStampAge { // the wall clock jumped in between
		age = 0
	}
	return now.Add(-age)
}

// maxStampAge is the longest that a scrape takes.
const maxStampAge = 15 * time.Second
