package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var noLog = slog.New(slog.NewTextHandler(io.Discard, nil))

// TestReady has checks that fail, panic, end their goroutine and hang. None
// holds up another, and one that hangs is not started again.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var calls atomic.Int64
		var checks readyChecks
		checks.add("database", func(context.Context) error { return errors.New("replaced") })
		checks.add("database", func(context.Context) error { return nil })
		checks.add("queue", func(context.Context) error { return errors.New("no broker \xff") })
		checks.add("cache", func(context.Context) error { panic("nil map") })
		checks.add("exit", func(context.Context) error { runtime.Goexit(); return nil })
		checks.add("slow", func(context.Context) error { calls.Add(1); <-release; return nil })
		for _, c := range []struct {
			took time.Duration
			slow string
		}{{readyTimeout, "no answer after 2s"}, {0, "no answer after 2s"}} { // the second one does not wait again
			began := time.Now()
			got := checks.run(t.Context(), noLog)
			for name, want := range map[string]string{
				"database": "", "queue": "no broker �", "cache": "the check panicked: nil map",
				"exit": "the check ended its goroutine", "slow": c.slow,
			} {
				if failure, ok := got[name]; !ok || failure != want {
					t.Errorf("%s: %q (there: %v), want %q", name, failure, ok, want)
				}
			}
			if took := time.Since(began); took != c.took {
				t.Errorf("it took %v, want %v", took, c.took)
			}
		}
		if n := calls.Load(); n != 1 {
			t.Errorf("the check that hangs was started %d times", n)
		}
		close(release)
		synctest.Wait()
		if got := checks.run(t.Context(), noLog)["slow"]; got != "" || calls.Load() != 2 {
			t.Errorf("after it came back: %q, %d calls", got, calls.Load())
		}
	})
}

// TestReadyShared is a check that several ask for at a time: it runs once, for
// as long as one of them waits.
func TestReadyShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		var checks readyChecks
		checks.add("slow", func(ctx context.Context) error {
			calls++
			select {
			case <-time.After(1500 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		impatient, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { checks.run(impatient, noLog) })
		time.Sleep(time.Second) // in a bubble: it takes no time
		wg.Go(func() {
			if got := checks.run(t.Context(), noLog)["slow"]; got != "" {
				t.Errorf("the one who came later: %s", got)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()
		if calls != 1 {
			t.Errorf("%d calls", calls)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if got := checks.run(gone, noLog)["slow"]; !strings.Contains(got, "not waited for") {
			t.Errorf("nobody waits: %q", got)
		}
		synctest.Wait() // the check has ended: the bubble may not
	})
}

// TestReadyLog is a check that comes and goes: the log hears of a change, and
// not of each.
func TestReadyLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		var failure error
		var checks readyChecks
		checks.add("queue", func(context.Context) error { return failure })
		for range 100 { // every second up and down
			failure = errors.New("no broker")
			checks.run(t.Context(), slog.New(log))
			time.Sleep(time.Second)
			failure = nil
			checks.run(t.Context(), slog.New(log))
			time.Sleep(time.Second)
		}
		time.Sleep(readyLogEvery)
		checks.run(t.Context(), slog.New(log))
		if failed, back := len(log.told("not ready check=queue error=no broker")), len(log.told("ready again check=queue")); failed != 2 || back != 2 {
			t.Errorf("logged %d failures and %d times that it is back:\n%s", failed, back, strings.Join(log.told(""), "\n"))
		}
	})
}

// TestReadyPage is /readyz before and after a check fails, and after Shutdown.
func TestReadyPage(t *testing.T) {
	tel, err := Init(t.Context(), quiet(func(c *Config) { c.Admin.Guarded = true }))
	must(t, err)
	check := func(status int, body string) {
		t.Helper()
		if w := askHandler(tel, http.MethodGet, "/readyz", nil); w.Code != status || !strings.Contains(w.Body.String(), body) {
			t.Errorf("status %d, %s; want %d with %s", w.Code, w.Body, status, body)
		}
	}
	check(200, `"checks": {}`)
	failure := error(nil)
	tel.AddReadyCheck("database", func(context.Context) error { return failure })
	check(200, `"database": "ok"`)
	failure = errors.New("no answer from db.internal")
	check(503, `"database": "no answer from db.internal"`)
	if d := tel.dashboard(t.Context()); d.SystemStatus != "unhealthy" || len(d.Reasons) != 1 || d.Reasons[0] != "not ready: database: no answer from db.internal" {
		t.Errorf("%s: %q", d.SystemStatus, d.Reasons)
	}
	failure = nil
	must(t, tel.Shutdown(t.Context()))
	check(503, `"telemetry": "was shut down"`)
	if w := askHandler(tel, http.MethodGet, "/healthz", nil); w.Code != http.StatusOK {
		t.Errorf("/healthz answers %d: the process still runs", w.Code)
	}
}
