package continuous

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/latido-dev/latido/internal/profiles"
)

// leaksPause is the least time between two looks for leaks: each runs a garbage
// collection, with a second stop of the world in which every goroutine that
// waits is looked at.
const leaksPause = 5 * time.Minute

// keepLeaks keeps the goroutines that wait for what nothing else can reach, and
// so for ever. Go has that profile from 1.27 on, and in 1.26 with
// GOEXPERIMENT=goroutineleakprofile; without it nothing is done. It takes one
// per cent of the time at most, also of a heap that takes seconds to collect.
func (p *Profiler) keepLeaks(to time.Time) {
	leaks := pprof.Lookup("goroutineleak")
	if leaks == nil || to.Before(p.leaksAt) || runtime.NumGoroutine() > tooManyGoroutines {
		return
	}
	start := time.Now()
	var buf bytes.Buffer
	err := leaks.WriteTo(&buf, 0)
	p.leaksAt = to.Add(lookPause(leaksPause, time.Since(start), 0))
	if err != nil {
		p.drop(fmt.Errorf("goroutine leak profile: %w", err))
		return
	}
	settled, _, err := (capture{data: p.slimmed(buf.Bytes())}).settled(profiles.GoroutineDepth)
	if err != nil {
		p.drop(err)
		return
	}
	data, err := withoutSpans(settled.data) // a leak is of code, not of one request
	if err != nil {
		p.drop(err)
		return
	}
	if len(data) <= maxStacksBytes {
		p.keep(capture{kindLeaks, to, to, bytes.Clone(data)})
	}
}

// serveLeaks answers with the leaks that were kept last: a stranger's request
// starts no garbage collection.
func (p *Profiler) serveLeaks(w http.ResponseWriter, _ *http.Request) {
	if !p.running() {
		http.Error(w, errOff.Error(), http.StatusNotFound)
		return
	}
	list := p.ring.endedIn(kindLeaks, time.Time{}, time.Time{})
	if len(list) == 0 {
		text := fmt.Sprintf("no leaks were looked for yet: the first look is %v after the start", leaksPause)
		if pprof.Lookup("goroutineleak") == nil {
			text = "this Go runtime cannot look for leaks: build with Go 1.27, or with GOEXPERIMENT=goroutineleakprofile"
		}
		http.Error(w, text, http.StatusNotFound)
		return
	}
	asProfile(w, "goroutineleak")
	_, _ = w.Write(list[len(list)-1].data)
}
