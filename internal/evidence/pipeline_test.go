package evidence

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/internal/alert"
)

// sink keeps what was handed on, and when.
type sink struct {
	mu     sync.Mutex
	start  time.Time
	alerts []alert.Alert
	after  []time.Duration
}

func newSink() *sink { return &sink{start: time.Now()} }

func (s *sink) put(alerts ...alert.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range alerts {
		s.alerts = append(s.alerts, a)
		s.after = append(s.after, time.Since(s.start))
	}
}

func named(name string, value float64) alert.Alert {
	return alert.Alert{Labels: map[string]string{"alertname": name}, Value: value}
}

// slow gathers evidence for as long as it is let.
func slow(ctx context.Context, a alert.Alert) alert.Alert {
	<-ctx.Done()
	a.Annotations = map[string]string{"evidence": "none"}
	return a
}

func TestPipelineSlowEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		p := NewPipeline(slow, s.put, 2*time.Second)
		for i := range 10 {
			p.Notify([]alert.Alert{named(fmt.Sprint("A", i), 0)})
		}
		if time.Since(s.start) > 0 {
			t.Error("the rules were kept waiting")
		}
		p.Close(t.Context())
		if len(s.alerts) != 10 || slices.Max(s.after) != 2*time.Second {
			t.Errorf("%d alerts after at most %v, want 10 after 2s", len(s.alerts), slices.Max(s.after))
		}
	})
}

// What happens to an alert while its evidence is gathered comes after it, and
// only the last of it.
func TestPipelineOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		p := NewPipeline(slow, s.put, time.Second)
		for value := range 5 {
			p.Notify([]alert.Alert{named("A", float64(value))})
		}
		p.Close(t.Context())
		if len(s.alerts) != 2 || s.alerts[0].Value != 0 || s.alerts[1].Value != 4 {
			t.Errorf("handed on: %v, want the first and the last", s.alerts)
		}
	})
}

func TestPipelineStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		p := NewPipeline(slow, s.put, time.Second)
		var storm []alert.Alert
		for i := range maxUnderway + 300 {
			storm = append(storm, named(fmt.Sprint("A", i), 0))
		}
		p.Notify(storm)
		synctest.Wait()
		s.mu.Lock()
		if len(s.alerts) != 300 || slices.Max(s.after) > 0 {
			t.Errorf("%d alerts at once, want the 300 beyond the bound", len(s.alerts))
		}
		s.mu.Unlock()
		p.Close(t.Context())
		if len(s.alerts) != len(storm) {
			t.Errorf("%d alerts of %d", len(s.alerts), len(storm))
		}
	})
}

// Evidence that hangs leaves those time who deliver the alert.
func TestPipelineClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		p := NewPipeline(slow, s.put, time.Hour)
		p.Notify([]alert.Alert{named("A", 0)})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		p.Close(ctx)
		p.Notify([]alert.Alert{named("late", 0)})
		if len(s.alerts) != 1 || s.after[0] != 2*time.Second {
			t.Errorf("handed on: %v after %v, want the one after 2 of 4 s", s.alerts, s.after)
		}
	})
}
