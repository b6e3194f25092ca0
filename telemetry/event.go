package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
)

// Counter is an event that only goes up. Its zero value, and a nil pointer,
// record nothing. It is safe for concurrent use.
type Counter struct{ e *event }

// UpDown is an event that goes up and down. Its zero value, and a nil pointer,
// record nothing. It is safe for concurrent use.
type UpDown struct{ e *event }

// Histogram is an event with a value. Its zero value, and a nil pointer,
// record nothing. It is safe for concurrent use.
type Histogram struct{ e *event }

// Counter returns the counter that the domain declares under this name. For a
// name that it does not declare, or not as a counter, the result records
// nothing; that is logged once and counted as refused.
func (t *Telemetry) Counter(name string) *Counter {
	return &Counter{t.event(name, domain.KindCounter)}
}

// UpDown returns the up-down counter that the domain declares under this name.
// A wrong name is treated as in [Telemetry.Counter].
func (t *Telemetry) UpDown(name string) *UpDown {
	return &UpDown{t.event(name, domain.KindUpDown)}
}

// Histogram returns the histogram that the domain declares under this name. A
// wrong name is treated as in [Telemetry.Counter].
func (t *Telemetry) Histogram(name string) *Histogram {
	return &Histogram{t.event(name, domain.KindHistogram)}
}

// With returns the counter of one combination of attributes, given as names
// and values in any order. A value that the domain does not list, and an
// attribute that is left out, count as domain.Other; a name that it does not
// list is left out. Keep the result: its Add is one atomic addition.
func (c *Counter) With(attributes ...string) BoundCounter {
	if c == nil || c.e == nil {
		return BoundCounter{}
	}
	i := c.e.index(attributes)
	c.e.ensure(i)
	return BoundCounter{n: &c.e.numbers[i], refused: c.e.diagnostics.refused(refusedNumber)}
}

// With binds attributes, as [Counter.With].
func (u *UpDown) With(attributes ...string) BoundUpDown {
	if u == nil || u.e == nil {
		return BoundUpDown{}
	}
	i := u.e.index(attributes)
	u.e.ensure(i)
	return BoundUpDown{n: &u.e.numbers[i], refused: u.e.diagnostics.refused(refusedNumber)}
}

// With binds attributes, as [Counter.With].
func (h *Histogram) With(attributes ...string) BoundHistogram {
	if h == nil || h.e == nil {
		return BoundHistogram{}
	}
	i := h.e.index(attributes)
	return BoundHistogram{h.e.ensure(i)}
}

// BoundHistogram is the series of one combination of attributes. Its zero
// value records nothing. It is safe for concurrent use.
type BoundHistogram struct{ h *histogram }

// Record adds one value, in the unit of the domain file. In a sampled span it
// leaves the trace id as an exemplar. NaN, and values beyond
// ±1e300, which would spoil the sum for ever, are left out and counted as
// refused; so are values below 0 unless a bound is below 0, since a sum that
// falls reads as a restart.
func (b BoundHistogram) Record(ctx context.Context, value float64) {
	h := b.h
	if h == nil {
		return
	}
	if h.tracing { // asked before the atomic operations, which nothing overtakes
		h.recordTraced(ctx, value)
		return
	}
	i := 0 // the bucket, by hand: a call costs a tenth
	for _, bound := range h.bounds {
		if value <= bound {
			break
		}
		i++
	}
	// Most values are whole numbers (money, bytes, items): their sum is one
	// more addition, where that of fractions is a loop.
	whole := int64(value)
	if float64(whole) != value || uint64(whole) > maxWhole { // negative ones too
		h.recordFraction(i, value)
		return
	}
	h.buckets[i].Add(1)
	h.sum.Add(uint64(whole))
}

// Count counts one occurrence of the event, with attributes given as names
// and values: the way in for names that are only known at run time. Where they
// are known, keep what With returns. A histogram or gauge needs a value and is
// refused here; a wrong name or value is treated as in [Counter.With]. It does not
// allocate, and is safe for concurrent use.
func (t *Telemetry) Count(name string, attributes ...string) {
	if t == nil || t.diagnostics == nil {
		return
	}
	e := t.events.find(name)
	if e == nil || e.Kind == domain.KindHistogram || e.Kind == domain.KindGauge {
		t.wrongEvent(name, domain.KindCounter)
		return
	}
	i := e.index(attributes)
	if e.labels[i].Load() == nil {
		e.ensure(i)
	}
	e.numbers[i].Add(1)
}

// events are the declared ones.
type events struct {
	names nameIndex
	list  []*event
}

func (es *events) index() {
	names := make([]string, len(es.list))
	for i, e := range es.list {
		names[i] = e.Key
	}
	es.names = newNameIndex(names)
}

func (es *events) find(name string) *event {
	if i := es.names.find(name); i < len(es.list) {
		return es.list[i]
	}
	for _, e := range es.list { // code that was not renamed yet
		if slices.Contains(e.Event.Was, name) {
			return e
		}
	}
	return nil
}

// event is the state of one declared event: a dense table over all the
// combinations of its attributes' values, so that a look-up is arithmetic and
// the number of series is bounded by construction.
type event struct {
	domain.Metric
	diagnostics *diagnostics
	tracing     bool
	attributes  []eventAttribute
	labels      []atomic.Pointer[labelSet] // nil for a series that does not exist yet
	numbers     []atomic.Int64             // of counters, and the bits of gauges
	histograms  []atomic.Pointer[histogram]
	observed    *observations // of gauges
}

type eventAttribute struct {
	name   string
	values nameIndex
	stride int
	warned *atomic.Bool
}

func newEvent(m domain.Metric, diagnostics *diagnostics, tracing bool) *event {
	e := &event{Metric: m, diagnostics: diagnostics, tracing: tracing}
	size := 1
	for _, name := range m.Attributes {
		a := eventAttribute{name: name, values: newNameIndex(m.Event.Attributes[name]), stride: size, warned: new(atomic.Bool)}
		size *= a.values.len() + 1 // the last one is Other
		e.attributes = append(e.attributes, a)
	}
	e.labels = make([]atomic.Pointer[labelSet], size)
	if m.Kind == domain.KindHistogram {
		e.histograms = make([]atomic.Pointer[histogram], size)
	} else {
		e.numbers = make([]atomic.Int64, size)
	}
	if m.Kind == domain.KindGauge { // what is not known is not 0
		e.observed = &observations{}
		return e
	}
	if size <= domain.InitialSeries {
		for i := range size {
			if !slices.Contains(e.values(i), domain.Other) {
				e.ensure(i)
			}
		}
	}
	return e
}

// index is the place in the table of a list of attribute names and values. In
// the order of the names, and with values that are declared, it is one look-up
// a value; anything else is sorted out by indexAny.
func (e *event) index(attributes []string) int {
	if len(attributes) != 2*len(e.attributes) {
		return e.indexAny(attributes)
	}
	i := 0
	for k := range e.attributes {
		a := &e.attributes[k]
		v := a.values.find(attributes[2*k+1])
		if attributes[2*k] != a.name || v == a.values.len() {
			return e.indexAny(attributes)
		}
		i += v * a.stride
	}
	return i
}

func (e *event) indexAny(attributes []string) int {
	i, seen := 0, uint64(0)
	for pair := 0; pair+1 < len(attributes); pair += 2 {
		k := e.attribute(attributes[pair])
		if k < 0 {
			e.diagnostics.wrongAttribute(e, attributes[pair])
			continue
		}
		if seen&(1<<k) != 0 { // given twice: the first one holds
			continue
		}
		seen |= 1 << k
		a := &e.attributes[k]
		v := a.values.find(attributes[pair+1])
		if v == a.values.len() && attributes[pair+1] != domain.Other {
			e.diagnostics.wrongValue(e, a, attributes[pair+1])
		}
		i += v * a.stride
	}
	for k := range e.attributes {
		if a := &e.attributes[k]; seen&(1<<k) == 0 {
			e.diagnostics.wrongValue(e, a, "")
			i += a.values.len() * a.stride
		}
	}
	return i
}

// attribute finds an attribute by its name. It is -1 for an unknown one.
func (e *event) attribute(name string) int {
	return slices.IndexFunc(e.attributes, func(a eventAttribute) bool { return a.name == name })
}

// values are the attribute values at a place in the table.
func (e *event) values(i int) []string {
	values := make([]string, len(e.attributes))
	for k, a := range e.attributes {
		values[k] = domain.Other
		if v := i / a.stride % (a.values.len() + 1); v < a.values.len() {
			values[k] = a.values.names[v]
		}
	}
	return values
}

// ensure makes the series at a place exist.
func (e *event) ensure(i int) *histogram {
	if e.labels[i].Load() == nil {
		labels := newLabels(e.Attributes, e.values(i))
		if e.histograms != nil {
			h := newHistogram(e.Buckets, labels)
			h.tracing, h.refused = e.tracing, e.diagnostics.refused(refusedNumber)
			e.histograms[i].CompareAndSwap(nil, h)
		}
		e.labels[i].CompareAndSwap(nil, labels)
	}
	if e.histograms == nil {
		return nil
	}
	return e.histograms[i].Load()
}

func (e *event) points(yield func(point) bool) {
	for i := range e.labels {
		labels := e.labels[i].Load()
		if labels == nil {
			continue
		}
		p := point{labels: labels}
		known := true
		switch e.Kind {
		case domain.KindHistogram:
			p.hist = e.histograms[i].Load()
		case domain.KindGauge:
			p.value, known = level(&e.numbers[i])
		case domain.KindCounter:
			p.n = total(&e.numbers[i])
		default:
			p.n = e.numbers[i].Load()
		}
		if known && !yield(p) {
			return
		}
	}
}

// event finds a declared event of a kind; nil, reported once, if there is none.
func (t *Telemetry) event(name string, kind domain.Kind) *event {
	if t == nil || t.diagnostics == nil {
		return nil
	}
	if e := t.events.find(name); e != nil && e.Kind == kind {
		return e
	}
	t.wrongEvent(name, kind)
	return nil
}

// wrongEvent reports an event that the domain does not have, or not so.
func (t *Telemetry) wrongEvent(name string, kind domain.Kind) {
	t.diagnostics.refused(refusedEvent).Add(1)
	name = cleanValue(name)
	t.diagnostics.once("event/"+string(kind)+"/"+name, func(log *slog.Logger) {
		if e := t.events.find(name); e != nil {
			log.Warn("event recorded as another kind: nothing is counted", "event", name, "declared", e.Kind, "used", kind)
			return
		}
		log.Warn("undeclared event: nothing is counted; add it to the domain file, or mend its name",
			"event", name, "nearest", spelling.Nearest(name, t.events.names.names))
	})
}
