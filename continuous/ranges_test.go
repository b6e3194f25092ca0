package continuous_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// Two ranges that touch share no window, wherever the border falls.
func TestProfileRanges(t *testing.T) {
	p := continuous.Filled()
	start := time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	for i := range 6 {
		from := start.Add(time.Duration(i) * 10 * time.Second)
		p.AddCPU(from, from.Add(10*time.Second), encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"/a", "1s", "main.a"}, []string{"/b", "2s", "main.b"})))
	}
	for _, border := range []time.Duration{20, 24, 26, 30} {
		at := start.Add(border * time.Second)
		before, beforeLength, err1 := p.Profile(continuous.ProfileCPU, start, at)
		after, afterLength, err2 := p.Profile(continuous.ProfileCPU, at, start.Add(time.Minute))
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if beforeLength+afterLength != time.Minute {
			t.Errorf("border %d: %v and %v profiled, want a minute together", border, beforeLength, afterLength)
		}
		if sum := profiles.Total("cpu", before) + profiles.Total("cpu", after); math.Abs(sum-18) > 1e-9 {
			t.Errorf("border %d: %v CPU seconds together, want 18", border, sum)
		}
	}
	all, _, err := p.Profile(continuous.ProfileCPU, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if by := p.ByEndpoint("cpu", all); math.Abs(by["/a"]-6) > 1e-9 || math.Abs(by["/b"]-12) > 1e-9 {
		t.Errorf("by endpoint %v, want /a 6 and /b 12", by)
	}
	if of := p.OfEndpoint(all, "/b"); profiles.Total("cpu", of) != 12 || profiles.TopOf("cpu", of, 5).Own[0].Function != "main.b" {
		t.Errorf("of /b: %v", profiles.TopOf("cpu", of, 5).Own)
	}
	if _, _, err := p.Profile(continuous.ProfileCPU, start.Add(time.Hour), time.Time{}); !errors.Is(err, continuous.ErrNothing) {
		t.Errorf("a range without windows: %v", err)
	}
	if _, _, err := p.Profile("cpus", start, start); err == nil || errors.Is(err, continuous.ErrNothing) {
		t.Errorf("an unknown kind: %v", err)
	}
	var none *continuous.Profiler
	if _, _, err := none.Profile(continuous.ProfileCPU, start, start); !errors.Is(err, continuous.ErrNothing) {
		t.Errorf("no profiler: %v", err)
	}
	if none.Interval() != 0 || len(none.OfEndpoint(nil, "/a").Sample) != 0 {
		t.Error("no profiler has figures")
	}
}

// Heap profiles have no labels: an endpoint has what its handler allocates.
func TestProfileOfHandler(t *testing.T) {
	p := continuous.Filled()
	p.BindEndpoint("", "/a", "main.handleA")
	now := time.Now()
	p.AddHeap(now, now.Add(time.Second), encode(t, cpuOf(t, "alloc_space", "bytes", []string{"", "300ns", "main.encode", "main.handleA", serving}, []string{"", "100ns", "main.other"})))
	all, _, err := p.Profile(continuous.ProfileHeap, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if by := p.ByEndpoint("alloc_space", all); by["/a"] != 300 || by[""] != 100 {
		t.Errorf("by endpoint %v", by)
	}
}

// The looks of several windows add up.
func TestWaitsOfRange(t *testing.T) {
	p := continuous.Filled()
	p.BindEndpoint("", "/a", "main.a")
	start := time.Now()
	for i := range 3 {
		one := cpuOf(t, "goroutine", "count", []string{"/a", "8ns", "runtime.selectgo", "main.wait"}, []string{"/a", "4ns", "main.run"},
			[]string{"", "100ns", "runtime.selectgo", "main.refresh", "main.a", serving}) // a worker counts for nobody
		one.Comments = []string{"rounds=4"}
		from := start.Add(time.Duration(i) * time.Second)
		p.AddGoroutines(from, from.Add(time.Second), encode(t, one))
	}
	all, _, err := p.Profile(continuous.ProfileWaits, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	w := profiles.WaitsOf(p.OfEndpoint(all, "/a"), 5)
	if w.Looks != 12 || w.Seen != 36 || w.Mean != 2 || len(w.Places) != 1 || w.Places[0].Reason != "select" {
		t.Errorf("%+v, want 12 looks, 36 seen, 2 waiting at a time in one place", w)
	}
	if all := profiles.WaitsOf(all, 5); all.Seen != 36 || all.Mean != 2 {
		t.Errorf("%+v in all, want those of /a", all)
	}
	if by := p.ByEndpoint("goroutine", all); by["/a"] != 36 || by[""] != 300 {
		t.Errorf("by endpoint %v, want 36 of /a and 300 of nobody", by)
	}
	r, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := r.Process.Waits; w.Seen != 36 || w.Mean != 2 || len(r.Endpoints) != 1 || len(r.Started) != 0 {
		t.Errorf("the report counts %+v, want those of /a alone", w)
	}
}

// Each window is counted once, however often somebody asks.
func TestCosts(t *testing.T) {
	p := continuous.Filled()
	p.BindEndpoint("", "/a", "main.a")
	start := time.Now()
	at := func(i int) time.Time { return start.Add(time.Duration(i) * 10 * time.Second) }
	window := func(i int) {
		p.AddHeap(at(i), at(i+1).Add(-time.Millisecond), encode(t, cpuOf(t, "alloc_space", "bytes", []string{"", "100ns", "main.a", serving}, []string{"", "7ns", "main.b"})))
		p.AddCPU(at(i), at(i+1), encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"/a", "1s", "main.a"}, []string{"", "5s", "runtime.gc"})))
	}
	if _, err := p.EndpointCosts(time.Time{}); !errors.Is(err, continuous.ErrNothing) {
		t.Errorf("without windows: %v", err)
	}
	var sum continuous.EndpointCost
	profiled := time.Duration(0)
	since := start
	for i := range 5 {
		window(i)
		if i%2 == 1 {
			continue
		}
		costs, err := p.EndpointCosts(since)
		if err != nil {
			t.Fatal(err)
		}
		if len(costs.Endpoints) != 1 {
			t.Errorf("endpoints %v, want /a alone", costs.Endpoints)
		}
		sum.CPUSeconds += costs.Endpoints["/a"].CPUSeconds
		sum.AllocBytes += costs.Endpoints["/a"].AllocBytes
		profiled += costs.Profiled
		since = costs.Until
		if _, err := p.EndpointCosts(since); !errors.Is(err, continuous.ErrNothing) {
			t.Errorf("asked again: %v", err)
		}
	}
	if sum != (continuous.EndpointCost{CPUSeconds: 5, AllocBytes: 500}) || profiled != 50*time.Second {
		t.Errorf("%+v in five windows of %v in all, want 5 s and 500 bytes of 50 s", sum, profiled)
	}
}

func TestDiffGoroutines(t *testing.T) {
	before := cpuOf(t, "goroutine", "count", []string{"", "3ns", "runtime.chanrecv", "main.worker", "main.start.func1"}, []string{"", "9ns", "main.same"})
	after := cpuOf(t, "goroutine", "count", []string{"", "53ns", "runtime.chanrecv", "main.worker", "main.start.func1"}, []string{"", "9ns", "main.same"},
		[]string{"", "2ns", "internal/poll.runtime_pollWait", "net.(*conn).Read"})
	groups := profiles.DiffGoroutines(before, after, 2)
	if len(groups) != 2 {
		t.Fatalf("%v, want the two that grew the most", groups)
	}
	if g := groups[0]; g.Function != "main.worker" || g.Before != 3 || g.After != 53 || g.Reason != "channel receive" || g.Started != "main.start.func1" || g.Owner != stacks.Own {
		t.Errorf("%+v", g)
	}
	if g := groups[1]; g.Owner != stacks.Runtime || g.Before != 0 || g.After != 2 {
		t.Errorf("%+v", g)
	}
	if len(profiles.DiffGoroutines(nil, nil, 5)) != 0 {
		t.Error("groups of nothing")
	}
}

// TestReportInUse: what is in use is that of the last window, and not of all.
func TestReportInUse(t *testing.T) {
	p := continuous.Filled()
	start := time.Now().Add(-time.Minute)
	for i, stack := range []string{"main.before", "main.now"} {
		from := start.Add(time.Duration(i) * 10 * time.Second)
		p.AddHeap(from, from.Add(9*time.Second), encode(t, cpuOf(t, "inuse_space", "bytes", []string{"", "100ns", stack})))
		p.AddCPU(from, from.Add(10*time.Second), encode(t, cpuOf(t, "cpu", "nanoseconds", []string{"", "1s", "main.burn"})))
	}
	r, err := p.Report(t.Context(), continuous.ReportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if own := r.InUse.Own; len(own) != 1 || own[0].Function != "main.now" {
		t.Errorf("in use %+v, want that of main.now alone", own)
	}
}
