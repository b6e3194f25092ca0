package continuous

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// logged is a logger's output, which is read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) count(text string) int { return strings.Count(l.String(), text) }

// A line a minute is written, and the next one says how many were not.
func TestSparseLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out logged
		l := &sparseLog{log: slog.New(slog.NewTextHandler(&out, nil))}
		for _, c := range []struct {
			after time.Duration
			lines int
		}{{0, 1}, {0, 1}, {time.Minute - 1, 1}, {1, 2}, {time.Minute, 3}} {
			time.Sleep(c.after) // of the test's own clock: synctest
			l.warn("it fails")
			if n := out.count("it fails"); n != c.lines {
				t.Errorf("%d lines, want %d", n, c.lines)
			}
		}
		if out.count("not_logged") != 1 || out.count("not_logged=2\n") != 1 {
			t.Errorf("it does not say, once, that 2 were left out:\n%s", out.String())
		}
	})
}
