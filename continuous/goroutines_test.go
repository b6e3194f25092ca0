package continuous

import (
	"context"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// blocked starts n goroutines that work for an endpoint and wait in
// waitForSupplier. They end with the test.
func blocked(t testing.TB, n int, labels ...string) {
	reply := make(chan struct{})
	var ready, ended sync.WaitGroup
	for range n {
		ready.Add(1)
		ended.Go(func() {
			pprof.Do(context.Background(), pprof.Labels(labels...), func(context.Context) {
				ready.Done()
				waitForSupplier(reply)
			})
		})
	}
	ready.Wait()
	t.Cleanup(func() { close(reply); ended.Wait() })
}

//go:noinline
func waitForSupplier(reply <-chan struct{}) { <-reply }

// seenOf is how often goroutines of an endpoint or region were seen in
// waitForSupplier.
func seenOf(p *profile.Profile, of string) (seen int64) {
	for _, s := range p.Sample {
		in := slices.ContainsFunc(stacks.Of(s), func(f stacks.Frame) bool { return strings.HasSuffix(f.Function, ".waitForSupplier") })
		if in && stacks.Label(s, profiles.LabelEndpoint)+stacks.Label(s, profiles.LabelRegion) == of {
			seen += s.Value[0]
		}
	}
	return seen
}

func TestWaits(t *testing.T) {
	blocked(t, 3, profiles.LabelEndpoint, "/slow", profiles.LabelSpanID, "0123456789abcdef", "customer", "4711")
	blocked(t, 1, profiles.LabelRegion, "import")
	blocked(t, 50, "customer", "4711")

	w := goroutineSampler{period: time.Millisecond}
	from := time.Now()
	// A goroutine that is on its way into the channel has another stack.
	waitUntil(t, "all wait", func() bool {
		w.sum, w.rounds = nil, 0
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
		return seenOf(w.sum, "/slow") == 3 && seenOf(w.sum, "import") == 1 && seenOf(w.sum, "") == 0
	})
	for range 4 {
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
	}
	sum, whole := w.take(from, time.Now())
	if !slices.Equal(sum.Comments, []string{"rounds=5"}) {
		t.Errorf("comments %q, want rounds=5", sum.Comments)
	}
	if err := sum.CheckValid(); err != nil {
		t.Error(err)
	}
	found := map[string]int64{}
	for _, s := range sum.Sample {
		if len(s.Label) > 1 || s.Label["customer"] != nil {
			t.Errorf("labels %v: they tell requests apart", s.Label)
		}
	}
	for _, of := range []string{"/slow", "import", ""} {
		found[of] = seenOf(sum, of)
	}
	if found["/slow"] != 15 || found["import"] != 5 || found[""] != 0 {
		t.Errorf("seen %v, want /slow 15 times, import 5 times, and none of a library without a label", found)
	}
	all, err := profile.ParseData(whole)
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, s := range all.Sample {
		total += s.Value[0]
	}
	if total < 54 {
		t.Errorf("%d goroutines in the whole profile, want all", total)
	}
	if sum, whole := w.take(from, from); sum != nil || whole != nil {
		t.Error("a second take returned the first one's")
	}
}

func TestWaitsBounded(t *testing.T) {
	p := &profile.Profile{}
	for i := range maxWaitStacks + 500 {
		p.Sample = append(p.Sample, &profile.Sample{Value: []int64{int64(i)}, Label: map[string][]string{profiles.LabelEndpoint: {"/slow"}}})
		p.Sample = append(p.Sample, &profile.Sample{Value: []int64{int64(10_000 * i)}}) // workers never push out what requests do
	}
	heaviestWaits(p, maxWaitStacks)
	if len(p.Sample) != maxWaitStacks || p.Sample[maxWaitStacks-1].Value[0] != 500 {
		t.Errorf("%d samples, the last one %d: want the %d heaviest", len(p.Sample), p.Sample[len(p.Sample)-1].Value[0], maxWaitStacks)
	}
	for _, c := range []struct {
		cost       time.Duration
		goroutines int
		want       time.Duration
	}{
		{time.Millisecond, 100, time.Second},
		{50 * time.Millisecond, 100, 5 * time.Second},
		{time.Millisecond, manyGoroutines + 1, manyPause},
		{time.Second, manyGoroutines + 1, 100 * time.Second},
	} {
		if got := lookPause(time.Second, c.cost, c.goroutines); got != c.want {
			t.Errorf("%v for a look at %d goroutines: pause %v, want %v", c.cost, c.goroutines, got, c.want)
		}
	}
}

func BenchmarkLook(b *testing.B) { // 1,000 goroutines, half of them labelled
	blocked(b, 500, profiles.LabelEndpoint, "/slow")
	blocked(b, 500)
	w := goroutineSampler{period: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		if err := w.look(); err != nil {
			b.Fatal(err)
		}
	}
}
