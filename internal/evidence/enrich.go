package evidence

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/alert"
)

// Enrich returns the alert with annotations that say why it fires, and begins
// an incident. It takes Config.Timeout at most, and less if ctx ends before; then,
// as for every other reason, the annotation `evidence` says why there is none. It
// never panics.
//
// Evidence is gathered once for each episode, when it begins: resends carry the
// same, and the resolved alert too, which ends the incident. Of a fleet whose
// samples or profiles were late a resend looks again, a few times. An alert that always
// fires is returned as it came.
func (r *Recorder) Enrich(ctx context.Context, a alert.Alert) (out alert.Alert) {
	if r == nil {
		return a
	}
	out = a.Clone()
	defer func() {
		if v := recover(); v != nil {
			r.once("panic", func(log *slog.Logger) {
				log.Error("gathering evidence panicked; alerts go out without it", "panic", clean(fmt.Sprint(v)), "stack", string(debug.Stack()))
			})
			annotate(&out, none(r.words.panicked()))
		}
	}()
	rule, _ := r.rule(a)
	if beats(a, rule) {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	e, first := r.episodes.of(a)
	switch {
	case e == nil: // the end of an episode that nobody saw begin
		return out
	case first:
		annotate(&out, r.begin(ctx, a.Clone(), rule, e))
		return out
	case a.Resolved():
		r.end(e, a.EndsAt)
	}
	select {
	case <-e.found:
		annotate(&out, r.later(ctx, a.Clone(), rule, e))
	case <-ctx.Done():
		annotate(&out, none(r.words.tooLong(r.cfg.Timeout)))
	}
	return out
}

// rule finds the one that an alert is of. Several may have one name and tell
// their alerts apart by severity.
func (r *Recorder) rule(a alert.Alert) (alerting.Rule, bool) {
	rules := r.rules[a.Name()]
	for _, rule := range rules {
		if rule.Labels["severity"] == a.Labels["severity"] || string(rule.Severity) == a.Labels["severity"] {
			return rule, true
		}
	}
	if len(rules) > 0 {
		return rules[0], true
	}
	return alerting.Rule{}, false
}

// heartbeatLabel marks an alert that always fires, whoever wrote its rule.
const heartbeatLabel = "heartbeat"

// beats tells whether an alert always fires, so that its silence is noticed:
// there is nothing to find out about it.
func beats(a alert.Alert, rule alerting.Rule) bool {
	return rule.Source == alerting.SourceHeartbeat || a.Labels[heartbeatLabel] == "true"
}

// none is what an alert without evidence says.
func none(why string) map[string]string {
	return map[string]string{AnnotationEvidence: why}
}

func annotate(a *alert.Alert, annotations map[string]string) {
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	maps.Copy(a.Annotations, annotations)
}

// begin gathers the evidence of an episode, and returns the annotations that
// all its alerts carry. What comes too late for them is still kept as an
// incident, and so is an alert for which there is nothing to be had.
func (r *Recorder) begin(ctx context.Context, a alert.Alert, rule alerting.Rule, e *episode) map[string]string {
	e.annotations = none(r.words.panicked())
	defer close(e.found)
	without := func(why string) *gathered {
		in := r.incident(a, rule, e.id)
		in.None = why
		return &gathered{incident: in}
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		defer close(e.saved)
		g := without(r.words.busy())
		r.keep(g)
		e.annotations = r.annotations(g.incident)
		return e.annotations
	}
	done := make(chan *gathered, 1)
	var known atomic.Pointer[Incident]
	started := r.background(func() {
		defer func() { <-r.slots }()
		defer close(e.saved)
		g := without(r.words.panicked())
		defer func() { done <- g; r.keep(g) }()
		g = r.gather(ctx, a, rule, e.id, func(in Incident) { known.Store(&in) })
	})
	if !started {
		<-r.slots
		close(e.saved)
		e.annotations = none(r.words.stopping())
		return e.annotations
	}
	select {
	case g := <-done:
		e.annotations = r.annotations(g.incident)
	case <-ctx.Done():
		in := known.Load() // what is shown beside it is late, and no reason to wait
		if in == nil {
			in = without(r.words.tooLong(r.cfg.Timeout)).incident
		}
		e.annotations = r.annotations(in)
	}
	return e.annotations
}

// maxLooks is how often resends look for a cause that was not found at first.
const maxLooks = 5

// later is what a resend carries: what was found, or, where that was no cause, what
// is found now: a fleet was too slow to tell it in time, or what had just begun has
// samples by now. The incident says that it came late.
func (r *Recorder) later(ctx context.Context, a alert.Alert, rule alerting.Rule, e *episode) map[string]string {
	e.mu.Lock()
	known := e.annotations
	again := !a.Resolved() && !a.Drill() && known[AnnotationCause] == "" && !e.looking && e.looks < maxLooks && isClosed(e.saved)
	if again {
		select {
		case r.slots <- struct{}{}:
			e.looking = true
			e.looks++
		default:
			again = false
		}
	}
	e.mu.Unlock()
	if !again {
		return known
	}
	if a.ActiveAt.IsZero() {
		a.ActiveAt = a.StartsAt
	}
	found := make(chan map[string]string, 1)
	started := r.background(func() {
		defer func() { <-r.slots }()
		annotations := known
		defer func() {
			e.mu.Lock()
			e.looking, e.annotations = false, annotations
			e.mu.Unlock()
			found <- annotations
		}()
		g := r.gather(ctx, a, rule, e.id, func(Incident) {})
		if g.incident.Cause == "" {
			return
		}
		g.incident.Notes = append(g.incident.Notes, r.words.late(r.cfg.Now()))
		r.keep(g)
		annotations = r.annotations(g.incident)
	})
	if !started { // the recorder ends: nobody looks again
		<-r.slots
		return known
	}
	select {
	case annotations := <-found:
		return annotations
	case <-ctx.Done():
		return known
	}
}

func isClosed(ch chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// end writes into the incident that its alert is over.
func (r *Recorder) end(e *episode, at time.Time) {
	r.background(func() {
		select {
		case <-e.saved:
		case <-r.ctx.Done(): // what is kept is written before the end
		}
		r.kept.end(e.id, at)
	})
}
