package evidence

import (
	"fmt"
	"testing"
	"time"
)

// TestMuch: a move is worth a word if it is more than chance, and more than a little
// for what there was.
func TestMuch(t *testing.T) {
	for name, c := range map[string]struct {
		before, after float64
		want          bool
	}{
		"from none, just as much":        {0, 6.25, true}, // 2.5 times its square root
		"from none, less":                {0, 6.2, false},
		"to none":                        {6.25, 0, true},
		"none":                           {0, 0, false},
		"three tenths more":              {100, 130, true},
		"less than that":                 {1000, 1299, false},
		"three tenths less":              {130, 100, true},
		"much for its size, and no more": {16, 20.9, false},
		"a level below zero":             {-10, -5, true},
	} {
		if got := (Move{Before: c.before, After: c.after}).much(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestChanged: the line of what moved has five parts at most, and says that nothing
// moved only where that is known.
func TestChanged(t *testing.T) {
	moves := func(n int) (list []Move) {
		list = append(list, Move{"still", "", "", 10, 10})
		for i := range n {
			list = append(list, Move{Name: fmt.Sprint("m", i), Before: 10.4, After: 99.6})
		}
		return list
	}
	deployed := &Deployment{Before: Release{Version: "1"}, After: Release{Version: "2"}}
	at := *deployed
	at.At = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		in   Incident
		want string
	}{
		"nothing is known":     {Incident{}, ""},
		"nothing moved":        {Incident{Moved: moves(0)}, "no business event or request count moved"},
		"two moved":            {Incident{Moved: moves(2)}, "m0 10 → 100; m1 10 → 100"},
		"requests":             {Incident{Moved: []Move{{Name: "requests", After: 100}}}, "requests 0 → 100"},
		"six moved":            {Incident{Moved: moves(6)}, "m0 10 → 100; m1 10 → 100; m2 10 → 100; m3 10 → 100; m4 10 → 100"},
		"deployed":             {Incident{Deployed: deployed}, "version 2 took the place of 1"},
		"deployed, none moved": {Incident{Deployed: &at, Moved: moves(0)}, "version 2 took the place of 1 at 15:04:05"},
		"deployed, five moved": {Incident{Deployed: deployed, Moved: moves(5)}, "version 2 took the place of 1; m0 10 → 100; m1 10 → 100; m2 10 → 100; m3 10 → 100"},
	} {
		if got := wordsOf("en").changed(&c.in); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestQuantities: each type of a section has its unit, of a rate and of a sum.
func TestQuantities(t *testing.T) {
	w := wordsOf("en")
	for got, want := range map[string]string{
		w.quantity("cpu", 0.0123):       "0.012 cores",
		w.quantity("cpu", 0.123):        "0.123 cores",
		w.quantity("alloc_space", 2048): "2 KiB/s",
		w.quantity("inuse_space", 2048): "2 KiB",
		w.quantity("mutex", 0.5):        "500 ms/s",
		w.amount("alloc_space", 4096):   "4 KiB",
		w.amount("inuse_space", 8192):   "8 KiB",
		w.amount("cpu", 0.25):           "250 ms",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestTimes: two figures are compared in words from where a difference can be seen.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		before, after float64
		want          string
	}{
		{0, 0, "="}, {0, 1, "new"}, {1, 0, "-100 %"}, {1, 2, "×2"}, {1, 1.99, "+99 %"}, {1, 1.04, "="}, {1, 1.06, "+6 %"}, {1, 0.96, "="}, {1, 0.94, "-6 %"}, {64, 67.2, "+5 %"},
	} {
		if got := wordsOf("en").times(c.before, c.after); got != c.want {
			t.Errorf("%v → %v: %q, want %q", c.before, c.after, got, c.want)
		}
	}
}
