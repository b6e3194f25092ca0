package telemetrytest

import (
	"context"
	"io"
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
	log := &output{to: t.Output()}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
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
		log.close()
	})
	if tel.Domain().Prefix == "" {
		t.Fatalf("telemetrytest: nothing is recorded, since OTEL_SDK_DISABLED is true: unset it for the tests")
	}
	d := tel.Domain()
	return &Recorder{
		Telemetry: tel, t: t, metrics: d.Metrics(),
		errors: append(append([]string{domain.Other}, domain.BuiltinErrors...), d.Errors...),
	}
}

// output is the output of a test until the test ends. A goroutine that logs
// later would otherwise end the process: the testing package panics then.
type output struct {
	mu sync.Mutex
	to io.Writer
}

func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == nil {
		return len(line), nil
	}
	return o.to.Write(line)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = nil
}
