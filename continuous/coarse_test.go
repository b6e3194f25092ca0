package continuous

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// written makes a profile with samples of distinct stacks, depth frames deep,
// whose values are 1, 2, 3 and so on, of every type.
func written(t testing.TB, samples, depth int, types ...string) *profile.Profile {
	t.Helper()
	p := &profile.Profile{PeriodType: &profile.ValueType{Type: types[0]}, Period: 1}
	for _, name := range types {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: name, Unit: "count"})
	}
	for i := range min(2000, samples*depth) {
		f := &profile.Function{ID: uint64(i + 1), Name: fmt.Sprintf("example.com/shop/orders.(*Service).handle%d", i), Filename: fmt.Sprintf("/src/orders/file%d.go", i)}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: f.ID, Address: uint64(i+1) << 8, Line: []profile.Line{{Function: f, Line: int64(i)}}})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range samples {
		s := &profile.Sample{Label: map[string][]string{profiles.LabelEndpoint: {fmt.Sprintf("/endpoint/%d", i%50)}}}
		for range types {
			s.Value = append(s.Value, int64(i+1))
		}
		for range depth {
			s.Location = append(s.Location, p.Location[random.IntN(len(p.Location))])
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func gzipped(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func total(p *profile.Profile, sampleType string) (sum int64) {
	i := stacks.Index(p, sampleType)
	for _, s := range p.Sample {
		sum += s.Value[i]
	}
	return sum
}

// reaching is a Profiler that keeps windows of 10 s, 10 minutes long, and steps.
func reaching() *Profiler {
	return &Profiler{
		cfg:  Config{Interval: defaultInterval, Keep: defaultKeep},
		ring: ring{maxBytes: defaultMaxBytes, keep: defaultKeep, coarseBytes: defaultMaxBytes / 2, coarseKeep: coarseReach * defaultKeep},
		quit: make(chan struct{}),
	}
}

// A rule with for: 10m, a slow leak: what was before began hours ago.
func TestReachesBack(t *testing.T) {
	t.Parallel()
	p := reaching()
	start := time.Date(2026, 1, 2, 15, 0, 3, 0, time.UTC)
	const windows = 3 * 360
	at := func(i int) time.Time { return start.Add(time.Duration(i) * defaultInterval) }
	cpu, mutex := gzipped(t, written(t, 3, 5, "samples", "cpu")), gzipped(t, written(t, 2, 5, "contentions", "delay"))
	looks := written(t, 3, 5, "goroutine")
	looks.Comments = []string{"rounds=10"}
	waits := gzipped(t, looks)
	for i := range windows {
		heap := written(t, 1, 5, "alloc_space", "inuse_space")
		heap.Sample[0].Value = []int64{100, int64(i)}
		for k, data := range map[kind][]byte{kindCPU: cpu, kindMutex: mutex, kindGoroutine: waits, kindHeap: gzipped(t, heap)} {
			p.ring.add(capture{k, at(i), at(i + 1), data})
		}
		if i%stacksEvery == 0 {
			all := written(t, 1, 5, "goroutine")
			all.Sample[0].Value[0] = int64(i)
			p.ring.add(capture{kindStacks, at(i), at(i), gzipped(t, all)})
		}
		if _, err := p.coarsenOne(coarseKinds[i%len(coarseKinds)]); err != nil {
			t.Fatal(err)
		}
	}
	if size, dropped := p.ring.size(); size > 24<<20 || dropped > 0 {
		t.Errorf("%d bytes, %d dropped", size, dropped)
	}
	now := at(windows)
	back := now.Add(-2*time.Hour - defaultKeep)
	for _, c := range []struct {
		kind, sampleType string
		each             int64
	}{{ProfileCPU, "cpu", 6}, {ProfileMutex, "delay", 3}, {ProfileWaits, "goroutine", 6}, {ProfileHeap, "alloc_space", 100}} {
		for _, r := range [][2]time.Time{{{}, {}}, {back, now}, {back, back.Add(time.Hour)}, {now.Add(-30 * time.Minute), now.Add(-20 * time.Minute)}, {now.Add(-15 * time.Minute), {}}} {
			all, profiled, err := p.Profile(c.kind, r[0], r[1])
			if err != nil {
				t.Fatal(c.kind, r, err)
			}
			n := int64(profiled / defaultInterval)
			if total(all, c.sampleType) != n*c.each {
				t.Errorf("%s from %v: %d in %v, want %d for each window", c.kind, now.Sub(r[0]), total(all, c.sampleType), profiled, c.each)
			}
			if want := r[1].Sub(r[0]); !r[1].IsZero() && (profiled < want-10*time.Minute || profiled > want+10*time.Minute) {
				t.Errorf("%s: %v of %v", c.kind, profiled, want)
			}
			if c.kind == ProfileWaits && stacks.Rounds(all) != int(n)*10 {
				t.Errorf("%d looks in %d windows, want 10 in each", stacks.Rounds(all), n)
			}
			if c.kind == ProfileHeap && r[1].IsZero() && total(all, "inuse_space") != windows-1 {
				t.Errorf("%d in use, want that of the last window", total(all, "inuse_space"))
			}
		}
		_, first, err := p.Profile(c.kind, time.Time{}, now.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := p.Profile(c.kind, now.Add(-time.Hour), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, both, _ := p.Profile(c.kind, time.Time{}, time.Time{}); both != first+second {
			t.Errorf("%s: %v and %v are not %v", c.kind, first, second, both)
		}
		steps, _ := p.ring.reach(kindsByName[c.kind], func(capture) bool { return true })
		last := steps[len(steps)-1]
		all, _, err := p.Profile(c.kind, last.from, last.to.Add(defaultInterval))
		if err != nil || total(all, c.sampleType)%c.each != 0 || total(all, c.sampleType) < 2*c.each {
			t.Errorf("%s: the last step and the window after it: %v", c.kind, err)
		}
	}
	for _, ago := range []time.Duration{2 * time.Hour, time.Hour, 15 * time.Minute, time.Minute} {
		_, when, err := p.Goroutines(now.Add(-ago))
		if err != nil || now.Sub(when) < ago || now.Sub(when) > ago+2*defaultKeep {
			t.Errorf("the goroutines of %v ago are of %v: %v", ago, now.Sub(when), err)
		}
	}
	if r, err := p.Report(t.Context(), ReportOptions{}); err != nil || now.Sub(r.From) > defaultKeep+defaultInterval || r.Process.CPUSeconds == 0 {
		t.Errorf("the report is of %v: %v, want the windows'", r, err)
	}
}

// A service with thousands of different stacks in each window loses the light
// ones, not the time.
func TestStepsAreBounded(t *testing.T) {
	t.Parallel()
	p := reaching()
	limit := p.ring.coarseBytes / coarseSteps / len(coarseKinds)
	sum := written(t, 30_000, 40, "samples", "cpu")
	want := total(sum, "cpu")
	data, err := p.ring.fitted(sum)
	if err != nil || len(data) > limit {
		t.Fatalf("%d bytes, want %d at most: %v", len(data), limit, err)
	}
	small, err := capture{data: data}.parse()
	if err != nil {
		t.Fatal(err)
	}
	if total(small, "cpu") != want {
		t.Errorf("%d in all, want %d: what is added up counts", total(small, "cpu"), want)
	}
	if by := p.ByEndpoint("cpu", small); len(by) != 50 {
		t.Errorf("%d endpoints, want 50", len(by))
	}
	light := min(int64(30_000-coarseSamples), want)
	for _, s := range small.Sample {
		if s.Location[0].Line[0].Function.Name != profiles.OtherSamples && s.Value[0] <= light {
			t.Fatalf("a sample of %d is kept", s.Value[0])
		}
	}
}

// The loop does it by itself, in whatever pace, and Stop ends it.
func TestStepsOfALoop(t *testing.T) {
	p := local(t, Config{Keep: 3 * testInterval})
	burn(t)
	waitUntil(t, "steps of what has left the ring", func() bool {
		coarse, _ := p.ring.reach(kindCPU, func(capture) bool { return true })
		return len(coarse) >= 3 && has(t, coarse, ".busyUntil")
	})
}

// TestMergedInTurn: after each window one large step is merged, or some small ones,
// and each kind has its turn.
func TestMergedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := reaching()
		p.aged, p.coarsened = make(chan struct{}), make(chan struct{})
		data := gzipped(t, written(t, 1, 1, "samples", "cpu"))
		start := time.Now().Truncate(defaultKeep)
		for k, n := range map[kind]int{kindCPU: 30, kindHeap: 30, kindGoroutine: 2, kindMutex: mergedAtOnce - 2, kindBlock: 1, kindStacks: 1} {
			for i := range n {
				at := start.Add(time.Duration(i) * defaultInterval)
				p.ring.list = append(p.ring.list, capture{k, at, at.Add(defaultInterval), data})
			}
		}
		p.ring.newest = start.Add(3 * defaultKeep)
		go p.coarsen()
		for turn, want := range [][]kind{{kindCPU}, {kindCPU, kindHeap}, {kindCPU, kindHeap, kindGoroutine, kindMutex, kindBlock}, {kindCPU, kindHeap, kindGoroutine, kindMutex, kindBlock, kindStacks}} {
			p.aged <- struct{}{}
			synctest.Wait()
			var got []kind
			for _, c := range p.ring.coarse {
				got = append(got, c.kind)
			}
			if !slices.Equal(got, want) {
				t.Errorf("after turn %d %v are merged, want %v", turn, got, want)
			}
		}
		if len(p.ring.list) > 0 {
			t.Errorf("%d windows are left", len(p.ring.list))
		}
		close(p.quit)
		<-p.coarsened
	})
}

func BenchmarkCoarsen(b *testing.B) { // five minutes of CPU profiles: 30 windows of 400 stacks
	data := gzipped(b, written(b, 400, 40, "samples", "cpu"))
	start := time.Now().Truncate(defaultKeep)
	for b.Loop() {
		p := reaching()
		for i := range 120 {
			at := start.Add(time.Duration(i) * defaultInterval)
			p.ring.add(capture{kindCPU, at, at.Add(defaultInterval), data})
		}
		if n, err := p.coarsenOne(kindCPU); n != 30 || err != nil {
			b.Fatal(n, err)
		}
	}
}

// TestDue: a step of half of what the ring keeps is merged once all of it is older
// than that; of all goroutines it is a whole one.
func TestDue(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	ringAt := func(age time.Duration) *ring {
		r := &ring{keep: 10 * time.Minute, coarseBytes: 1 << 20}
		for i := range 20 {
			from := start.Add(time.Duration(i)*time.Minute + 10*time.Second)
			for _, k := range []kind{kindCPU, kindStacks, kindHeap} {
				r.list = append(r.list, capture{kind: k, from: from, to: from.Add(time.Minute)})
			}
		}
		r.newest = start.Add(age)
		return r
	}
	for _, c := range []struct {
		kind kind
		age  time.Duration
		want int
	}{
		{kindCPU, 15 * time.Minute, 0}, {kindCPU, 15*time.Minute + 1, 5}, {kindCPU, time.Hour, 5}, {kindHeap, time.Hour, 5},
		{kindStacks, 20 * time.Minute, 0}, {kindStacks, 20*time.Minute + 1, 10}, {kindLeaks, time.Hour, 0},
	} {
		group := ringAt(c.age).due(c.kind)
		if len(group) != c.want {
			t.Errorf("of kind %v after %v: %d are due, want %d", c.kind, c.age, len(group), c.want)
		}
		for i, g := range group {
			if g.kind != c.kind || !g.from.Equal(start.Add(time.Duration(i)*time.Minute+10*time.Second)) {
				t.Errorf("%v of %v is due in place %d", g.kind, g.from, i)
			}
		}
	}
	for _, none := range []*ring{{}, {keep: time.Minute}, {coarseBytes: 1}, {keep: time.Minute, coarseBytes: 1}} {
		if group := none.due(kindCPU); group != nil {
			t.Errorf("%d are due of a ring with nothing", len(group))
		}
	}
}

// TestExchange: a coarse capture takes the place of its own windows, and the oldest
// coarse ones go for lack of space, and for age.
func TestExchange(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	at := func(k kind, minute, size int) capture {
		from := start.Add(time.Duration(minute) * time.Minute)
		return capture{k, from, from.Add(time.Minute), make([]byte, size)}
	}
	r := &ring{maxBytes: 1 << 20, keep: 10 * time.Minute, coarseBytes: 3 * (100 + captureOverhead), coarseKeep: time.Hour}
	for i := range 4 {
		r.add(at(kindCPU, i, 50))
		r.add(at(kindHeap, i, 50))
	}
	before := r.bytes
	group := []capture{at(kindCPU, 0, 0), at(kindCPU, 1, 0)}
	r.exchange(group, nil) // could not be read
	if len(r.list) != 6 || r.bytes != before-2*(50+captureOverhead) || len(r.coarse) != 0 {
		t.Errorf("%d windows in %d bytes, %d coarse", len(r.list), r.bytes, len(r.coarse))
	}
	for i := range 4 {
		c := at(kindCPU, 10*i, 100)
		r.exchange(nil, &c)
	}
	if len(r.coarse) != 3 || !r.coarse[0].from.Equal(start.Add(10*time.Minute)) || r.coarseSize != r.coarseBytes {
		t.Errorf("%d coarse ones of %d bytes", len(r.coarse), r.coarseSize)
	}
	r.newest = start.Add(10*time.Minute + time.Minute + r.keep + r.coarseKeep) // the first one is just not too old
	c := at(kindCPU, 31, 0)
	r.coarseBytes = 1 << 20
	if r.exchange(nil, &c); len(r.coarse) != 4 {
		t.Errorf("%d are left of 4", len(r.coarse))
	}
	r.newest = r.newest.Add(1)
	if r.exchange(nil, &c); len(r.coarse) != 4 || !r.coarse[0].from.Equal(start.Add(20*time.Minute)) {
		t.Errorf("%d are left, from %v on", len(r.coarse), r.coarse[0].from)
	}
	if r.coarseSize != 2*100+4*captureOverhead {
		t.Errorf("%d bytes are counted", r.coarseSize)
	}
	r.coarseBytes = 100 + captureOverhead
	large := at(kindCPU, 32, 101)
	if r.exchange(nil, &large); len(r.coarse) != 0 || r.coarseSize != 0 {
		t.Errorf("%d of %d bytes are left beside one that is too large", len(r.coarse), r.coarseSize)
	}
}
