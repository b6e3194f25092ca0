// Package alert holds the alert as it goes through the process: from the
// rules, past the evidence, to the Alertmanager and an action. It is plain data.
package alert

import (
	"maps"
	"time"
)

// Alert is one alert of one rule, firing or resolved. What its labels are
// decides which one it is; everything else may change from one sending to the
// next. It may be read concurrently; whoever changes a map of it clones it first.
type Alert struct {
	// Labels tell which alert it is, alertname, severity and domain included.
	Labels map[string]string
	// Annotations are for people: summary, description, runbook_url, and what
	// the evidence adds.
	Annotations map[string]string
	// Value is what the rule's expression had, at the last evaluation.
	Value float64
	// ActiveAt is since when the rule's condition holds, StartsAt since when the
	// alert fires. EndsAt is when it was resolved; zero while it fires.
	ActiveAt, StartsAt, EndsAt time.Time
	// GeneratorURL is where the rule's expression can be seen.
	GeneratorURL string
}

// DrillLabel marks, with the value "true", an alert of a drill.
const DrillLabel = "drill"

// Name is the name of the alert's rule.
func (a Alert) Name() string { return a.Labels["alertname"] }

// Resolved tells whether the alert is over.
func (a Alert) Resolved() bool { return !a.EndsAt.IsZero() }

// Drill tells whether the alert is only a drill.
func (a Alert) Drill() bool { return a.Labels[DrillLabel] == "true" }

// Clone returns a copy that shares no map with a.
func (a Alert) Clone() Alert {
	a.Labels, a.Annotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
	return a
}
