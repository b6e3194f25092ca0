package embedded

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/embedded/alert"
)

// How long a drill's alert fires.
const (
	drillTime     = 2 * time.Minute
	drillTimeFast = 15 * time.Second
)

// drill has a rule fire on made-up series: the rule itself, evaluated by
// Prometheus' own package in a store of its own; then the evidence, which is
// the process's true one, and the receivers.
func (e *Embedded) drill(ctx context.Context, rule alerting.Rule) (fired []alert.Alert, receivers []string, err error) {
	fired, err = e.store.Load().Drill(ctx, e.rules, rule, rule.Drill())
	if err != nil {
		return nil, nil, err
	}
	if len(fired) == 0 {
		return nil, nil, fmt.Errorf("%s does not fire on the series that should make it fire: %s", rule.Alert, rule.Expr)
	}
	now := time.Now()
	for i, a := range fired {
		a = a.Clone()
		a.Labels[alert.DrillLabel] = "true"
		a.ActiveAt, a.StartsAt = now.Add(-a.StartsAt.Sub(a.ActiveAt)), now
		fired[i] = e.pipeline.WithEvidence(a)
		for _, receiver := range e.alerts.ReceiversOf(fired[i]) {
			if !slices.Contains(receivers, receiver) {
				receivers = append(receivers, receiver)
			}
		}
	}
	e.alerts.Put(fired...)
	return fired, receivers, nil
}

// resolveDrill tells that a drill is over.
func (e *Embedded) resolveDrill(fired []alert.Alert) {
	for i := range fired {
		fired[i] = e.evidence.Enrich(e.stopping, fired[i])
	}
	e.alerts.Put(fired...)
}
