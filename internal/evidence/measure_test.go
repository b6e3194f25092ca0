package evidence

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
)

// watching is a watch over releases at a time, an hour after its start, which nothing
// runs in the background.
func watching(t *testing.T, cfg Config) *releases {
	t.Helper()
	if cfg.Now == nil {
		now := time.Now()
		cfg.Now = func() time.Time { return now }
	}
	if cfg.ReleaseAfter == 0 {
		cfg.ReleaseAfter = 10 * time.Minute
	}
	r := start(t, cfg)
	return &releases{r: r, dir: t.TempDir(), started: r.cfg.Now().Add(-time.Hour), kept: map[string]float64{}}
}

// answering is a store that has so many requests of each endpoint, half of them failed.
func answering(requests map[string]float64) func(context.Context, string, time.Time) ([]Sample, error) {
	return func(_ context.Context, expr string, _ time.Time) (list []Sample, _ error) {
		for endpoint, n := range requests {
			s := Sample{Labels: map[string]string{"endpoint": endpoint, "event": endpoint}}
			switch {
			case strings.Contains(expr, "event_cpu"):
				s.Value = 0.25
			case strings.Contains(expr, "event_allocated"):
				s.Value = 1024
			case strings.Contains(expr, "histogram_quantile"):
				s.Value = 0.5
			case strings.Contains(expr, "5.."):
				s.Value = n / 2
			default:
				s.Value = n
			}
			list = append(list, s)
		}
		return list, nil
	}
}

// TestMeasure: a release has all of its requests, and the rate, errors and duration of
// each endpoint with 25 of them at least.
func TestMeasure(t *testing.T) {
	w := watching(t, Config{Query: answering(map[string]float64{"/a": 600, "/few": 25, "/none": 24.9}), profiler: &fakeProfiler{cpu: cpuProfile("6000 main.list")}})
	m := w.measure(t.Context(), Release{"1", ""})
	if m == nil || m.To.Sub(m.From) != 10*time.Minute || m.Requests != 649.9 || len(m.Endpoints) != 2 || m.Profiled != 30 {
		t.Fatalf("%+v", m)
	}
	if a := m.Endpoints["/a"]; a != (red{Rate: 1, ErrorRatio: 0.5, P95: 0.5}) {
		t.Errorf("/a is %+v", a)
	}
	if m.Events["/a"] != (cost{0.25, 1024}) {
		t.Errorf("an event is %+v", m.Events["/a"])
	}
	if want := 6.0 / 30 * 600 / 649.9; math.Abs(m.CPU-want) > 1e-9 { // 6 s in 30 s of profile, of 10 min
		t.Errorf("a request takes %v s of CPU time, want %v", m.CPU, want)
	}
	now := w.r.cfg.Now()
	for began, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Second: time.Second, time.Second - 1: 0} {
		w.started = now.Add(-began)
		if m := w.measure(t.Context(), Release{}); (m != nil) != (want > 0) || m != nil && m.To.Sub(m.From) != want {
			t.Errorf("%v after its start %+v", began, m)
		}
	}
}

// TestComparedOnce: a release is compared when it has run for long enough, and both had
// requests enough: just as much is enough.
func TestComparedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		before, now float64
		early       time.Duration
		want        int
	}{
		"just enough": {50, 50, 0, 1}, "few now": {50, 49, 0, 0}, "few before": {49, 50, 0, 0}, "too early": {50, 50, 1, 0},
	} {
		w := watching(t, Config{Query: answering(map[string]float64{"/a": c.now})})
		w.started = w.r.cfg.Now().Add(-w.r.cfg.ReleaseAfter + c.early)
		w.before = &measure{Release: Release{"1", ""}, Requests: c.before}
		for range 2 {
			w.turn(t.Context(), Release{"2", ""})
		}
		if got := len(w.r.kept.list()); got != c.want || (w.before == nil) != (c.want == 1) {
			t.Errorf("%s: compared %d times", name, got)
		}
		if previous := w.read("previous"); c.want == 1 && (previous == nil || !previous.Compared) {
			t.Errorf("%s: that is not noted", name)
		}
	}
}

// TestReleaseKept: what is kept of a release is read back, its profile too. A time with
// few requests takes no other's place, unless that is another release or had as few.
func TestReleaseKept(t *testing.T) {
	for name, c := range map[string]struct {
		last, now measure
		want      float64 // requests
	}{
		"enough":          {measure{Requests: 90}, measure{Requests: 50}, 50},
		"few":             {measure{Requests: 50}, measure{Requests: 49}, 50},
		"few as before":   {measure{Requests: 49}, measure{Requests: 10}, 10},
		"another release": {measure{Requests: 50}, measure{Release: Release{"2", ""}, Requests: 10}, 10},
	} {
		w := watching(t, Config{})
		c.last.profile, c.last.Profiled = cpuProfile("1 main.list"), 7
		w.write(&c.last)
		w.write(&c.now)
		m := w.read("current")
		if m == nil || m.Requests != c.want || !hasFunction(m.profile, "main.list") || m.Kept[continuous.ProfileCPU] != 7 {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := watching(t, Config{}).read("current"); m != nil {
		t.Errorf("of nothing is read %+v", m)
	}
}

// TestBaselineKeptEach: the profiles beside that of CPU time are kept each time that a
// release is compared in, and not more often.
func TestBaselineKeptEach(t *testing.T) {
	now := time.Now()
	w := watching(t, Config{Now: func() time.Time { return now }, profiler: &fakeProfiler{heap: cpuProfile("1 main.list")}})
	heap := w.path("current", keptKinds[continuous.ProfileHeap])
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {10*time.Minute - 1, false}, {1, true}, {time.Minute, false}} {
		now = now.Add(c.after)
		w.write(&measure{From: now, To: now})
		if err := os.Remove(heap); (err == nil) != c.want {
			t.Errorf("%v later it is kept: %v", c.after, err)
		}
	}
	if w.kept[continuous.ProfileHeap] != 30 {
		t.Errorf("it is of %v s", w.kept[continuous.ProfileHeap])
	}
}

// TestReleaseBefore: what ran last is the release before where something else runs now,
// or may; a restart of the same one changes nothing.
func TestReleaseBefore(t *testing.T) {
	one, two, three := Release{"1", ""}, Release{"2", ""}, Release{"3", ""}
	for name, c := range map[string]struct {
		last, previous *measure
		running        Release
		want           string // of the release before, "" for none
		compared       bool   // it is to be
	}{
		"the first one":           {nil, nil, one, "", false},
		"another":                 {&measure{Release: one}, nil, two, "1", true},
		"another after others":    {&measure{Release: two}, &measure{Release: one}, three, "2", true},
		"a restart":               {&measure{Release: two}, &measure{Release: one}, two, "1", true},
		"a restart, compared":     {&measure{Release: two}, &measure{Release: one, Compared: true}, two, "1", false},
		"a restart of the first":  {&measure{Release: one}, nil, one, "1", false},
		"back to the one before":  {nil, &measure{Release: one}, one, "1", false},
		"who knows":               {&measure{Release: one}, &measure{Release: two}, Release{}, "1", false},
		"who knows, and did then": {&measure{}, &measure{Release: two}, Release{}, "", false},
	} {
		w := watching(t, Config{})
		for name, m := range map[string]*measure{"current": c.last, "previous": c.previous} {
			if m != nil {
				put(t, `{"version":"`+m.Version+`","compared":`+map[bool]string{true: "true", false: "false"}[m.Compared]+`}`, w.path(name, ".json"))
				put(t, name, w.path(name, "-heap.pb.gz"))
			}
		}
		w.open(c.running)
		if got := w.before != nil; got != c.compared || got && w.before.Version != c.want {
			t.Errorf("%s: to be compared with %+v", name, w.before)
		}
		previous := w.read("previous")
		if (previous != nil) != (w.r.before.Load() != nil) || previous != nil && previous.Version != c.want {
			t.Errorf("%s: the release before is %+v", name, previous)
		}
	}
}

// TestAsk: what is no number is no answer. A store that fails is told of, and one that
// was not waited for is not.
func TestAsk(t *testing.T) {
	var log strings.Builder
	fails := errors.New("no such function")
	w := watching(t, Config{Logger: logTo(&log), Query: func(_ context.Context, expr string, _ time.Time) ([]Sample, error) {
		if expr == "wrong" {
			return nil, fails
		}
		return []Sample{{Value: 1}, {Value: math.NaN()}, {Value: math.Inf(1)}, {Value: math.Inf(-1)}, {Value: 2}}, nil
	}})
	q := questions{w.r, cause.Range{From: second(1), To: second(2.5)}}
	if got := q.ask(t.Context(), "right", second(0)); len(got) != 2 || got[0].Value != 1 || got[1].Value != 2 {
		t.Errorf("%+v", got)
	}
	if q.over() != "[1500ms]" {
		t.Errorf("over %s", q.over())
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if got := q.ask(done, "wrong", second(0)); got != nil || log.Len() != 0 {
		t.Errorf("%+v, logged %s", got, log.String())
	}
	q.ask(t.Context(), "wrong", second(0))
	want(t, log.String(), "expr=wrong", "no such function")
}
