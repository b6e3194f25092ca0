package stacks

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// waiting is what a goroutine does that waits, and how to let it go.
// Without wait, a goroutine of its own is labelled.
type waiting struct{ wait, release func() }

// labelled runs what waits, for stackOf to find it.
//
//go:noinline
func labelled(test string, wait func()) {
	pprof.Do(context.Background(), pprof.Labels("test", test), func(context.Context) { wait() })
}

// told is what WaitOf has to say of one.
type told struct {
	kind, library, reason string
	reader                bool
}

// checkWaits starts a goroutine for each, and reads its stack once it waits.
func checkWaits(t *testing.T, cases map[string]struct {
	of   func(*testing.T) waiting
	want told
}) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.of(t)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if w.wait != nil {
					labelled(t.Name(), w.wait)
				}
			}()
			var got told
			var frames []Frame
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				frames = stackOf(t, t.Name())
				seen := WaitOf(frames)
				got = told{seen.Kind, seen.Library, seen.Reason, seen.Reader}
				if got == c.want && seen.Own > 0 {
					break
				}
			}
			if got != c.want {
				t.Errorf("waits for %+v, want %+v, in\n%s", got, c.want, text(frames))
			}
			w.release()
			<-ended
		})
	}
}

// stackOf is the stack of a test's goroutine that waits, none of those that it
// starts.
func stackOf(t *testing.T, test string) (frames []Frame) {
	t.Helper()
	var buf bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&buf, 0); err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Sample {
		for _, f := range Of(s) {
			if Label(s, "test") == test && f.Function == SDK+"internal/stacks.labelled" {
				frames = Of(s)
			}
		}
	}
	return frames
}

func text(frames []Frame) string {
	var b strings.Builder
	for _, f := range frames {
		fmt.Fprintf(&b, "\t%s %s:%d\n", f.Function, ShortFile(f.File), f.Line)
	}
	return b.String()
}

func TestWaitForGoroutines(t *testing.T) {
	locked := func(held, wanted sync.Locker) waiting {
		held.Lock()
		return waiting{func() { wanted.Lock(); wanted.Unlock() }, held.Unlock} //nolint:staticcheck // who waits for the lock is looked at
	}
	channel := func(wait func(empty, full, quit chan int)) waiting {
		empty, full, quit := make(chan int), make(chan int, 1), make(chan int)
		full <- 1
		return waiting{func() { wait(empty, full, quit) }, func() { close(quit); <-full; close(empty) }}
	}
	checkWaits(t, map[string]struct {
		of   func(*testing.T) waiting
		want told
	}{
		"mutex": {func(*testing.T) waiting { var m sync.Mutex; return locked(&m, &m) },
			told{Lock, "sync.(*Mutex).Lock", "lock", false}},
		"reader": {func(*testing.T) waiting {
			var m sync.RWMutex
			m.Lock()
			return waiting{func() { m.RLock(); m.RUnlock() }, m.Unlock} //nolint:staticcheck // who waits for the lock is looked at
		},
			told{Lock, "sync.(*RWMutex).RLock", "lock", true}},
		"writer": {func(*testing.T) waiting { var m sync.RWMutex; return locked(m.RLocker(), &m) },
			told{Lock, "sync.(*RWMutex).Lock", "lock", false}},
		"once": {func(*testing.T) waiting {
			var once sync.Once
			inside, quit := make(chan int), make(chan int)
			go once.Do(func() { close(inside); <-quit })
			<-inside
			return waiting{func() { once.Do(func() {}) }, func() { close(quit) }}
		}, told{Lock, "sync.(*Once).Do", "lock", false}},
		"condition": {func(*testing.T) waiting {
			c := sync.NewCond(&sync.Mutex{})
			return waiting{func() { c.L.Lock(); c.Wait(); c.L.Unlock() }, c.Broadcast}
		}, told{Condition, "sync.(*Cond).Wait", "condition", false}},
		"group": {func(*testing.T) waiting {
			var g sync.WaitGroup
			g.Add(1)
			return waiting{func() { g.Wait() }, g.Done}
		}, told{Group, "sync.(*WaitGroup).Wait", "other goroutines", false}},
		"sleep": {func(*testing.T) waiting {
			quit := make(chan int)
			return waiting{func() { sleepUntil(quit) }, func() { close(quit) }}
		}, told{Sleep, "time.Sleep", "sleep", false}},
		"receive": {func(*testing.T) waiting { return channel(func(empty, _, _ chan int) { <-empty }) },
			told{Receive, "runtime.chanrecv1", "channel receive", false}},
		"semaphore of a channel": {func(*testing.T) waiting { return channel(func(_, full, _ chan int) { full <- 2 }) },
			told{Send, "runtime.chansend1", "channel send", false}},
		"select": {func(*testing.T) waiting {
			return channel(func(empty, _, quit chan int) {
				select {
				case <-empty:
				case <-quit:
				}
			})
		}, told{Select, "runtime.selectgo", "select", false}},
	})
}

//go:noinline
func sleepUntil(quit chan int) {
	for {
		select {
		case <-quit:
			return
		default:
			time.Sleep(100 * time.Millisecond)
		}
	}
}
