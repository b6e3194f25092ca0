package continuous

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
)

func logging(t *testing.T, interval time.Duration) (*Profiler, *logged) {
	t.Helper()
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", "")
	log := &logged{}
	p, err := Start(Config{Interval: interval, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p, log
}

func get(p *Profiler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// TestGap: while somebody else's CPU profile runs, everybody who asks is told
// that CPU time is not known, and why. Once it has ended, too.
func TestGap(t *testing.T) {
	if err := pprof.StartCPUProfile(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	p, log := logging(t, testInterval)
	waitUntil(t, "gaps", func() bool { return p.Stats().Gaps >= 3 && log.count("another CPU profile runs") > 0 })
	report, err := p.Report(t.Context(), ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{"advice": strings.Join(report.Advice, "\n"), "text": text.String()} {
		if !strings.Contains(s, "another CPU profile ran in this process") || strings.Contains(s, "nothing stands out:") || strings.Contains(s, "0.0 CPU seconds") {
			t.Errorf("%s:\n%s\nwant that CPU time is not known, and why", what, s)
		}
	}
	if !report.Lacks(profiles.MissingCPU) || report.Profiled != 0 {
		t.Errorf("missing %+v, %v s profiled", report.Missing, report.Profiled)
	}
	for path, want := range map[string]int{"/debug/pprof/profile?seconds=60": 503, "/debug/pprof/profile?last=1m": 404} {
		if w := get(p, path); w.Code != want || !strings.Contains(w.Body.String(), "another CPU profile r") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}

	pprof.StopCPUProfile()
	waitUntil(t, "a window", func() bool { return len(p.captures(kindCPU)) > 0 })
	if report, err = p.Report(t.Context(), ReportOptions{}); err != nil {
		t.Fatal(err)
	}
	if report.Lacks(profiles.MissingCPU) || len(report.Missing) == 0 || report.Missing[0].What != profiles.MissingCPU || report.Missing[0].Seconds < 2*testInterval.Seconds() {
		t.Errorf("missing %+v, want the time of the gap", report.Missing)
	}
	began, ended := log.count("another CPU profile runs"), log.count("the other CPU profile has ended")
	if began != 1 || ended != 1 {
		t.Errorf("logged %d times that it begins and %d times that it ends, want once", began, ended)
	}
}

// TestGapWithinAWindow: ours does not wait for the next window.
func TestGapWithinAWindow(t *testing.T) {
	if err := pprof.StartCPUProfile(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	p, log := logging(t, time.Hour)
	waitUntil(t, "the gap", func() bool { return p.blocked.Load() && log.count("another CPU profile runs") == 1 })
	pprof.StopCPUProfile()
	waitUntil(t, "ours", func() bool { return !p.blocked.Load() && log.count("the other CPU profile has ended") == 1 })
}

// TestManyProfilers that start profiles and end them at any time: none takes
// another one's for a stranger's.
func TestManyProfilers(t *testing.T) {
	var ps profilers
	var ended atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for p := (&Profiler{}); ended.Load() < 8; {
				w, ours := ps.start(p)
				if !ours {
					t.Error("a profile of ours is taken for somebody else's")
					return
				}
				if w != nil {
					w.stop()
					ps.release(p)
					ended.Add(1)
				}
			}
		})
	}
	all.Wait()
}

// TestTwoProfilers of one process share its CPU profile: neither has a gap, and
// the one goes on when the other ends.
func TestTwoProfilers(t *testing.T) {
	burn(t, profiles.LabelEndpoint, "/busy")
	first, _ := logging(t, testInterval)
	second, log := logging(t, testInterval)
	for _, p := range []*Profiler{first, second} {
		waitUntil(t, "windows of both", func() bool { return len(p.captures(kindCPU)) >= 3 && has(t, p.captures(kindCPU), ".busy") })
	}
	if first.Stats().Gaps+second.Stats().Gaps > 0 || log.count("another CPU profile") > 0 {
		t.Errorf("gaps %d and %d, want none", first.Stats().Gaps, second.Stats().Gaps)
	}
	if w := get(second, "/debug/pprof/profile?seconds=1"); w.Code != http.StatusOK {
		t.Errorf("the second one serves %d %s", w.Code, w.Body)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	n := len(second.captures(kindCPU))
	waitUntil(t, "windows of the second alone", func() bool { return len(second.captures(kindCPU)) > n+2 })
	if n := len(first.captures(kindCPU)); n == 0 || first.captures(kindCPU)[n-1].to.After(second.captures(kindCPU)[len(second.captures(kindCPU))-1].to) {
		t.Error("one that has ended is given windows")
	}
	if process.held() == first {
		t.Error("one that has ended has the CPU profile")
	}
}

// TestProfileWhereProfilingIsOff: it is taken for the seconds asked for. What
// needs the past says at once that there is none.
func TestProfileWhereProfilingIsOff(t *testing.T) {
	off, err := Start(Config{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Profiler{off, nil} {
		for path, want := range map[string]int{
			"/debug/pprof/profile?last=5m": 404, "/debug/pprof/heap?last=5m": 404, "/debug/report": 404, "/debug/report?format=pprof": 404, "/debug/pprof/goroutineleak": 404,
			"/debug/pprof/profile?seconds=0": 400, "/debug/pprof/heap": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/": 200,
		} {
			if w := get(p, path); w.Code != want || want == 404 && !strings.Contains(w.Body.String(), "profiling is off") {
				t.Errorf("%s: %d %.200s, want %d, and that profiling is off", path, w.Code, w.Body, want)
			}
		}
	}
	burn(t)
	w := get(off, "/debug/pprof/profile?seconds=1")
	taken, err := profile.Parse(w.Body)
	if w.Code != http.StatusOK || err != nil || len(taken.Sample) == 0 {
		t.Errorf("%d, %v: want a second of CPU profile", w.Code, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan struct{})
	go func() { // one whose client leaves
		defer close(answered)
		for ctx.Err() == nil { // until the one below is not in its way
			off.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/debug/pprof/profile?seconds=60", nil))
		}
	}()
	waitUntil(t, "it runs", func() bool { // and keeps another one out, which is told at once
		return get(off, "/debug/pprof/profile?seconds=1").Code == http.StatusServiceUnavailable
	})
	cancel()
	<-answered
	if w := startCPU(); w == nil {
		t.Error("the profile of a client that has left goes on")
	} else {
		w.stop()
	}
}

// TestEmptyProfile: a window of which nothing was written, or that has no length, is
// no profile.
func TestEmptyProfile(t *testing.T) {
	t.Parallel()
	from := time.Now()
	for name, c := range map[string]struct {
		data string
		to   time.Duration
		ok   bool
	}{"all": {"x", time.Second, true}, "no byte": {"", time.Second, false}, "no time": {"x", 0, false}, "a clock set back": {"x", -time.Second, false}} {
		w := &cpuWindow{from: from, to: from.Add(c.to)} // somebody else stopped it
		w.buf.WriteString(c.data)
		if got, ok := w.stop(); ok != c.ok || string(got.data) != c.data {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
	}
}
