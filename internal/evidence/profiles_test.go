package evidence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// TestLargest: of too many stacks the largest are left, by all of their values, and of
// as many as are looked at none goes.
func TestLargest(t *testing.T) {
	of := func(n int) *profile.Profile {
		p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "count"}, {Type: "delay"}, {Type: "none"}}}
		for i := range n {
			s := &profile.Sample{Value: []int64{1, 1, 0}}
			if i%2 == 1 { // large by one value, as much as by the other
				s.Value[i/2%2] = 9
			}
			p.Sample = append(p.Sample, s)
		}
		p.Sample[n-1].Value = []int64{9, 0, 0} // what a value is worth, all of them tell
		return p
	}
	if got := largest(of(maxStacks)); len(got.Sample) != maxStacks || largest(nil) != nil {
		t.Errorf("%d are left of as many as may be", len(got.Sample))
	}
	got := largest(of(2 * maxStacks))
	if len(got.Sample) != maxStacks {
		t.Fatalf("%d are left", len(got.Sample))
	}
	for _, s := range got.Sample {
		if s.Value[0]+s.Value[1] < 9 {
			t.Fatalf("%v is left", s.Value)
		}
	}
	if got := largest(of(maxStacks + 1)); len(got.Sample) != maxStacks {
		t.Errorf("%d are left where many are as small", len(got.Sample))
	}
}

// TestLacks: a comparison says that it lacks a profile, or half of the time, or a
// baseline.
func TestLacks(t *testing.T) {
	r := &Recorder{words: wordsOf("en")}
	p := cpuProfile("1 main.list")
	times := cause.Times{After: cause.Range{From: second(0), To: second(60)}}
	for name, c := range map[string]struct {
		cpu  cause.Pair
		want []string
	}{
		"nothing":   {cause.Pair{Before: p, After: p, AfterFor: 30 * time.Second}, nil},
		"time":      {cause.Pair{Before: p, After: p, AfterFor: 30*time.Second - 1}, []string{"only 30 s of 60 s"}},
		"baseline":  {cause.Pair{After: p, AfterFor: time.Minute}, []string{"no earlier profile"}},
		"both":      {cause.Pair{After: p, AfterFor: time.Second}, []string{"only 1 s of 60 s", "no earlier profile"}},
		"a profile": {cause.Pair{Before: p}, []string{"no CPU profile"}},
	} {
		got := r.lacks(c.cpu, times)
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("%s: %q, want %q", name, got[i], c.want[i])
			}
		}
	}
}

// TestAtOnce: goroutines that were looked at several times count as they are at a time,
// and those that were there for a moment only do not count.
func TestAtOnce(t *testing.T) {
	p := cpuProfile("1 main.a", "1 main.b", "1 main.c")
	p.Comments = []string{"rounds=10"}
	for i, n := range []int64{4, 25, 100} {
		p.Sample[i].Value = []int64{n}
	}
	got := atOnce(p)
	if len(got.Sample) != 2 || got.Sample[0].Value[0] != 3 || got.Sample[1].Value[0] != 10 || p.Sample[2].Value[0] != 100 {
		t.Errorf("%v", got.Sample)
	}
	if atOnce(nil) != nil {
		t.Error("something of nothing")
	}
}

// TestBaselineProfile: a profile of the release before is read where it is known how
// long it is of, to the fraction of a second.
func TestBaselineProfile(t *testing.T) {
	dir := t.TempDir()
	put(t, string(encoded(cpuProfile("1 main.list"), 1<<20)), dir, "previous"+keptKinds[continuous.ProfileHeap])
	for seconds, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Millisecond, 30: 30 * time.Second} {
		b := &baseline{dir, map[string]float64{continuous.ProfileHeap: seconds, continuous.ProfileMutex: 1}}
		p, length := b.profile(continuous.ProfileHeap)
		if length != want || (p != nil) != (want > 0) {
			t.Errorf("of %v s: %v, %v", seconds, p, length)
		}
		if p, length := b.profile(continuous.ProfileMutex); p != nil || length != 0 {
			t.Errorf("one that is not there: %v, %v", p, length)
		}
	}
}

// TestHotRows: an alert's rows are the five hottest functions, or, of a leak, the
// places where there are more goroutines than before.
func TestHotRows(t *testing.T) {
	var list []profiles.Function
	var groups []profiles.GoroutineGroup
	for i := range 6 {
		name := fmt.Sprint("main.f", i)
		list = append(list, profiles.Function{Function: name, File: "/src/f.go", Line: int64(i), Share: 0.5})
		groups = append(groups, profiles.GoroutineGroup{Function: "main.still", Before: 9, After: 9},
			profiles.GoroutineGroup{Function: name, File: "/src/f.go", Line: int64(i), Before: 10, After: 30})
	}
	rows := func(in Incident) string {
		var b strings.Builder
		for _, row := range wordsOf("en").hotRows(&in) {
			b.WriteString(row.String() + "\n")
		}
		return b.String()
	}
	text := func(format string, n int) (text string) {
		for i := range n {
			text += fmt.Sprintf(format, i)
		}
		return text
	}
	hot := profiles.Top{Own: list, Self: list[5:]}
	for name, c := range map[string]struct {
		in   Incident
		want string
	}{
		"hot":             {Incident{Profiles: []Section{{Hot: hot}, {}}}, text("50 %% | no baseline | main.f%[1]d | f.go:%[1]d\n", 5)},
		"two hot":         {Incident{Profiles: []Section{{Hot: profiles.Top{Own: list[:2]}}}}, text("50 %% | no baseline | main.f%[1]d | f.go:%[1]d\n", 2)},
		"none of our own": {Incident{Profiles: []Section{{Hot: profiles.Top{Self: list[5:]}}}}, "50 % | no baseline | main.f5 | f.go:5\n"},
		"none":            {Incident{}, ""},
		"a leak": {Incident{Goroutines: &Goroutines{After: 120, Groups: groups}, Profiles: []Section{{Hot: hot}}, Findings: []cause.Finding{{Kind: "leak"}}},
			text("25 %% | +20 | main.f%[1]d | f.go:%[1]d\n", 5)},
		"another cause": {Incident{Goroutines: &Goroutines{After: 120, Groups: groups}, Findings: []cause.Finding{{Kind: "cpu"}}}, ""},
	} {
		if got := rows(c.in); got != c.want {
			t.Errorf("%s:\n%swant\n%s", name, got, c.want)
		}
	}
}

// TestGoroutinesOfTheTimeBetween: where none were kept until the bad time began to
// show, those of before it was bad are taken, and none of the bad time.
func TestGoroutinesOfTheTimeBetween(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	times := cause.Times{Before: cause.Range{From: start, To: start.Add(time.Minute)}, After: cause.Range{From: start.Add(2 * time.Minute), To: start.Add(5 * time.Minute)}}
	for since, want := range map[time.Duration]bool{0: true, time.Minute: true, 90 * time.Second: true, 2 * time.Minute: true, 3 * time.Minute: false} {
		r := &Recorder{cfg: Config{profiler: &fakeProfiler{cpu: cpuProfile("900 main.list"), since: start.Add(since)}}, began: start}
		if got := r.goroutinesBefore(times); (got != nil) != want {
			t.Errorf("kept after %v: %v", since, got)
		}
	}
}
