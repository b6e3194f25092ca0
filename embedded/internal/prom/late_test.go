package prom

import (
	"testing"
	"time"
)

const lateRules = `
groups:
  - name: late
    rules:
      - {alert: Down, expr: 'up == 0 or absent(up)'}
      - {alert: Gone, expr: 'absent(cpu_percent)'}
      - {alert: Went, expr: 'group by (job) (last_over_time(cpu_percent[1h])) unless group by (job) (cpu_percent)'}
      - {alert: Heartbeat, expr: vector(1)}
`

// never fails the test if one of the alerts came.
func never(t *testing.T, box *inbox, why string, alerts ...string) {
	t.Helper()
	for _, name := range alerts {
		if got := box.of(name); len(got) > 0 {
			t.Errorf("%s: %s: %+v", why, name, got[0])
		}
	}
}

// TestLateIsNotDown has scrapes that are not answered in time, as those of a
// process whose processors are all busy are: nothing is down, nothing is gone,
// and the series go on. Only a /metrics that does not answer for long is told.
func TestLateIsNotDown(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	s := start(t, Config{Metrics: svc, Rules: []byte(lateRules), Notify: box.notify, maxLate: 8 * time.Second})
	eventually(t, "rules are evaluated", func() bool { return box.firing("Heartbeat") })

	svc.hangs.Store(true)
	s.store.fresh.mu.Lock()
	last := s.store.fresh.last
	s.store.fresh.mu.Unlock()
	late := map[time.Time]bool{} // scrapes: most of them wait for their turn, and the service does not hear of them
	eventually(t, "many scrapes are late", func() bool {
		for _, target := range s.scraper.TargetsActive()[s.cfg.Job] {
			if target.LastError() != nil {
				late[target.LastScrape()] = true
			}
		}
		return len(late) > 10 && time.Since(last) > 2*time.Second
	})
	never(t, box, "late", "Down", "Gone", "Went")
	if v, ok := value(t, s, "up"); !ok || v != 1 {
		t.Errorf("up is %v, %v", v, ok)
	}
	if _, ok := value(t, s, "cpu_percent"); !ok {
		t.Error("the series ended")
	}
	eventually(t, "a page that hangs is told", func() bool { return box.firing("Down") })
	never(t, box, "hanging", "Gone", "Went")

	svc.hangs.Store(false)
	eventually(t, "it is over", func() bool { return box.resolved("Down") })
	never(t, box, "afterwards", "Gone", "Went")
}

// TestFailingIsNotGone has a /metrics that fails: that is told, and nothing of
// what it would have said is taken for gone.
func TestFailingIsNotGone(t *testing.T) {
	t.Parallel()
	svc, box := newService(), &inbox{}
	svc.set("cpu_percent", 95)
	start(t, Config{Metrics: svc, Rules: []byte(lateRules), Notify: box.notify})
	eventually(t, "rules are evaluated", func() bool { return box.firing("Heartbeat") })
	svc.broken.Store(true)
	eventually(t, "the failure is told", func() bool { return box.firing("Down") })
	at := time.Now()
	eventually(t, "time passes", func() bool { return time.Since(at) > time.Second })
	never(t, box, "failing", "Gone", "Went")
	svc.broken.Store(false)
	eventually(t, "it is over", func() bool { return box.resolved("Down") })
}
