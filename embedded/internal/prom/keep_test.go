package prom

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"

	"github.com/latido-dev/latido/embedded/alert"
	"github.com/latido-dev/latido/internal/humanize"
)

const keepRules = `
groups:
  - name: keep
    rules:
      - {alert: Instant, expr: cpu_percent > 80, labels: {severity: '{{ if gt $value 90.0 }}page{{ else }}ticket{{ end }}'}}
      - {alert: Rate, expr: 'rate(errors_total[1s]) > 0'}
      - {alert: Down, expr: up == 0}
      - {alert: Pending, expr: cpu_percent > 80, for: 700ms}
`

func TestNoDataIsNotTheEnd(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	count := atomic.Int64{}
	grow := func() { svc.set("errors_total", float64(count.Add(1))) }
	grow()
	s := start(t, Config{Metrics: svc, Rules: []byte(keepRules), Notify: box.notify})
	eventually(t, "all fire", func() bool { grow(); return box.firing("Instant") && box.firing("Rate") })

	svc.broken.Store(true)
	eventually(t, "Down fires", func() bool { return box.firing("Down") })
	at, sent := time.Now(), map[string]int{"Instant": len(box.of("Instant")), "Rate": len(box.of("Rate"))}
	eventually(t, "the blind ones are sent again, for longer than their windows", func() bool {
		return time.Since(at) > 1500*time.Millisecond && len(box.of("Instant")) > sent["Instant"]+2 && len(box.of("Rate")) > sent["Rate"]+2
	})
	if fresh(s) {
		t.Error("data count as fresh although every scrape fails")
	}
	if said := humanize.Of("es").Sentence(errNoData.Error()); said == errNoData.Error() { // which the page shows
		t.Errorf("%q has no Spanish", said)
	}
	svc.broken.Store(false)
	eventually(t, "Down is resolved", func() bool { return box.resolved("Down") })
	eventually(t, "the condition still holds", func() bool {
		grow()
		_, covered, _ := s.store.fresh.at(time.Now())
		return covered > 1200*time.Millisecond
	})
	for _, name := range []string{"Instant", "Rate"} {
		for _, a := range box.of(name) {
			if a.Resolved() || !a.StartsAt.Equal(box.of(name)[0].StartsAt) {
				t.Errorf("%s: got %+v", name, a)
			}
		}
	}
	svc.set("cpu_percent", 5)
	eventually(t, "the real end", func() bool { return box.resolved("Instant") && box.resolved("Rate") })
}

func TestPendingDoesNotFireBlindly(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, Rules: []byte(keepRules), Notify: box.notify})
	eventually(t, "it is pending", func() bool {
		v, ok := value(t, s, `ALERTS{alertname="Pending",alertstate="pending"}`)
		return ok && v == 1
	})
	svc.broken.Store(true)
	eventually(t, "Down fires", func() bool { return box.firing("Down") })
	at := time.Now()
	eventually(t, "time passes", func() bool { return time.Since(at) > time.Second })
	if got := box.of("Pending"); len(got) != 0 {
		t.Errorf("fired without data: %+v", got)
	}
	svc.broken.Store(false)
	eventually(t, "it fires with data", func() bool { return box.firing("Pending") })
}

// After a gap in the data, alerts whose condition is over say nothing of the others
// of their rule: these are as they were until there are data of as much time as the
// rule looks back.
func TestOverBesideBlind(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	grows := func(lamps ...string) {
		for _, lamp := range lamps {
			svc.set(`errors_total{lamp="`+lamp+`"}`, float64(time.Now().UnixMilli()))
		}
	}
	over := []string{"a", "b", "c", "d", "e", "f", "g"}
	s := start(t, Config{Metrics: svc, Notify: box.notify, Rules: []byte(`
groups:
  - name: keep
    rules:
      - {alert: Kept, expr: 'rate(errors_total[1s]) > 0', keep_firing_for: 1h}
`)})
	firing := func(count func(*rules.Alert) bool) (n int) {
		for _, a := range s.rules.AlertingRules()[0].ActiveAlerts() {
			if count(a) {
				n++
			}
		}
		return n
	}
	ended := func(a *rules.Alert) bool { return !a.KeepFiringSince.IsZero() }
	eventually(t, "all fire", func() bool {
		grows(append(over, "z")...)
		return firing(func(*rules.Alert) bool { return true }) == len(over)+1
	})
	eventually(t, "most are over", func() bool { grows("z"); return firing(ended) == len(over) })
	svc.broken.Store(true)
	gone := time.Now()
	eventually(t, "there are no data of as much time as the rule looks back", func() bool { return !fresh(s) && time.Since(gone) > 1500*time.Millisecond })
	svc.broken.Store(false)
	eventually(t, "there are data again of as much time as the rule looks back", func() bool {
		grows("z")
		if n := firing(ended); n != len(over) {
			t.Fatalf("%v after the gap began the condition of %d is over, was of %d", time.Since(gone), n, len(over))
		}
		_, covered, _ := s.store.fresh.at(time.Now())
		return covered > 1500*time.Millisecond
	})
}

// A service that has just started has sold nothing yet; that is over with the
// first sale, however far back the rule looks.
func TestNothingSoldAtTheStart(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("orders_total", 0)
	// Scrapes are so far apart that a busy machine makes no gap of data, after which
	// the alert would be one of before.
	s := start(t, Config{Metrics: svc, ScrapeInterval: 2 * time.Second, Notify: box.notify, Rules: []byte(`
groups:
  - name: sales
    rules:
      - {alert: NothingSold, expr: '(sum(increase(orders_total[30m])) or vector(0)) < 1', for: 30m}
`)})
	eventually(t, "it is pending", func() bool {
		_, ok := value(t, s, `ALERTS{alertname="NothingSold",alertstate="pending"}`)
		return ok
	})
	n := 0.0
	eventually(t, "it is over, long before there are data of as much time as the rule looks back", func() bool {
		n += 10
		svc.set("orders_total", n)
		_, ok := value(t, s, `ALERTS{alertname="NothingSold"}`)
		return !ok
	})
	if got := box.of("NothingSold"); len(got) != 0 {
		t.Errorf("told of %+v", got)
	}
}

func TestFailedQueryIsNotTheEnd(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, Rules: []byte(cpuRules), Notify: box.notify})
	eventually(t, "it fires", func() bool { return box.firing("CPUHigh") })
	broken := atomic.Bool{}
	// The loop reads the function, so it is replaced while that is not running.
	stop(t, s)
	s = start(t, Config{Metrics: svc, Rules: []byte(cpuRules), Notify: box.notify, breakQuery: func(q rules.QueryFunc) rules.QueryFunc {
		return func(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
			if broken.Load() {
				return nil, errors.New("the store is broken")
			}
			return q(ctx, expr, ts)
		}
	}})
	n := len(box.of("CPUHigh"))
	eventually(t, "it fires again", func() bool { return len(box.of("CPUHigh")) > n })
	broken.Store(true)
	svc.set("cpu_percent", 5)
	eventually(t, "the failure is counted", func() bool { return s.store.faults.of(faultRule) > 0 })
	n = len(box.of("CPUHigh"))
	eventually(t, "it is sent again", func() bool { return len(box.of("CPUHigh")) > n+2 })
	for _, a := range box.of("CPUHigh") {
		if a.Resolved() {
			t.Fatalf("resolved by a failed query: %+v", a)
		}
	}
	broken.Store(false)
	eventually(t, "the real end", func() bool { return box.resolved("CPUHigh") })
}

func TestStormIsBounded(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	for i := range 150 {
		svc.set("queue{shard=\""+strings.Repeat("x", i+1)+"\"}", float64(100+i))
	}
	s := start(t, Config{Metrics: svc, Notify: box.notify, Rules: []byte(`
groups:
  - name: storm
    rules: [{alert: Full, expr: queue > 50}]
`)})
	eventually(t, "they fire twice", func() bool { return len(box.of("Full")) >= 2*maxAlerts })
	seen := map[string]alert.Alert{}
	for _, a := range box.of("Full") {
		seen[a.Labels["shard"]] = a
	}
	if len(seen) != maxAlerts || s.store.faults.of(faultStorm) == 0 {
		t.Errorf("%d alerts, %d faults", len(seen), s.store.faults.of(faultStorm))
	}
	for _, a := range seen {
		if a.Value < 150 {
			t.Errorf("not one of the worst: %v", a.Value)
		}
	}
	for i := range 150 {
		svc.set("queue{shard=\""+strings.Repeat("x", i+1)+"\"}", 0)
	}
	over := map[string]bool{}
	eventually(t, "all are resolved", func() bool {
		for _, a := range box.of("Full") {
			if a.Resolved() {
				over[a.Labels["shard"]] = true
			}
		}
		return len(over) >= maxAlerts
	})
}

// TestStormAndEnded: of too many alerts that fire the worst are passed on, and every
// one that has ended.
func TestStormAndEnded(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := start(t, Config{Notify: box.notify})
	var all []*rules.Alert
	for i := range maxAlerts + 3 {
		all = append(all, &rules.Alert{Labels: labels.FromStrings(labels.AlertName, "Storm", "n", fmt.Sprint(i)), Value: float64(10 + i)})
	}
	for i := range 3 { // at the end, by their values
		all = append(all, &rules.Alert{Labels: labels.FromStrings(labels.AlertName, "Storm", "ended", fmt.Sprint(i)), Value: float64(i), ResolvedAt: time.Now()})
	}
	s.rules.notify(t.Context(), "x", all...)
	firing, ended := 0, 0
	for _, a := range box.of("Storm") {
		if a.Labels["ended"] != "" {
			ended++
		} else if firing++; a.Value < 13 {
			t.Errorf("one of the least is passed on: %v", a.Labels)
		}
	}
	if firing != maxAlerts || ended != 3 {
		t.Errorf("%d that fire and %d that ended are passed on, want %d and 3", firing, ended, maxAlerts)
	}
}

// TestNoFaultAtStart: where all is well, nothing was survived.
func TestNoFaultAtStart(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Dir: t.TempDir()})
	for _, f := range allFaults {
		if n := s.store.faults.of(f); n > 0 {
			t.Errorf("%d faults: %s", n, f)
		}
	}
}
