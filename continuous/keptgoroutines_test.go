package continuous

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// All goroutines are kept now and then, those that work for no endpoint too.
func TestGoroutinesKept(t *testing.T) {
	p := local(t, Config{})
	waitUntil(t, "all goroutines are kept", func() bool { return len(p.captures(kindStacks)) > 0 })
	blocked(t, 40)
	then, at, err := p.Goroutines(time.Now().Add(time.Hour))
	if err != nil || at.After(time.Now()) {
		t.Fatal(at, err)
	}
	waitUntil(t, "the goroutines show", func() bool {
		now, _, err := p.Goroutines(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		grown := profiles.DiffGoroutines(then, now, 1)[0]
		return strings.HasSuffix(grown.Function, ".waitForSupplier") && grown.After-grown.Before == 40
	})
	if _, _, err := p.Goroutines(time.Now().Add(-time.Hour)); !errors.Is(err, ErrNothing) {
		t.Errorf("an hour ago: %v", err)
	}
}

// TestGoroutinesKeptNowAndThen: in one of six windows, half a window early at most,
// and never those that are too many.
func TestGoroutinesKeptNowAndThen(t *testing.T) {
	t.Parallel()
	p := &Profiler{cfg: Config{Interval: 10 * time.Second}, ring: ring{maxBytes: 64 << 20, keep: time.Hour}}
	start := time.Now()
	var kept []time.Duration
	for _, at := range []time.Duration{0, 10 * time.Second, 54 * time.Second, 55 * time.Second, 109 * time.Second, 2 * time.Minute} {
		before := len(p.captures(kindStacks))
		if p.keepStacks(start.Add(at), []byte("x")); len(p.captures(kindStacks)) > before {
			kept = append(kept, at)
		}
	}
	if want := []time.Duration{0, 55 * time.Second, 2 * time.Minute}; !slices.Equal(kept, want) {
		t.Errorf("kept at %v, want %v", kept, want)
	}
	for size, want := range map[int]int{0: 3, maxStacksBytes: 4, maxStacksBytes + 1: 3} {
		p.ring.list, p.stacksAt = p.ring.list[:3:3], start.Add(2*time.Minute)
		p.keepStacks(start.Add(5*time.Minute), make([]byte, size))
		if n := len(p.captures(kindStacks)); n != want {
			t.Errorf("%d bytes: %d are kept, want %d", size, n, want)
		}
	}
}

// A goroutine that a request has started is not the request.
func TestGoroutinesHaveTheirStarter(t *testing.T) {
	p, reply, ended := local(t, Config{}), make(chan struct{}), make(chan struct{})
	pprof.Do(t.Context(), pprof.Labels(profiles.LabelEndpoint, "/slow", profiles.LabelMethod, "GET"), func(context.Context) {
		go func() { defer close(ended); waitForSupplier(reply) }()
	})
	defer func() { close(reply); <-ended }()
	waitUntil(t, "the goroutine shows", func() bool {
		now, _, err := p.Goroutines(time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(now.Sample, func(s *profile.Sample) bool {
			return stacks.Label(s, profiles.LabelStartedBy) == "GET /slow" && stacks.Label(s, profiles.LabelEndpoint) == ""
		})
	})
}

// Looks at this moment add up with those of the ring.
func TestLook(t *testing.T) {
	blocked(t, 3, profiles.LabelEndpoint, "/slow")
	p := Filled()
	now, err := p.Look(t.Context(), 4, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	both, err := profiles.AddWaits(now, now)
	if err != nil {
		t.Fatal(err)
	}
	if w := profiles.WaitsOf(both, 5); w.Looks != 8 || w.Seen != 24 || w.Mean != 3 {
		t.Errorf("%+v, want 8 looks that saw 3 each", w)
	}
	if one, err := profiles.AddWaits(nil, now); one != now || err != nil {
		t.Error("nothing and something are not something")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Look(ctx, 4, time.Second); !errors.Is(err, ErrNothing) {
		t.Errorf("with a done context: %v", err)
	}
}

func TestWriteTrace(t *testing.T) {
	var out bytes.Buffer
	if err := local(t, Config{}).WriteTrace(t.Context(), &out); !errors.Is(err, ErrNothing) { // nobody asked for one
		t.Errorf("without TraceFor: %v, %d bytes", err, out.Len())
	}
	p := local(t, Config{TraceFor: time.Second, TraceBytes: 1 << 20})
	if err := p.WriteTrace(t.Context(), &out); err != nil || !bytes.HasPrefix(out.Bytes(), []byte("go 1.")) {
		t.Errorf("%v, %d bytes", err, out.Len())
	}
	other := local(t, Config{TraceFor: time.Second}) // only one runs in a process: no harm
	if err := other.WriteTrace(t.Context(), &out); !errors.Is(err, ErrNothing) {
		t.Errorf("a second one: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WriteTrace(ctx, &out); !errors.Is(err, context.Canceled) {
		t.Errorf("with a done context: %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := p.WriteTrace(t.Context(), &out); !errors.Is(err, ErrNothing) {
		t.Errorf("after Stop: %v", err)
	}
	if _, err := Start(Config{TraceFor: -1}); err == nil || !strings.Contains(err.Error(), "such as 5s") {
		t.Error("a negative duration is taken")
	}
}
