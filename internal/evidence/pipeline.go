package evidence

import (
	"context"
	"sync"
	"time"

	"github.com/latido-dev/latido/internal/alert"
)

// maxUnderway is how many alerts may be on their way. Those beyond go out
// without evidence: a storm has the same cause many times over.
const maxUnderway = 200

// Pipeline takes alerts from the rules, has evidence added to each, and hands
// them on. The rules are never waited for, no alert waits for the evidence of
// another for longer than the timeout, and of one alert the states are handed on
// in their order, the newest one if several wait.
type Pipeline struct {
	enrich  func(context.Context, alert.Alert) alert.Alert
	put     func(...alert.Alert)
	timeout time.Duration // of the evidence

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	underway map[string]*alert.Alert // by identity; the next state, nil for none
}

// NewPipeline makes a pipeline whose alerts wait for enrich for timeout at most.
// Close ends it.
func NewPipeline(enrich func(context.Context, alert.Alert) alert.Alert, put func(...alert.Alert), timeout time.Duration) *Pipeline {
	p := &Pipeline{enrich: enrich, put: put, timeout: timeout, underway: map[string]*alert.Alert{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Notify takes alerts from the rules. It does not wait.
func (p *Pipeline) Notify(alerts []alert.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, a := range alerts {
		key := identity(a.Labels)
		if _, busy := p.underway[key]; busy {
			p.underway[key] = &a
			continue
		}
		if len(p.underway) >= maxUnderway {
			p.put(a)
			continue
		}
		p.underway[key] = nil
		p.wg.Go(func() { p.hand(key, a) })
	}
}

// hand gives one alert its evidence and hands it on, and then whatever became
// of it meanwhile.
func (p *Pipeline) hand(key string, a alert.Alert) {
	for {
		p.put(p.WithEvidence(a))
		p.mu.Lock()
		next := p.underway[key]
		if next == nil {
			delete(p.underway, key)
			p.mu.Unlock()
			return
		}
		p.underway[key] = nil
		p.mu.Unlock()
		a = *next
	}
}

// WithEvidence adds the evidence that can be had in time.
func (p *Pipeline) WithEvidence(a alert.Alert) alert.Alert {
	ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
	defer cancel()
	return p.enrich(ctx, a)
}

// Close waits for the alerts that are on their way, for half of the time that ctx
// leaves; then they go out without evidence, while there is time to deliver them.
func (p *Pipeline) Close(ctx context.Context) {
	if deadline, set := ctx.Deadline(); set {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, p.cancel)
	p.wg.Wait()
	stop()
	p.cancel()
}
