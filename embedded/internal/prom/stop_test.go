package prom

import (
	"net/http"
	"runtime"
	"testing"
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
