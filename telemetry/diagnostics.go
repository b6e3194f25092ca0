package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
)

// The reasons for which a recording is refused: the values of the attribute
// reason of telemetry.refused.
const (
	refusedEvent     = iota // an undeclared event, or one of another kind
	refusedAttribute        // an undeclared attribute name
	refusedValue            // an undeclared attribute value, or none
	refusedNumber           // a number that cannot be counted
	refusedErrorType        // an undeclared error type
	refusedRoute            // more routes or functions than are kept
	refusedResolver         // a Config.Route that panicked
)

var refusedReasons = [...]string{"event", "attribute", "value", "number", "error_type", "route", "resolver"}

// The reasons for which foreign instruments are not collected: the values of
// the attribute reason of telemetry.collect.errors.
const (
	collectPanic   = iota // a callback panicked
	collectTimeout        // a callback took too long
	collectClash          // two instruments of one name
	collectText           // text that no exporter takes
	collectOther
)

var collectReasons = [...]string{"panic", "timeout", "clash", "text", "other"}

// The outcomes of an upload.
const (
	exportSuccess = iota
	exportFailure
)

var exportOutcomes = [...]string{"success", "failure"}

// The reasons for which spans are lost: the values of the attribute reason of
// telemetry.spans.lost.
const (
	lostQueue    = iota // more ended than could be sent
	lostExport          // the server did not take them, or was not there
	lostRejected        // the server took the others of their export
)

var lostReasons = [...]string{"queue_full", "export_failed", "rejected"}

// diagnostics is what Latido says of itself: counts of what it could not do, and a
// log in which a repeated problem stands once.
type diagnostics struct {
	log      *slog.Logger // the user's; what it is told is a problem too
	problems *problems

	refusals      [len(refusedReasons)]atomic.Int64
	collectErrors [len(collectReasons)]atomic.Int64
	metricExports [len(exportOutcomes)]atomic.Int64
	spanExports   [len(exportOutcomes)]atomic.Int64
	spansLost     [len(lostReasons)]atomic.Int64
	observed      atomic.Int64 // gauges with a callback

	// readingEnvironment is while an exporter is made: what it says of the
	// environment has been said.
	readingEnvironment atomic.Bool

	ended   chan struct{} // closed when Shutdown waits no longer: user code that hangs is left behind
	endOnce sync.Once

	mu   sync.Mutex
	said map[string]map[string]bool // by kind of problem
}

func (s *diagnostics) end() { s.endOnce.Do(func() { close(s.ended) }) }

// maxSaid is how many problems of one kind are logged. The rest only counts: a
// stranger who sends wrong names must not fill the log, nor keep a problem of
// another kind out of it.
const maxSaid = 100

func newDiagnostics(log *slog.Logger) *diagnostics {
	p := &problems{}
	next := log.Handler()
	if older, ok := next.(problemHandler); ok { // of a Telemetry before this one, whose logger is slog's default now
		next = older.Handler
	}
	return &diagnostics{log: slog.New(problemHandler{next, p}), problems: p, ended: make(chan struct{}), said: map[string]map[string]bool{}}
}

// problems are the last warnings and errors that were logged, for the
// dashboard.
type problems struct {
	mu   sync.Mutex
	text []string
}

// maxProblems is how many are kept.
const maxProblems = 50

func (p *problems) add(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, text)
	if len(p.text) > maxProblems {
		p.text = slices.Clone(p.text[1:])
	}
}

func (p *problems) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.text...)
}

// problemHandler is the user's log handler, and keeps the problems.
type problemHandler struct {
	slog.Handler
	problems *problems
}

// Handle hands a record on. A handler of the user's that panics does so to us,
// where it may be in a goroutine of ours, and costs the line only.
func (h problemHandler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the log handler panicked: %v", p)
		}
	}()
	if r.Level >= slog.LevelWarn {
		text := r.Time.UTC().Format(time.RFC3339) + " " + r.Message
		r.Attrs(func(a slog.Attr) bool {
			text += " " + a.Key + "=" + cleanValue(a.Value.String())
			return true
		})
		h.problems.add(text)
	}
	return h.Handler.Handle(ctx, r)
}

func (h problemHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return problemHandler{h.Handler.WithAttrs(attrs), h.problems}
}

func (h problemHandler) WithGroup(name string) slog.Handler {
	return problemHandler{h.Handler.WithGroup(name), h.problems}
}

func (s *diagnostics) refused(reason int) *atomic.Int64 { return &s.refusals[reason] }

// once calls say for the first problem of this key, which is "kind" or
// "kind/what it is about". It is safe for concurrent use.
func (s *diagnostics) once(key string, say func(*slog.Logger)) {
	key = cleanValue(key) // it is kept, and may be of any length
	kind, _, _ := strings.Cut(key, "/")
	s.mu.Lock()
	first := !s.said[kind][key] && len(s.said[kind]) < maxSaid
	if first {
		if s.said[kind] == nil {
			s.said[kind] = map[string]bool{}
		}
		s.said[kind][key] = true
	}
	s.mu.Unlock()
	if first {
		say(s.log)
	}
}

func (s *diagnostics) wrongAttribute(e *event, name string) {
	s.refused(refusedAttribute).Add(1)
	name = cleanValue(name)
	s.once("attribute/"+e.Key+"/"+name, func(log *slog.Logger) {
		log.Warn("undeclared attribute is left out; add it to the domain file, or mend its name",
			"event", e.Key, "attribute", name, "nearest", spelling.Nearest(name, e.Attributes))
	})
}

// wrongValue reports an attribute value that counts as Other. It is logged
// once an attribute, and cheap: values may come from strangers, and in masses.
func (s *diagnostics) wrongValue(e *event, a *eventAttribute, value string) {
	s.refused(refusedValue).Add(1)
	if !a.warned.Load() && a.warned.CompareAndSwap(false, true) {
		s.log.Warn("undeclared attribute value counts as "+domain.Other+"; add it to the domain file if it is one of yours",
			"event", e.Key, "attribute", a.name, "value", cleanValue(value), "nearest", spelling.Nearest(cleanValue(value), a.values.names))
	}
}
