package telemetry

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/latido-dev/latido/domain"
)

// Gauge is an event that stands at some level: a stock, the length of a queue.
// Its zero value, and a nil pointer, record nothing. It is safe for concurrent
// use.
type Gauge struct{ e *event }

// Gauge returns the gauge that the domain declares under this name. For a name
// that it does not declare, or not as a gauge, the result records nothing; that
// is logged once and counted as refused.
func (t *Telemetry) Gauge(name string) *Gauge {
	return &Gauge{t.event(name, domain.KindGauge)}
}

// With returns the series of one combination of attributes, given as names and
// values in any order. A value that the domain does not list, and an attribute
// that is left out, count as domain.Other; a name that it does not list is left
// out. The series does not exist until it is set or observed: what is not known
// is not 0.
func (g *Gauge) With(attributes ...string) BoundGauge {
	if g == nil || g.e == nil {
		return BoundGauge{}
	}
	i := g.e.index(attributes)
	g.e.ensure(i)
	return BoundGauge{event: g.e, bits: &g.e.numbers[i]}
}

// BoundGauge is the series of one combination of attributes. Its zero value
// records nothing. It is safe for concurrent use.
type BoundGauge struct {
	event *event
	bits  *atomic.Int64
}

// unset are the bits of a NaN. A gauge keeps its value's bits with these
// flipped, so that 0, with which its memory begins, is NaN: not known.
const unset = 0x7FF8000000000001

// Set sets the level, in the unit of the domain file. It is one atomic store.
// NaN and infinite values are left out and counted as refused: the level stays
// what it was.
func (b BoundGauge) Set(v float64) {
	if b.bits == nil {
		return
	}
	if v-v != 0 { // NaN, or infinite
		b.event.diagnostics.refused(refusedNumber).Add(1)
		return
	}
	b.bits.Store(int64(math.Float64bits(v) ^ unset))
}

// Observe has fn tell the level each time that metrics are collected, in place
// of Set. A later Observe takes its place, and one of nil ends it.
//
// fn runs on a goroutine of its own, beside others but never twice at once. It
// must be quick: its context ends after a second, and what it returns after that
// is dropped. While it hangs, when it panics, and when it returns NaN or an
// infinite value, the series is missing; each is counted.
func (b BoundGauge) Observe(fn func(context.Context) float64) {
	if b.event != nil {
		b.event.observed.set(b.event, b.bits, fn)
	}
}

// level is what a gauge stands at. It is not known of one that was never set.
func level(bits *atomic.Int64) (v float64, known bool) {
	v = math.Float64frombits(uint64(bits.Load()) ^ unset)
	return v, v == v
}

// maxObserved is how many gauges a callback may stand behind: each is a
// goroutine at every collection.
const maxObserved = 1000

// observations are the callbacks of one event.
type observations struct {
	mu   sync.Mutex
	list []*observation // a new slice for each change
}

// observation is one callback, and where its result goes.
type observation struct {
	bits        *atomic.Int64
	fn          func(context.Context) float64
	guard       *guard
	diagnostics *diagnostics
	of          *observations
	ended       bool // another took its place; guarded by of.mu
}

func (os *observations) set(e *event, bits *atomic.Int64, fn func(context.Context) float64) {
	os.mu.Lock()
	defer os.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(os.list), func(o *observation) bool {
		if o.bits == bits {
			o.ended = true
			e.diagnostics.observed.Add(-1)
		}
		return o.bits == bits
	})
	bits.Store(0)
	if fn != nil {
		if e.diagnostics.observed.Add(1) > maxObserved {
			e.diagnostics.observed.Add(-1)
			e.diagnostics.refused(refusedNumber).Add(1)
			e.diagnostics.once("observed", func(log *slog.Logger) {
				log.Warn("too many observed gauges: further ones are left out; use Set", "event", e.Key, "limit", maxObserved)
			})
		} else {
			list = append(list, &observation{bits: bits, fn: fn, guard: newGuard(e.Name, e.diagnostics), diagnostics: e.diagnostics, of: os})
		}
	}
	os.list = list
}

// observe runs the callbacks of all families, side by side: one that hangs
// delays a collection no longer than ten do.
func observe(ctx context.Context, families []family) {
	var wg sync.WaitGroup
	for i := range families {
		os := families[i].observed
		if os == nil {
			continue
		}
		os.mu.Lock()
		list := os.list
		os.mu.Unlock()
		for _, o := range list {
			wg.Go(func() { o.run(ctx) })
		}
	}
	wg.Wait()
}

func (o *observation) run(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	result := make(chan float64, 1) // what comes too late stays in it
	o.guard.run(ctx, func() error {
		result <- o.fn(timed)
		return nil
	})
	bits := int64(0)
	select {
	case v := <-result:
		if v-v == 0 {
			bits = int64(math.Float64bits(v) ^ unset)
		} else {
			o.diagnostics.refused(refusedNumber).Add(1)
		}
	default:
	}
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	if !o.ended {
		o.bits.Store(bits)
	}
}
