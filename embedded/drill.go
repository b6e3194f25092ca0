package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/embedded/alert"
	"github.com/latido-dev/latido/internal/spelling"
)

// How long a drill's alert fires.
const (
	drillTime     = 2 * time.Minute
	drillTimeFast = 15 * time.Second
)

// errNoRule says that a drill names no rule.
var errNoRule = errors.New("there is no such rule")

// drilled is what a drill answers.
type drilled struct {
	Alerts    []drillAlert `json:"alerts"`
	Receivers []string     `json:"receivers"` // those that hear of them
	Incident  string       `json:"incident"`  // URL, "" for none
}

type drillAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// drill has a rule fire on made-up series: the rule itself, evaluated by
// Prometheus' own package in a store of its own; then the evidence, which is
// the process's true one, and the receivers. The alerts have the label drill,
// and are resolved after a while.
func (e *Embedded) drill(ctx context.Context, name string) (drilled, error) {
	i := slices.IndexFunc(e.rules, func(r alerting.Rule) bool { return r.Alert == name })
	if i < 0 {
		return drilled{}, e.unknownRule(name)
	}
	fired, err := e.store.Load().Drill(ctx, e.rules, e.rules[i])
	if err != nil {
		return drilled{}, err
	}
	if len(fired) == 0 {
		return drilled{}, fmt.Errorf("%s does not fire on the series that should make it fire: %s", name, e.rules[i].Expr)
	}
	answer := drilled{Receivers: []string{}}
	now := time.Now()
	for i, a := range fired {
		a = a.Clone()
		a.Labels[alert.DrillLabel] = "true"
		a.ActiveAt, a.StartsAt = now.Add(-a.StartsAt.Sub(a.ActiveAt)), now
		a = e.pipeline.WithEvidence(a)
		fired[i] = a
		answer.Alerts = append(answer.Alerts, drillAlert{a.Labels, a.Annotations, a.StartsAt})
		if url := a.Annotations["incident"]; url != "" {
			answer.Incident = url
		}
		for _, receiver := range e.alerts.ReceiversOf(a) {
			if !slices.Contains(answer.Receivers, receiver) {
				answer.Receivers = append(answer.Receivers, receiver)
			}
		}
	}
	e.alerts.Put(fired...)
	e.drills.Go(func() { e.resolveDrill(fired) })
	return answer, nil
}

// beginDrill tells whether one more drill may begin. Stop waits for it.
func (e *Embedded) beginDrill() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.drilling >= maxDrills || e.stopping.Err() != nil {
		return false
	}
	e.drilling++
	e.drills.Add(1)
	return true
}

func (e *Embedded) endedDrill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drilling--
	e.drills.Done()
}

// resolveDrill resolves the alerts of a drill after their time, or at Stop.
func (e *Embedded) resolveDrill(fired []alert.Alert) {
	length := drillTime
	if e.cfg.Fast {
		length = drillTimeFast
	}
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.stopping.Done():
	}
	for i := range fired {
		fired[i].EndsAt = time.Now()
		fired[i] = e.evidence.Enrich(e.stopping, fired[i])
	}
	e.alerts.Put(fired...)
}

func (e *Embedded) unknownRule(name string) error {
	var names []string
	for _, r := range e.rules {
		if r.Alert != "" {
			names = append(names, r.Alert)
		}
	}
	if near := spelling.Nearest(name, names); near != "" {
		return fmt.Errorf("%w as %q (did you mean %q?)", errNoRule, name, near)
	}
	return fmt.Errorf("%w as %q: the rules are %s", errNoRule, name, strings.Join(names, ", "))
}

// maxDrills is how many drills may be started at once.
const maxDrills = 10

func (e *Embedded) serveDrill(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Latido-Confirm") != "yes" {
		http.Error(w, "a drill tells the receivers of an alert: send the header Latido-Confirm: yes", http.StatusPreconditionRequired)
		return
	}
	name := r.FormValue("rule")
	if name == "" {
		http.Error(w, "say which rule, as in /api/drills?rule=NAME", http.StatusBadRequest)
		return
	}
	if !e.beginDrill() {
		http.Error(w, fmt.Sprintf("%d drills are under way, or the service is stopping: try again", maxDrills), http.StatusTooManyRequests)
		return
	}
	defer e.endedDrill()
	answer, err := e.drill(r.Context(), name)
	switch {
	case errors.Is(err, errNoRule):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}
