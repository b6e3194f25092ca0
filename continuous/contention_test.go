package continuous

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope-go/godeltaprof"

	"github.com/latido-dev/latido/internal/stacks"
)

// contend makes goroutines wait for a lock, n times.
func contend(n int) {
	var m sync.Mutex
	for range n {
		var waits sync.WaitGroup
		m.Lock()
		waits.Go(func() { wants(&m) })
		for !isWaiting() {
			runtime.Gosched()
		}
		gives(&m)
		waits.Wait()
	}
}

//go:noinline
func wants(m *sync.Mutex) { m.Lock(); m.Unlock() } //nolint:staticcheck // who waits for the lock is looked at

//go:noinline
func gives(m *sync.Mutex) { m.Unlock() }

// isWaiting reports whether a goroutine waits in wants.
func isWaiting() bool {
	records := make([]runtime.StackRecord, 10_000)
	n, _ := runtime.GoroutineProfile(records)
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		inside := false
		for {
			f, more := frames.Next()
			inside = inside || strings.HasSuffix(f.Function, "semacquire1")
			if inside && strings.HasSuffix(f.Function, "continuous.wants") {
				return true
			}
			if !more {
				break
			}
		}
	}
	return false
}

// contentions adds up how often and how long others waited for what a function
// held.
func contentions(p *profile.Profile, holder string) (n int64, delay time.Duration) {
	for _, s := range p.Sample {
		for _, f := range stacks.Of(s) {
			if strings.HasSuffix(f.Function, holder) {
				n, delay = n+s.Value[0], delay+time.Duration(s.Value[1])
				break
			}
		}
	}
	return n, delay
}

// A lock names its victims where requests wait, and here who held it.
func TestHolderOfALock(t *testing.T) {
	p := local(t, Config{})
	waitUntil(t, "the first window", func() bool { return len(p.captures(kindMutex)) > 0 })
	waitUntil(t, "the holder", func() bool {
		contend(5)
		held, _, err := p.Profile(ProfileMutex, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		n, delay := contentions(held, ".gives")
		if victims, _ := contentions(held, ".wants"); victims > 0 {
			t.Error("the victim holds nothing")
		}
		return n > 0 && delay > 0
	})
}

func TestNoMutexProfile(t *testing.T) {
	p := local(t, Config{MutexFraction: -1})
	waitUntil(t, "two windows", func() bool { return len(p.captures(kindCPU)) >= 2 })
	if f := runtime.SetMutexProfileFraction(-1); f != 0 || len(p.captures(kindMutex)) > 0 {
		t.Errorf("the fraction is %d, and %d mutex profiles are kept: want none", f, len(p.captures(kindMutex)))
	}
}

func TestFractionAdapts(t *testing.T) {
	var f fraction
	now := time.Now()
	f.join(now)
	is := func(want int) {
		t.Helper()
		if got := runtime.SetMutexProfileFraction(-1); got != want {
			t.Errorf("the fraction is %d, want %d", got, want)
		}
	}
	after := func(d time.Duration, n int) {
		f.seen -= int64(n) // as if there had been n more
		now = now.Add(d)
		f.step(now)
	}
	is(firstFraction)
	after(time.Second/2, 1e6)
	is(firstFraction) // too early
	f.seen += 1e6
	after(time.Second/2, 50_000)
	is(500)
	after(10*time.Second, 200_000) // 20,000 a second
	is(200)
	after(time.Hour, 0)
	is(20)
	after(time.Hour, 0)
	is(2)
	after(time.Hour, 0)
	is(1)

	runtime.SetMutexProfileFraction(77) // somebody else's
	after(time.Hour, 1e6)
	is(77)
	f.leave()
	is(77)
	f.join(now)
	after(time.Hour, 1e6)
	is(77)
	f.leave()
	is(77)
	runtime.SetMutexProfileFraction(0)
	f.join(now)
	f.join(now)
	f.leave()
	is(firstFraction) // the other one is still there
	f.leave()
	is(0)
}

func TestNextFraction(t *testing.T) {
	for _, c := range []struct {
		last      int
		perSecond float64
		want      int
	}{
		{10, 0, 1}, {10, 99, 1}, {1, 250, 2}, {1, 1e5, 1000}, {1, 1e9, maxFraction}, {maxFraction, 0, 1000}, {1000, 300, 100},
	} {
		if got := nextFraction(c.last, c.perSecond); got != c.want {
			t.Errorf("1 in %d, %v a second: next is 1 in %d, want %d", c.last, c.perSecond, got, c.want)
		}
	}
}

// The runtime scales when it records: what was sampled at one fraction stays
// what it was after another is set.
func TestFractionOfAWindow(t *testing.T) {
	defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(1))
	d := godeltaprof.NewMutexProfiler()
	if err := d.Profile(io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{5, 0} {
		contend(n)
		runtime.SetMutexProfileFraction(1 << 20)
		var buf bytes.Buffer
		if err := d.Profile(&buf); err != nil {
			t.Fatal(err)
		}
		p, err := profile.ParseData(buf.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := contentions(p, ".gives"); got != int64(n) {
			t.Errorf("%d contentions in the window, want %d", got, n)
		}
	}
}
