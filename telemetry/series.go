package telemetry

import (
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// family is one metric of ours. Its points are read at each collection, by
// several collections at once.
type family struct {
	domain.Metric
	points   iter.Seq[point]
	observed *observations // callbacks to run before the points are read, nil for none
}

// point is what one series says now.
type point struct {
	labels *labelSet
	n      int64      // counter, updown
	value  float64    // gauge
	hist   *histogram // histogram
}

// labelSet is the identity of a series, made once, in the form that each way
// out wants.
type labelSet struct {
	attributes attribute.Set
	pairs      []*dto.LabelPair
}

// newLabels makes the identity from attribute names and values. A value is
// cut and made valid UTF-8 here, since one bad byte would fail a whole export.
func newLabels(names, values []string) *labelSet {
	l := &labelSet{}
	attrs := make([]attribute.KeyValue, len(names))
	for i, name := range names {
		v := cleanValue(values[i])
		attrs[i] = attribute.String(name, v)
		label := promname.Label(name)
		l.pairs = append(l.pairs, &dto.LabelPair{Name: &label, Value: &v})
	}
	slices.SortFunc(l.pairs, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	l.attributes = attribute.NewSet(attrs...)
	return l
}

// counters are the series of one family whose attribute values are not known
// beforehand but few: statuses of a route, types of an error. A look-up is a
// scan of a short slice without a lock, which is copied when a series is new.
type counters[K comparable] struct {
	list atomic.Pointer[[]*counterOf[K]]
	mu   sync.Mutex // held while one is added
}

type counterOf[K comparable] struct {
	key    K
	labels *labelSet
	n      atomic.Int64
}

// get finds the counter of key, or makes it with labels.
func (c *counters[K]) get(key K, labels func() *labelSet) *counterOf[K] {
	if one := c.find(key); one != nil {
		return one
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.find(key); one != nil {
		return one
	}
	one := &counterOf[K]{key: key, labels: labels()}
	next := append(slices.Clone(c.all()), one)
	c.list.Store(&next)
	return one
}

// find is the counter of key, nil if there is none.
func (c *counters[K]) find(key K) *counterOf[K] {
	for _, one := range c.all() {
		if one.key == key {
			return one
		}
	}
	return nil
}

func (c *counters[K]) all() []*counterOf[K] {
	if p := c.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (c *counters[K]) yield(yield func(point) bool) bool {
	for _, one := range c.all() {
		if !yield(point{labels: one.labels, n: one.n.Load()}) {
			return false
		}
	}
	return true
}

// histogram is the state of one series of a histogram. Its count is the sum of
// its buckets, so that the two never disagree; the sum may lag by what is
// being recorded right now. One of durations adds up integer nanoseconds: that
// is one atomic addition, where a fraction needs a loop. The integers have 64
// bits without a sign: after 584 years of requests they begin at 0 again, which
// reads as the restart of a counter.
type histogram struct {
	labels    *labelSet
	bounds    []float64
	nanos     []int64         // the bounds of a histogram of durations, nil for others
	buckets   []atomic.Uint64 // one more than bounds
	signed    bool            // values below 0 are taken
	sum       atomic.Uint64   // of nanoseconds, or of most values that are whole numbers
	fractions atomic.Uint64   // the sum of the other values, as the bits of a float64
	exemplars []atomic.Pointer[exemplar]
	tracing   bool          // exemplars are worth looking for
	refused   *atomic.Int64 // counts what cannot be recorded
}

type exemplar struct {
	value float64
	at    time.Time
	span  trace.SpanContext
}

func newHistogram(bounds []float64, labels *labelSet) *histogram {
	return &histogram{
		labels: labels, bounds: bounds, signed: len(bounds) > 0 && bounds[0] < 0,
		buckets:   make([]atomic.Uint64, len(bounds)+1),
		exemplars: make([]atomic.Pointer[exemplar], len(bounds)+1),
	}
}

// durationBounds are the bounds of the histograms of one family of durations.
type durationBounds struct {
	seconds []float64
	nanos   []int64
}

// boundsOf are those of a metric of the contract, by its short name.
func boundsOf(d domain.Domain, key string) durationBounds {
	m, _ := d.Metric(key)
	b := durationBounds{m.Buckets, make([]int64, len(m.Buckets))}
	for i, s := range b.seconds {
		b.nanos[i] = int64(math.Round(s * 1e9))
	}
	return b
}

// histogram makes one to observe durations with.
func (b durationBounds) histogram(labels *labelSet) *histogram {
	h := newHistogram(b.seconds, labels)
	h.nanos = b.nanos
	return h
}

// bucket is the index of the first bound that is not below v. Bounds are few,
// and most values are in the first ones: a scan beats a binary search.
func (h *histogram) bucket(v float64) int {
	for i, bound := range h.bounds {
		if v <= bound {
			return i
		}
	}
	return len(h.bounds)
}

// maxWhole bounds what is added up as a whole number: two thousand million of
// them still fit.
const maxWhole = 1 << 32

// maxNumber bounds what is recorded at all: a hundred million of them still
// have a finite sum.
const maxNumber = 1e300

// recordFraction records what BoundHistogram.Record does not: fractions, huge
// values, negative ones, and what is no number. It reports whether v was taken.
// Inlined, it would slow that down.
//
//go:noinline
func (h *histogram) recordFraction(i int, v float64) bool {
	if !(math.Abs(v) <= maxNumber) || v < 0 && !h.signed { // NaN, infinite, or near: it would spoil the sum for ever
		h.refused.Add(1)
		return false
	}
	h.buckets[i].Add(1)
	for {
		old := h.fractions.Load()
		if h.fractions.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return true
		}
	}
}

func (h *histogram) observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(h.nanos) && int64(d) > h.nanos[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.sum.Add(uint64(d))
}

// recordTraced records a value and what span it was recorded in.
func (h *histogram) recordTraced(ctx context.Context, v float64) {
	if h.recordFraction(h.bucket(v), v) {
		h.mark(trace.SpanContextFromContext(ctx), v)
	}
}

// mark keeps v as the exemplar of its bucket, if it was recorded in a span
// that somebody will be able to look up.
func (h *histogram) mark(span trace.SpanContext, v float64) {
	if span.IsSampled() {
		h.exemplars[h.bucket(v)].Store(&exemplar{value: v, at: time.Now(), span: span})
	}
}

// read fills in the count of each bucket, and returns their total and the sum.
func (h *histogram) read(counts []uint64) (total uint64, sum float64) {
	for i := range h.buckets {
		counts[i] = h.buckets[i].Load()
		total += counts[i]
	}
	if h.nanos != nil {
		nanos := h.sum.Load()
		return total, float64(nanos/1e9) + float64(nanos%1e9)/1e9
	}
	return total, float64(h.sum.Load()) + math.Float64frombits(h.fractions.Load())
}
