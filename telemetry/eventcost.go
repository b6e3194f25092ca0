package telemetry

import (
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// The cost of an event is read from the profiles anew every costEvery windows,
// in the background: a scrape parses nothing. It is about the last costOver
// windows, five minutes by default, so that few events have enough samples.
const (
	costEvery = 3
	costOver  = 30
)

// costs are what the events cost whose endpoint the domain tells: the CPU time
// and the allocations of the endpoint over the count of the event.
type eventCosts struct {
	profiler    *continuous.Profiler
	diagnostics *diagnostics
	events      []costedEvent

	quit, done chan struct{}
	stopOnce   sync.Once

	snapshots []costSnapshot // the loop's own; oldest first

	mu   sync.Mutex
	last []eventCost // one for each of events
}

type costedEvent struct {
	event            *event
	method, endpoint string // method is "" for all of the endpoint's
	labels           *labelSet
}

// leastCPU is how many CPU seconds a cost rests on at least: ten samples. Less
// is chance more than cost.
const leastCPU = 0.1

// leastProfiled is the share of the time that has to have a CPU profile.
const leastProfiled = 0.2

// eventCost is nil where there is no data: no event, too few samples of its
// endpoint, or too little time that was profiled. No figure is better than a
// wrong one.
type eventCost struct{ cpu, allocated *float64 }

// costSnapshot is what happened since the reading before, and the counts of the
// events when it was taken.
type costSnapshot struct {
	at       time.Time
	until    time.Time // of the windows
	profiled time.Duration
	used     []continuous.EndpointCost // of each event's endpoint
	counts   []int64
}

// startCosts begins to read the costs. It is nil, which has none, for a domain
// that tells no endpoint or a service that is not profiled.
func (t *Telemetry) startCosts() *eventCosts {
	c, interval := t.newCosts(), t.profiler.Interval()
	if len(c.events) == 0 || interval == 0 {
		return nil
	}
	go c.run(interval)
	return c
}

func (t *Telemetry) newCosts() *eventCosts {
	c := &eventCosts{profiler: t.profiler, diagnostics: t.diagnostics, quit: make(chan struct{}), done: make(chan struct{})}
	for _, e := range t.events.list {
		if e.Event != nil && e.Event.Endpoint != "" && e.numbers != nil {
			method, endpoint := e.Event.Route()
			c.events = append(c.events, costedEvent{e, method, endpoint, newLabels([]string{"event"}, []string{e.Key})})
		}
	}
	c.last = make([]eventCost, len(c.events))
	c.snapshots = []costSnapshot{c.begin(time.Now())}
	return c
}

func (c *eventCosts) run(interval time.Duration) {
	defer close(c.done)
	tick := time.NewTicker(costEvery * interval)
	defer tick.Stop()
	for {
		select {
		case <-c.quit:
			return
		case now := <-tick.C:
			c.guarded(func() { c.read(now, costOver*interval) })
		}
	}
}

// guarded runs fn; a panic of it is logged once and costs one reading.
func (c *eventCosts) guarded(fn func()) {
	defer func() {
		if r := recover(); r != nil {
			c.diagnostics.once("cost", func(log *slog.Logger) {
				log.Error("the cost of events could not be read", "panic", cleanValue(fmt.Sprint(r)))
			})
		}
	}()
	fn()
}

// stop ends the background reading. It may be called more than once.
func (c *eventCosts) stop() {
	if c == nil {
		return
	}
	c.stopOnce.Do(func() { close(c.quit) })
	<-c.done
}

func (c *eventCosts) begin(now time.Time) costSnapshot {
	r := costSnapshot{at: now, until: now, used: make([]continuous.EndpointCost, len(c.events)), counts: make([]int64, len(c.events))}
	for i, e := range c.events {
		for j := range e.event.numbers {
			r.counts[i] += total(&e.event.numbers[j])
		}
	}
	return r
}

// read takes a reading, if a window has ended since the last one, and works out
// the costs over the last ones.
func (c *eventCosts) read(now time.Time, over time.Duration) {
	r := c.begin(now)
	used, err := c.profiler.EndpointCosts(c.snapshots[len(c.snapshots)-1].until)
	if err != nil { // another CPU profile runs, most likely: the next reading has both
		if now.Sub(c.snapshots[len(c.snapshots)-1].at) > over { // what is known is too old
			c.publish(make([]eventCost, len(c.events)))
		}
		return
	}
	r.until, r.profiled = used.Until, used.Profiled
	for i, e := range c.events {
		r.used[i] = c.of(e, used.Endpoints)
	}
	c.snapshots = append(c.snapshots, r)
	for len(c.snapshots) > 2 && now.Sub(c.snapshots[1].at) >= over {
		c.snapshots = append(c.snapshots[:0:0], c.snapshots[1:]...)
	}
	c.publish(c.work())
}

// of is what the endpoint of an event used: for the event's method, or else for
// all of them. Of an event that names no method while several do work, the log
// says once that its cost has them all.
func (c *eventCosts) of(e costedEvent, used map[string]continuous.EndpointCost) (sum continuous.EndpointCost) {
	if e.method != "" {
		return used[e.method+" "+e.endpoint]
	}
	var with []string // methods
	for _, method := range append([]string{""}, methods[:]...) {
		cost, ok := used[strings.TrimSpace(method+" "+e.endpoint)]
		sum.CPUSeconds += cost.CPUSeconds
		sum.AllocBytes += cost.AllocBytes
		if ok && method != "" {
			with = append(with, method)
		}
	}
	if len(with) > 1 {
		c.diagnostics.once("cost of several methods/"+e.event.Key, func(log *slog.Logger) {
			log.Warn("the cost of an event has all methods of its endpoint in it: write the one that produces it in the domain file, such as "+
				with[0]+" "+e.endpoint, "event", e.event.Key, "endpoint", e.endpoint, "methods", strings.Join(with, ", "))
		})
	}
	return sum
}

// work divides what the endpoints used by the count of their events. CPU time
// is taken by the second, since there may be gaps in its profile.
func (c *eventCosts) work() []eventCost {
	first, last := c.snapshots[0], c.snapshots[len(c.snapshots)-1]
	elapsed := last.at.Sub(first.at).Seconds()
	all := make([]eventCost, len(c.events))
	for i := range c.events {
		events := float64(last.counts[i] - first.counts[i])
		var sum continuous.EndpointCost
		profiled := 0.0
		for _, r := range c.snapshots[1:] {
			sum.CPUSeconds += r.used[i].CPUSeconds
			sum.AllocBytes += r.used[i].AllocBytes
			profiled += r.profiled.Seconds()
		}
		if events <= 0 || elapsed <= 0 {
			continue
		}
		if sum.CPUSeconds >= leastCPU && profiled >= leastProfiled*elapsed {
			all[i].cpu = new(sum.CPUSeconds / profiled * elapsed / events)
		}
		if sum.AllocBytes > 0 {
			all[i].allocated = new(sum.AllocBytes / events)
		}
	}
	return all
}

func (c *eventCosts) publish(all []eventCost) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = all
}

// points are the series of one of the two families.
func (c *eventCosts) points(of func(eventCost) *float64) iter.Seq[point] {
	if c == nil {
		return nil
	}
	return func(yield func(point) bool) {
		c.mu.Lock()
		last := c.last // replaced as a whole, never written to
		c.mu.Unlock()
		for i, cost := range last {
			if v := of(cost); v != nil && !yield(point{labels: c.events[i].labels, value: *v}) {
				return
			}
		}
	}
}
