package am

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// calls are the calls of an action, as "name state".
type calls struct {
	mu   sync.Mutex
	all  []string
	last alert.Alert
}

func (c *calls) note(a alert.Alert) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := "fires"
	if a.Resolved() {
		state = "is resolved"
	}
	c.last = a
	c.all = append(c.all, a.Name()+" "+a.Labels["endpoint"]+" "+state)
	return len(c.all)
}

func (c *calls) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

func actions(do Action) Config {
	return Config{File: file([2]string{"action/pager", ""}), Actions: map[string]Action{"pager": do}}
}

// One call for each alert and state, though Alertmanager's messages have the
// whole group.
func TestActionOnce(t *testing.T) {
	t.Parallel()
	var c calls
	s := start(t, actions(func(ctx context.Context, a alert.Alert) error {
		c.note(a)
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > 10*time.Second {
			return errors.New("no deadline")
		}
		return nil
	}))
	one, two := firing("Slow", "endpoint", "GET /a"), firing("Slow", "endpoint", "GET /b")
	s.Put(one)
	wait(t, "the first call", func() bool { return len(c.got()) == 1 })
	s.Put(one, two)
	wait(t, "the second", func() bool { return len(c.got()) == 2 })
	if c.last.Value != two.Value || !c.last.ActiveAt.Equal(two.ActiveAt) || c.last.Annotations["cause"] != two.Annotations["cause"] {
		t.Errorf("the action got %+v", c.last)
	}
	s.Put(resolved(one), two)
	wait(t, "the third", func() bool { return len(c.got()) == 3 })
	s.Put(resolved(two))
	wait(t, "the fourth", func() bool { return len(c.got()) == 4 })
	want := []string{"Slow GET /a fires", "Slow GET /b fires", "Slow GET /a is resolved", "Slow GET /b is resolved"}
	if got := c.got(); !slices.Equal(got, want) {
		t.Errorf("calls: %q, want %q", got, want)
	}
}

// A call that fails, or panics, is made again; those beside it are not.
func TestActionFails(t *testing.T) {
	t.Parallel()
	var c calls
	bad := 0
	s := observe(t, actions(func(_ context.Context, a alert.Alert) error {
		c.note(a)
		if a.Labels["endpoint"] != "GET /b" {
			return nil
		}
		if bad++; bad == 1 {
			return errors.New("no")
		} else if bad == 2 {
			panic("oh no")
		}
		return nil
	}))
	s.Put(firing("Slow", "endpoint", "GET /a"), firing("Slow", "endpoint", "GET /b"), firing("Slow", "endpoint", "GET /c"))
	want := map[string]int{"Slow GET /a fires": 1, "Slow GET /b fires": 3, "Slow GET /c fires": 1}
	wait(t, "the delivery", func() bool { return len(c.got()) >= 5 && s.outcomes(t)["action/pager success"] > 0 })
	count := map[string]int{}
	for _, call := range c.got() {
		count[call]++
	}
	if !maps.Equal(count, want) {
		t.Errorf("calls: %v, want %v", count, want)
	}
}

func TestActionPanicSaysWhere(t *testing.T) {
	t.Parallel()
	a := newAction(t.Context(), "pager", func(context.Context, alert.Alert) error { panic("oh no") }, newKnown())
	err := a.safely(t.Context(), alert.Alert{})
	if err == nil || !strings.Contains(err.Error(), "panic: oh no at ") || !strings.Contains(err.Error(), "action_test.go:") {
		t.Errorf("error: %v", err)
	}
}

// A function that hangs is not called again while it does, and is told of the
// end of its ten seconds. When it comes to a good end after all, its alert is
// not told again.
func TestActionHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c calls
		release := make(chan struct{})
		var cause error
		base, stop := context.WithCancel(t.Context())
		a := newAction(base, "pager", func(ctx context.Context, one alert.Alert) error {
			if c.note(one) == 1 {
				<-ctx.Done()
				cause = context.Cause(ctx)
				<-release
			}
			return nil
		}, newKnown())
		began := time.Now()
		slow, err := convert(firing("Slow"), began, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		other, _ := convert(firing("Other"), began, time.Hour)
		if retry, err := a.Notify(t.Context(), slow); err == nil || !retry || time.Since(began) != attemptTimeout {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		synctest.Wait()
		if !errors.Is(cause, context.DeadlineExceeded) {
			t.Errorf("the function was told: %v", cause)
		}
		for range 3 {
			if _, err := a.Notify(t.Context(), slow, other); err == nil || !errors.Is(err, errHangs) {
				t.Errorf("while it hangs: %v", err)
			}
		}
		if got := fmt.Sprint(c.got()); got != "[Slow  fires]" {
			t.Errorf("calls: %v", got)
		}
		close(release)
		synctest.Wait()
		if _, err := a.Notify(t.Context(), slow, other); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(c.got()); got != "[Slow  fires Other  fires]" {
			t.Errorf("calls: %v", got)
		}
		stop()
		if err := a.close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An action that does not return at all does not keep Stop beyond its context.
func TestActionNeverReturns(t *testing.T) {
	t.Parallel()
	called, release := make(chan struct{}), make(chan struct{})
	s, err := Start(t.Context(), actions(func(context.Context, alert.Alert) error {
		close(called)
		<-release
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	s.Put(firing("Slow"))
	<-called
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	err = s.Stop(ctx)
	if err == nil || !strings.Contains(err.Error(), "action pager has not returned") || time.Since(began) > 4*time.Second { // five without a context
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if again := s.Stop(t.Context()); !errors.Is(again, err) {
		t.Errorf("Stop again: %v", again)
	}
	close(release)
}
