package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"sync/atomic"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

const (
	// stopBudget is the longest that Shutdown and Flush take when their context
	// has more.
	stopBudget = 5 * time.Second
	// stopGrace is how long they wait, once the context is done, for parts that
	// heed it.
	stopGrace = 250 * time.Millisecond
	// cleanupBudget is the time for what a failed Init has started.
	cleanupBudget = time.Second
)

// part is one thing that Init starts, and Shutdown stops. stop is called even
// if start failed half way: it stops what there is.
type part struct {
	name  string
	start func(context.Context) error
	flush func(context.Context) error // nil where nothing is ever pending
	stop  func(context.Context) error // nil where nothing runs
}

// parts are all of them, in the order in which they start: first what records,
// then what shows it. OpenTelemetry's log comes first, since the others may use
// it; its providers come last, since nothing can fail after them.
func (t *Telemetry) parts(env environment) []part {
	none := func(start func()) func(context.Context) error {
		return func(context.Context) error { start(); return nil }
	}
	return []part{
		{name: "opentelemetry's log", start: none(func() { t.takeLog(env.sdkLevel) }), stop: none(t.returnLog)},
		{name: "resource", start: func(ctx context.Context) error {
			t.describe(ctx, env)
			t.propagator = newPropagator(!env.noTraceContext, !env.noBaggage)
			return nil
		}},
		{name: "traces", start: func(ctx context.Context) error { return t.startTraces(ctx, env) }, flush: t.forceSpans, stop: t.endTraces},
		{name: "events", start: none(func() { t.declare(!env.noExemplars) })},
		{name: "profiler", start: t.startProfiler, flush: func(ctx context.Context) error { return t.profiler.Flush(ctx) }, stop: func(ctx context.Context) error { return t.profiler.Stop(ctx) }},
		{name: "cost of events", start: none(func() { t.costs = t.startCosts() }), stop: none(func() { t.costs.stop() })},
		{name: "metrics", start: func(ctx context.Context) error { return t.beginMetrics(ctx, env) }, flush: t.forceMetrics, stop: t.endMetrics},
		{name: "admin listener", start: func(ctx context.Context) error {
			t.warnOfDefaultServeMux()
			t.admin = t.newAdmin()
			return t.admin.listen(ctx, t.cfg.Admin, env.adminAddress, t.cfg.Profiling.Interval)
		}, stop: func(ctx context.Context) error { return t.admin.shutdown(ctx) }},
		{name: "opentelemetry's providers", start: none(t.takeProviders), stop: none(t.returnProviders)},
	}
}

// running is the Telemetry that set OpenTelemetry's globals, if one did.
var running atomic.Pointer[Telemetry]

// run starts the parts. If one fails, those before it are stopped.
func (t *Telemetry) run(ctx context.Context, parts []part) error {
	if !t.cfg.KeepGlobals && !running.CompareAndSwap(nil, t) {
		return errors.New("Init was called twice: call it once in main and hand the Telemetry on, or set Config.KeepGlobals")
	}
	err := t.start(ctx, parts)
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupBudget)
	defer cancel()
	return errors.Join(err, t.Shutdown(ctx))
}

// start starts one part after the other.
func (t *Telemetry) start(ctx context.Context, parts []part) error {
	for _, p := range parts {
		t.up = append(t.up, p) // before it starts: it may fail half way
		if err := p.recovered(func() error { return p.start(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// recovered runs a part's function. What the user wrote may panic in it, a View
// or a log handler, and in a goroutine of ours that would end the service.
func (p part) recovered(fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic: %v\n%s", p.name, r, debug.Stack())
		}
	}()
	return fn()
}

// orBackground is ctx, or context.Background() for nil.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

// Flush sends the metrics, the spans and the profile until now, for a job or a
// function that ends, or is frozen, without Shutdown. It returns when they have
// arrived, when ctx is done, or after five seconds, and joins the errors of all
// signals. nil means context.Background(). It is safe for concurrent use, and
// does nothing where nothing is sent, and after Shutdown.
func (t *Telemetry) Flush(ctx context.Context) error {
	if !t.recording() || t.stopping.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(orBackground(ctx), stopBudget)
	defer cancel()
	return t.each(ctx, "flush", func(p part) func(context.Context) error { return p.flush })
}

// Shutdown flushes what is pending until ctx is done, five seconds at most,
// then stops every goroutine, even if ctx was done before; nil means
// context.Background(). The parts are stopped side by side, so that one server
// that hangs does not take the time of another. It returns half a second after
// ctx is done at the latest: a callback of an instrument that hangs is not
// waited for, and its goroutine ends when it returns.
//
// Shutdown joins the errors of all parts: what could not be sent because a
// server is down, mostly, which a service need not call its own failure. Later
// calls wait for the first one, until their own ctx is done, and return nil. It
// is safe for concurrent use. What is recorded afterwards is lost, and does no
// harm.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if !t.recording() {
		return nil
	}
	ctx, cancel := context.WithTimeout(orBackground(ctx), stopBudget)
	defer cancel()
	if !t.stopping.CompareAndSwap(false, true) {
		select {
		case <-t.stopped:
			return nil
		case <-ctx.Done():
		}
		select {
		case <-t.stopped:
			return nil
		default:
			return fmt.Errorf("another Shutdown has not ended: %w", context.Cause(ctx))
		}
	}
	defer close(t.stopped)
	err := t.each(ctx, "stop", func(p part) func(context.Context) error { return p.stop })
	t.diagnostics.end()
	for _, client := range t.clients {
		client.CloseIdleConnections()
	}
	running.CompareAndSwap(t, nil)
	return err
}

// each calls a function of all parts, side by side. One that takes longer than
// ctx is left behind, and named in the error.
func (t *Telemetry) each(ctx context.Context, verb string, of func(part) func(context.Context) error) error {
	type result struct {
		i   int
		err error
	}
	results := make(chan result, len(t.up)) // with room for those that come late
	waiting := map[int]bool{}
	for i, p := range t.up {
		if call := of(p); call != nil {
			waiting[i] = true
			go func() { results <- result{i, p.recovered(func() error { return call(ctx) })} }()
		}
	}
	errs := make([]error, len(t.up))
	done, late := ctx.Done(), (<-chan time.Time)(nil)
	for len(waiting) > 0 {
		select {
		case r := <-results:
			errs[r.i] = r.err
			delete(waiting, r.i)
		case <-done:
			if t.stopping.Load() {
				t.diagnostics.end()
			}
			done, late = nil, time.After(stopGrace)
		case <-late:
			for i := range waiting {
				errs[i] = fmt.Errorf("%s: did not %s in time: %w", t.up[i].name, verb, context.Cause(ctx))
			}
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}

func (t *Telemetry) forceSpans(ctx context.Context) error {
	if t.flushTraces == nil {
		return nil
	}
	return t.flushTraces(ctx)
}

func (t *Telemetry) endTraces(ctx context.Context) error {
	if t.stopTraces == nil {
		return nil
	}
	return t.stopTraces(ctx)
}

// declare makes the tracer and the series that are there from the start.
func (t *Telemetry) declare(exemplars bool) {
	t.exemplars = exemplars && t.tracing
	if t.tracing {
		t.tracer = t.tracers.Tracer(scopeName, trace.WithInstrumentationVersion(t.build.version))
	}
	for _, m := range t.cfg.Domain.Metrics() {
		if m.Event != nil {
			t.events.list = append(t.events.list, newEvent(m, t.diagnostics, t.exemplars))
		}
	}
	t.events.index()
	t.route(domain.Unmatched).method(0)
	for _, host := range t.cfg.Domain.Peers {
		t.peers.add(host)
	}
}

func (t *Telemetry) startProfiler(context.Context) (err error) {
	cfg := t.cfg.Profiling
	cfg.Service = cmp.Or(cfg.Service, t.cfg.Domain.Service())
	cfg.Logger = cmp.Or(cfg.Logger, t.diagnostics.log)
	tags := map[string]string{"domain": t.cfg.Domain.Prefix, "entity": t.cfg.Domain.Entity, "version": t.build.version, "service_instance_id": instanceOf(t.resource)}
	maps.Copy(tags, cfg.Tags)
	cfg.Tags = tags
	if t.profiler, err = continuous.Start(cfg); err != nil {
		return fmt.Errorf("profiling: %w", err)
	}
	return nil
}

// beginMetrics starts what serves the metrics, and what sends them.
func (t *Telemetry) beginMetrics(ctx context.Context, env environment) (err error) {
	t.families = t.ownFamilies()
	t.foreign = newForeign(t.families, t.cfg.Domain.Prefix, t.diagnostics, t.runtimeProducer())
	var reader sdkmetric.Reader
	if env.metrics.url != "" {
		if t.pusher, err = t.newPusher(ctx, env); err != nil {
			return err
		}
		reader = t.pusher.reader
	}
	if err := t.startMeters(reader); err != nil {
		return err
	}
	t.pusher.start()
	return nil
}

func (t *Telemetry) forceMetrics(ctx context.Context) error {
	if t.pusher == nil {
		return nil
	}
	return t.pusher.push(ctx)
}

func (t *Telemetry) endMetrics(ctx context.Context) error {
	err := t.pusher.shutdown(ctx)
	if t.stopMeters != nil {
		err = errors.Join(err, t.stopMeters(context.WithoutCancel(ctx))) // only closes readers
	}
	return err
}
