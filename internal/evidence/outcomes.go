package evidence

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The outcomes of an incident: the values of the attribute outcome of
// telemetry.incidents.
const (
	outcomeSaved   = "saved"            // with evidence
	outcomeWithout = "without_evidence" // saved, and says why there is none
	outcomeDropped = "dropped"          // to stay within the bounds
	outcomeFailed  = "failed"           // not on disk, though it should be
)

// outcomes counts them. One without a counter counts nothing.
type outcomes struct{ counter metric.Int64Counter }

func (r *Recorder) outcomes() *outcomes {
	if r.cfg.Meter == nil {
		return &outcomes{}
	}
	m, _ := r.cfg.Domain.Metric("telemetry_incidents")
	counter, err := r.cfg.Meter.Int64Counter("telemetry.incidents", metric.WithUnit(m.Unit), metric.WithDescription(m.Description))
	if err != nil {
		r.once("meter", func(log *slog.Logger) { log.Warn("incidents are not counted", "error", err) })
		return &outcomes{}
	}
	o := &outcomes{counter}
	for _, outcome := range []string{outcomeSaved, outcomeWithout, outcomeDropped, outcomeFailed} {
		o.add(outcome, 0) // so that increase() sees the first one
	}
	return o
}

func (o *outcomes) count(outcome string) { o.add(outcome, 1) }

func (o *outcomes) add(outcome string, n int64) {
	if o.counter != nil {
		o.counter.Add(context.Background(), n, metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}
