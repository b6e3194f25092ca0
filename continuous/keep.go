package continuous

import (
	"bytes"
	"fmt"
	"runtime/metrics"
	"time"

	"github.com/grafana/pyroscope-go/godeltaprof"

	"github.com/latido-dev/latido/internal/profiles"
)

// keep gives a capture to the ring and to the server.
func (p *Profiler) keep(c capture) {
	p.ring.add(c)
	if p.up != nil {
		p.up.add(c)
	}
}

// drop tells of a profile that could not be taken, and goes on.
func (p *Profiler) drop(err error) {
	if err != nil {
		p.log.warn("a profile could not be taken", "error", err)
	}
}

func (p *Profiler) endCPU() {
	if p.cpu == nil {
		return
	}
	w := p.cpu
	p.cpu = nil
	defer process.release(p)
	c, ok := w.stop()
	if !ok {
		return
	}
	if c.data = p.slimmed(c.data); c.data == nil {
		return
	}
	c, labelled, err := c.settled(profiles.CPUDepth)
	p.drop(err)
	process.share(c, labelled)
}

func (p *Profiler) keepWaits(from, to time.Time) {
	sum, whole := p.looks.take(from, to)
	if len(whole) > 0 {
		if own, _, err := (capture{data: whole}).settled(profiles.GoroutineDepth); err == nil {
			whole = own.data
		}
		if slim, err := withoutSpans(whole); err == nil {
			whole = slim // nobody asks where one request waited
		}
	}
	p.keepStacks(to, whole)
	if sum == nil {
		return
	}
	if data, err := encoded(sum); err != nil {
		p.drop(err)
	} else {
		p.ring.add(capture{kindGoroutine, from, to, data})
	}
	if p.up != nil {
		// Pyroscope's goroutines are how many there are, of all kinds.
		p.up.add(capture{kindGoroutine, from, to, whole})
	}
}

// keepHeap takes what was allocated since the last one, and what is in use. The
// figures change only with a garbage collection; none is forced for them.
func (p *Profiler) keepHeap(to time.Time, last bool) {
	cycles := gcCycles()
	if cycles == p.cycles && !last {
		return
	}
	var buf bytes.Buffer
	if err := p.heap.Profile(&buf); err != nil {
		p.drop(fmt.Errorf("heap profile: %w", err))
		return
	}
	if data := p.slimmed(buf.Bytes()); data != nil {
		p.keep(capture{kindHeap, p.heapFrom, to, bytes.Clone(data)})
	}
	p.heapFrom, p.cycles = to, cycles
}

func (p *Profiler) keepDelta(k kind, profiler *godeltaprof.BlockProfiler, from, to time.Time) {
	if profiler == nil {
		return
	}
	var buf bytes.Buffer
	if err := profiler.Profile(&buf); err != nil {
		p.drop(fmt.Errorf("contention profile: %w", err))
		return
	}
	data := p.slimmed(buf.Bytes())
	if data == nil {
		return
	}
	c := capture{k, from, to, bytes.Clone(data)}
	if one, err := c.parse(); err == nil && len(one.Sample) == 0 {
		p.ring.add(c) // it says that nobody contended; a server need not be told
		return
	}
	p.keep(c)
}

// gcCycles is how many garbage collections there were. Unlike
// runtime.ReadMemStats it stops nothing.
func gcCycles() uint64 {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}
