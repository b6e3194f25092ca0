package breaks

import (
	"sync"
	"sync/atomic"
	"time"
)

// Limit is how long a break lasts that nobody heals.
const Limit = 15 * time.Minute

// Switch is one way to break the shop. Its zero value is off and ready to use.
// It is safe for concurrent use; a nil Switch is always off.
type Switch struct {
	now atomic.Pointer[episode] // nil while off

	mu      sync.Mutex // held while the switch changes
	closed  bool
	running sync.WaitGroup // who has entered and not left
}

// episode is the time from a break to its end.
type episode struct {
	healed chan struct{}
	until  time.Time
	end    *time.Timer
}

// On tells whether the switch is on.
func (s *Switch) On() bool { return s != nil && s.now.Load() != nil }

// Until is when the break ends by itself. It is zero while the switch is off.
func (s *Switch) Until() time.Time {
	if e := s.now.Load(); e != nil {
		return e.until
	}
	return time.Time{}
}

// Break turns the switch on for [Limit], counted from the last call. It
// reports false, and does nothing, once the switch was closed.
func (s *Switch) Break() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	e := &episode{healed: make(chan struct{}), until: time.Now().Add(Limit)}
	if before := s.now.Load(); before != nil { // one break that lasts longer
		before.end.Stop()
		e.healed = before.healed
	}
	e.end = time.AfterFunc(Limit, func() { s.end(e) })
	s.now.Store(e)
	return true
}

// Heal turns the switch off, and tells who has entered. It reports whether the
// switch was on.
func (s *Switch) Heal() bool { return s.end(s.now.Load()) }

// end ends an episode, unless another one has begun.
func (s *Switch) end(e *episode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == nil || s.now.Load() != e {
		return false
	}
	e.end.Stop()
	s.now.Store(nil)
	close(e.healed)
	return true
}

// Enter announces a goroutine that the break is about to start, and reports
// false if the switch is off. healed is closed when the break ends: the
// goroutine must then end at once, and call leave.
//
// It does not start the goroutine itself: a profile is to say that the shop did.
func (s *Switch) Enter() (healed <-chan struct{}, leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.now.Load()
	if e == nil {
		return nil, nil, false
	}
	s.running.Add(1)
	return e.healed, s.running.Done, true
}

// close turns the switch off for good, and waits for who has entered.
func (s *Switch) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Heal()
	s.running.Wait()
}
