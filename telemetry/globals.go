package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"reflect"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

// globals are OpenTelemetry's as they were before, and as we set them: Shutdown
// gives them back, unless somebody changed them since.
type globals struct {
	errors     swapped[otel.ErrorHandler]
	meters     swapped[metric.MeterProvider]
	tracers    swapped[trace.TracerProvider]
	propagator swapped[propagation.TextMapPropagator]
}

// swapped is one global.
type swapped[T any] struct {
	before, ours T
	taken        bool
}

func (s *swapped[T]) take(get func() T, set func(T), ours T) {
	s.before, s.ours, s.taken = get(), ours, true
	set(ours)
}

func (s *swapped[T]) giveBack(get func() T, set func(T)) {
	if now := any(get()); s.taken && reflect.ValueOf(now).Comparable() && now == any(s.ours) {
		set(s.before)
	}
	s.taken = false
}

// takeLog has OpenTelemetry's errors, and its log lines from a level on, go to
// Config.Logger. The logger stays: OpenTelemetry does not tell which it had.
func (t *Telemetry) takeLog(level slog.Level) {
	if !t.cfg.KeepGlobals {
		otel.SetLogger(logr.FromSlogHandler(sdkLog{t.diagnostics, level}))
		t.globals.errors.take(otel.GetErrorHandler, otel.SetErrorHandler, otel.ErrorHandler(&sdkErrors{t.diagnostics}))
	}
}

func (t *Telemetry) returnLog() {
	t.globals.errors.giveBack(otel.GetErrorHandler, otel.SetErrorHandler)
}

func (t *Telemetry) takeProviders() {
	if t.cfg.KeepGlobals {
		return
	}
	t.globals.meters.take(otel.GetMeterProvider, otel.SetMeterProvider, t.meters)
	if t.tracing {
		t.globals.tracers.take(otel.GetTracerProvider, otel.SetTracerProvider, t.tracers)
	}
	t.globals.propagator.take(otel.GetTextMapPropagator, otel.SetTextMapPropagator, propagation.TextMapPropagator(t.propagator))
}

func (t *Telemetry) returnProviders() {
	t.globals.meters.giveBack(otel.GetMeterProvider, otel.SetMeterProvider)
	t.globals.tracers.giveBack(otel.GetTracerProvider, otel.SetTracerProvider)
	t.globals.propagator.giveBack(otel.GetTextMapPropagator, otel.SetTextMapPropagator)
}

// sdkErrors takes what OpenTelemetry's SDK has to say: each kind of trouble is
// logged once, and not at every export.
type sdkErrors struct{ diagnostics *diagnostics }

func (e *sdkErrors) Handle(err error) {
	var escape url.EscapeError
	if err == nil || errors.Is(err, resource.ErrPartialResource) || errors.As(err, &escape) { // of OTEL_RESOURCE_ATTRIBUTES, which we have read
		return
	}
	kind, _, _ := strings.Cut(err.Error(), ":")
	e.diagnostics.once("sdk/"+kind, func(log *slog.Logger) { log.Warn("opentelemetry", "error", cleanValue(err.Error())) })
}

// sdkLog takes OpenTelemetry's own log lines. It calls levels by logr's
// verbosity, 1 for warnings, 4 for what is normal and 8 for details, which logr
// hands to slog as -1, -4 and -8.
type sdkLog struct {
	diagnostics *diagnostics
	level       slog.Level
}

func sdkLevel(level slog.Level) slog.Level {
	switch {
	case level >= slog.LevelError:
		return slog.LevelError
	case level > -4:
		return slog.LevelWarn
	case level > -8:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

func (h sdkLog) Enabled(_ context.Context, level slog.Level) bool { return sdkLevel(level) >= h.level }

// Handle logs each kind of trouble once, and leaves out what the exporters say
// of the environment: it was said, with what to write instead, and they show
// values that are secret.
func (h sdkLog) Handle(ctx context.Context, r slog.Record) error {
	level := sdkLevel(r.Level)
	say := func(log *slog.Logger) {
		attrs := make([]slog.Attr, 0, r.NumAttrs())
		r.Attrs(func(a slog.Attr) bool {
			attrs = append(attrs, slog.String(a.Key, cleanValue(a.Value.String())))
			return true
		})
		log.LogAttrs(ctx, level, "opentelemetry: "+r.Message, attrs...)
	}
	switch {
	case h.diagnostics.readingEnvironment.Load():
	case level >= slog.LevelWarn:
		h.diagnostics.once("sdk log/"+r.Message, say)
	default:
		say(h.diagnostics.log)
	}
	return nil
}

func (h sdkLog) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h sdkLog) WithGroup(string) slog.Handler      { return h }
