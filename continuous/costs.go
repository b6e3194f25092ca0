package continuous

import (
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// Cost is what one endpoint used.
type Cost struct{ CPUSeconds, AllocBytes float64 }

// Costs are what the endpoints used in some windows. What a goroutine does that
// a request started is in none of them: see LabelStartedBy.
type Costs struct {
	// Endpoints has the cost of each endpoint and method that was seen, as
	// "POST /orders". What cannot be given to one method is under "/orders".
	Endpoints map[string]Cost
	// Profiled is how long the CPU profiles of those windows are.
	Profiled time.Duration
	// Until is the end of the last window: where the next call goes on.
	Until time.Time
}

// Costs adds up what each endpoint used in the windows that ended after since.
// Called again with the Until of the call before, it counts each window once,
// and reads each but once: some milliseconds for a window of 10 seconds. A
// window without a CPU profile is counted with the next one that has one.
//
// It returns ErrNothing, wrapped, while no window has ended since. It is safe
// for concurrent use.
func (p *Profiler) Costs(since time.Time) (Costs, error) {
	if !p.running() {
		return Costs{}, errOff
	}
	costs := Costs{Endpoints: map[string]Cost{}}
	// A window's CPU profile comes last: what ended before it is all there.
	cpu := p.ring.endedIn(kindCPU, since, time.Time{})
	if len(cpu) == 0 {
		return Costs{}, ErrNothing
	}
	costs.Until = cpu[len(cpu)-1].to
	var labelled []*profile.Profile
	for _, c := range cpu {
		one, err := c.parse()
		if err != nil {
			return Costs{}, err
		}
		labelled = append(labelled, one)
		costs.Profiled += c.to.Sub(c.from)
		i := stacks.Index(one, "cpu")
		if i < 0 {
			continue
		}
		of := p.endpointOf(one)
		for _, s := range one.Sample {
			name := of(s).name()
			cost := costs.Endpoints[name]
			cost.CPUSeconds += float64(s.Value[i]) / 1e9
			costs.Endpoints[name] = cost
		}
	}
	h := p.handlers()
	h.infer(labelled)
	for _, c := range p.ring.endedIn(kindHeap, since, costs.Until) {
		one, err := c.parse()
		if err != nil {
			return Costs{}, err
		}
		i := stacks.Index(one, "alloc_space")
		if i < 0 {
			continue
		}
		for _, s := range one.Sample {
			by, _ := h.endpoint(stacks.Of(s))
			cost := costs.Endpoints[by.name()]
			cost.AllocBytes += float64(s.Value[i])
			costs.Endpoints[by.name()] = cost
		}
	}
	delete(costs.Endpoints, "")
	return costs, nil
}
