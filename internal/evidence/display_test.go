package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// typed is a profile of main.work with a value of each sample type.
func typed(values map[string]int64) *profile.Profile {
	f := &profile.Function{ID: 1, Name: "main.work", Filename: "work.go"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f, Line: 1}}}
	s := &profile.Sample{Location: []*profile.Location{l}}
	p := &profile.Profile{Sample: []*profile.Sample{s}, Location: []*profile.Location{l}, Function: []*profile.Function{f}}
	for name, v := range values {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: name, Unit: "bytes"})
		s.Value = append(s.Value, v)
	}
	return p
}

// endpointProfiler has half of everything in any endpoint.
type endpointProfiler struct{ fakeProfiler }

func (p *endpointProfiler) OfEndpoint(all *profile.Profile, _ string) *profile.Profile {
	half := all.Copy()
	for _, s := range half.Sample {
		for i := range s.Value {
			s.Value[i] /= 2
		}
	}
	return half
}

// TestSections: the section that the finding is about is the first, and the graph is of
// it; where there is no such profile, it is of the first that there is. CPU time and
// allocations are those of the endpoint, what is in use and locks those of the process.
func TestSections(t *testing.T) {
	r := &Recorder{cfg: Config{profiler: &endpointProfiler{}}}
	pair := func(values map[string]int64) cause.Pair {
		return cause.Pair{After: typed(values), AfterFor: time.Second}
	}
	cpu, heap, locks := pair(map[string]int64{"cpu": 80}), pair(map[string]int64{"alloc_space": 60, "inuse_space": 40}), pair(map[string]int64{"delay": 20})
	idle := pair(map[string]int64{"delay": 0})
	for name, c := range map[string]struct {
		p               cause.Profiles
		first           string
		sections, flame string
	}{
		"about CPU time":      {cause.Profiles{CPU: cpu, Heap: heap, Mutex: locks}, "cpu", "cpu 40, alloc_space 30, inuse_space 40, mutex 20", "cpu"},
		"about allocations":   {cause.Profiles{CPU: cpu, Heap: heap, Mutex: locks}, "alloc_space", "alloc_space 30, cpu 40, inuse_space 40, mutex 20", "alloc_space"},
		"about memory in use": {cause.Profiles{CPU: cpu, Heap: heap, Mutex: locks}, "inuse_space", "inuse_space 40, cpu 40, alloc_space 30, mutex 20", "inuse_space"},
		"about a lock":        {cause.Profiles{CPU: cpu, Heap: heap, Mutex: locks}, "mutex", "mutex 20, cpu 40, alloc_space 30, inuse_space 40", "delay"},
		"no CPU profile":      {cause.Profiles{Heap: heap, Mutex: locks}, "cpu", "alloc_space 30, inuse_space 40, mutex 20", "alloc_space"},
		"nobody waited":       {cause.Profiles{CPU: cpu, Mutex: idle}, "mutex", "cpu 40", "cpu"},
		"none":                {cause.Profiles{}, "cpu", "", ""},
	} {
		d := &display{}
		d.profiles(r, c.p, "/pedidos", c.first)
		var sections []string
		for _, s := range d.sections {
			sections = append(sections, fmt.Sprint(s.Type, " ", s.After))
		}
		if got := strings.Join(sections, ", "); got != c.sections || d.flame != c.flame {
			t.Errorf("%s: sections %s, a graph of %q; want %s, %q", name, got, d.flame, c.sections, c.flame)
		}
		if has := d.after != nil; has != (c.flame != "") {
			t.Errorf("%s: a profile is kept: %v", name, has)
		}
	}
	for kind, want := range map[string]string{"memory": "inuse_space", "gc": "alloc_space", "lock": "mutex", "failing": "cpu"} {
		if got := first(cause.Result{Findings: []cause.Finding{{Kind: kind}}}); got != want {
			t.Errorf("a finding of %s is about %s", kind, got)
		}
	}
	if got := first(cause.Result{}); got != "cpu" {
		t.Errorf("without a finding it is about %s", got)
	}
}

// TestSectionRates: a section is by the second, but for what is in use. A profile of no
// time has no rate.
func TestSectionRates(t *testing.T) {
	before, after := typed(map[string]int64{"alloc_space": 100, "inuse_space": 100}), typed(map[string]int64{"alloc_space": 900, "inuse_space": 900})
	for name, c := range map[string]struct {
		sampleType    string
		pair          cause.Pair
		before, after float64
		compared      bool
	}{
		"by the second":     {"alloc_space", cause.Pair{Before: before, After: after, BeforeFor: 10 * time.Second, AfterFor: 30 * time.Second}, 10, 30, true},
		"in use":            {"inuse_space", cause.Pair{Before: before, After: after, BeforeFor: 10 * time.Second, AfterFor: 30 * time.Second}, 100, 900, true},
		"no baseline":       {"alloc_space", cause.Pair{After: after, BeforeFor: 10 * time.Second, AfterFor: 30 * time.Second}, 0, 30, false},
		"of no time":        {"alloc_space", cause.Pair{Before: before, After: after}, 0, 0, false},
		"in use at a point": {"inuse_space", cause.Pair{Before: before, After: after}, 100, 900, true},
	} {
		s := sectionOf(c.pair, c.sampleType, c.sampleType)
		if s.Before != c.before || s.After != c.after || len(s.Diff) > 0 != c.compared {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// waiting are goroutines of "/pedidos", that many waiting and that many running, seen
// in ten looks.
func waiting(wait, run int64) *profile.Profile {
	p := cpuProfile("1 main.order runtime.chanrecv1 runtime.gopark", "1 main.order")
	p.Comments = []string{"rounds=10"}
	for i, n := range []int64{wait, run} {
		p.Sample[i].Value = []int64{n}
		p.Sample[i].Label = map[string][]string{profiles.LabelEndpoint: {"/pedidos"}}
	}
	return p
}

// TestWaiting: who waits is counted at a time, and as a share of all that are seen; the
// CPU time is that of each goroutine.
func TestWaiting(t *testing.T) {
	r := &Recorder{cfg: Config{profiler: &fakeProfiler{}}}
	cpu := cause.Pair{After: cpuProfile("2000 main.order"), AfterFor: 10 * time.Second}
	in := cause.Profiles{Waits: cause.Pair{Before: waiting(10, 10), After: waiting(30, 10)}, CPU: cpu}
	w := r.waiting(in, "/pedidos")
	if w == nil || w.Share != 0.75 || w.Busy != 0.05 || w.Before != 1 || w.After != 3 || w.Seen != 40 || w.Looks != 10 {
		t.Fatalf("%+v", w)
	}
	if len(w.Places) != 1 || w.Places[0].Function != "main.order" || w.Places[0].After != 3 || w.Places[0].Before != 1 {
		t.Errorf("places %+v", w.Places)
	}
	in.CPU.AfterFor = 0
	if w := r.waiting(in, ""); w.Busy != 0 {
		t.Errorf("of no CPU profile it is busy for %v", w.Busy)
	}
	in.Waits.After = waiting(0, 0)
	if w := r.waiting(in, ""); w.Share != 0 || w.Busy != 0 {
		t.Errorf("of no goroutines %+v", w)
	}
	if w := r.waiting(cause.Profiles{}, ""); w != nil {
		t.Errorf("without a look %+v", w)
	}
}

// TestAtATime: a place is a function, a line and a reason. Who was never looked at
// waits nowhere.
func TestAtATime(t *testing.T) {
	place := func(function string, line int64, reason string, share float64) profiles.WaitPlace {
		return profiles.WaitPlace{Function: function, Line: line, Reason: reason, Share: share}
	}
	w := profiles.Waits{Looks: 10, Seen: 80, Places: []profiles.WaitPlace{place("a", 1, "lock", 0.5), place("a", 2, "lock", 0.25), place("a", 2, "select", 0.125), place("b", 2, "select", 0.0625)}}
	for _, c := range []struct {
		at   profiles.WaitPlace
		want float64
	}{
		{place("a", 1, "lock", 0), 4}, {place("a", 2, "lock", 0), 2}, {place("a", 2, "select", 0), 1}, {place("b", 2, "select", 0), 0.5}, {place("b", 1, "lock", 0), 0},
	} {
		if got := atATime(w, c.at); got != c.want {
			t.Errorf("%v at %+v, want %v", got, c.at, c.want)
		}
	}
	w.Looks = 0
	if got := atATime(w, w.Places[0]); got != 0 {
		t.Errorf("%v of no looks", got)
	}
}

// tracer is a profiler whose trace fails.
type tracer struct {
	fakeProfiler
	fails error
	off   bool
}

func (p *tracer) Interval() time.Duration {
	if p.off {
		return 0
	}
	return p.fakeProfiler.Interval()
}

func (p *tracer) WriteTrace(_ context.Context, w io.Writer) error {
	_, _ = io.WriteString(w, "trace")
	return p.fails
}

// TestTrace: an incident says why it has no trace, unless none is recorded at all.
func TestTrace(t *testing.T) {
	full := errors.New("the disk\nis full")
	for name, c := range map[string]struct {
		p           tracer
		trace, note string
	}{
		"recorded": {tracer{}, "trace", ""}, "broken": {tracer{fails: full}, "", "the disk is full"},
		"none": {tracer{fails: continuous.ErrNothing}, "", ""}, "profiling is off": {tracer{fails: full, off: true}, "", ""},
	} {
		d := &display{}
		(&Recorder{cfg: Config{profiler: &c.p}}).trace(t.Context(), d)
		if string(d.trace) != c.trace || strings.Join(d.notes, "; ") != c.note {
			t.Errorf("%s: trace %q, notes %q", name, d.trace, d.notes)
		}
	}
}

// TestGoroutineCount: all of a profile's goroutines are counted.
func TestGoroutineCount(t *testing.T) {
	if n := goroutineCount(waiting(30, 10)); n != 40 || goroutineCount(nil) != 0 {
		t.Errorf("%d goroutines", n)
	}
}
