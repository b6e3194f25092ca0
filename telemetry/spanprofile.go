package telemetry

import (
	"context"
	"runtime/pprof"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/continuous"
)

// profileID is the attribute by which Grafana sees that a span has a profile,
// and offers it beside the span: the samples whose label span_id is its value
// (https://grafana.com/docs/grafana/latest/datasources/tempo/configure-tempo-data-source/#trace-to-profiles).
const profileID = attribute.Key("pyroscope.profile.id")

// profiledSpan returns the id of the span in ctx, and says on the span that its
// profile is found by it. Only the first span of a trace in this process has
// one: its profile contains its children's, and an id for each of them would
// cost more than their few samples tell. It is "" for any other span, and for
// one that is not sampled, which nobody can ask about.
func profiledSpan(ctx context.Context) string {
	span, ok := trace.SpanFromContext(ctx).(sdktrace.ReadOnlySpan)
	if !ok || !span.SpanContext().IsSampled() {
		return ""
	}
	if parent := span.Parent(); parent.IsValid() && !parent.IsRemote() {
		return ""
	}
	id := span.SpanContext().SpanID().String()
	trace.SpanFromContext(ctx).SetAttributes(profileID.String(id))
	return id
}

// labels are the profile labels of the request: those of its route, where one
// is known, and its span's id, where it has a profile. nil means none.
func (x *exchange) labels() context.Context {
	switch {
	case x.span != "":
		return pprof.WithLabels(context.Background(), x.profileLabels())
	case x.route != nil:
		return x.route.labels
	}
	return nil
}

// profileLabels are the same as a set.
func (x *exchange) profileLabels() pprof.LabelSet {
	switch {
	case x.span == "":
		return x.route.profileLabels()
	case x.route == nil:
		return pprof.Labels(continuous.LabelSpanID, x.span)
	}
	// In this order pprof does not have to sort them.
	return pprof.Labels(continuous.LabelEndpoint, x.route.endpoint, continuous.LabelMethod, x.route.method, continuous.LabelSpanID, x.span)
}

// regionLabels are those of a monitored function. A job has no request that
// would have labelled its span.
func (t *Telemetry) regionLabels(ctx context.Context, region string) pprof.LabelSet {
	if t.tracing && !t.cfg.Profiling.Disabled {
		if _, labelled := pprof.Label(ctx, continuous.LabelSpanID); !labelled {
			if id := profiledSpan(ctx); id != "" {
				return pprof.Labels(continuous.LabelRegion, region, continuous.LabelSpanID, id)
			}
		}
	}
	return pprof.Labels(continuous.LabelRegion, region)
}
