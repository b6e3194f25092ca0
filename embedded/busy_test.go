package embedded

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestBusyIsNotDown has all processors busy for longer than the rules wait, in
// the pace of demonstrations: the service answers, if late, and is not down.
func TestBusyIsNotDown(t *testing.T) {
	d := levelDomain()
	d.DefaultRules = domain.DefaultRules{}
	tel, e := started(t, d, Config{Actions: map[string]Action{
		"tell": func(context.Context, Alert) error { return nil },
	}})
	eventually(t, "the first scrape", func() bool {
		return strings.Contains(ask(t, tel.AdminURL()+"/api/v1/query?query=up"), `"1"`)
	})
	var stop atomic.Bool
	var busy sync.WaitGroup
	for range 500 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for n := 0; !stop.Load(); n++ {
				_ = slog.IntValue(n)
			}
		})
	}
	<-time.After(12 * time.Second) // the load itself: six times what ServiceDown waits in this pace
	stop.Store(true)
	busy.Wait()
	eventually(t, "the store answers", func() bool { _, err := e.query(t.Context(), "up", e.now()); return err == nil })
	for _, expr := range []string{`max_over_time(ALERTS{alertname=~"ServiceDown|ScrapeFailing"}[1m])`, "min_over_time(up[1m]) == 0"} {
		if found, err := e.query(t.Context(), expr, e.now()); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", expr, found, err)
		}
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
