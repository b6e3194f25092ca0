package embedded

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// maxUnderway is how many alerts may be on their way. Those beyond go out
// without evidence: a storm has the same cause many times over.
const maxUnderway = 200

// pipeline takes alerts from the rules, has evidence added to each, and hands
// them on. The rules are never waited for, no alert waits for the evidence of
// another for longer than the timeout, and of one alert the states are handed on
// in their order, the newest one if several wait.
type pipeline struct {
	enrich  func(context.Context, alert.Alert) alert.Alert
	put     func(...alert.Alert)
	timeout time.Duration // of the evidence

	ctx    context.Context // ends with close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	underway map[string]*alert.Alert // by identity; the next state, nil for none
}

func newPipeline(enrich func(context.Context, alert.Alert) alert.Alert, put func(...alert.Alert), timeout time.Duration) *pipeline {
	p := &pipeline{enrich: enrich, put: put, timeout: timeout, underway: map[string]*alert.Alert{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// notify takes alerts from the rules. It does not wait.
func (p *pipeline) notify(alerts []alert.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for _, a := range alerts {
		key := identity(a)
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
func (p *pipeline) hand(key string, a alert.Alert) {
	for {
		p.put(p.withEvidence(a))
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

// withEvidence adds the evidence that can be had in time.
func (p *pipeline) withEvidence(a alert.Alert) alert.Alert {
	ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
	defer cancel()
	return p.enrich(ctx, a)
}

// close waits for the alerts that are on their way, until ctx is done; then
// they go out without evidence.
func (p *pipeline) close(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, p.cancel)
	p.wg.Wait()
	stop()
	p.cancel()
}

// identity is what makes an alert the same one: its labels.
func identity(a alert.Alert) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		b.WriteString(name)
		b.WriteByte(0)
		b.WriteString(a.Labels[name])
		b.WriteByte(0)
	}
	return b.String()
}
