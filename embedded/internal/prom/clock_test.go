package prom

import (
	"sync"
	"testing"
	"time"
)

// fakeTime is a time source that a test sets.
type fakeTime struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newFakeTime() *fakeTime { return &fakeTime{wall: noon} }

func (f *fakeTime) Wall() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wall
}

func (f *fakeTime) Monotonic() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mono
}

// pass lets time pass; step only moves the wall clock.
func (f *fakeTime) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall, f.mono = f.wall.Add(d), f.mono+d
}

func (f *fakeTime) step(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wall = f.wall.Add(d)
}

// steadyTime runs as the system's does, and its wall clock can be stepped.
type steadyTime struct {
	systemTime
	mu   sync.Mutex
	step time.Duration
}

func (s *steadyTime) Wall() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.systemTime.Wall().Add(s.step)
}

func (s *steadyTime) set(step time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.step = step
}

func TestClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(f *fakeTime, c *clock)
		want time.Duration // since noon
	}{
		"runs":                   {func(f *fakeTime, c *clock) { f.pass(time.Minute) }, time.Minute},
		"a step back is ignored": {func(f *fakeTime, c *clock) { f.step(-time.Hour); f.pass(time.Minute) }, time.Minute},
		"until the wall catches up": {func(f *fakeTime, c *clock) {
			f.step(-time.Hour)
			f.pass(time.Minute)
			f.step(time.Hour)
			f.pass(time.Second)
		}, time.Minute + time.Second},
		"one wild reading": {func(f *fakeTime, c *clock) {
			f.step(30 * 24 * time.Hour)
			c.Now()
			f.step(-30 * 24 * time.Hour)
			f.pass(time.Minute)
		}, time.Minute},
		"a wild date for minutes": {func(f *fakeTime, c *clock) {
			f.step(30 * 24 * time.Hour)
			for range 600 {
				c.Now()
				f.pass(time.Second)
			}
		}, 10 * time.Minute},
		"suspended for an hour": {func(f *fakeTime, c *clock) {
			f.step(time.Hour)
			for range 10 {
				c.Now()
				f.pass(time.Second)
			}
		}, time.Hour + 10*time.Second},
		"suspended for a weekend": {func(f *fakeTime, c *clock) {
			f.step(60 * time.Hour)
			for range 240 {
				c.Now()
				f.pass(time.Second)
			}
		}, 60*time.Hour + 4*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeTime()
			clock := newClock(f, time.Time{})
			c.do(f, clock)
			if got := clock.Now().Sub(noon); got != c.want {
				t.Errorf("got %v after noon, want %v", got, c.want)
			}
		})
	}
}

func TestClockGoesOnFromWhatIsStored(t *testing.T) {
	t.Parallel()
	for floor, want := range map[time.Duration]time.Duration{-time.Hour: 0, time.Hour: time.Hour, 30 * 24 * time.Hour: 0} {
		if got := newClock(newFakeTime(), noon.Add(floor)).Now().Sub(noon); got != want {
			t.Errorf("stored %v ahead: got %v, want %v", floor, got, want)
		}
	}
}

func TestClockStamps(t *testing.T) {
	t.Parallel()
	f := newFakeTime()
	c := newClock(f, time.Time{})
	f.pass(time.Minute)
	aligned := f.Wall().Add(-3 * time.Millisecond)
	if got := c.stamp(aligned); !got.Equal(aligned) {
		t.Errorf("agreeing clocks: got %v, want %v", got, aligned)
	}
	f.step(-time.Hour)
	if got, want := c.stamp(f.Wall().Add(-time.Second)), noon.Add(59*time.Second); !got.Equal(want) {
		t.Errorf("an hour back: got %v, want %v", got, want)
	}
	if got, want := c.stamp(noon.Add(time.Minute)), noon.Add(time.Minute); !got.Equal(want) { // from before the step
		t.Errorf("from before the step: got %v, want %v", got, want)
	}
}

func TestAlertSurvivesAStepBack(t *testing.T) {
	t.Parallel()
	svc, box, wall := newService(), &inbox{}, &steadyTime{systemTime: systemTime{time.Now()}}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, Rules: []byte(cpuRules), Notify: box.notify, time: wall})
	eventually(t, "it fires", func() bool { return box.firing("CPUHigh") })
	before := s.Now()
	wall.set(-time.Hour)
	asked, sent := svc.asked.Load(), len(box.of("CPUHigh"))
	eventually(t, "scrapes and messages go on", func() bool { return svc.asked.Load() > asked+10 && len(box.of("CPUHigh")) > sent+2 })
	if s.Now().Before(before) || !s.Fresh() {
		t.Errorf("the time went back from %v to %v, fresh is %v", before, s.Now(), s.Fresh())
	}
	for _, a := range box.of("CPUHigh") {
		if a.Resolved() || !a.StartsAt.Equal(box.of("CPUHigh")[0].StartsAt) {
			t.Errorf("got %+v", a)
		}
	}
}
