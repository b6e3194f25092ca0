package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// Telemetry records what a service does. Its methods are safe for concurrent
// use; on a nil Telemetry, and on one that Init returned with an error, they
// record nothing.
type Telemetry struct {
	cfg         Config
	build       build
	started     time.Time
	propagator  *propagator
	resource    *resource.Resource
	diagnostics *diagnostics // nil in one that records nothing

	// The state of our series.
	events            events
	errorTypes        []string // those that may be counted by name
	goErrors          sync.Map // Go types of errors seen, as they count by name
	goErrorCount      atomic.Int64
	apiErrors         counters[string]
	failures          failures
	changes           counters[string]
	pools             pools
	routes            routes
	peers             peers
	functions         functions
	host              *host
	activeConnections atomic.Int64
	activeRequests    atomic.Int64
	entitiesCreated   atomic.Int64
	entitiesUpdated   atomic.Int64
	exchanges         sync.Pool
	ready             readyChecks
	snapshots         snapshots
	reports           reports
	history           history

	// How they leave.
	families  []family
	foreign   *foreign             // other libraries' series
	registry  *prometheus.Registry // the same, for Prometheus
	meters    metric.MeterProvider
	tracers   trace.TracerProvider
	tracer    trace.Tracer // of our own spans, where tracing is on
	tracing   bool
	exemplars bool // are kept, of what is recorded in a sampled span
	profiler  *continuous.Profiler
	costs     *eventCosts // nil where no event has one
	admin     *Admin

	stopMeters, stopTraces, flushTraces func(context.Context) error
	pusher                              *pusher // nil where metrics are not sent
	clients                             []*http.Client

	up       []part // what was started, in this order
	globals  globals
	stopping atomic.Bool
	stopped  chan struct{} // closed when Shutdown is through
}

// Init starts metrics, profiles and the admin listener for the service that
// cfg.Domain describes. ctx bounds the start, nil means context.Background();
// the network is never waited for.
//
// It returns an error for mistakes that a person made in the code or the
// domain file: an invalid domain, a wrong address in cfg, a second Init while
// the first one runs (unless KeepGlobals is set). What the environment lacks, a
// server that is down, a port that is taken, is logged and costs that function
// only.
//
// The Telemetry is never nil: with an error it records nothing, everything that
// was started has ended, and the service goes on. Shutdown ends everything that
// Init started. With OTEL_SDK_DISABLED=true Init starts nothing and returns no
// error.
func Init(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.Logger == nil || cfg.Logger.Handler() == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Logger = slog.New(wrappable(cfg.Logger.Handler()))
	if err := cfg.validate(); err != nil {
		return &Telemetry{}, fmt.Errorf("latido: %w", err)
	}
	t := newTelemetry(cfg)
	env := readEnvironment(t.diagnostics.log, cfg.OTLP)
	if env.disabled {
		t.diagnostics.log.Info("telemetry is off: OTEL_SDK_DISABLED is true")
		if !cfg.KeepGlobals { // the specification has others' traces go through
			otel.SetTextMapPropagator(newPropagator(!env.noTraceContext, !env.noBaggage))
		}
		return &Telemetry{}, nil
	}
	if err := t.run(orBackground(ctx), t.parts(env)); err != nil {
		return &Telemetry{}, fmt.Errorf("latido: %w", err)
	}
	return t, nil
}

// newTelemetry makes the state of our series.
func newTelemetry(cfg Config) *Telemetry {
	t := &Telemetry{
		cfg: cfg, build: readBuild(cfg.Version), started: time.Now(), diagnostics: newDiagnostics(cfg.Logger), stopped: make(chan struct{}),
		propagator: newPropagator(true, true),
		errorTypes: slices.Concat(domain.BuiltinErrors(), cfg.Domain.Errors),
	}
	t.routes.bounds, t.functions.bounds = boundsOf(cfg.Domain, "response_duration"), boundsOf(cfg.Domain, "function_duration")
	t.peers.bounds = boundsOf(cfg.Domain, "client_duration")
	t.exchanges.New = func() any { return new(exchange) }
	t.host = newHost(cfg.DiskPath, t.diagnostics)
	for _, name := range append(slices.Clone(t.errorTypes), domain.Other) {
		t.apiErrors.get(name, func() *labelSet { return newLabels([]string{"error.type"}, []string{name}) })
	}
	return t
}

// recording tells whether t was started and has something to record with.
func (t *Telemetry) recording() bool { return t != nil && t.diagnostics != nil }

// MeterProvider is what other libraries make their instruments with: they get
// the prefix. It is OpenTelemetry's global one, unless KeepGlobals is set.
func (t *Telemetry) MeterProvider() metric.MeterProvider {
	if !t.recording() {
		return otel.GetMeterProvider()
	}
	return t.meters
}

// TracerProvider is what other libraries make their spans with. It is
// OpenTelemetry's global one, unless KeepGlobals is set; without an OTLP
// endpoint its spans go nowhere.
func (t *Telemetry) TracerProvider() trace.TracerProvider {
	if !t.recording() || t.tracers == nil {
		return otel.GetTracerProvider()
	}
	return t.tracers
}

// Propagator writes the trace and its baggage into the headers of what the
// service sends, and reads them from what it is sent, as the W3C has them
// (traceparent, tracestate, baggage), or those of them that OTEL_PROPAGATORS
// names. It is OpenTelemetry's global one, unless KeepGlobals is set.
// [Telemetry.Transport] uses it for HTTP.
func (t *Telemetry) Propagator() propagation.TextMapPropagator {
	if !t.recording() {
		return otel.GetTextMapPropagator()
	}
	return t.propagator
}

// Domain is what the service is about. It is the zero Domain where nothing is
// recorded.
func (t *Telemetry) Domain() domain.Domain {
	if !t.recording() {
		return domain.Domain{}
	}
	return t.cfg.Domain
}

// Profiler is the continuous profiler that Init started. It is nil, which
// profiles nothing, where nothing is recorded.
func (t *Telemetry) Profiler() *continuous.Profiler {
	if !t.recording() {
		return nil
	}
	return t.profiler
}

// Logger is the one of Config, and keeps its warnings for the dashboard.
func (t *Telemetry) Logger() *slog.Logger {
	if !t.recording() {
		return slog.Default()
	}
	return t.diagnostics.log
}

// DiskPath is a folder of the disk whose use is measured: Config.DiskPath, or its
// default. It is "" for a Telemetry that records nothing.
func (t *Telemetry) DiskPath() string {
	if !t.recording() {
		return ""
	}
	return t.host.diskPath
}

// Version is the service's version and the revision that it was built from, ""
// for what is not known.
func (t *Telemetry) Version() (version, revision string) {
	if !t.recording() {
		return "", ""
	}
	return t.build.version, t.build.revision
}

// EntityCreated counts one entity of the domain created.
func (t *Telemetry) EntityCreated() {
	if t != nil {
		t.entitiesCreated.Add(1)
	}
}

// EntityUpdated counts one entity of the domain updated.
func (t *Telemetry) EntityUpdated() {
	if t != nil {
		t.entitiesUpdated.Add(1)
	}
}
