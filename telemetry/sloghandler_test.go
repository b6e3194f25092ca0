package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/internal/testkit"
)

// inSpan is a context with a span that somebody else began.
func inSpan(t *testing.T) context.Context {
	t.Helper()
	traceID, err := trace.TraceIDFromHex(foreignTrace)
	must(t, err)
	spanID, err := trace.SpanIDFromHex(foreignSpan)
	must(t, err)
	return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID}))
}

// withSpan logs each record in a span, whatever context it comes with.
type withSpan struct {
	slog.Handler
	ctx context.Context
}

func (h withSpan) Handle(_ context.Context, r slog.Record) error { return h.Handler.Handle(h.ctx, r) }
func (h withSpan) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withSpan{h.Handler.WithAttrs(attrs), h.ctx}
}
func (h withSpan) WithGroup(name string) slog.Handler {
	return withSpan{h.Handler.WithGroup(name), h.ctx}
}

// TestLogHandler has slog's own tests, with a span and without, and the ids on
// top of whatever they log.
func TestLogHandler(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for name, ctx := range map[string]context.Context{"span": inSpan(t), "none": t.Context()} {
		t.Run(name, func(t *testing.T) {
			var buf bytes.Buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				buf.Reset()
				return withSpan{tel.LogHandler(slog.NewJSONHandler(&buf, nil)), ctx}
			}, func(t *testing.T) map[string]any {
				var record map[string]any
				must(t, json.Unmarshal(buf.Bytes(), &record))
				want := map[string]any{logTraceID: nil, logSpanID: nil, logDomain: nil}
				if name == "span" {
					want = map[string]any{logTraceID: foreignTrace, logSpanID: foreignSpan, logDomain: "tienda"}
				}
				for key, value := range want {
					if record[key] != value {
						t.Errorf("%s is %v, want %v: %s", key, record[key], value, buf.Bytes())
					}
					delete(record, key)
				}
				return record
			})
		})
	}
}

// TestLogHandlerGroups: two loggers that were made of one do not share what
// they were given, and lose nothing of it.
func TestLogHandlerGroups(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}
	base := slog.New(start(t).LogHandler(slog.NewTextHandler(&buf, &slog.HandlerOptions{ReplaceAttr: drop}))).With("a", 1).WithGroup("g").With("b", 2)
	one, two := base.With("c", 3).WithGroup("h"), base.With("d", 4)
	const ids = "trace_id=" + foreignTrace + " span_id=" + foreignSpan + " domain=tienda"
	for _, c := range []struct {
		log  *slog.Logger
		ctx  context.Context
		want string
	}{
		{one, inSpan(t), "msg=m a=1 " + ids + " g.b=2 g.c=3 g.h.x=9\n"},
		{two, inSpan(t), "msg=m a=1 " + ids + " g.b=2 g.d=4 g.x=9\n"},
		{one, t.Context(), "msg=m a=1 g.b=2 g.c=3 g.h.x=9\n"},
		{base, inSpan(t), "msg=m a=1 " + ids + " g.b=2 g.x=9\n"},
	} {
		buf.Reset()
		c.log.InfoContext(c.ctx, "m", "x", 9)
		if buf.String() != c.want {
			t.Errorf("logged %q, want %q", buf.String(), c.want)
		}
	}
}

// TestLogHandlerSharesRecords: a record that goes to two handlers, as to a file
// and to the console, is not changed for the other one.
func TestLogHandlerSharesRecords(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	handler := start(t).LogHandler(slog.NewTextHandler(&buf, nil))
	record := slog.NewRecord(time.Time{}, slog.LevelInfo, "m", 0)
	for range 10 { // more than a record has room for, with some to spare behind them
		record.AddAttrs(slog.Int("x", 9))
	}
	must(t, handler.Handle(inSpan(t), record))
	must(t, handler.Handle(inSpan(t), record))
	if lines := strings.Split(buf.String(), "\n"); lines[0] != lines[1] || strings.Count(lines[1], logTraceID) != 1 {
		t.Errorf("logged %q, want the same line twice", lines)
	}
	if n := record.NumAttrs(); n != 10 {
		t.Errorf("the record has %d attributes now", n)
	}
}

// forgetful takes records, and does nothing with them.
type forgetful struct{}

func (forgetful) Enabled(context.Context, slog.Level) bool  { return true }
func (forgetful) Handle(context.Context, slog.Record) error { return nil }
func (h forgetful) WithAttrs([]slog.Attr) slog.Handler      { return h }
func (h forgetful) WithGroup(string) slog.Handler           { return h }

// TestLogHandlerCost: without a span it adds nothing, with one only the two ids.
func TestLogHandlerCost(t *testing.T) {
	tel := start(t)
	next := forgetful{} // others have buffers in a sync.Pool, which the race detector empties now and then
	record := slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0)
	record.AddAttrs(slog.Int("x", 9))
	for name, c := range map[string]struct {
		ctx  context.Context
		want float64
	}{"none": {t.Context(), 0}, "span": {inSpan(t), 2}} {
		t.Run(name, func(t *testing.T) {
			handler := tel.LogHandler(next)
			allocs := func(h slog.Handler) float64 {
				return testing.AllocsPerRun(100, func() { _ = h.Handle(c.ctx, record) })
			}
			if got := allocs(handler) - allocs(next); got > c.want {
				t.Errorf("%v allocations a record, want %v", got, c.want)
			}
		})
	}
}

// TestLogHandlerWrapsOnce, and leaves others' handlers alone where there is
// nothing to add.
func TestLogHandlerWrapsOnce(t *testing.T) {
	t.Parallel()
	next := slog.NewTextHandler(io.Discard, nil)
	tel := start(t)
	once := tel.LogHandler(next)
	if tel.LogHandler(once) != once {
		t.Error("a second LogHandler adds the attributes again")
	}
	for name, inert := range map[string]*Telemetry{"nil": nil, "zero": {}} {
		if got := inert.LogHandler(next); got != slog.Handler(next) {
			t.Errorf("%s: a %T, want the handler as it is", name, got)
		}
		if inert.LogHandler(nil) == nil {
			t.Errorf("%s: no handler for nil", name)
		}
	}
}

// TestAsDefaultLogger: what Latido hands out can be slog's default, also around
// the handler that slog has from the start: with that one itself, the first
// line would wait for ever. It changes the process, so that each case runs in
// one of its own.
func TestAsDefaultLogger(t *testing.T) {
	const variable = "LATIDO_TEST_AS_DEFAULT"
	cases := map[string]func(tel *Telemetry) slog.Handler{
		"LogHandler":             func(tel *Telemetry) slog.Handler { return tel.LogHandler(slog.Default().Handler()) },
		"LogHandler of nil":      func(tel *Telemetry) slog.Handler { return tel.LogHandler(nil) },
		"LogHandler, attributes": func(tel *Telemetry) slog.Handler { return tel.LogHandler(slog.Default().With("a", 1).Handler()) },
		"Logger":                 func(tel *Telemetry) slog.Handler { return tel.Logger().Handler() },
		"Logger, group":          func(tel *Telemetry) slog.Handler { return tel.Logger().WithGroup("g").Handler() },
		"LogHandler of Logger":   func(tel *Telemetry) slog.Handler { return tel.LogHandler(tel.Logger().Handler()) },
	}
	if name := os.Getenv(variable); name != "" {
		var buf bytes.Buffer
		log.SetOutput(&buf)
		cfg := quiet()
		cfg.Logger = nil
		for range 2 { // a second Telemetry finds the first one's logger
			tel, err := Init(t.Context(), cfg)
			must(t, err)
			slog.SetDefault(slog.New(cases[name](tel)))
			slog.InfoContext(inSpan(t), "one")
			log.Print("two") // which goes to slog now
			tel.APIError(ErrorType("undeclared"))
			must(t, tel.Shutdown(t.Context()))
		}
		for text, want := range map[string]int{"msg=one": 2, "msg=two": 2, "undeclared error type": 2} {
			if got := strings.Count(buf.String(), text); got != want {
				t.Errorf("%q is there %d times, want %d: %s", text, got, want, buf.String())
			}
		}
		if strings.HasPrefix(name, "LogHandler") && strings.Count(buf.String(), "trace_id="+foreignTrace) != 2 {
			t.Errorf("the trace is not there: %s", buf.String())
		}
		return
	}
	for name := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.Again(t, variable+"="+name)
		})
	}
}
