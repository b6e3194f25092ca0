package continuous

import (
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// EndpointCost is what one endpoint used.
type EndpointCost struct{ CPUSeconds, AllocBytes float64 }

// EndpointCosts are what the endpoints used in some windows. What a goroutine
// does that a request started is in none of them: its samples have the label
// started_by.
type EndpointCosts struct {
	// Endpoints has the cost of each endpoint and method that was seen, as
	// "POST /orders". What cannot be given to one method is under "/orders".
	Endpoints map[string]EndpointCost
	// Profiled is how long the CPU profiles of those windows are.
	Profiled time.Duration
	// Until is the end of the last window: where the next call goes on.
	Until time.Time
}

// EndpointCosts adds up what each endpoint used in the windows that ended after
// since. Called again with the Until of the call before, it counts each window once,
// and reads each but once: some milliseconds for a window of 10 seconds. A
// window without a CPU profile is counted with the next one that has one.
//
// It returns ErrNothing, wrapped, while no window has ended since. It is safe
// for concurrent use.
func (p *Profiler) EndpointCosts(since time.Time) (EndpointCosts, error) {
	if !p.running() {
		return EndpointCosts{}, errOff
	}
	costs := EndpointCosts{Endpoints: map[string]EndpointCost{}}
	// A window's CPU profile comes last: what ended before it is all there.
	cpu := p.ring.endedIn(kindCPU, since, time.Time{})
	if len(cpu) == 0 {
		return EndpointCosts{}, ErrNothing
	}
	costs.Until = cpu[len(cpu)-1].to
	var labelled []*profile.Profile
	for _, c := range cpu {
		one, err := c.parse()
		if err != nil {
			return EndpointCosts{}, err
		}
		labelled = append(labelled, one)
		costs.Profiled += c.to.Sub(c.from)
		i := stacks.Index(one, "cpu")
		if i < 0 {
			continue
		}
		of := p.endpoints().Of(one)
		for _, s := range one.Sample {
			name := of(s).Name()
			cost := costs.Endpoints[name]
			cost.CPUSeconds += float64(s.Value[i]) / 1e9
			costs.Endpoints[name] = cost
		}
	}
	e := p.endpoints()
	e.Infer(labelled)
	for _, c := range p.ring.endedIn(kindHeap, since, costs.Until) {
		one, err := c.parse()
		if err != nil {
			return EndpointCosts{}, err
		}
		i := stacks.Index(one, "alloc_space")
		if i < 0 {
			continue
		}
		for _, s := range one.Sample {
			by, _ := e.OfStack(stacks.Of(s))
			cost := costs.Endpoints[by.Name()]
			cost.AllocBytes += float64(s.Value[i])
			costs.Endpoints[by.Name()] = cost
		}
	}
	delete(costs.Endpoints, "")
	return costs, nil
}
