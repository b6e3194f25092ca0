package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// attributeCheck looks at the attributes of what another library's instrument
// records, before OpenTelemetry's SDK keeps them: text that is not UTF-8, or a
// name that Prometheus reserves, would fail every export from then on, and a
// long value would be kept for ever.
//
// The SDK's own way is a filter of the stream. It costs four times what the
// recording does, for attributes that nearly always are as they should be.
type attributeCheck struct {
	instrument  string
	wanted      attribute.Filter // of the stream; nil for all
	diagnostics *diagnostics

	mu   sync.Mutex // held while a set is added
	seen atomic.Pointer[map[attribute.Distinct]struct{}]
}

// maxSeen is how many sets of attributes an instrument knows to be as they
// should be. Others are looked at each time. A set that has the hash of one of
// them is the same to the SDK too.
const maxSeen = 256

func (m guardedMeter) attributeCheck(name string, kind sdkmetric.InstrumentKind) *attributeCheck {
	stream, _ := m.view(sdkmetric.Instrument{Name: name, Kind: kind, Scope: m.scope})
	return &attributeCheck{instrument: stream.Name, wanted: stream.AttributeFilter, diagnostics: m.diagnostics}
}

// plain tells whether all attributes are known to be exportable.
func (m *attributeCheck) plain(set *attribute.Set) bool {
	seen := m.seen.Load()
	if seen != nil {
		if _, ok := (*seen)[set.Equivalent()]; ok {
			return true
		}
	}
	if !allPlain(set) {
		return false
	}
	if seen == nil || len(*seen) < maxSeen {
		m.remember(set.Equivalent())
	}
	return true
}

func (m *attributeCheck) remember(set attribute.Distinct) {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := map[attribute.Distinct]struct{}{set: {}}
	if seen := m.seen.Load(); seen != nil {
		if len(*seen) >= maxSeen {
			return
		}
		maps.Copy(next, *seen)
	}
	m.seen.Store(&next)
}

// add returns the options themselves, as nearly always, or ones that can be
// exported.
func (m *attributeCheck) add(options []metric.AddOption) []metric.AddOption {
	if len(options) == 0 {
		return options
	}
	c := metric.NewAddConfig(options)
	set := c.Attributes()
	if !m.plain(&set) || slices.ContainsFunc(options, raw) {
		set = clean(m, set, options)
	} else if len(options) == 1 {
		return options
	}
	return []metric.AddOption{metric.WithAttributeSet(set)}
}

func (m *attributeCheck) record(options []metric.RecordOption) []metric.RecordOption {
	if len(options) == 0 {
		return options
	}
	c := metric.NewRecordConfig(options)
	set := c.Attributes()
	if !m.plain(&set) || slices.ContainsFunc(options, raw) {
		set = clean(m, set, options)
	} else if len(options) == 1 {
		return options
	}
	return []metric.RecordOption{metric.WithAttributeSet(set)}
}

// rawAttributes is an option of OpenTelemetry's metric/x whose attributes are
// not in the set.
type rawAttributes interface{ RawAttributes() []attribute.KeyValue }

func raw[Option any](option Option) bool {
	_, ok := any(option).(rawAttributes)
	return ok
}

// clean returns the attributes that can be exported.
func clean[Option any](m *attributeCheck, set attribute.Set, options []Option) attribute.Set {
	all := set.ToSlice()
	for _, option := range options {
		if r, ok := any(option).(rawAttributes); ok {
			all = append(all, r.RawAttributes()...)
		}
	}
	kept := make([]attribute.KeyValue, 0, len(all))
	for _, kv := range all {
		if m.wanted != nil && !m.wanted(kv) {
			continue // the stream has it not, whatever is in it
		}
		if isPlain(kv) || exportable(kv, m.instrument, m.diagnostics) {
			kept = append(kept, kv)
		}
	}
	return attribute.NewSet(kept...)
}

// allPlain tells at a glance whether all attributes can be exported.
func allPlain(set *attribute.Set) bool {
	for i := range set.Len() {
		if kv, _ := set.Get(i); !isPlain(kv) {
			return false
		}
	}
	return true
}

func isPlain(kv attribute.KeyValue) bool {
	key := string(kv.Key)
	if key == "le" || key == "quantile" || key == "" || !isLetter(key[0]) {
		return false
	}
	for i := 1; i < len(key); i++ {
		if c := key[i]; !isLetter(c) && c != '.' && c != '_' && (c < '0' || c > '9') {
			return false
		}
	}
	switch kv.Value.Type() {
	case attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		return true
	case attribute.STRING:
		s := kv.Value.AsString()
		return len(s) <= maxForeignValue && utf8.ValidString(s)
	}
	return false
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// maxForeignValue is the length in bytes beyond which an attribute of another
// library's instrument is left out.
const maxForeignValue = 1024

// exportable tells whether an attribute can be exported, and counts and tells
// one that cannot.
func exportable(kv attribute.KeyValue, instrument string, diagnostics *diagnostics) bool {
	ok := reservedLabel(string(kv.Key)) == "" && isValid(kv.Value) && lengthOf(kv.Value) <= maxForeignValue
	if !ok {
		diagnostics.collectErrors[collectText].Add(1)
		diagnostics.once("foreign attribute/"+instrument+"/"+string(kv.Key), func(log *slog.Logger) {
			log.Warn("an attribute of another library's instrument cannot be exported and is left out",
				"instrument", instrument, "attribute", cleanValue(string(kv.Key)), "value", cleanValue(kv.Value.String()))
		})
	}
	return ok
}

// lengthOf is how long a value is, of those that may be of any length.
func lengthOf(v attribute.Value) int {
	switch v.Type() {
	case attribute.BOOL, attribute.INT64, attribute.FLOAT64:
		return 0
	case attribute.STRING:
		return len(v.AsString())
	}
	return len(v.String())
}

// The instruments that record at once. Those with callbacks are in guard.go.

type int64Counter struct {
	metric.Int64Counter
	*attributeCheck
}

func (i int64Counter) Add(ctx context.Context, v int64, options ...metric.AddOption) {
	i.Int64Counter.Add(ctx, v, i.add(options)...)
}

func (m guardedMeter) Int64Counter(name string, options ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	i, err := m.Meter.Int64Counter(name, options...)
	return int64Counter{i, m.attributeCheck(name, sdkmetric.InstrumentKindCounter)}, err
}

type int64UpDownCounter struct {
	metric.Int64UpDownCounter
	*attributeCheck
}

func (i int64UpDownCounter) Add(ctx context.Context, v int64, options ...metric.AddOption) {
	i.Int64UpDownCounter.Add(ctx, v, i.add(options)...)
}

func (m guardedMeter) Int64UpDownCounter(name string, options ...metric.Int64UpDownCounterOption) (metric.Int64UpDownCounter, error) {
	i, err := m.Meter.Int64UpDownCounter(name, options...)
	return int64UpDownCounter{i, m.attributeCheck(name, sdkmetric.InstrumentKindUpDownCounter)}, err
}

type int64Histogram struct {
	metric.Int64Histogram
	*attributeCheck
}

func (i int64Histogram) Record(ctx context.Context, v int64, options ...metric.RecordOption) {
	i.Int64Histogram.Record(ctx, v, i.record(options)...)
}

func (m guardedMeter) Int64Histogram(name string, options ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	i, err := m.Meter.Int64Histogram(name, options...)
	return int64Histogram{i, m.attributeCheck(name, sdkmetric.InstrumentKindHistogram)}, err
}

type int64Gauge struct {
	metric.Int64Gauge
	*attributeCheck
}

func (i int64Gauge) Record(ctx context.Context, v int64, options ...metric.RecordOption) {
	i.Int64Gauge.Record(ctx, v, i.record(options)...)
}

func (m guardedMeter) Int64Gauge(name string, options ...metric.Int64GaugeOption) (metric.Int64Gauge, error) {
	i, err := m.Meter.Int64Gauge(name, options...)
	return int64Gauge{i, m.attributeCheck(name, sdkmetric.InstrumentKindGauge)}, err
}

type float64Counter struct {
	metric.Float64Counter
	*attributeCheck
}

func (i float64Counter) Add(ctx context.Context, v float64, options ...metric.AddOption) {
	i.Float64Counter.Add(ctx, v, i.add(options)...)
}

func (m guardedMeter) Float64Counter(name string, options ...metric.Float64CounterOption) (metric.Float64Counter, error) {
	i, err := m.Meter.Float64Counter(name, options...)
	return float64Counter{i, m.attributeCheck(name, sdkmetric.InstrumentKindCounter)}, err
}

type float64UpDownCounter struct {
	metric.Float64UpDownCounter
	*attributeCheck
}

func (i float64UpDownCounter) Add(ctx context.Context, v float64, options ...metric.AddOption) {
	i.Float64UpDownCounter.Add(ctx, v, i.add(options)...)
}

func (m guardedMeter) Float64UpDownCounter(name string, options ...metric.Float64UpDownCounterOption) (metric.Float64UpDownCounter, error) {
	i, err := m.Meter.Float64UpDownCounter(name, options...)
	return float64UpDownCounter{i, m.attributeCheck(name, sdkmetric.InstrumentKindUpDownCounter)}, err
}

type float64Histogram struct {
	metric.Float64Histogram
	*attributeCheck
}

func (i float64Histogram) Record(ctx context.Context, v float64, options ...metric.RecordOption) {
	i.Float64Histogram.Record(ctx, v, i.record(options)...)
}

func (m guardedMeter) Float64Histogram(name string, options ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	i, err := m.Meter.Float64Histogram(name, options...)
	return float64Histogram{i, m.attributeCheck(name, sdkmetric.InstrumentKindHistogram)}, err
}

type float64Gauge struct {
	metric.Float64Gauge
	*attributeCheck
}

func (i float64Gauge) Record(ctx context.Context, v float64, options ...metric.RecordOption) {
	i.Float64Gauge.Record(ctx, v, i.record(options)...)
}

func (m guardedMeter) Float64Gauge(name string, options ...metric.Float64GaugeOption) (metric.Float64Gauge, error) {
	i, err := m.Meter.Float64Gauge(name, options...)
	return float64Gauge{i, m.attributeCheck(name, sdkmetric.InstrumentKindGauge)}, err
}
