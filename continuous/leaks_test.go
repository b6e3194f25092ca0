package continuous

import (
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// runtimeLeaks tells whether the Go runtime can look for leaks.
var runtimeLeaks = pprof.Lookup("goroutineleak") != nil

// TestLeaks looks for leaks as a Go runtime that can has them. Where this one
// cannot, a profile of the same name stands in for it.
func TestLeaks(t *testing.T) {
	p := Filled()
	now := time.Now()
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/goroutineleak", nil))
		return w
	}
	if standIn := pprof.Lookup("goroutineleak"); standIn == nil {
		p.keepLeaks(now)
		if w := get(); len(p.ring.list) != 0 || w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "GOEXPERIMENT=goroutineleakprofile") {
			t.Errorf("without the runtime's profile: %d captures, the page says %d %s", len(p.ring.list), w.Code, w.Body)
		}
		pprof.NewProfile("goroutineleak").Add(t, 0)
	} else if !runtimeLeaks { // a second run of this test
		standIn.Add(t, 0)
	} else {
		leak()
	}
	kept := func() int { return len(p.ring.between(kindLeaks, time.Time{}, time.Time{})) }
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Second, 1}, {leaksPause - time.Second, 1}, {leaksPause + time.Minute, 2}} {
		p.keepLeaks(now.Add(c.after))
		if n := kept(); n != c.want {
			t.Errorf("%d captures %v after the first, want %d", n, c.after, c.want)
		}
	}
	w := get()
	leaks, err := profile.Parse(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("the page says %d, %v", w.Code, err)
	}
	if leaks.SampleType[0].Type != "goroutineleak" || uploads[kindLeaks].types["goroutineleak"] == nil {
		t.Errorf("the sample types are %v", leaks.SampleType)
	}
	want := "continuous.TestLeaks"
	if runtimeLeaks {
		want = "continuous.leak.func1"
	}
	if !strings.Contains(leaks.String(), want) {
		t.Errorf("%s is not in %s", want, leaks)
	}
}

// leak starts a goroutine that waits for ever.
func leak() {
	go func() { <-make(chan int) }()
}
