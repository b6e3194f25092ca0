package am

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// quiet passes on what Alertmanager's packages log: warnings and errors only,
// each once a minute, and without secrets. A receiver that is down would have
// them write a line for each of its groups and attempts; what matters of that
// is logged and counted by guard.
type quiet struct {
	next    slog.Handler
	secrets *redactor
	last    *lastLogged
}

type lastLogged struct {
	mu sync.Mutex
	at map[string]time.Time
}

// routine are messages that say what guard says better.
var routine = map[string]bool{
	"Notify for alerts failed":                true,
	"Notify attempt failed, will retry later": true,
}

func newQuiet(next slog.Handler, secrets *redactor) *quiet {
	return &quiet{next: next, secrets: secrets, last: &lastLogged{at: map[string]time.Time{}}}
}

// Enabled implements slog.Handler.
func (q *quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if routine[r.Message] || !q.last.due(r.Message, time.Now()) {
		return nil
	}
	out := slog.NewRecord(r.Time, r.Level, q.secrets.text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(q.clean(a))
		return true
	})
	return q.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	cleaned := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		cleaned[i] = q.clean(a)
	}
	with := *q
	with.next = q.next.WithAttrs(cleaned)
	return &with
}

// WithGroup implements slog.Handler.
func (q *quiet) WithGroup(name string) slog.Handler {
	with := *q
	with.next = q.next.WithGroup(name)
	return &with
}

// clean turns a value into text without secrets, numbers and the like aside.
func (q *quiet) clean(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString, slog.KindAny:
		return slog.String(a.Key, q.secrets.text(v.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, member := range v.Group() {
			group[i] = q.clean(member)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(group...)}
	default:
		return a
	}
}

func (l *lastLogged) due(message string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, seen := l.at[message]; seen && now.Sub(at) < time.Minute {
		return false
	}
	if len(l.at) > 1000 { // messages are constants, so this is a guard only
		clear(l.at)
	}
	l.at[message] = now
	return true
}
