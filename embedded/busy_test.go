package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestBusyIsNotDown has all processors busy for longer than the rules wait, in
// the pace of demonstrations: the service answers, if late, and is not down. It
// is a process of its own, with one processor: other tests need the others.
func TestBusyIsNotDown(t *testing.T) {
	const variable = "BUSY"
	if os.Getenv(variable) == "" {
		t.Parallel()
		testkit.Again(t, variable+"=1", "GOMAXPROCS=1")
		return
	}
	d := levelDomain()
	d.DefaultRules = domain.DefaultRules{}
	tel, e := started(t, d, Config{Actions: map[string]Action{
		"tell": func(context.Context, Alert) error { return nil },
	}})
	eventually(t, "the first scrape", func() bool {
		return strings.Contains(ask(t, tel.Admin().URL()+"/api/v1/query?query=up"), `"1"`)
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
	eventually(t, "the store answers", func() bool { _, err := e.query(t.Context(), "up", time.Now()); return err == nil })
	for _, expr := range []string{`max_over_time(ALERTS{alertname=~"ServiceDown|ScrapeFailing"}[1m])`, "min_over_time(up[1m]) == 0"} {
		if found, err := e.query(t.Context(), expr, time.Now()); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", expr, found, err)
		}
	}
	if err := e.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// An alert brings what the store knows, and in time, while dashboards ask the
// store for more than it can tell.
func TestEvidenceBesideDashboards(t *testing.T) {
	told := make(chan Alert, 10)
	tel, e := started(t, levelDomain(), Config{Actions: map[string]Action{
		"tell": func(_ context.Context, a Alert) error { told <- a; return nil },
	}})
	eventually(t, "samples", func() bool {
		found, err := e.query(t.Context(), "levels_level", time.Now())
		return err == nil && len(found) > 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	var dashboards sync.WaitGroup
	defer dashboards.Wait()
	defer cancel()
	for range 20 {
		dashboards.Go(func() {
			for ctx.Err() == nil {
				query := url.Values{"query": {`count_over_time({__name__=~".+"}[30m:100ms])`}, "step": {"1"},
					"start": {fmt.Sprint(time.Now().Add(-time.Hour).Unix())}, "end": {fmt.Sprint(time.Now().Unix())}}
				r := httptest.NewRequest(http.MethodGet, "/api/v1/query_range?"+query.Encode(), nil).WithContext(ctx)
				e.store.Load().Handler().ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
	for try := 1; ; try++ { // others may keep the machine from it once
		tel.UpDown("level").With().Add(10)
		a := receive(t, told)
		_, id, _ := strings.Cut(a.Annotations["incident"], "/incidents/")
		var kept struct {
			Notes []string
			Moved []struct{ Name string }
		}
		eventually(t, "the incident", func() bool {
			answer, err := http.Get(tel.Admin().URL() + "/api/incidents/" + id)
			if err != nil {
				return false
			}
			defer answer.Body.Close()
			return json.NewDecoder(answer.Body).Decode(&kept) == nil
		})
		notes := strings.Join(kept.Notes, "; ")
		if !strings.Contains(notes, "the store did not answer") && len(kept.Moved) > 0 && !strings.Contains(a.Annotations["evidence"], "took longer") {
			return
		}
		t.Logf("notes %q, moved %v, annotations %v", notes, kept.Moved, a.Annotations)
		if try == 3 {
			t.Fatal("three alerts did not bring what the store knows in time")
		}
		tel.UpDown("level").With().Add(-10)
		if over := receive(t, told); !over.Resolved() {
			t.Fatalf("told of %+v, want that it is resolved", over)
		}
	}
}
