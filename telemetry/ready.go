package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// readyTimeout is how long one readiness check may take.
const readyTimeout = 2 * time.Second

// readyLogEvery is how often the log hears of one check at most: a prober asks
// every few seconds, and what it asks for may come and go.
const readyLogEvery = time.Minute

// readyCheck is a check of the user's. It runs once at a time, for all who ask
// meanwhile; one that hangs fails, and is not called again before it returned.
type readyCheck struct {
	name string
	call func(context.Context) error

	mu      sync.Mutex
	running *readyRun // nil when it does not
	failing bool      // what the log said last
	logged  time.Time
}

// readyRun is one call of a check.
type readyRun struct {
	ctx     context.Context
	cancel  context.CancelFunc
	since   time.Time
	waiting int // for it, under the check's lock: when all have left, it is cancelled
	done    chan struct{}
	err     error // once done is closed
}

// readyChecks are all of them, sorted by name.
type readyChecks struct {
	mu   sync.Mutex
	list []*readyCheck
}

// AddReadyCheck adds a check to /readyz: whether the service can work, as far
// as the database, a queue or whatever name stands for is concerned. Its
// context ends after two seconds; one that takes longer, or panics, fails.
// Strangers learn which check failed, and the log and the dashboard also why.
// A second check of a name replaces the first. It is safe for concurrent use;
// a check runs once at a time.
func (t *Telemetry) AddReadyCheck(name string, check func(context.Context) error) {
	if t.recording() && check != nil {
		t.ready.add(cleanValue(name), check)
	}
}

func (cs *readyChecks) add(name string, call func(context.Context) error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(cs.list), func(c *readyCheck) bool { return c.name == name })
	list = append(list, &readyCheck{name: name, call: call})
	slices.SortFunc(list, func(a, b *readyCheck) int { return strings.Compare(a.name, b.name) })
	cs.list = list
}

// run runs all checks side by side, and returns what failed by name: "" for
// those that did not.
func (cs *readyChecks) run(ctx context.Context, log *slog.Logger) map[string]string {
	cs.mu.Lock()
	checks := cs.list
	cs.mu.Unlock()
	results := make([]string, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() {
			if err := check.run(ctx); err != nil {
				results[i] = cleanValue(err.Error())
			}
			if ctx.Err() == nil { // or the asker's leaving is why
				check.say(log, results[i])
			}
		})
	}
	wg.Wait()
	named := make(map[string]string, len(results))
	for i, check := range checks {
		named[check.name] = results[i]
	}
	return named
}

func (c *readyCheck) run(ctx context.Context) error {
	run := c.join()
	defer c.leave(run)
	select {
	case <-run.done:
		return run.err
	case <-ctx.Done():
		return fmt.Errorf("not waited for: %w", context.Cause(ctx))
	case <-run.ctx.Done():
	}
	select {
	case <-run.done: // just in time
		return run.err
	default:
		return fmt.Errorf("no answer after %v", time.Since(run.since).Round(time.Millisecond))
	}
}

// join takes part in the call that runs, or starts one.
func (c *readyCheck) join() *readyRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		run := &readyRun{since: time.Now(), done: make(chan struct{})}
		run.ctx, run.cancel = context.WithTimeout(context.Background(), readyTimeout)
		c.running = run
		go c.execute(run)
	}
	c.running.waiting++
	return c.running
}

func (c *readyCheck) leave(run *readyRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if run.waiting--; run.waiting == 0 {
		run.cancel()
	}
}

func (c *readyCheck) execute(run *readyRun) {
	err := fmt.Errorf("the check ended its goroutine")
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check panicked: %v", p)
		}
		run.err = err
		c.mu.Lock()
		c.running = nil
		c.mu.Unlock()
		close(run.done)
	}()
	err = c.call(run.ctx)
}

// say logs that a check began to fail, or works again.
func (c *readyCheck) say(log *slog.Logger, failure string) {
	c.mu.Lock()
	news := c.failing != (failure != "") && time.Since(c.logged) >= readyLogEvery
	if news {
		c.failing, c.logged = failure != "", time.Now()
	}
	c.mu.Unlock()
	switch {
	case !news:
	case failure != "":
		log.Warn("the service is not ready", "check", c.name, "error", failure)
	default:
		log.Info("the service is ready again", "check", c.name)
	}
}

func (t *Telemetry) checkReady(ctx context.Context) map[string]string {
	failures := t.ready.run(ctx, t.cfg.Logger)
	select {
	case <-t.stopped:
		failures["telemetry"] = "was shut down"
	default:
	}
	return failures
}

func (t *Telemetry) serveReady(w http.ResponseWriter, r *http.Request) {
	inside := seesInside(r)
	checks := map[string]string{}
	status := http.StatusOK
	for name, failure := range t.checkReady(r.Context()) {
		checks[name] = "ok"
		if failure != "" {
			checks[name], status = "failed", http.StatusServiceUnavailable
			if inside { // errors name hosts and users of the inside
				checks[name] = failure
			}
		}
	}
	writeJSON(w, status, map[string]any{"ready": status == http.StatusOK, "checks": checks})
}
