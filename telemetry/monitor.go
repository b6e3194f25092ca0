package telemetry

import (
	"context"
	"log/slog"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/latido-dev/latido/domain"
)

// Monitor wraps a function so that each call is counted and timed under name,
// in function.calls (by error type, empty for success) and function.duration,
// and its CPU time is found in the profile under that region. These are
// families of their own, and not the requests', so that a request is not
// counted twice. A panic counts as the error type "panic" and goes on. The
// wrapped function is safe for concurrent use if fn is.
func (t *Telemetry) Monitor(name string, fn func(context.Context) error) func(context.Context) error {
	monitored := Monitor(t, name, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return func(ctx context.Context) error {
		_, err := monitored(ctx)
		return err
	}
}

// Monitor is [Telemetry.Monitor] for a function that also returns a value: it
// counts and times each call of fn under name, and labels its profile. A panic
// counts as the error type "panic" and goes on. The wrapped function is safe for
// concurrent use if fn is.
func Monitor[T any](t *Telemetry, name string, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	f := t.function(name)
	if f == nil {
		return fn
	}
	return func(ctx context.Context) (value T, err error) {
		ctx = orBackground(ctx)
		start := monotonic()
		outcome := "panic" // until fn has returned; also when it ends its goroutine
		defer func() {
			f.duration.observe(monotonic() - start)
			f.calls.get(outcome, func() *labelSet { return f.labels(outcome) }).n.Add(1)
		}()
		pprof.Do(ctx, t.regionLabels(ctx, f.name), func(ctx context.Context) { value, err = fn(ctx) })
		outcome = ""
		if err != nil {
			outcome = t.errorName(err)
		}
		return value, err
	}
}

// maxFunctions is how many monitored functions have series of their own.
const maxFunctions = 500

// function is the state of one monitored function.
type function struct {
	name     string
	duration *histogram
	calls    counters[string] // by error type
}

func (f *function) labels(errorType string) *labelSet {
	return newLabels([]string{"function", "error.type"}, []string{f.name, errorType})
}

// functions are all the monitored ones.
type functions struct {
	bounds durationBounds
	mu     sync.RWMutex
	byName map[string]*function
	list   []*function
}

func (t *Telemetry) function(name string) *function {
	if t == nil || t.diagnostics == nil {
		return nil
	}
	name = cleanValue(name) // two that a label cannot tell apart are one
	fs := &t.functions
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.byName[name] == nil && len(fs.list) >= maxFunctions {
		name = domain.Other
		t.diagnostics.refused(refusedRoute).Add(1)
		t.diagnostics.once("functions", func(log *slog.Logger) {
			log.Warn("too many monitored functions: further ones count as "+domain.Other, "limit", maxFunctions)
		})
	}
	if f := fs.byName[name]; f != nil {
		return f
	}
	f := &function{name: name, duration: fs.bounds.histogram(newLabels([]string{"function"}, []string{name}))}
	f.calls.get("", func() *labelSet { return f.labels("") })
	if fs.byName == nil {
		fs.byName = map[string]*function{}
	}
	fs.byName[name] = f
	fs.list = append(fs.list, f)
	return f
}

func (fs *functions) all() []*function {
	fs.mu.RLock()
	defer fs.mu.RUnlock()
	return fs.list
}

// epoch is what monotonic counts from. Since needs one reading of the clock
// where time.Now takes two.
var epoch = time.Now()

func monotonic() time.Duration { return time.Since(epoch) }
