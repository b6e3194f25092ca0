package continuous_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
)

func TestHandler(t *testing.T) {
	p := continuous.Filled()
	start := time.Now().Add(-time.Minute)
	p.AddCPU(start, start.Add(10*time.Second), encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"/a", "1s", "main.burn"})))
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/debug/pprof/":                     {200, "threadcreate"},
		"/debug/pprof/profile?last=5m":      {200, ""},
		"/debug/pprof/profile?seconds=0":    {400, "from 1 to 60"},
		"/debug/pprof/profile?seconds=soon": {400, "from 1 to 60"},
		"/debug/pprof/profile?last=yes":     {400, "such as 5m"},
		"/debug/pprof/heap":                 {200, ""},
		"/debug/pprof/heap?last=5m":         {404, "no profile is kept"},
		"/debug/pprof/allocs?last=5m":       {404, "no profile is kept"},
		"/debug/pprof/threadcreate?last=5m": {200, ""},
		"/debug/pprof/goroutine?debug=0":    {200, ""},
		"/debug/pprof/goroutine?debug=2":    {200, "TestHandler"},
		"/debug/pprof/goroutine?debug=3":    {400, "write 0"},
		"/debug/pprof/cmdline":              {404, ""},
		"/debug/pprof/symbol":               {404, ""},
		"/debug/report":                     {200, "Look at this first"},
		"/debug/report?format=json":         {200, `"advice":`},
		"/debug/report?format=pprof":        {200, ""},
		"/debug/report?format=xml":          {400, "text, json or pprof"},
		"/debug/report?top=none":            {400, "from 1 to 1000"},
		"/debug/report?top=0":               {400, "from 1 to 1000"},
		"/debug/report?top=1":               {200, "Look at this first"},
		"/debug/report?top=1000":            {200, "Look at this first"},
		"/debug/report?top=1001":            {400, "from 1 to 1000"},
		"/debug/report?from=yesterday":      {400, "2006-01-02T15:04:05Z"},
		"/debug/report?last=1s":             {404, "first window ends"},
	} {
		t.Run(path, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != want.status || !strings.Contains(w.Body.String(), want.body) {
				t.Errorf("status %d, body %.200q; want %d and %q", w.Code, w.Body, want.status, want.body)
			}
			kind := w.Header().Get("Content-Type")
			if binary := path == "/debug/pprof/heap"; binary && kind != "application/octet-stream" || strings.HasSuffix(path, "debug=2") && !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("it is %s", kind)
			}
			if strings.Contains(path, "profile?last=5m") || strings.Contains(path, "format=pprof") {
				got, err := profile.Parse(w.Body)
				if err != nil || len(got.Sample) != 1 || got.Sample[0].Label[profiles.LabelEndpoint][0] != "/a" {
					t.Errorf("profile %v, error %v: want the sample of /a", got, err)
				}
			}
		})
	}
}

// TestProfileWaits asks for the second to come: the answer has the window that
// covers it.
func TestProfileWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := continuous.Filled()
		data := encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"/a", "1s", "main.burn"}))
		ctx, stop := context.WithCancel(t.Context())
		var loop sync.WaitGroup
		defer loop.Wait()
		defer stop()
		loop.Go(func() { // windows, as the loop makes them
			for from := time.Now(); ctx.Err() == nil; {
				time.Sleep(20 * time.Millisecond) // of the test's own clock: synctest
				now := time.Now()
				p.AddCPU(from, now, data)
				from = now
			}
		})
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/profile?seconds=1", nil))
		got, err := profile.Parse(w.Body)
		if w.Code != http.StatusOK || err != nil {
			t.Fatalf("status %d, error %v", w.Code, err)
		}
		if got := time.Duration(got.Sample[0].Value[0]); got != 50*time.Second {
			t.Errorf("%v of CPU: want that of the 50 windows of the second, each of which has one", got)
		}
	})
}

// TestProfileLacksItsEnd: where no window comes any more, as the service is
// stopping, a profile that lacks less than one is served.
func TestProfileLacksItsEnd(t *testing.T) {
	data := encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"/a", "1s", "main.burn"}))
	for lacks, want := range map[time.Duration]int{
		15 * time.Millisecond: http.StatusOK, 25 * time.Millisecond: http.StatusServiceUnavailable, // of windows of 20 ms
	} {
		synctest.Test(t, func(t *testing.T) {
			p := continuous.Filled()
			var loop sync.WaitGroup
			defer loop.Wait()
			loop.Go(func() {
				from := time.Now()
				time.Sleep(time.Second - lacks) // of the test's own clock: synctest
				p.AddCPU(from, time.Now(), data)
			})
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/profile?seconds=1", nil))
			if w.Code != want {
				t.Errorf("without the last %v: %d %s, want %d", lacks, w.Code, w.Body, want)
			}
		})
	}
}

// TestProfileCutsTheWindow asks in the midst of a window that nobody would wait
// for: go tool pprof waits for half of the seconds more, and five.
func TestProfileCutsTheWindow(t *testing.T) {
	p, err := continuous.Start(continuous.Config{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	var asked sync.WaitGroup
	for range 5 { // who share the window
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/debug/pprof/profile?seconds=2", nil))
			got, err := profile.Parse(w.Body)
			if w.Code != http.StatusOK || err != nil {
				t.Errorf("status %d, error %v: want a profile", w.Code, err)
			} else if d := time.Duration(got.DurationNanos); d < time.Second || d > 30*time.Second {
				t.Errorf("a profile of %v: want two seconds or so", d)
			}
		})
	}
	asked.Wait()
}

// TestProfileStops stops the profiler while somebody waits for a profile: the
// answer has what there is, and comes at once.
func TestProfileStops(t *testing.T) {
	p, err := continuous.Start(continuous.Config{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	defer cancel()
	w := httptest.NewRecorder()
	var asked sync.WaitGroup
	asked.Go(func() {
		p.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/debug/pprof/profile?seconds=60", nil))
	})
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	asked.Wait()
	if ctx.Err() != nil {
		t.Errorf("still waiting after the end: %v", ctx.Err())
	}
}

// TestDefaultServeMux wants the user's mux untouched: net/http/pprof registers
// itself there when somebody imports it.
func TestDefaultServeMux(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil)
	if _, pattern := http.DefaultServeMux.Handler(r); pattern != "" {
		t.Errorf("http.DefaultServeMux serves %q", pattern)
	}
}
