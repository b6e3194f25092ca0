package telemetry

import (
	"fmt"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latido-dev/latido/domain"
)

// claims knows which instrument of another library has which name in
// Prometheus. Two with one name are told apart by nobody: the exporter serves
// the first and drops the other, which is seen here, with both names, as they
// are made.
type claims struct {
	view sdkmetric.View
	self *self

	mu       sync.Mutex
	byFamily map[string]claim
}

// claim is what has to agree for two instruments to be one.
type claim struct {
	scope, name, unit, description string
	kind                           sdkmetric.InstrumentKind
}

// maxClaims bounds the memory for names that somebody makes up.
const maxClaims = 5000

func newClaims(view sdkmetric.View, self *self) *claims {
	return &claims{view: view, self: self, byFamily: map[string]claim{}}
}

// add claims the name of an instrument, and says if it is taken.
func (c *claims) add(scope, name string, kind sdkmetric.InstrumentKind, config instrumentConfig) {
	stream, _ := c.view(sdkmetric.Instrument{Name: name, Unit: config.Unit(), Description: config.Description(), Kind: kind})
	if _, dropped := stream.Aggregation.(sdkmetric.AggregationDrop); dropped {
		return
	}
	family := domain.Family(stream.Name, stream.Unit, kinds[kind])
	mine := claim{scope, name, config.Unit(), config.Description(), kind}
	c.mu.Lock()
	first, taken := c.byFamily[family]
	if !taken && len(c.byFamily) < maxClaims {
		c.byFamily[family] = mine
	}
	c.mu.Unlock()
	if !taken || first == mine {
		return
	}
	c.self.collectErrors[collectClash].Add(1)
	c.self.once(fmt.Sprint("claim/", family, mine), func(log *slog.Logger) {
		log.Warn("two instruments have one name in Prometheus: the first one is served; rename one, by Config.Views if it is not yours",
			"family", family, "first", first.name, "first_scope", first.scope, "second", name, "second_scope", scope)
	})
}

// kinds are the contract's words for OpenTelemetry's kinds.
var kinds = map[sdkmetric.InstrumentKind]domain.Kind{
	sdkmetric.InstrumentKindCounter:                 domain.KindCounter,
	sdkmetric.InstrumentKindObservableCounter:       domain.KindCounter,
	sdkmetric.InstrumentKindUpDownCounter:           domain.KindUpDown,
	sdkmetric.InstrumentKindObservableUpDownCounter: domain.KindUpDown,
	sdkmetric.InstrumentKindHistogram:               domain.KindHistogram,
	sdkmetric.InstrumentKindGauge:                   domain.KindGauge,
	sdkmetric.InstrumentKindObservableGauge:         domain.KindGauge,
}

// The instruments without callbacks only claim their names.

func (m guardedMeter) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindCounter, metric.NewInt64CounterConfig(options...))
	return m.Meter.Int64Counter(name, options...)
}

func (m guardedMeter) Int64UpDownCounter(name string, options ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindUpDownCounter, metric.NewInt64UpDownCounterConfig(options...))
	return m.Meter.Int64UpDownCounter(name, options...)
}

func (m guardedMeter) Int64Histogram(name string, options ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindHistogram, metric.NewInt64HistogramConfig(options...))
	return m.Meter.Int64Histogram(name, options...)
}

func (m guardedMeter) Int64Gauge(name string, options ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindGauge, metric.NewInt64GaugeConfig(options...))
	return m.Meter.Int64Gauge(name, options...)
}

func (m guardedMeter) Float64Counter(name string, options ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindCounter, metric.NewFloat64CounterConfig(options...))
	return m.Meter.Float64Counter(name, options...)
}

func (m guardedMeter) Float64UpDownCounter(name string, options ...metric.Float64UpDownCounterOption) (metric.Float64UpDownCounter, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindUpDownCounter, metric.NewFloat64UpDownCounterConfig(options...))
	return m.Meter.Float64UpDownCounter(name, options...)
}

func (m guardedMeter) Float64Histogram(name string, options ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindHistogram, metric.NewFloat64HistogramConfig(options...))
	return m.Meter.Float64Histogram(name, options...)
}

func (m guardedMeter) Float64Gauge(name string, options ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	m.claims.add(m.scope, name, sdkmetric.InstrumentKindGauge, metric.NewFloat64GaugeConfig(options...))
	return m.Meter.Float64Gauge(name, options...)
}
