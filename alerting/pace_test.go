package alerting

import (
	"testing"
	"time"
)

// TestFastPace: a minute passes in a second, in whole seconds, and no window is
// too short for ten scrapes. Traffic does not get faster.
func TestFastPace(t *testing.T) {
	t.Parallel()
	fast, usual := pace{fast: true}, pace{}
	for d, want := range map[time.Duration]struct{ window, pending time.Duration }{
		0:                {10 * time.Second, 0},
		time.Second:      {10 * time.Second, time.Second},
		time.Minute:      {10 * time.Second, time.Second},
		61 * time.Second: {10 * time.Second, 2 * time.Second},
		10 * time.Minute: {10 * time.Second, 10 * time.Second},
		11 * time.Minute: {11 * time.Second, 11 * time.Second},
		90 * time.Minute: {90 * time.Second, 90 * time.Second},
	} {
		if w, p := fast.window(d), fast.pending(d); w != want.window || p != want.pending {
			t.Errorf("%v is a window of %v, and lasts %v; want %+v", d, w, p, want)
		}
		if usual.window(d) != d || usual.pending(d) != d {
			t.Errorf("%v is not itself in the usual pace", d)
		}
	}
	for _, c := range []struct {
		n      int
		window time.Duration
		want   int
	}{{20, 5 * time.Minute, 5}, {3, 5 * time.Minute, 3}, {1000, 5 * time.Minute, 34}, {900, 5 * time.Minute, 30}, {600, time.Hour, 10}} {
		if got := fast.least(c.n, c.window); got != c.want {
			t.Errorf("of %d in %v %d must be there, want %d", c.n, c.window, got, c.want)
		}
		if got := usual.least(c.n, c.window); got != c.n {
			t.Errorf("of %d in %v %d must be there in the usual pace", c.n, c.window, got)
		}
	}
}
