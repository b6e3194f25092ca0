package prom

import (
	"os"
	"testing"
	"time"
)

func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before := serveChild(t, dir, childFlash+"=1")
	fired, started, kept := before.alert("Firing"), before.alert("Started"), before.alert("Kept")
	last := before.until("a second of samples", func(l report) bool { return l.Store != nil && l.Store.Samples > 30 }).Store
	before.kill()

	after := serveChild(t, dir)
	first := after.until("the store", func(l report) bool { return l.Store != nil }).Store
	if first.Status.Mode != ModeDisk {
		t.Errorf("mode is %s: %s", first.Status.Mode, first.Status.Why)
	}
	if first.Samples < last.Samples-1 {
		t.Errorf("%v samples of %v are left", first.Samples, last.Samples)
	}
	for name, was := range map[string]time.Time{"Firing": fired.StartsAt, "Started": started.StartsAt, "Kept": kept.StartsAt} {
		var again time.Time
		after.until(name, func(l report) bool {
			if l.Alert == nil || l.Alert.Name() != name {
				return false
			}
			if l.Alert.Resolved() {
				t.Errorf("%s was resolved by the restart", name)
			}
			again = l.Alert.StartsAt
			return true
		})
		if !again.Equal(was) {
			t.Errorf("%s fires since %v, was %v", name, again, was)
		}
	}
	pending := after.alert("Pending")
	if d := pending.StartsAt.Sub(pending.ActiveAt); d < 4*time.Second || d > 5*time.Second {
		t.Errorf("fired %v after it was pending, want 4 s", d)
	}
	if d := pending.ActiveAt.Sub(fired.ActiveAt); d.Abs() > time.Second {
		t.Errorf("it is pending since %v after the other began: the restart began anew", d)
	}
}

func TestGarbageInTheLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	svc := newService()
	svc.set("x", 1)
	s := start(t, Config{Dir: dir, Metrics: svc})
	eventually(t, "samples", func() bool { n, _ := value(t, s, "count_over_time(x[1m])"); return n > 5 })
	s.store.renew(s.store.active)
	s.store.mu.Lock() // keep it from being written as a block
	s.store.older = nil
	s.store.mu.Unlock()
	n, _ := value(t, s, "count_over_time(x[1m])")
	eventually(t, "more samples", func() bool { m, _ := value(t, s, "count_over_time(x[1m])"); return m > n+5 })
	stop(t, s)
	dirs := logDirs(dir)
	if len(dirs) != 2 {
		t.Fatalf("logs are %v", dirs)
	}
	segment := dirs[0] + "/00000000"
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(text) / 2; i < len(text)/2+40; i++ {
		text[i] ^= 0xff
	}
	if err := os.WriteFile(segment, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, Config{Dir: dir})
	left, _ := value(t, s, "count_over_time(x[1m])")
	if left < 6 {
		t.Errorf("%v samples left: what is behind the garbage is lost", left)
	}
	if s.store.faults.of(faultCorrupt) == 0 || s.Status().Mode != ModeDisk {
		t.Errorf("faults %v, mode %v", s.store.faults.of(faultCorrupt), s.Status().Mode)
	}
	stop(t, s)
}
