package prom

import (
	"bytes"
	"errors"
	"fmt"
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
		if !again.Equal(was) {
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
	if late := pending.StartsAt.Sub(due); late > 1500*time.Millisecond {
		t.Errorf("fired %v after its time", late)
	}
	if d := pending.ActiveAt.Sub(fired.ActiveAt); d.Abs() > time.Second {
		t.Errorf("it is pending since %v after the other began: the restart began anew", d)
	}
}

// writeLog makes the log of a run that was killed: samples of x at a time for
// each value.
func writeLog(t *testing.T, dir string, number uint64, at time.Time, n int) string {
	t.Helper()
	log := filepath.Join(dir, fmt.Sprintf("%s%06d", logPrefix, number))
	g, err := newGeneration(number, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		app := g.head.AppenderV2(t.Context())
		_, err := app.Append(0, labels.FromStrings("__name__", "x"), 0, at.Add(time.Duration(i)*time.Second).UnixMilli(), float64(i), nil, nil, storage.AppendV2Options{})
		if err := errors.Join(err, app.Commit()); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(log, "00000000")
}

func TestDamagedLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil  func(text []byte) []byte
		faults int
	}{
		"whole":   {func(text []byte) []byte { return text }, 0},
		"torn":    {func(text []byte) []byte { return text[:900] }, 0}, // as kill -9 leaves it
		"garbage": {func(text []byte) []byte { return append(bytes.Repeat([]byte{0xfe}, 900), text[900:]...) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, now := t.TempDir(), time.Now()
			segment := writeLog(t, dir, 1, now.Add(-300*time.Second), 100)
			writeLog(t, dir, 2, now.Add(-150*time.Second), 100)
			text, err := os.ReadFile(segment)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(segment, c.spoil(text), 0o600); err != nil {
				t.Fatal(err)
			}
			s := start(t, Config{Dir: dir})
			n, _ := value(t, s, "count_over_time(x[10m])")
			switch {
			case name == "whole" && n != 200, name == "torn" && (n <= 100 || n >= 200), n < 100:
				t.Errorf("%v samples are left of 100 in the broken log and 100 in the other one", n)
			}
			if got := s.store.faults.of(faultCorrupt); got != c.faults || s.Status().Mode != ModeDisk {
				t.Errorf("faults %v, mode %v", got, s.Status().Mode)
			}
			if dirs := logDirs(dir); len(dirs) != 1 {
				t.Errorf("logs are %v, want one that has all", dirs)
			}
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
			all, err := s.Query(t.Context(), `{instance!="",__name__!~"ALERTS.*"} unless {instance="127.0.0.1:2"}`, s.Now())
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
