package prom

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestStopRightAfterStart: a scraper that is stopped before it has begun does not
// begin afterwards. What it leaves behind TestMain finds.
func TestStopRightAfterStart(t *testing.T) {
	s := start(t, Config{})
	cfg := s.cfg
	cfg.Metrics = http.NotFoundHandler()
	for i := range 300 {
		x, err := newScraper(cfg, s.store)
		if err != nil {
			t.Fatal(err)
		}
		x.start(cfg)
		for range i % 30 { // a little later each time
			runtime.Gosched()
		}
		if err := x.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is asked when the service stops is asked no longer.
func TestStopWhileAsked(t *testing.T) {
	t.Parallel()
	var asked, ended atomic.Bool
	hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		<-r.Context().Done()
		ended.Store(true)
	})
	s := start(t, Config{Metrics: hangs, maxLate: 24 * time.Hour})
	eventually(t, "a scrape", asked.Load)
	stop(t, s)
	eventually(t, "its end", ended.Load)
}
