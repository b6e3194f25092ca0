package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// callbackTimeout is how long a collection waits for one callback.
const callbackTimeout = time.Second

// guardedProvider hands out meters whose callbacks cannot hurt. Other
// libraries register them, and in OpenTelemetry's SDK one that panics takes
// down the process where metrics are pushed, and all metrics where they are
// pulled; one that hangs blocks every collection.
type guardedProvider struct {
	metric.MeterProvider
	diagnostics *diagnostics
	view        sdkmetric.View // the provider's
}

func (p *guardedProvider) Meter(name string, options ...metric.MeterOption) metric.Meter {
	c, name := metric.NewMeterConfig(options...), validText(name)
	meter := p.MeterProvider.Meter(name,
		metric.WithInstrumentationVersion(validText(c.InstrumentationVersion())),
		metric.WithSchemaURL(validText(c.SchemaURL())),
		metric.WithInstrumentationAttributeSet(validSet(c.InstrumentationAttributes())))
	return guardedMeter{meter, p.diagnostics, p.view, instrumentation.Scope{
		Name: name, Version: validText(c.InstrumentationVersion()), SchemaURL: validText(c.SchemaURL()), Attributes: validSet(c.InstrumentationAttributes()),
	}}
}

type guardedMeter struct {
	metric.Meter
	diagnostics *diagnostics
	view        sdkmetric.View
	scope       instrumentation.Scope
}

// guard runs one callback: in a goroutine of its own, one at a time, for a
// limited time. After it, its observations are too late and are dropped.
type guard struct {
	name        string
	diagnostics *diagnostics
	timeout     time.Duration

	mu      sync.Mutex   // collections for Prometheus and for OTLP may meet
	running *guardedCall // nil while nobody calls
}

// guardedCall is one call. That it is over its time is said of this call and not
// of its guard, so that nothing of it is left when it ends.
type guardedCall struct {
	ended   chan struct{}
	overdue bool // guarded by guard.mu
}

func newGuard(name string, diagnostics *diagnostics) *guard {
	return &guard{name: name, diagnostics: diagnostics, timeout: callbackTimeout}
}

// run calls, unless the collection is over: its context is done, or Shutdown
// waits no longer. One that has begun is left behind then. It returns when the
// call has ended, or is waited for no longer.
func (g *guard) run(ctx context.Context, call func() error) {
	timer := time.NewTimer(g.timeout)
	defer timer.Stop()
	mine := &guardedCall{ended: make(chan struct{})}
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.diagnostics.ended:
			return
		default:
		}
		g.mu.Lock()
		other := g.running
		if other == nil {
			g.running = mine
		}
		overdue := other != nil && other.overdue
		g.mu.Unlock()
		if other == nil {
			break
		}
		if overdue { // waiting again would only delay this collection
			g.diagnostics.collectErrors[collectTimeout].Add(1)
			return
		}
		if !g.wait(ctx, other, timer.C) {
			return
		}
	}
	go func() {
		defer func() {
			g.mu.Lock()
			g.running = nil
			g.mu.Unlock()
			close(mine.ended)
		}()
		defer func() {
			if p := recover(); p != nil {
				g.diagnostics.collectErrors[collectPanic].Add(1)
				g.diagnostics.once("callback panic/"+g.name, func(log *slog.Logger) {
					log.Error("a callback or gatherer panicked: its values are missing", "instrument", g.name, "panic", cleanValue(fmt.Sprint(p)))
				})
			}
		}()
		if err := call(); err != nil { // handed on, it would keep our own series from being sent
			g.diagnostics.collectErrors[collectOther].Add(1)
			g.diagnostics.once("callback error/"+g.name, func(log *slog.Logger) {
				log.Warn("the callback of an instrument failed: what it observed is kept", "instrument", g.name, "error", cleanValue(err.Error()))
			})
		}
	}()
	g.wait(ctx, mine, timer.C)
}

// wait tells whether a call has ended. One that is over its time is overdue.
func (g *guard) wait(ctx context.Context, c *guardedCall, timeout <-chan time.Time) bool {
	select {
	case <-c.ended:
		return true
	case <-ctx.Done():
	case <-g.diagnostics.ended:
	case <-timeout:
		g.mu.Lock()
		c.overdue = true
		g.mu.Unlock()
		g.diagnostics.collectErrors[collectTimeout].Add(1)
		g.diagnostics.once("callback timeout/"+g.name, func(log *slog.Logger) {
			log.Error("a callback, gatherer or file system hangs: its values are missing", "instrument", g.name, "after", g.timeout)
		})
	}
	return false
}

// gate lets observations through until it is closed.
type gate struct {
	mu     sync.Mutex
	closed bool
}

func (g *gate) pass(observe func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		observe()
	}
}

func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
}

// gated runs a callback, and closes its gate when it is waited for no longer.
func (g *guard) gated(ctx context.Context, call func(*gate) error) {
	gate := &gate{}
	defer gate.close()
	g.run(ctx, func() error { return call(gate) })
}

type gatedInt64 struct {
	metric.Int64Observer
	gate *gate
}

func (o gatedInt64) Observe(v int64, options ...metric.ObserveOption) {
	o.gate.pass(func() { o.Int64Observer.Observe(v, options...) })
}

type gatedFloat64 struct {
	metric.Float64Observer
	gate *gate
}

func (o gatedFloat64) Observe(v float64, options ...metric.ObserveOption) {
	o.gate.pass(func() { o.Float64Observer.Observe(v, options...) })
}

type gatedObserver struct {
	metric.Observer
	gate *gate
}

func (o gatedObserver) ObserveInt64(i metric.Int64Observable, v int64, options ...metric.ObserveOption) {
	o.gate.pass(func() { o.Observer.ObserveInt64(i, v, options...) })
}

func (o gatedObserver) ObserveFloat64(i metric.Float64Observable, v float64, options ...metric.ObserveOption) {
	o.gate.pass(func() { o.Observer.ObserveFloat64(i, v, options...) })
}

func (m guardedMeter) RegisterCallback(call metric.Callback, instruments ...metric.Observable) (metric.Registration, error) {
	g := newGuard(functionOf(call), m.diagnostics)
	return m.Meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		g.gated(ctx, func(gate *gate) error { return call(ctx, gatedObserver{o, gate}) })
		return nil
	}, instruments...)
}

// An instrument's callbacks are among its options. Each constructor takes the
// options apart, and builds them anew with guarded callbacks.
type instrumentConfig interface {
	Description() string
	Unit() string
}

func rebuild[Option, Callback any](m guardedMeter, name string, c instrumentConfig, callbacks []Callback, guarded func(*guard, Callback) any) []Option {
	options := []Option{any(metric.WithDescription(c.Description())).(Option), any(metric.WithUnit(c.Unit())).(Option)}
	for _, call := range callbacks {
		options = append(options, guarded(newGuard(name, m.diagnostics), call).(Option))
	}
	return options
}

func guardInt64[Option any](m guardedMeter, name string, c instrumentConfig, callbacks []metric.Int64Callback) []Option {
	return rebuild[Option](m, name, c, callbacks, func(g *guard, call metric.Int64Callback) any {
		return metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			g.gated(ctx, func(gate *gate) error { return call(ctx, gatedInt64{o, gate}) })
			return nil
		})
	})
}

func guardFloat64[Option any](m guardedMeter, name string, c instrumentConfig, callbacks []metric.Float64Callback) []Option {
	return rebuild[Option](m, name, c, callbacks, func(g *guard, call metric.Float64Callback) any {
		return metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			g.gated(ctx, func(gate *gate) error { return call(ctx, gatedFloat64{o, gate}) })
			return nil
		})
	})
}

func (m guardedMeter) Int64ObservableCounter(name string, options ...metric.Int64ObservableCounterOption) (metric.Int64ObservableCounter, error) {
	c := metric.NewInt64ObservableCounterConfig(options...)
	return m.Meter.Int64ObservableCounter(name, guardInt64[metric.Int64ObservableCounterOption](m, name, c, c.Callbacks())...)
}

func (m guardedMeter) Int64ObservableUpDownCounter(name string, options ...metric.Int64ObservableUpDownCounterOption) (metric.Int64ObservableUpDownCounter, error) {
	c := metric.NewInt64ObservableUpDownCounterConfig(options...)
	return m.Meter.Int64ObservableUpDownCounter(name, guardInt64[metric.Int64ObservableUpDownCounterOption](m, name, c, c.Callbacks())...)
}

func (m guardedMeter) Int64ObservableGauge(name string, options ...metric.Int64ObservableGaugeOption) (metric.Int64ObservableGauge, error) {
	c := metric.NewInt64ObservableGaugeConfig(options...)
	return m.Meter.Int64ObservableGauge(name, guardInt64[metric.Int64ObservableGaugeOption](m, name, c, c.Callbacks())...)
}

func (m guardedMeter) Float64ObservableCounter(name string, options ...metric.Float64ObservableCounterOption) (metric.Float64ObservableCounter, error) {
	c := metric.NewFloat64ObservableCounterConfig(options...)
	return m.Meter.Float64ObservableCounter(name, guardFloat64[metric.Float64ObservableCounterOption](m, name, c, c.Callbacks())...)
}

func (m guardedMeter) Float64ObservableUpDownCounter(name string, options ...metric.Float64ObservableUpDownCounterOption) (metric.Float64ObservableUpDownCounter, error) {
	c := metric.NewFloat64ObservableUpDownCounterConfig(options...)
	return m.Meter.Float64ObservableUpDownCounter(name, guardFloat64[metric.Float64ObservableUpDownCounterOption](m, name, c, c.Callbacks())...)
}

func (m guardedMeter) Float64ObservableGauge(name string, options ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	c := metric.NewFloat64ObservableGaugeConfig(options...)
	return m.Meter.Float64ObservableGauge(name, guardFloat64[metric.Float64ObservableGaugeOption](m, name, c, c.Callbacks())...)
}
