package telemetry

import (
	"context"
	"log"
	"log/slog"
	"reflect"
	"slices"

	"go.opentelemetry.io/otel/trace"
)

// The attributes that LogHandler adds.
const (
	logTraceID = "trace_id"
	logSpanID  = "span_id"
	logDomain  = "domain"
)

// LogHandler returns next with three attributes more on each record that is
// logged with a context that has a span (slog.InfoContext and its like):
// trace_id and span_id, in lower case hex, and domain, the domain's prefix. So
// a line leads to its trace, and a trace to its lines. A record without a span
// goes to next as it is, at no cost.
//
// They stand at the top level even where the logger has open groups, as
// OpenTelemetry has it for logs in other formats
// (https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/).
// They are there whether the trace is sampled or not: other services' lines
// have them too.
//
// The handler that slog starts with cannot be wrapped, since slog.SetDefault
// would then lock the log package up against itself: in its place records are
// written as text, to log.Writer(). nil is taken for that handler. Where
// nothing is recorded, as on a nil Telemetry, LogHandler returns next. It is
// safe for concurrent use.
func (t *Telemetry) LogHandler(next slog.Handler) slog.Handler {
	if next == nil {
		next = slog.Default().Handler()
	}
	if !t.recording() {
		return next
	}
	wrapped := next
	if p, ok := next.(problemHandler); ok { // of Logger
		wrapped = p.Handler
	}
	if h, ok := wrapped.(*logHandler); ok && h.domain.Value.String() == t.cfg.Domain.Prefix {
		return next // wrapped twice, each line would have them twice
	}
	next = wrappable(next)
	return &logHandler{next: next, top: next, domain: slog.String(logDomain, t.cfg.Domain.Prefix)}
}

// wrappable is h, or in the place of the handler that slog starts with one that
// writes text to log.Writer(). That one writes by the log package, which
// slog.SetDefault points back at slog: around it, the first line would wait for
// a lock that it holds.
func wrappable(h slog.Handler) slog.Handler {
	if reflect.TypeOf(h).String() == "*slog.defaultHandler" {
		return slog.NewTextHandler(log.Writer(), nil)
	}
	return h
}

// logHandler adds a span's ids to the records of the handler that it wraps.
type logHandler struct {
	next slog.Handler // with all groups and attributes of the logger
	// What is added to a record lands in the groups that are open. So that the
	// ids do not, they are added to top, which has none, and opened is done to
	// it once more: for records with a span of a logger with groups only.
	top    slog.Handler
	opened []func(slog.Handler) slog.Handler
	domain slog.Attr
}

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() {
		return h.next.Handle(ctx, r)
	}
	traceID, spanID := slog.String(logTraceID, span.TraceID().String()), slog.String(logSpanID, span.SpanID().String())
	if len(h.opened) == 0 {
		r = r.Clone() // other handlers may have r too
		r.AddAttrs(traceID, spanID, h.domain)
		return h.next.Handle(ctx, r)
	}
	next := h.top.WithAttrs([]slog.Attr{traceID, spanID, h.domain})
	for _, open := range h.opened {
		next = open(next)
	}
	return next.Handle(ctx, r)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) }, len(h.opened) > 0)
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" { // which is no group, says slog
		return h
	}
	return h.with(func(next slog.Handler) slog.Handler { return next.WithGroup(name) }, true)
}

// with does something to the wrapped handler, within a group or not.
func (h *logHandler) with(do func(slog.Handler) slog.Handler, grouped bool) slog.Handler {
	more := *h
	more.next = do(h.next)
	if grouped {
		more.opened = append(slices.Clip(h.opened), do)
	} else {
		more.top = more.next
	}
	return &more
}
