package continuous

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime/trace"
	"time"
)

// startRecorder starts the flight recorder, where Config wants one. A process
// has one at a time: if somebody else has it, ours is not started.
func (p *Profiler) startRecorder() {
	if p.cfg.TraceFor <= 0 {
		return
	}
	r := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: p.cfg.TraceFor, MaxBytes: p.cfg.TraceBytes})
	if err := r.Start(); err != nil {
		p.log.warn("no execution trace is kept: only one recorder runs in a process", "error", err)
		return
	}
	p.recorder = r
}

// WriteTrace writes the execution trace of the last moments, about as long as
// Config.TraceFor, for `go tool trace`. It returns ErrNothing, wrapped, if none
// is recorded, and an error while another one is being written. It is safe for
// concurrent use.
func (p *Profiler) WriteTrace(ctx context.Context, w io.Writer) error {
	if p == nil || p.recorder == nil || !p.recorder.Enabled() {
		return fmt.Errorf("execution trace: %w", ErrNothing)
	}
	if _, err := p.recorder.WriteTo(contextWriter{ctx, w}); err != nil {
		return fmt.Errorf("execution trace: %w", err)
	}
	return nil
}

// contextWriter ends a long trace with its context.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(b []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.w.Write(b)
}

// defaultTraceBytes bounds the trace that is kept, if Config does not.
const defaultTraceBytes = 4 << 20

// traceDefaults checks what Config says of the flight recorder.
func (c *Config) traceDefaults() error {
	if c.TraceFor < 0 {
		return fmt.Errorf("trace for %v: write a positive duration, such as %v, or 0 for none", c.TraceFor, 5*time.Second)
	}
	c.TraceBytes = cmp.Or(c.TraceBytes, defaultTraceBytes)
	return nil
}
