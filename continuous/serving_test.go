package continuous

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// inherited starts a goroutine as a handler would that labels its own: with
// its labels, and nothing on its stack that has set them.
func inherited(start func(), labels ...string) {
	pprof.Do(context.Background(), pprof.Labels(labels...), func(context.Context) { go start() })
}

// within calls fn so many frames deep.
//
//go:noinline
func within(frames int, fn func()) {
	if frames > 0 {
		within(frames-1, fn)
		return
	}
	fn()
}

// whose adds the values of a profile up by what its samples count for.
func whose(p *profile.Profile) map[string]int64 {
	sums := map[string]int64{}
	for _, s := range p.Sample {
		for _, name := range []string{profiles.LabelEndpoint, profiles.LabelRegion, profiles.LabelStartedBy} {
			if v := stacks.Label(s, name); v != "" {
				sums[name+" "+v] += s.Value[0]
			}
		}
	}
	return sums
}

// TestInheritedGoroutines: what a request has started is not the request.
func TestInheritedGoroutines(t *testing.T) {
	end := make(chan struct{})
	var ended, ready sync.WaitGroup
	wait := func() {
		defer ended.Done()
		ready.Done()
		<-end
	}
	started := func(start func(), labels ...string) {
		ended.Add(1)
		ready.Add(1)
		inherited(start, labels...)
	}
	started(wait, profiles.LabelEndpoint, "/signup", profiles.LabelMethod, "POST", profiles.LabelSpanID, "0123456789abcdef")
	started(wait, profiles.LabelRegion, "import")
	started(func() { within(20, wait) }, profiles.LabelEndpoint, "/deep")
	started(func() { within(2*profiles.GoroutineDepth, wait) }, profiles.LabelEndpoint, "/cut")
	started(func() { // what it is given in a context is its own
		ctx := pprof.WithLabels(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/job", profiles.LabelMethod, "GET"))
		Region(ctx, "job", func(context.Context) { wait() })
	}, profiles.LabelEndpoint, "/pool", profiles.LabelMethod, "GET")
	started(func() { // a pool's worker that sets labels aside of its own has none of the request's
		pprof.Do(context.Background(), pprof.Labels("queue", "mail"), func(context.Context) { wait() })
	}, profiles.LabelEndpoint, "/queue")
	pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/timer"), func(context.Context) {
		ended.Add(1)
		ready.Add(1)
		time.AfterFunc(0, wait)
	})
	ready.Wait()
	defer ended.Wait()
	defer close(end)

	w := goroutineSampler{period: time.Millisecond}
	want := map[string]int64{
		"started_by POST /signup": 1, "started_by import": 1, "started_by /deep": 1,
		"endpoint /cut": 1, "endpoint /job": 1, "region job": 1,
	}
	var got map[string]int64
	waitUntil(t, fmt.Sprintf("%v", want), func() bool {
		w.sum = nil
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
		got = whose(w.sum)
		delete(got, "started_by /timer") // a timer's goroutine is started by whoever looks at the timers
		return fmt.Sprint(got) == fmt.Sprint(want)
	})
	for _, s := range w.sum.Sample {
		if by := stacks.Label(s, profiles.LabelStartedBy); by != "" && len(s.Label) != 1 {
			t.Errorf("started by %s: labels %v, want none of the request's", by, s.Label)
		}
	}
}

// TestTimeoutHandler has a goroutine of its own for each request.
func TestTimeoutHandler(t *testing.T) {
	w := goroutineSampler{period: time.Millisecond}
	h := http.TimeoutHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if err := w.look(); err != nil {
			t.Error(err)
		}
	}), time.Minute, "late")
	pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/slow"), func(context.Context) {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/slow", nil))
	})
	// And the one that waits for it. A worker of the test before may still be ending.
	if got := whose(w.sum); got["endpoint /slow"] != 2 || got["started_by /slow"] != 0 {
		t.Errorf("seen %v, want the handler's goroutine and the one that waits for it", got)
	}
}

// TestInheritedCPU takes a CPU profile of a request, of a worker that another
// one has started, and of a stack that the runtime cuts.
func TestInheritedCPU(t *testing.T) {
	var buf bytes.Buffer
	if err := pprof.StartCPUProfile(&buf); err != nil {
		t.Fatal(err)
	}
	var ended sync.WaitGroup
	work := func() { // some tenths of a second of CPU time each
		defer ended.Done()
		for range 1500 {
			_ = busy()
		}
	}
	ended.Add(3)
	go pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, "/report"), func(context.Context) { work() })
	inherited(work, profiles.LabelEndpoint, "/prices", profiles.LabelMethod, "GET")
	inherited(func() { within(2*profiles.CPUDepth, work) }, profiles.LabelEndpoint, "/cut")
	ended.Wait()
	pprof.StopCPUProfile()

	c, parsed, err := capture{data: buf.Bytes()}.settled(profiles.CPUDepth)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.parse()
	if err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]*profile.Profile{"the profile": parsed, "its bytes": again} {
		got := whose(p)
		for _, name := range []string{"endpoint /report", "started_by GET /prices", "endpoint /cut"} {
			if got[name] == 0 {
				t.Errorf("%s has no sample of %s: %v", what, name, got)
			}
		}
		for name := range got {
			if name == "endpoint /prices" || name == "started_by /cut" || name == "started_by /report" {
				t.Errorf("%s has samples of %s: %v", what, name, got)
			}
		}
	}
}

// TestSettleScheduler: the scheduler's samples go where the others of the same
// labels go.
func TestSettleScheduler(t *testing.T) {
	serving := stacks.SDK + "telemetry.(*boundHandler).ServeHTTP"
	p := &profile.Profile{}
	add := func(value int64, endpoint string, functions ...string) {
		s := &profile.Sample{Value: []int64{value}, Label: map[string][]string{profiles.LabelEndpoint: {endpoint}}}
		for _, name := range functions {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
			l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
			p.Function, p.Location, s.Location = append(p.Function, f), append(p.Location, l), append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	scheduler := []string{"runtime.findRunnable", "runtime.schedule", "runtime.park_m", "runtime.mcall"}
	add(1, "/served", scheduler...)
	add(5, "/served", "main.handler", serving)
	add(2, "/served", "main.worker")
	add(1, "/started", scheduler...)
	add(1, "/started", "main.handler", serving)
	add(9, "/started", "main.worker")
	add(1, "/unknown", scheduler...)
	profiles.Settle(p, profiles.CPUDepth)
	want := map[string]int64{"endpoint /served": 6, "started_by /served": 2, "endpoint /started": 1, "started_by /started": 10, "started_by /unknown": 1}
	if got := whose(p); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestSettleWithoutRoute: a goroutine that a request started answers none, also
// where the router did not know the route when the request came.
func TestSettleWithoutRoute(t *testing.T) {
	p := &profile.Profile{}
	for i, functions := range [][]string{{"main.handler", stacks.SDK + "telemetry.(*Telemetry).Middleware.func1"}, {"main.watch"}} {
		s := &profile.Sample{Value: []int64{1}, Label: map[string][]string{profiles.LabelMethod: {"GET"}, profiles.LabelPeer: {"prices"}}}
		for j, name := range functions {
			f := &profile.Function{ID: uint64(2*i + j + 1), Name: name}
			l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
			p.Function, p.Location, s.Location = append(p.Function, f), append(p.Location, l), append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	profiles.Settle(p, profiles.GoroutineDepth)
	served, started := p.Sample[0].Label, p.Sample[1].Label
	if fmt.Sprint(served) != "map[method:[GET] peer:[prices]]" || fmt.Sprint(started) != "map[peer:[prices] started_by:[GET]]" {
		t.Errorf("served %v, started %v", served, started)
	}
}

// BenchmarkSettle is what a window of 10 s costs once, when it ends: 1,000
// samples of 30 frames, half of them inherited.
func BenchmarkSettle(b *testing.B) {
	for name, endpoint := range map[string]string{"labelled": "/a", "unlabelled": ""} {
		b.Run(name, func(b *testing.B) {
			p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}}}
			for i := range 300 {
				f := &profile.Function{ID: uint64(i + 1), Name: fmt.Sprintf("example.com/shop/internal/orders.(*Service).method%d", i)}
				if i == 0 {
					f.Name = stacks.SDK + "telemetry.(*boundHandler).ServeHTTP"
				}
				p.Function = append(p.Function, f)
				p.Location = append(p.Location, &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}})
			}
			for i := range 1000 {
				s := &profile.Sample{Value: []int64{1, 1e7}}
				if endpoint != "" {
					s.Label = map[string][]string{profiles.LabelEndpoint: {endpoint + strings.Repeat("x", i%20)}, profiles.LabelMethod: {"GET"}}
				}
				for j := range 30 {
					s.Location = append(s.Location, p.Location[1+(i*7+j*13)%299])
				}
				if i%2 == 0 {
					s.Location[29] = p.Location[0]
				}
				p.Sample = append(p.Sample, s)
			}
			var buf bytes.Buffer
			if err := p.Write(&buf); err != nil {
				b.Fatal(err)
			}
			of := &Profiler{}
			of.BindEndpoint("GET", "/a", "main.handler")
			b.ReportAllocs()
			for b.Loop() {
				_, labelled, err := capture{data: buf.Bytes()}.settled(profiles.CPUDepth)
				if err != nil {
					b.Fatal(err)
				}
				of.handlers.Learn(labelled)
			}
		})
	}
}
