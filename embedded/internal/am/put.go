package am

import (
	"fmt"
	"strings"
	"sync"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/embedded/alert"
)

// The bounds on alerts: all at once, and of one name.
const (
	maxAlerts        = 5000
	maxAlertsPerName = 1000
)

// convert makes an alert Alertmanager's. resolve is how long a firing one lasts
// without being sent again.
//
// The end of a firing alert keeps its monotonic reading, so that a clock that
// jumps neither resolves it nor keeps it.
func convert(a alert.Alert, now time.Time, resolve time.Duration) (*amalert.Alert, error) {
	out := &amalert.Alert{UpdatedAt: now, Alert: model.Alert{
		Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations), GeneratorURL: a.GeneratorURL,
		StartsAt: a.StartsAt, EndsAt: now.Add(resolve),
	}}
	if a.Resolved() {
		// An end in the future, by a clock that was set back, would keep the
		// alert firing until then.
		if out.EndsAt = a.EndsAt; out.EndsAt.After(now) {
			out.EndsAt = now
		}
	} else {
		out.Timeout = true
	}
	if out.StartsAt.IsZero() || out.StartsAt.After(out.EndsAt) {
		out.StartsAt = out.EndsAt
		if !a.Resolved() {
			out.StartsAt = now
		}
	}
	if err := out.Validate(); err != nil {
		return nil, fmt.Errorf("alert %s: %w", a.Name(), err)
	}
	return out, nil
}

// labelSet makes labels or annotations Alertmanager's, which has no empty ones.
func labelSet(m map[string]string) model.LabelSet {
	set := make(model.LabelSet, len(m))
	for name, value := range m {
		if value != "" {
			set[model.LabelName(name)] = model.LabelValue(strings.ToValidUTF8(value, "�"))
		}
	}
	return set
}

// known keeps what an alert has and Alertmanager's lacks, for the actions, and
// bounds the number of alerts.
type known struct {
	mu    sync.Mutex
	facts map[model.Fingerprint]facts
	count int            // of alerts in Alertmanager's store
	names map[string]int // of those of each name
}

type facts struct {
	value    float64
	activeAt time.Time
}

func newKnown() *known { return &known{facts: map[model.Fingerprint]facts{}, names: map[string]int{}} }

func (k *known) learn(key model.Fingerprint, a alert.Alert) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, old := k.facts[key]; old || len(k.facts) < maxAlerts {
		k.facts[key] = facts{a.Value, a.ActiveAt}
	}
}

// alertOf makes an alert of Alertmanager's ours.
func (k *known) alertOf(a *amalert.Alert) alert.Alert {
	k.mu.Lock()
	f := k.facts[a.Fingerprint()]
	k.mu.Unlock()
	out := alert.Alert{
		Labels: make(map[string]string, len(a.Labels)), Annotations: make(map[string]string, len(a.Annotations)),
		Value: f.value, ActiveAt: f.activeAt, StartsAt: a.StartsAt, GeneratorURL: a.GeneratorURL,
	}
	for name, value := range a.Labels {
		out.Labels[string(name)] = string(value)
	}
	for name, value := range a.Annotations {
		out.Annotations[string(name)] = string(value)
	}
	if a.Resolved() {
		out.EndsAt = a.EndsAt
	}
	return out
}

var errTooMany = fmt.Errorf("more than %d alerts at once, or than %d of one name", maxAlerts, maxAlertsPerName)

// watch is told by Alertmanager's store of alerts what comes and goes.
type watch struct {
	*silence.Silencer
	known      *known
	changed    func()
	deliveries deliveries
}

// PreStore refuses an alert beyond the bound.
func (w *watch) PreStore(a *amalert.Alert, existing bool) error {
	w.known.mu.Lock()
	full := !existing && (w.known.count >= maxAlerts || w.known.names[a.Name()] >= maxAlertsPerName)
	w.known.mu.Unlock()
	if full {
		w.deliveries.add(everyReceiver, outcomeDropped)
		return errTooMany
	}
	return w.Silencer.PreStore(a, existing)
}

// PostStore notes a new alert, or the end of one.
func (w *watch) PostStore(a *amalert.Alert, existing bool) {
	w.Silencer.PostStore(a, existing)
	if !existing {
		w.known.mu.Lock()
		w.known.count++
		w.known.names[a.Name()]++
		w.known.mu.Unlock()
	}
	w.changed()
}

// PostDelete forgets an alert.
func (w *watch) PostDelete(a *amalert.Alert) {
	w.Silencer.PostDelete(a)
	w.known.mu.Lock()
	w.known.count--
	if w.known.names[a.Name()]--; w.known.names[a.Name()] <= 0 {
		delete(w.known.names, a.Name())
	}
	delete(w.known.facts, a.Fingerprint())
	w.known.mu.Unlock()
	w.changed()
}
