// Package alert holds the alert that an action is given.
package alert

import "github.com/latido-dev/latido/internal/alert"

// Alert is one alert of one rule, firing or resolved: its Labels, Annotations
// with what the evidence adds, Value, ActiveAt, StartsAt, EndsAt (zero while it
// fires) and GeneratorURL; its methods are Name, Resolved, Drill and Clone. It is
// plain data that may be read concurrently; whoever changes a map of it clones it
// first.
type Alert = alert.Alert

// DrillLabel marks, with the value "true", an alert of a drill.
const DrillLabel = alert.DrillLabel
