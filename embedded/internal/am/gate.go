package am

import (
	"context"
	"sync"
)

// gate counts who is inside, and once closed lets nobody in.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside.Add(1)
	return true
}

func (g *gate) leave() { g.inside.Done() }

// close waits until nobody is inside. When ctx is done it calls abort, so that
// they leave.
func (g *gate) close(ctx context.Context, abort func()) {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	defer context.AfterFunc(ctx, abort)()
	g.inside.Wait()
}
