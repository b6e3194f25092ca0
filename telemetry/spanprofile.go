package telemetry

import (
	"context"
	"runtime/pprof"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/internal/profiles"
)

// profileID is the attribute by which Grafana sees that a span has a profile,
// and offers it beside the span: the samples whose label span_id is its value
// (https://grafana.com/docs/grafana/latest/datasources/tempo/configure-tempo-data-source/#trace-to-profiles).
const profileID = attribute.Key("pyroscope.profile.id")

// spanProfile returns the span's id if its profile is found by it. Only the first
// span of a trace in this process has one: its profile contains its children's,
// and an id for each of them would cost more than their few samples tell. It is
// "" for any other span, and for one that is not sampled, which nobody can ask
// about.
func spanProfile(span trace.Span) string {
	s, ok := span.(sdktrace.ReadOnlySpan)
	if !ok || !span.SpanContext().IsSampled() {
		return ""
	}
	if parent := s.Parent(); parent.IsValid() && !parent.IsRemote() {
		return ""
	}
	return span.SpanContext().SpanID().String()
}

// profile is the id by which the request's samples are found, "" for none.
func (x *exchange) profile() string {
	if x.span == nil {
		return ""
	}
	return x.span.profile
}

// labels are the profile labels of the request: those of its route, or its
// method alone as long as none is known, and its span's id, where it has a profile.
func (x *exchange) labels() context.Context {
	switch {
	case x.profile() != "":
		return pprof.WithLabels(context.Background(), x.profileLabels())
	case x.route != nil:
		return x.route.labels
	}
	return unrouted[methodIndex(x.r.Method)]
}

// unrouted are the labels of requests whose route is not known yet, by method:
// by them a stack is seen to be a request's, and whom it calls has a place.
var unrouted = func() (list [len(methods)]context.Context) {
	for i, method := range methods {
		list[i] = pprof.WithLabels(context.Background(), pprof.Labels(profiles.LabelMethod, method))
	}
	return list
}()

// profileLabels are the same as a set.
func (x *exchange) profileLabels() pprof.LabelSet {
	id := x.profile()
	switch {
	case x.route == nil && id == "":
		return pprof.Labels(profiles.LabelMethod, methods[methodIndex(x.r.Method)])
	case x.route == nil:
		return pprof.Labels(profiles.LabelMethod, methods[methodIndex(x.r.Method)], profiles.LabelSpanID, id)
	case id == "":
		return x.route.profileLabels()
	}
	// In this order pprof does not have to sort them.
	return pprof.Labels(profiles.LabelEndpoint, x.route.endpoint, profiles.LabelMethod, x.route.method, profiles.LabelSpanID, id)
}

// regionLabels are those of a monitored function. A job has no request that
// would have labelled its span.
func (t *Telemetry) regionLabels(ctx context.Context, region string) pprof.LabelSet {
	if t.tracing && !t.cfg.Profiling.Disabled {
		if _, labelled := pprof.Label(ctx, profiles.LabelSpanID); !labelled {
			span := trace.SpanFromContext(ctx)
			if id := spanProfile(span); id != "" {
				span.SetAttributes(profileID.String(id))
				return pprof.Labels(profiles.LabelRegion, region, profiles.LabelSpanID, id)
			}
		}
	}
	return pprof.Labels(profiles.LabelRegion, region)
}
