package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// shutdownBudget is the longest that Shutdown takes when its context has more.
const shutdownBudget = 5 * time.Second

// Telemetry records what a service does. Its methods are safe for concurrent
// use; on a nil Telemetry, and on one that Init returned with an error, they
// record nothing.
type Telemetry struct {
	cfg      Config
	build    build
	started  time.Time
	resource *resource.Resource
	self     *self // nil in one that records nothing

	// The state of our series.
	events            events
	errorTypes        []string // those that may be counted by name
	goErrors          sync.Map // Go types of errors seen, as they count by name
	goErrorCount      atomic.Int64
	apiErrors         counters[string]
	routes            routes
	functions         functions
	host              *host
	activeConnections atomic.Int64
	activeRequests    atomic.Int64
	entitiesCreated   atomic.Int64
	entitiesUpdated   atomic.Int64
	exchanges         sync.Pool
	ready             readyChecks
	readings          readings
	reports           reports

	// How they leave.
	families []family
	foreign  *prometheus.Registry // other libraries' series
	meters   metric.MeterProvider
	tracers  trace.TracerProvider
	tracer   trace.Tracer // of our own spans, where tracing is on
	tracing  bool
	profiler *continuous.Profiler
	costs    *costs // nil where no event has one
	admin    *adminServer
	pages    *adminPages

	stopMeters, stopTraces func(context.Context) error
	pusher                 *pusher
	stopOnce               sync.Once
	stopped                chan struct{}
}

// running is the Telemetry that set OpenTelemetry's globals, if one did.
var running atomic.Pointer[Telemetry]

// Init starts metrics, profiles and the admin listener for the service that
// cfg.Domain describes. ctx bounds the start; the network is never waited for.
//
// It returns an error for mistakes that a person made in the code or the
// domain file: an invalid domain, a wrong address in cfg, a second Init while
// the first one runs (unless KeepGlobals is set). What the environment lacks, a
// server that is down, a port that is taken, is logged and costs that function
// only.
//
// The Telemetry is never nil: with an error it records nothing, and the
// service goes on. Shutdown ends everything that Init started. With
// OTEL_SDK_DISABLED=true Init starts nothing and returns no error.
func Init(ctx context.Context, cfg Config) (*Telemetry, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if err := cfg.validate(); err != nil {
		return &Telemetry{}, fmt.Errorf("latido: %w", err)
	}
	env := readEnvironment(cfg.Logger)
	if env.disabled {
		cfg.Logger.Info("telemetry is off: OTEL_SDK_DISABLED is true")
		return &Telemetry{}, nil
	}
	t := newTelemetry(cfg)
	if !cfg.KeepGlobals && !running.CompareAndSwap(nil, t) {
		return &Telemetry{}, errors.New("latido: Init was called twice: call it once in main and hand the Telemetry on, or set Config.KeepGlobals")
	}
	if err := t.start(ctx, env); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return &Telemetry{}, errors.Join(fmt.Errorf("latido: %w", err), t.Shutdown(stop))
	}
	return t, nil
}

// newTelemetry makes the state of our series.
func newTelemetry(cfg Config) *Telemetry {
	t := &Telemetry{
		cfg: cfg, build: readBuild(cfg.Version), started: time.Now(), self: newSelf(cfg.Logger), stopped: make(chan struct{}),
		errorTypes: slices.Concat(domain.BuiltinErrors, cfg.Domain.Errors),
	}
	t.exchanges.New = func() any { return new(exchange) }
	t.host = newHost(cfg.DiskPath, t.self)
	for _, name := range append(slices.Clone(t.errorTypes), domain.Other) {
		t.apiErrors.get(name, func() *labelSet { return newLabels([]string{"error.type"}, []string{name}) })
	}
	return t
}

// start brings up one part after the other: first what records, then what
// shows it.
func (t *Telemetry) start(ctx context.Context, env environment) error {
	if !t.cfg.KeepGlobals { // first, so that it hears of what the other parts find
		otel.SetErrorHandler(otel.ErrorHandlerFunc(t.sdkError))
	}
	var err error
	t.resource, err = newResource(ctx, t.cfg, t.build, t.cfg.Domain.App)
	if err != nil {
		t.self.log.Warn("a part of the resource cannot be found out", "error", err)
	}
	if t.cfg.OTLP.Endpoint != "" && !t.cfg.OTLP.NoTraces || t.cfg.OTLP.Endpoint == "" && env.traces && !t.cfg.OTLP.NoTraces {
		if err := t.startTraces(ctx); err != nil {
			return err
		}
	}
	if t.tracing {
		t.tracer = t.tracers.Tracer(scopeName, trace.WithInstrumentationVersion(t.build.version))
	}
	for _, m := range t.cfg.Domain.Metrics() {
		if m.Event != nil {
			t.events.list = append(t.events.list, newEvent(m, t.self, t.tracing))
		}
	}
	t.events.index()
	t.route(domain.Unmatched).method(0)

	profiling := t.cfg.Profiling
	if profiling.Service == "" {
		profiling.Service = t.cfg.Domain.Service()
	}
	if profiling.Logger == nil {
		profiling.Logger = t.self.log
	}
	tags := map[string]string{"domain": t.cfg.Domain.Prefix, "entity": t.cfg.Domain.Entity, "version": t.build.version, "service_instance_id": instanceOf(t.resource)}
	for name, value := range profiling.Tags {
		tags[name] = value
	}
	profiling.Tags = tags
	if t.profiler, err = continuous.Start(profiling); err != nil {
		return fmt.Errorf("profiling: %w", err)
	}

	t.costs = t.startCosts()
	t.families = t.ownFamilies()
	var reader sdkmetric.Reader
	interval := t.cfg.OTLP.MetricInterval
	if interval == 0 {
		interval = env.metricInterval
	}
	if (t.cfg.OTLP.Endpoint != "" || env.metrics) && interval > 0 {
		if t.pusher, err = t.newPusher(ctx, interval); err != nil {
			return err
		}
		reader = t.pusher.reader
	}
	if err := t.startMeters(reader); err != nil {
		return err
	}
	if t.pusher != nil {
		t.pusher.start()
	}
	t.warnOfDefaultServeMux()
	if t.admin, err = t.startAdmin(ctx, env.adminAddress); err != nil {
		return err
	}
	if !t.cfg.KeepGlobals {
		t.setGlobals()
	}
	return nil
}

func (t *Telemetry) setGlobals() {
	otel.SetMeterProvider(t.meters)
	if t.tracing {
		otel.SetTracerProvider(t.tracers)
	}
	otel.SetTextMapPropagator(outgoing)
}

// sdkError takes what OpenTelemetry's SDK has to say: each kind of trouble is
// logged once, and not at every export.
func (t *Telemetry) sdkError(err error) {
	kind, _, _ := strings.Cut(err.Error(), ":")
	t.self.once("sdk/"+kind, func(log *slog.Logger) { log.Warn("opentelemetry", "error", cleanValue(err.Error())) })
}

// recording tells whether t was started and has something to record with.
func (t *Telemetry) recording() bool { return t != nil && t.self != nil }

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
// (traceparent, tracestate, baggage). It is OpenTelemetry's global one, unless
// KeepGlobals is set: a client is then made with
// otelhttp.WithPropagators(tel.Propagator()) and
// otelhttp.WithTracerProvider(tel.TracerProvider()).
func (t *Telemetry) Propagator() propagation.TextMapPropagator {
	if !t.recording() {
		return otel.GetTextMapPropagator()
	}
	return outgoing
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
	return t.self.log
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

// Shutdown flushes what is pending until ctx is done, five seconds at most,
// then stops every goroutine, even if ctx was done before. The parts are
// stopped side by side, so that one server that hangs does not take the time
// of another. It joins their errors: what could not be sent because a server is
// down, mostly, which a service need not call its own failure. Further calls
// return nil once the first one is through.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if !t.recording() {
		return nil
	}
	var err error
	t.stopOnce.Do(func() {
		defer close(t.stopped)
		ctx, cancel := context.WithTimeout(ctx, shutdownBudget)
		defer cancel()
		err = t.stop(ctx)
		running.CompareAndSwap(t, nil)
	})
	<-t.stopped
	return err
}

func (t *Telemetry) stop(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, 4)
	part := func(i int, stop func(context.Context) error) {
		wg.Go(func() { errs[i] = stop(ctx) })
	}
	if t.admin != nil {
		part(0, t.admin.shutdown)
	}
	if t.profiler != nil {
		part(1, t.profiler.Stop)
	}
	if t.stopTraces != nil {
		part(2, t.stopTraces)
	}
	if t.pusher != nil {
		part(3, t.pusher.shutdown)
	}
	t.costs.stop()
	wg.Wait()
	if t.stopMeters != nil {
		errs = append(errs, t.stopMeters(context.WithoutCancel(ctx))) // only closes readers
	}
	return errors.Join(errs...)
}
