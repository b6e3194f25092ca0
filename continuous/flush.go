package continuous

import (
	"context"
	"fmt"
)

// Flush ends the window that runs, and returns once all profiles are uploaded:
// for a job or a function that ends, or is frozen, without Stop. It returns an
// error as soon as an upload fails, or when ctx is done; the profiles stay
// queued then. nil means context.Background(). Without a server, and after Stop,
// it does nothing. It is safe for concurrent use.
func (p *Profiler) Flush(ctx context.Context) error {
	if p == nil || p.quit == nil || p.up == nil {
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	kept := make(chan struct{})
	select {
	case p.flushes <- kept:
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("profiles: not flushed in time: %w", context.Cause(ctx))
	}
	select {
	case <-kept:
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("profiles: not flushed in time: %w", context.Cause(ctx))
	}
	return p.up.flush(ctx)
}

// flush waits until nothing is queued, or an upload fails. A server that has
// failed is not waited for: the next try may be a minute away.
func (up *uploader) flush(ctx context.Context) error {
	for {
		up.mu.Lock()
		left, failing, err := len(up.queue), up.failing, up.lastErr
		if up.changed == nil {
			up.changed = make(chan struct{})
		}
		changed := up.changed
		up.mu.Unlock()
		switch {
		case left == 0:
			return nil
		case failing:
			return fmt.Errorf("%d profiles are not uploaded to %s yet: %w", left, up.host, err)
		}
		select {
		case <-changed:
		case <-up.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%d profiles are not uploaded to %s yet: %w", left, up.host, context.Cause(ctx))
		}
	}
}

// tell wakes those who wait in flush. The caller holds the lock.
func (up *uploader) tell() {
	if up.changed != nil {
		close(up.changed)
		up.changed = nil
	}
}

// fail keeps the error of a try, for those who wait in flush, and for stop.
func (up *uploader) fail(err error) {
	up.mu.Lock()
	defer up.mu.Unlock()
	up.lastErr, up.failing = err, true
	up.tell()
}
