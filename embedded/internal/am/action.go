package am

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/embedded/alert"
)

// action is a receiver that is a function of the service's.
type action struct {
	name  string
	do    Action
	known *known
	base  context.Context // done when the server stops
	calls sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	hanging int // calls that have not returned at their deadline
	// done are the alerts of a message that failed in part: they are not told
	// again when the rest is tried again.
	done map[model.Fingerprint]state
}

// state is one state of an alert: firing since, or resolved.
type state struct {
	startsAt time.Time
	resolved bool
}

func newAction(base context.Context, name string, do Action, known *known) *action {
	return &action{name: name, do: do, known: known, base: base, done: map[model.Fingerprint]state{}}
}

var (
	errHangs      = errors.New("the function has not returned from a call that should be over: it is not called again before that")
	errSlowAction = fmt.Errorf("the function did not return within %v: %w", attemptTimeout, context.DeadlineExceeded)
)

// Notify implements notify.Notifier: one call an alert and state, one after the
// other.
func (a *action) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	fresh := freshOf(ctx, alerts)
	var errs []error
	for _, one := range fresh {
		key, now := one.Fingerprint(), state{one.StartsAt, one.Resolved()}
		if a.was(key, now) {
			continue
		}
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		if err := a.call(a.known.alertOf(one), key, now); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", one.Name(), err))
		}
	}
	if len(errs) > 0 {
		return true, errors.Join(errs...)
	}
	a.forget(fresh)
	return false, nil
}

// call calls the function, and waits for ten seconds at most. A call that takes
// longer is left to itself; if it comes to a good end after all, its alert
// counts as told.
func (a *action) call(one alert.Alert, key model.Fingerprint, now state) error {
	ctx, cancel := context.WithTimeoutCause(a.base, attemptTimeout, errSlowAction)
	late := false
	a.mu.Lock()
	if a.closed || a.hanging > 0 {
		a.mu.Unlock()
		cancel()
		return errHangs
	}
	result := make(chan error, 1)
	a.calls.Add(1)
	a.mu.Unlock()
	go func() {
		defer a.calls.Done()
		defer cancel()
		err := a.safely(ctx, one)
		a.mu.Lock()
		defer a.mu.Unlock()
		if err == nil {
			a.done[key] = now
		}
		if late {
			a.hanging--
		}
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case err := <-result: // at the last moment
		return err
	default:
		late = true
		a.hanging++
		return context.Cause(ctx)
	}
}

// safely calls the function and turns a panic, or the end of its goroutine,
// into an error.
func (a *action) safely(ctx context.Context, one alert.Alert) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v at %s", p, panicSite(debug.Stack()))
		} else {
			err = errors.New("the function ended its goroutine")
		}
	}()
	err = a.do(ctx, one)
	returned = true
	return err
}

// panicSite is the line that panicked, out of a stack.
func panicSite(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+3 < len(lines) {
			site, _, _ := strings.Cut(strings.TrimSpace(lines[i+3]), " ")
			return site
		}
	}
	return "an unknown line"
}

func (a *action) was(key model.Fingerprint, now state) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	before, told := a.done[key]
	return told && before.resolved == now.resolved && before.startsAt.Equal(now.startsAt)
}

// forget makes room once a whole message was told: from then on the
// notification log knows.
func (a *action) forget(alerts []*amalert.Alert) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range alerts {
		delete(a.done, one.Fingerprint())
	}
	if len(a.done) > maxAlerts { // of groups that are gone
		clear(a.done)
	}
}

// close calls no more, and waits for calls until ctx is done.
func (a *action) close(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	returned := make(chan struct{})
	go func() {
		a.calls.Wait()
		close(returned)
	}()
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("action %s has not returned: it is left behind", a.name)
	}
}
