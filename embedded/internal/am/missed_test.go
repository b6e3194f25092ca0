package am

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// TestMissed: an alert that fired and ended while its receiver was down is told
// once, as resolved, when the receiver is there again. What could be told is never
// told again.
func TestMissed(t *testing.T) {
	t.Parallel()
	log, err := nflog.New(nflog.Options{Retention: time.Hour, Logger: discard, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	var sent, set []string
	down := true
	state := func(all []*amalert.Alert) (states string) {
		for _, a := range all {
			states += string(a.Status()) + " "
		}
		return states
	}
	stage := func(f func(...*amalert.Alert) ([]*amalert.Alert, error)) notify.Stage {
		return notify.StageFunc(func(ctx context.Context, _ *slog.Logger, all ...*amalert.Alert) (context.Context, []*amalert.Alert, error) {
			told, err := f(all...)
			return ctx, told, err
		})
	}
	d := &delivery{log: log, recv: &nflogpb.Receiver{GroupName: "hook"}, missed: newMissed(), newest: func(all []*amalert.Alert) []*amalert.Alert { return all },
		// As the notification log has it, which knows nothing of what could not be told.
		dedup: stage(func(all ...*amalert.Alert) ([]*amalert.Alert, error) {
			if all[0].Resolved() {
				return nil, nil
			}
			return all, nil
		}),
		retry: stage(func(all ...*amalert.Alert) ([]*amalert.Alert, error) {
			if down {
				return nil, errors.New("down")
			}
			sent = append(sent, state(all))
			return all, nil
		}),
		set: stage(func(all ...*amalert.Alert) ([]*amalert.Alert, error) { set = append(set, state(all)); return all, nil }),
	}
	flush := func(group string, a *amalert.Alert) {
		_, _, _ = d.Exec(notify.WithGroupKey(t.Context(), group), nil, a)
	}
	now := time.Now()
	fires := &amalert.Alert{Alert: model.Alert{Labels: model.LabelSet{"alertname": "Slow"}, StartsAt: now.Add(-time.Hour), EndsAt: now.Add(time.Hour)}}
	over := &amalert.Alert{Alert: model.Alert{Labels: fires.Labels, StartsAt: fires.StartsAt, EndsAt: now.Add(-time.Minute)}}
	flush("a", fires)
	if len(sent)+len(set) != 0 {
		t.Fatalf("a receiver that is down was told %v, and that is noted as %v", sent, set)
	}
	flush("b", over) // of another group, which missed nothing
	down = false
	for range 3 {
		flush("a", over)
	}
	if len(sent) != 1 || sent[0] != "resolved " || len(set) != 1 {
		t.Errorf("told %v, noted %v, want the end once", sent, set)
	}
	if d.missed.count != 0 || len(d.missed.groups) != 0 {
		t.Errorf("%d are missed still, of %v", d.missed.count, d.missed.groups)
	}
}
