package telemetry

import (
	"errors"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TestOpenTelemetrysOwnLines go to Config.Logger, each kind once, and nothing of
// them to the standard error; a secret goes nowhere.
func TestOpenTelemetrysOwnLines(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "secret")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "a=b,")
	t.Setenv("OTEL_LOG_LEVEL", "info")
	stderr, err := os.CreateTemp(t.TempDir(), "stderr")
	must(t, err)
	before := os.Stderr
	os.Stderr = stderr
	log.SetOutput(stderr)
	defer func() { os.Stderr = before; log.SetOutput(before) }()
	cfg := everything(t)
	tel, err := Init(t.Context(), cfg)
	must(t, err)
	for range 3 {
		otel.Handle(errors.New("exporter: no such host"))
		_, err = tel.MeterProvider().Meter("").Int64Counter("hits")
		must(t, err)
	}
	must(t, tel.Shutdown(t.Context()))
	told := journalOf(tel)
	wantTold(t, told, "exporter: no such host")
	wantTold(t, told, "Invalid Meter name")
	wantTold(t, told, "OTEL_EXPORTER_OTLP_HEADERS")
	wantTold(t, told, "OTEL_RESOURCE_ATTRIBUTES")
	if len(told.told("TracerProvider created")) == 0 {
		t.Errorf("OTEL_LOG_LEVEL=info is not obeyed: %q", told.told(""))
	}
	written, err := os.ReadFile(stderr.Name())
	must(t, err)
	if len(written) > 0 {
		t.Errorf("on the standard error: %s", written)
	}
	if lines := told.told("secret"); len(lines) > 0 {
		t.Errorf("a secret is told: %q", lines)
	}
}

// TestPropagators: OTEL_PROPAGATORS says what is handed on, and what is read.
func TestPropagators(t *testing.T) {
	for formats, want := range map[string]string{
		"": "baggage traceparent", "tracecontext": "traceparent", "baggage": "baggage", "none": "", "Baggage,tracecontext,baggage": "baggage traceparent",
	} {
		t.Run(formats, func(t *testing.T) {
			t.Setenv("OTEL_PROPAGATORS", formats)
			tel := start(t)
			ctx := propagation.Baggage{}.Extract(inSpan(t), propagation.MapCarrier{"baggage": "tenant=a"})
			sent := propagation.MapCarrier{}
			tel.Propagator().Inject(ctx, sent)
			var names []string
			for _, name := range []string{"baggage", "traceparent"} {
				if sent[name] != "" {
					names = append(names, name)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("sent %q, want %q", got, want)
			}
			caller := tel.propagator.callerOf(map[string][]string{"Traceparent": {"00-" + foreignTrace + "-" + foreignSpan + "-01"}})
			if caller.IsValid() != strings.Contains(want, "traceparent") {
				t.Errorf("the caller's trace is read as %v", caller)
			}
		})
	}
	t.Run("disabled", func(t *testing.T) {
		before := otel.GetTextMapPropagator()
		defer otel.SetTextMapPropagator(before)
		t.Setenv("OTEL_SDK_DISABLED", "true")
		tel, err := Init(t.Context(), Config{Domain: tienda(), Logger: slog.New(&journal{})})
		must(t, err)
		if tel.recording() {
			t.Error("OTEL_SDK_DISABLED is not obeyed")
		}
		sent := propagation.MapCarrier{}
		otel.GetTextMapPropagator().Inject(trace.ContextWithSpanContext(t.Context(), trace.SpanContextFromContext(inSpan(t))), sent)
		if sent["traceparent"] == "" {
			t.Error("OTEL_SDK_DISABLED switches the propagators off, too")
		}
	})
}
