package telemetrytest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// Recorder has a Telemetry for the code under test, and reads what that code
// recorded. Its methods are safe for concurrent use. They fail the test with
// Fatalf, so they are called in the goroutine of the test.
type Recorder struct {
	// Telemetry is what the code under test records with.
	Telemetry *telemetry.Telemetry

	t       testing.TB
	metrics []domain.Metric
	errors  []string // the types that the domain declares

	mu sync.Mutex // one scrape at a time: /metrics refuses many at once
}

// New starts a Telemetry that stays inside the test, and stops it when the test
// ends. A mistake in cfg fails the test.
//
// cfg may be the one of the service: New turns off its admin listener, its
// profiler and the export by OTLP, whatever the environment says, and sets
// KeepGlobals. Code under test that asks OpenTelemetry's globals records
// nothing here; hand it the providers of Telemetry. Without a Logger, log lines
// go to the output of the test.
func New(t testing.TB, cfg telemetry.Config) *Recorder {
	t.Helper()
	cfg.KeepGlobals = true
	cfg.Admin.Disabled = true
	cfg.Profiling.Disabled = true
	cfg.OTLP = telemetry.OTLP{MetricInterval: -1, NoTraces: true} // an endpoint may be in the environment
	if cfg.Logger == nil {                                        // what is logged after the test panics in t.Output: Telemetry's logger survives that
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	tel, err := telemetry.Init(t.Context(), cfg)
	if err != nil {
		t.Fatalf("telemetrytest: %v", err)
	}
	t.Cleanup(func() {
		t.Helper()
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("telemetrytest: Shutdown: %v", err)
		}
	})
	if tel.Domain().Prefix == "" {
		t.Fatalf("telemetrytest: nothing is recorded, since OTEL_SDK_DISABLED is true: unset it for the tests")
	}
	d := tel.Domain()
	return &Recorder{
		Telemetry: tel, t: t, metrics: d.Metrics(),
		errors: append(append([]string{domain.Other}, domain.BuiltinErrors()...), d.Errors...),
	}
}
