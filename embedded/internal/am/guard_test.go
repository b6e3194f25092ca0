package am

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"go.opentelemetry.io/otel/metric/noop"
)

type notifierFunc func(context.Context, ...*amalert.Alert) (bool, error)

func (f notifierFunc) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	return f(ctx, alerts...)
}

func guardOf(t *testing.T, lines *logs, f notifierFunc) *guard {
	t.Helper()
	d, err := newDeliveries(noop.NewMeterProvider().Meter(""))
	if err != nil {
		t.Fatal(err)
	}
	inner := notify.NewIntegration(f, always{}, "webhook", 0, "hook")
	return newGuard(t.Context(), &inner, &spare{}, &record{receiver: "hook", kind: "webhook", deliveries: d, secrets: newRedactor(nil, nil), log: lines.logger()})
}

// So many deliveries at once, so many that wait, and no more.
func TestGuardTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most := 0, 0
		g := guardOf(t, &logs{}, func(ctx context.Context, _ ...*amalert.Alert) (bool, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-ctx.Done() // silent
			mu.Lock()
			now--
			mu.Unlock()
			return true, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		errs := make(chan error, 200)
		for range cap(errs) {
			go func() {
				_, err := g.Notify(ctx)
				errs <- err
			}()
		}
		synctest.Wait()
		if n := len(errs); n != cap(errs)-maxAtOnce-maxWaiting {
			t.Errorf("%d were turned away at once", n)
		}
		began := time.Now()
		dropped := 0
		for range cap(errs) {
			if errors.Is(<-errs, errWaiting) {
				dropped++
			}
		}
		// Those that wait give up with their interval; those under way have their ten seconds.
		if took := time.Since(began); took != 20*time.Second || most != maxAtOnce || dropped != cap(errs)-maxAtOnce-maxWaiting {
			t.Errorf("it took %v, %d at once, %d dropped", took, most, dropped)
		}
	})
}

func TestGuardPanic(t *testing.T) {
	t.Parallel()
	lines := &logs{}
	g := guardOf(t, lines, func(context.Context, ...*amalert.Alert) (bool, error) { panic("oh no") })
	if _, err := g.Notify(t.Context()); err == nil || !strings.Contains(err.Error(), "panic: oh no") {
		t.Error(err)
	}
	if outcome, _, err := g.attempt(t.Context(), nil); outcome != outcomePanic {
		t.Errorf("%s: %v", outcome, err)
	}
}

// One that does now this, now that, is no flood of lines.
func TestGuardFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines, n := &logs{}, 0
		g := guardOf(t, lines, func(context.Context, ...*amalert.Alert) (bool, error) {
			if n++; n%2 == 0 {
				return true, nil
			}
			return true, fmt.Errorf("failure %d", n)
		})
		for range 120 {
			_, _ = g.Notify(t.Context())
			time.Sleep(time.Second)
		}
		down, up := strings.Count(lines.String(), "cannot be delivered"), strings.Count(lines.String(), "delivered again")
		if down != 2 || up != 2 {
			t.Errorf("%d lines of a failure, %d of its end:\n%s", down, up, lines)
		}
	})
}

// TestToldInTime: a receiver that has taken the message was told, however late
// its answer; and an error is a time-out wherever that comes from.
func TestToldInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late    bool
		err     error
		outcome string
		again   bool
	}{
		"taken":                      {false, nil, outcomeSuccess, false},
		"taken late":                 {true, nil, outcomeSuccess, false},
		"refused":                    {false, errors.New("no"), outcomeFailed, false},
		"refused late":               {true, errors.New("no"), outcomeTimeout, true},
		"a time-out of the receiver": {false, fmt.Errorf("dial: %w", context.DeadlineExceeded), outcomeTimeout, true},
		"a time-out of the network":  {false, fmt.Errorf("read: %w", os.ErrDeadlineExceeded), outcomeTimeout, true},
		"asked for patience":         {false, notify.NewErrorWithReason(notify.RateLimitedReason, errors.New("429")), outcomeFailed, true},
		"asked for something else":   {false, notify.NewErrorWithReason(notify.ClientErrorReason, errors.New("400")), outcomeFailed, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := guardOf(t, &logs{}, func(ctx context.Context, _ ...*amalert.Alert) (bool, error) {
					if c.late {
						<-ctx.Done()
					}
					return false, c.err
				})
				outcome, again, err := g.attempt(t.Context(), nil)
				if outcome != c.outcome || again != c.again || (err == nil) != (c.err == nil) {
					t.Errorf("%s, again %v, %v: want %s, again %v, %v", outcome, again, err, c.outcome, c.again, c.err)
				}
			})
		})
	}
}
