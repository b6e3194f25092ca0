package continuous

import (
	"runtime"
	"sync"
	"time"
)

// The share of the contentions that the mutex profile samples: one in so many.
// It is adapted so that a second has about maxContentions of them, each of which
// costs the goroutine that unlocks about a microsecond.
const (
	firstFraction  = 10
	maxFraction    = 10_000
	maxContentions = 100

	// A fraction that fell at once would meet the next convoy unprepared.
	fallsBy = 10

	adaptEvery = time.Second
)

// fraction is the share of the contentions that the runtime samples, which is
// the process's. All Profilers that want it adapted share it. Another value in
// the runtime is somebody else's, and holds until they take it back.
type fraction struct {
	mu    sync.Mutex
	users int
	set   int // what we set last
	seen  int64
	at    time.Time // of the last step
	next  time.Time
	buf   []runtime.BlockProfileRecord
}

// join begins to adapt, unless somebody has set a fraction already.
func (f *fraction) join(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	if f.users > 1 {
		return
	}
	f.set = 0
	if runtime.SetMutexProfileFraction(-1) != 0 {
		f.next = now.Add(adaptEvery)
		return
	}
	f.set = firstFraction
	runtime.SetMutexProfileFraction(f.set)
	f.seen, f.at, f.next = f.contentions(), now, now.Add(adaptEvery)
}

// leave turns the profile off after the last one.
func (f *fraction) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	if f.users > 0 {
		return
	}
	if f.set > 0 && runtime.SetMutexProfileFraction(-1) == f.set {
		runtime.SetMutexProfileFraction(0)
	}
	f.buf = nil
}

// step adapts the fraction to what was seen since the last one. It is called
// more often than there is a step to take.
func (f *fraction) step(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == 0 || f.set == 0 || now.Before(f.next) {
		return
	}
	seen := f.contentions()
	cost := time.Since(now)
	if runtime.SetMutexProfileFraction(-1) == f.set {
		perSecond := float64(seen-f.seen) / max(now.Sub(f.at).Seconds(), 1e-3)
		f.set = nextFraction(f.set, perSecond)
		runtime.SetMutexProfileFraction(f.set)
	}
	f.seen, f.at, f.next = seen, now, now.Add(lookPause(adaptEvery, cost, 0))
}

// nextFraction is the one for as many contentions a second.
func nextFraction(last int, perSecond float64) int {
	return int(max(min(perSecond/maxContentions, maxFraction), float64(last/fallsBy), 1))
}

// contentions is how many there were, by what was sampled: the runtime counts
// each as many times as the fraction was when it happened.
func (f *fraction) contentions() (sum int64) {
	n, ok := runtime.MutexProfile(f.buf)
	for !ok { // more stacks than before
		f.buf = make([]runtime.BlockProfileRecord, n+n/4+16)
		n, ok = runtime.MutexProfile(f.buf)
	}
	for i := range f.buf[:n] {
		sum += f.buf[i].Count
	}
	return sum
}
