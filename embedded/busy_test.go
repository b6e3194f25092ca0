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
	var told sync.Map
	d := levelDomain()
	d.DefaultRules = domain.DefaultRules{}
	tel, e := started(t, d, Config{Actions: map[string]Action{
		"tell": func(_ context.Context, a Alert) error { told.Store(a.Name(), true); return nil },
	}})
	eventually(t, "the first scrape", func() bool {
		return strings.Contains(ask(t, tel.AdminURL()+"/api/v1/query?query=up"), `"1"`)
	})
	var stop atomic.Bool
	var busy sync.WaitGroup
	for range 50 * runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for n := 0; !stop.Load(); n++ {
				_ = slog.IntValue(n)
			}
		})
	}
	<-time.After(12 * time.Second) // the load itself: six times what ServiceDown waits in this pace
	stop.Store(true)
	busy.Wait()
	for _, name := range []string{"ServiceDown", "ScrapeFailing"} {
		if _, fired := told.Load(name); fired {
			t.Errorf("%s fired", name)
		}
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
