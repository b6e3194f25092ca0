package continuous

import "time"

// Filled returns a Profiler that does not profile, with the captures that a
// test puts into its ring.
func Filled() *Profiler {
	return &Profiler{
		cfg:  Config{Service: "tienda-api", Interval: 20 * time.Millisecond},
		ring: ring{maxBytes: 16 << 20, keep: time.Hour}, quit: make(chan struct{}),
	}
}

// AddCPU, AddHeap and AddGoroutines put a capture into the ring.
func (p *Profiler) AddCPU(from, to time.Time, data []byte) {
	c := capture{kindCPU, from, to, data}
	labelled, err := c.parse()
	if err != nil {
		panic(err)
	}
	p.handlers.Learn(labelled)
	p.ring.add(c)
}

func (p *Profiler) AddHeap(from, to time.Time, data []byte) {
	p.ring.add(capture{kindHeap, from, to, data})
}

func (p *Profiler) AddGoroutines(from, to time.Time, data []byte) {
	p.ring.add(capture{kindGoroutine, from, to, data})
}

// AddGap says that nothing was profiled for a time.
func (p *Profiler) AddGap(from, to time.Time) {
	p.ring.add(capture{kind: kindGap, from: from, to: to})
}
