package evidence

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

func measured(version string, cpu float64, orders red, event cost, profile ...string) measure {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	return measure{Release: Release{version, ""}, From: at, To: at.Add(10 * time.Minute), Requests: 6000, CPU: cpu, Profiled: 600,
		Endpoints: map[string]red{"/pedidos": orders, "/catalogo": {Rate: 4, P95: 0.02}}, Events: map[string]cost{"pedidos_procesados": event}, profile: cpuProfile(profile...)}
}

func TestJudge(t *testing.T) {
	old := measured("1.4.1", 0.002, red{10, 0.001, 0.1}, cost{0.004, 1 << 20}, "6000 main.order main.price", "3000 main.list")
	for name, c := range map[string]struct {
		now  measure
		want []string // "" first for a release that is no worse
	}{
		"an order costs more": {measured("1.4.2", 0.0025, red{10, 0.001, 0.1}, cost{0.0056, 1 << 20}, "12000 main.order main.price", "3000 main.list"),
			[]string{"Since 1.4.2 (before: 1.4.1): one pedidos_procesados costs 40 % more CPU time (4 ms → 5.6 ms)", "main.price (price.go:20) grew the most, from 1 ms to 2 ms a request"}},
		"slower":                      {measured("1.4.2", 0.002, red{10, 0.001, 0.3}, cost{0.004, 1 << 20}), []string{"p95 of /pedidos 100 ms → 300 ms"}},
		"more errors":                 {measured("1.4.2", 0.002, red{10, 0.08, 0.1}, cost{0.004, 1 << 20}), []string{"server errors of /pedidos 0.1 % → 8 %"}},
		"more memory":                 {measured("1.4.2", 0.002, red{10, 0.001, 0.1}, cost{0.004, 2 << 20}), []string{"one pedidos_procesados costs 100 % more memory (1 MiB → 2 MiB)"}},
		"the same, with more traffic": {measured("1.4.2", 0.0021, red{50, 0.001, 0.11}, cost{0.0042, 1 << 20}), []string{"", "Release 1.4.2 is no worse than 1.4.1"}},
		"errors of chance":            {measured("1.4.2", 0.002, red{10, 0.008, 0.1}, cost{0.004, 1 << 20}), []string{"", "no worse"}},
		"a millisecond":               {measured("1.4.2", 0.002, red{10, 0.001, 0.105}, cost{0.004, 1 << 20}), []string{"", "no worse"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{})
			in := r.judge(old, c.now)
			want(t, in.Cause, c.want...)
			if in.Verdict.Worse != (c.want[0] != "") || in.Severity != "info" || in.Kind != KindRelease || !idPattern.MatchString(in.ID) {
				t.Errorf("%+v", in)
			}
			if in.Verdict.Worse && !in.Verdict.Figures[0].Worse {
				t.Error("the worse figure is not the first")
			}
			r.keep(&gathered{incident: in, before: old.profile, after: c.now.profile})
			text := body(t, get(t, r.Handler(), "/incidents/"+in.ID))
			want(t, text, "Release 1.4.2", "Against the version before (1.4.1)")
		})
	}
	es := start(t, Config{Domain: domain.Domain{Prefix: "tienda", Language: "es"}})
	now := measured("1.4.2", 0.0025, red{10, 0.001, 0.1}, cost{0.0056, 1 << 20})
	want(t, es.judge(old, now).Cause, "Desde 1.4.2 (antes: 1.4.1): un pedidos_procesados cuesta 40 % más tiempo de CPU (4 ms → 5,6 ms)")
}

// A release is compared once with the one before, whatever restarts there are.
func TestReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var cpu atomic.Value // seconds of an order
		cpu.Store(0.004)
		query := func(_ context.Context, expr string, _ time.Time) ([]Sample, error) {
			switch {
			case strings.Contains(expr, "event_cpu"):
				return []Sample{{Labels: map[string]string{"event": "pedidos_procesados"}, Value: cpu.Load().(float64)}}, nil
			case strings.Contains(expr, "increase(tienda_requests_total{}"):
				return []Sample{{Labels: map[string]string{"endpoint": "/pedidos"}, Value: 1000}}, nil
			}
			return nil, nil
		}
		var log strings.Builder
		run := func(version string, after time.Duration) *Recorder {
			return start(t, Config{Dir: dir, Version: version, Query: query, ReleaseAfter: after, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		}
		stop := func(r *Recorder) {
			t.Helper()
			if err := r.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		has := func(file string) func() bool {
			return func() bool {
				data, err := os.ReadFile(filepath.Join(dir, "releases", file))
				return err == nil && len(data) > 0
			}
		}
		first := run("1.4.1", time.Second)
		waitUntil(t, "the first release is measured", has("current.json"))
		stop(first)

		cpu.Store(0.0056)
		crashed := run("1.4.2", time.Hour) // ends before it could be compared
		waitUntil(t, "the release before is kept", has("previous.json"))
		stop(crashed)

		second := run("1.4.2", time.Second)
		waitUntil(t, "a verdict", func() bool { return len(second.kept.list()) == 1 })
		in := second.kept.list()[0]
		want(t, in.Cause, "Since 1.4.2 (before: 1.4.1): one pedidos_procesados costs 40 % more CPU time (4 ms → 5.6 ms)")
		waitUntil(t, "that is noted", func() bool {
			data, err := os.ReadFile(filepath.Join(dir, "releases", "previous.json"))
			return err == nil && strings.Contains(string(data), `"compared": true`)
		})
		stop(second)
		if !strings.Contains(log.String(), "level=WARN msg=\"release compared with the one before\"") {
			t.Errorf("logged %s", log.String())
		}

		again := run("1.4.2", time.Second)
		if err := os.Remove(filepath.Join(dir, "releases", "current.json")); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "it is measured again", has("current.json"))
		stop(again)
		if n := len(again.kept.list()); n != 1 {
			t.Errorf("%d verdicts after another restart", n)
		}
	})
}

// Where this process has not run before, the profiles of the release before are the
// baseline: for as long as this one runs, and after it has been compared.
func TestReleaseBeforeIsBaseline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		kept := &fakeProfiler{cpu: cpuProfile("900 main.old"), heap: cpuProfile("900 main.oldHeap")}
		run := func(version string, p *fakeProfiler) (*Recorder, *atomic.Pointer[cause.Input]) {
			explain, given := explains()
			return start(t, Config{Dir: dir, Version: version, ReleaseAfter: time.Second, profiler: p, explain: explain}), given
		}
		old, _ := run("1.4.1", kept)
		waitUntil(t, "its profiles are kept", func() bool {
			_, err := os.Stat(filepath.Join(dir, "releases", "current"+keptKinds[goroutinesKept]))
			return err == nil
		})
		if err := old.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A restart changes nothing, nor does a first window that is as bad.
		for name, since := range map[string]time.Time{"CPU": time.Now().Add(time.Hour), "Slow": time.Now().Add(time.Hour), "Orders": {}} {
			now, given := run("1.4.2", &fakeProfiler{cpu: cpuProfile("100 main.new"), heap: cpuProfile("100 main.newHeap"), since: since})
			waitUntil(t, "it knows of the release before", func() bool { return now.before.Load() != nil })
			now.Enrich(t.Context(), firing(name))
			in := given.Load().Profiles
			if !hasFunction(in.CPU.Before, "main.old") || in.CPU.BeforeFor != 30*time.Second || !hasFunction(in.CPU.After, "main.new") {
				t.Errorf("CPU time of %v before", in.CPU.BeforeFor)
			}
			if !hasFunction(in.Heap.Before, "main.oldHeap") || in.Goroutines.Before == nil {
				t.Error("neither heap nor goroutines of before")
			}
			if err := now.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
