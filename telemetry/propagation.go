package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// maxBaggage is the length in bytes beyond which a caller's baggage is ignored
// (the limit of the W3C Baggage specification).
const maxBaggage = 8192

// propagator hands the trace on, in the formats that OTEL_PROPAGATORS names. It
// is a pointer, so that Shutdown can tell it from what another library set.
type propagator struct {
	propagation.TextMapPropagator
	traceContext bool
}

func newPropagator(traceContext, baggage bool) *propagator {
	var formats []propagation.TextMapPropagator
	if traceContext {
		formats = append(formats, propagation.TraceContext{})
	}
	if baggage {
		formats = append(formats, cappedBaggage{})
	}
	return &propagator{propagation.NewCompositeTextMapPropagator(formats...), traceContext}
}

// extract reads the trace and the baggage of a caller who is trusted.
func (p *propagator) extract(ctx context.Context, h http.Header) context.Context {
	if len(h["Traceparent"]) == 0 && len(h["Baggage"]) == 0 { // which asking the propagator would cost more
		return ctx
	}
	return p.Extract(ctx, propagation.HeaderCarrier(h))
}

// callerOf reads the trace of a stranger. Baggage ends up in the headers of
// every outgoing request, so that a stranger's is not taken.
func (p *propagator) callerOf(h http.Header) trace.SpanContext {
	if len(h["Traceparent"]) == 0 || !p.traceContext {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(h)))
}

type cappedBaggage struct{ propagation.Baggage }

func (b cappedBaggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	length := len(carrier.Get("baggage"))
	if values, ok := carrier.(propagation.ValuesGetter); ok {
		length = 0
		for _, v := range values.Values("baggage") {
			length += len(v)
		}
	}
	if length > maxBaggage {
		return ctx
	}
	return b.Baggage.Extract(ctx, carrier)
}
