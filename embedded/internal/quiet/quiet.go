// Package quiet passes on what the servers' packages log: warnings and errors,
// each message once in a while, without what is secret.
package quiet

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Options say what passes.
type Options struct {
	// Every is how long after a message the same one is dropped.
	Every time.Duration
	// Prefix is put before each message.
	Prefix string
	// Drop are messages that are never passed on.
	Drop map[string]bool
	// Clean takes secrets out of a text. Nil leaves texts as they are.
	Clean func(string) string
}

// Logger returns a logger that passes on to another what o lets through. It is
// safe for concurrent use.
func Logger(to *slog.Logger, o Options) *slog.Logger {
	if o.Clean == nil {
		o.Clean = func(s string) string { return s }
	}
	return slog.New(&handler{Handler: to.Handler(), o: &o, last: &last{at: map[string]time.Time{}}})
}

type handler struct {
	slog.Handler
	o    *Options
	last *last
}

// last is when each message was passed on. Messages are constants, so there are
// few.
type last struct {
	mu sync.Mutex
	at map[string]time.Time
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if h.o.Drop[r.Message] || !h.last.due(r.Message, h.o.Every) {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, h.o.Prefix+h.o.Clean(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.clean(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	cleaned := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cleaned[i] = h.clean(a)
	}
	return &handler{h.Handler.WithAttrs(cleaned), h.o, h.last}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.Handler.WithGroup(name), h.o, h.last}
}

// clean turns a value into text without secrets, numbers and the like aside.
func (h *handler) clean(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString, slog.KindAny:
		return slog.String(a.Key, h.o.Clean(v.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, member := range v.Group() {
			group[i] = h.clean(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	default:
		return a
	}
}

func (l *last) due(message string, every time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, said := l.at[message]; said && time.Since(at) < every {
		return false
	}
	l.at[message] = time.Now()
	return true
}
