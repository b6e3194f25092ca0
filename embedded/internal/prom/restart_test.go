package prom

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
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
		if again.Sub(was).Abs() > 2*time.Second { // the store keeps since when a condition holds, in seconds
			t.Errorf("%s fires since %v, was %v", name, again, was)
		}
	}
	pending := after.alert("Pending")
	due := pending.ActiveAt.Add(4 * time.Second)
	if pending.StartsAt.Before(due) {
		t.Errorf("fired %v before its time", due.Sub(pending.StartsAt))
	}
	if first.Now.After(due) { // the machine is slow
		due = first.Now
	}
	if late := pending.StartsAt.Sub(due); late > 3*time.Second { // it would wait for four if the restart began anew
		t.Errorf("fired %v after its time", late)
	}
	if d := pending.ActiveAt.Sub(fired.ActiveAt); d.Abs() > time.Second {
		t.Errorf("it is pending since %v after the other began: the restart began anew", d)
	}
}

// TestKeepFiringGoesOn: an alert whose condition is over fires on for as long as
// its rule says, however often the process starts meanwhile.
func TestKeepFiringGoesOn(t *testing.T) {
	t.Parallel()
	const keep = 4 * time.Second
	dir, svc, box := t.TempDir(), newService(), &inbox{}
	cfg := Config{Dir: dir, Metrics: svc, Notify: box.notify, Rules: []byte(`
groups:
  - name: keep
    rules:
      - {alert: Kept, expr: 'flash > 0', keep_firing_for: 4s, labels: {severity: page}}
`)}
	svc.set(`flash{lamp="a"}`, 1)
	s := start(t, cfg)
	eventually(t, "it fires", func() bool { return box.firing("Kept") })
	svc.set(`flash{lamp="a"}`, 0)
	over := time.Now()
	for starts := 0; !box.resolved("Kept"); starts++ {
		if time.Since(over) > 3*time.Minute {
			t.Fatalf("it fires %v after its end, of %v, in the %dth process", time.Since(over), keep, starts)
		}
		began := time.Now()
		eventually(t, "a part of that time", func() bool { return box.resolved("Kept") || time.Since(began) > keep/2 })
		stop(t, s)
		s = start(t, cfg)
	}
	all := box.of("Kept")
	if early := keep - all[len(all)-1].EndsAt.Sub(over); early > keep/4 {
		t.Errorf("it ended %v too early", early)
	}
	for _, a := range all {
		if !a.StartsAt.Equal(all[0].StartsAt) && a.StartsAt.Sub(all[0].StartsAt).Abs() > 2*time.Second {
			t.Errorf("it fires since %v, was %v", a.StartsAt, all[0].StartsAt)
		}
	}
}

// A condition that held for less than the steps in which its end is looked for fires
// on over a restart, too.
func TestKeepFiringAfterAMoment(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	cfg := Config{Dir: t.TempDir(), Metrics: svc, Notify: box.notify, Rules: []byte(`
groups:
  - name: keep
    rules:
      - {alert: Kept, expr: 'flash > 0', keep_firing_for: 1h}
`)}
	svc.set("flash", 1)
	s := start(t, cfg)
	eventually(t, "it fires", func() bool { return box.firing("Kept") })
	svc.set("flash", 0)
	var over time.Time
	eventually(t, "its condition is over", func() bool { over = keptSince(s, "Kept"); return !over.IsZero() })
	stop(t, s)
	told := len(box.of("Kept"))
	s = start(t, cfg)
	eventually(t, "it is sent again", func() bool { return len(box.of("Kept")) > told })
	if !box.firing("Kept") {
		t.Error("the restart ended it")
	}
	// Of an hour, a twentieth of it: the step.
	if since := keptSince(s, "Kept"); since.Sub(over).Abs() > 3*time.Minute {
		t.Errorf("its condition is over since %v, was %v", since, over)
	}
}

// keptSince is since when the condition of an alert is over that fires on.
func keptSince(s *Server, name string) (since time.Time) {
	for _, r := range s.rules.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			if r.Name() == name && a.KeepFiringSince.After(since) {
				since = a.KeepFiringSince
			}
		}
	}
	return since
}

// writeLog stores samples of x from a time on, a second apart, as a run does
// that ends then. It returns the newest file of the log.
func writeLog(t *testing.T, dir string, at time.Time, n int) string {
	t.Helper()
	s := start(t, Config{Dir: dir})
	for i := range n {
		app := s.store.taker().AppenderV2(t.Context())
		_, err := app.Append(0, labels.FromStrings("__name__", "x"), 0, at.Add(time.Duration(i)*time.Second).UnixMilli(), float64(i), nil, nil, storage.AppendV2Options{})
		if err := errors.Join(err, app.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, s)
	files, err := filepath.Glob(filepath.Join(dir, "wal", "0*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	return files[len(files)-1]
}

// Of a log that is damaged there is what comes before the damage.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	garbage := func(text []byte) []byte { return append(bytes.Repeat([]byte{0xfe}, 900), text[900:]...) }
	for name, c := range map[string]struct {
		first, second func(text []byte) []byte
		least, most   float64
		faults        int
	}{
		"whole":             {nil, nil, 200, 200, 0},
		"torn":              {nil, func(text []byte) []byte { return text[:900] }, 101, 199, 1}, // as a machine that stops leaves it
		"garbage at an end": {nil, garbage, 100, 199, 1},
		"garbage":           {garbage, nil, 0, 100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, now := t.TempDir(), time.Now()
			first := writeLog(t, dir, now.Add(-300*time.Second), 100)
			second := writeLog(t, dir, now.Add(-150*time.Second), 100)
			for path, spoil := range map[string]func([]byte) []byte{first: c.first, second: c.second} {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if spoil == nil {
					continue
				}
				if err := os.WriteFile(path, spoil(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			svc := newService()
			svc.set("y", 1)
			s := start(t, Config{Dir: dir, Metrics: svc})
			if n, _ := value(t, s, "count_over_time(x[10m])"); n < c.least || n > c.most {
				t.Errorf("%v samples are left of two runs of 100, want %v to %v", n, c.least, c.most)
			}
			if got := s.store.faults.of(faultCorrupt); got != c.faults || s.store.status().Mode != ModeDisk {
				t.Errorf("faults %v, mode %v", got, s.store.status().Mode)
			}
			eventually(t, "samples go on", func() bool { _, ok := value(t, s, "y"); return ok })
		})
	}
}

// TestSeriesEndWithTheProcess has a process end, by Stop or by a kill, and one
// with other series begin: a query finds those of the second one only, and what
// the rules know goes on.
func TestSeriesEndWithTheProcess(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, dir string){
		"stopped": func(t *testing.T, dir string) {
			svc := newService()
			svc.set(`build{version="1"}`, 1)
			svc.set("cpu_percent", 95)
			box := &inbox{}
			s := start(t, Config{Dir: dir, Metrics: svc, Instance: "127.0.0.1:1", Rules: []byte(cpuRules), Notify: box.notify})
			eventually(t, "the alert fires", func() bool { return box.firing("CPUHigh") })
			stop(t, s)
		},
		"killed": func(t *testing.T, dir string) {
			child := serveChild(t, dir)
			child.alert("Firing")
			child.kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			end(t, dir)
			svc := newService()
			svc.set(`build{version="2"}`, 1)
			svc.set("cpu_percent", 95)
			s := start(t, Config{Dir: dir, Metrics: svc, Instance: "127.0.0.1:2", Rules: []byte(cpuRules)})
			eventually(t, "a scrape", func() bool { _, up := value(t, s, `up{instance="127.0.0.1:2"}`); return up })
			all, err := s.Query(t.Context(), `{instance!="",__name__!~"ALERTS.*"} unless {instance="127.0.0.1:2"}`, time.Now())
			if err != nil || len(all) > 0 {
				t.Errorf("of the process that ended there is still %v, %v", all, err)
			}
			if n, _ := value(t, s, "count(up)"); n != 1 {
				t.Errorf("%v processes are up", n)
			}
			if n, _ := value(t, s, `count_over_time(cpu_percent{instance!="127.0.0.1:2"}[10m])`); n == 0 {
				t.Error("its past is gone")
			}
			if name == "stopped" {
				if was, ok := value(t, s, `last_over_time(ALERTS_FOR_STATE{alertname="CPUHigh"}[10m])`); !ok || was == 0 {
					t.Error("the state of its alerts is gone")
				}
			}
		})
	}
}
