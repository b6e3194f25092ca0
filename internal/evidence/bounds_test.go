package evidence

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
)

// inBounds has an alert enriched by the engine itself. It must leave in its time,
// and a moment more on a machine that others use, and leave an incident.
func inBounds(t *testing.T, cfg Config) *Incident {
	t.Helper()
	cfg.compared = cause.Compared
	r := start(t, cfg)
	a := firing("Slow")
	began := time.Now()
	out := r.Enrich(t.Context(), a)
	took := time.Since(began)
	t.Logf("took %v: %v", took, out.Annotations)
	if took > 2*DefaultTimeout {
		t.Errorf("the alert was held up for %v", took)
	}
	if out.Annotations["cause"] == "" && out.Annotations["evidence"] == "" {
		t.Errorf("annotations %v", out.Annotations)
	}
	waitUntil(t, "the incident", func() bool { return len(r.kept.list()) == 1 })
	return r.kept.list()[0]
}

// manySamples is a profile with 200,000 stacks.
func manySamples(value int64) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7, Comments: []string{"rounds=10"}}
	for i := range uint64(20_000) {
		f := &profile.Function{ID: i + 1, Name: fmt.Sprintf("main.f%d", i), Filename: "main.go"}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: i + 1, Line: []profile.Line{{Function: f, Line: int64(i)}}})
	}
	for i := range 200_000 {
		s := &profile.Sample{Value: []int64{value}, Label: map[string][]string{"endpoint": {fmt.Sprintf("/%d", i%100)}, "method": {"GET"}}}
		for depth := range 20 {
			s.Location = append(s.Location, p.Location[(i*7+depth*(i%13+1))%len(p.Location)])
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

func TestAlertOfManySamples(t *testing.T) {
	p := manySamples(1e6)
	inBounds(t, Config{profiler: &fakeProfiler{cpu: p, heap: p, waits: p}, Series: oneSeries})
}

// manySeries are 20,000 series: of the service's own metrics, of 400 endpoints.
func manySeries(_ context.Context, ranges ...cause.Range) ([]cause.Series, error) {
	var list []cause.Series
	add := func(name string, labels map[string]string) {
		one := cause.Series{Name: name, Labels: labels}
		for i := range 25 {
			r := ranges[0]
			one.Points = append(one.Points, cause.Point{At: r.From.Add(time.Duration(i) * r.Length() / 25), Value: float64(i * len(list))})
		}
		list = append(list, one)
	}
	for e := 0; len(list) < 20_000; e++ {
		endpoint := fmt.Sprintf("/%d", e)
		for _, status := range []string{"200", "201", "400", "404", "500", "503"} {
			add("tienda_requests_total", map[string]string{"method": "GET", "endpoint": endpoint, "status": status})
		}
		add("tienda_response_duration_seconds_sum", map[string]string{"method": "GET", "endpoint": endpoint})
		add("tienda_response_duration_seconds_count", map[string]string{"method": "GET", "endpoint": endpoint})
		for le := range 20 {
			add("tienda_response_duration_seconds_bucket", map[string]string{"method": "GET", "endpoint": endpoint, "le": fmt.Sprint(le)})
		}
		add("tienda_client_requests_total", map[string]string{"peer": fmt.Sprint(e % 50), "method": "GET", "status": "200"})
	}
	return list, nil
}

func TestAlertOfManySeries(t *testing.T) {
	p := cpuProfile("900 main.list")
	inBounds(t, Config{profiler: &fakeProfiler{cpu: p, heap: p, waits: p}, Series: manySeries})
}

func TestAlertOfManyGoroutines(t *testing.T) {
	p := profiler(t)
	profiledFor(t, p, time.Time{}, 2)
	stop := make(chan struct{})
	var waiting sync.WaitGroup
	for range 100_000 {
		waiting.Go(func() { awaitSupplier(stop) })
	}
	defer func() { close(stop); waiting.Wait() }()
	inBounds(t, Config{Profiler: p, Series: oneSeries})
}

// hangingProfiler never answers.
type hangingProfiler struct {
	fakeProfiler
	release chan struct{}
	asked   atomic.Int64
}

func (p *hangingProfiler) Profile(string, time.Time, time.Time) (*profile.Profile, time.Duration, error) {
	p.asked.Add(1)
	<-p.release
	return nil, 0, io.EOF
}

func (p *hangingProfiler) Goroutines(time.Time) (*profile.Profile, time.Time, error) {
	p.asked.Add(1)
	<-p.release
	return nil, time.Time{}, io.EOF
}

// A profiler that hangs costs the alert its profiles; and however many alerts
// there are, what hangs is bounded.
func TestHangingProfiler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &hangingProfiler{release: make(chan struct{})}
		r := start(t, Config{profiler: p, Series: oneSeries, Timeout: 200 * time.Millisecond})
		t.Cleanup(func() { close(p.release) })
		in := incidentOf(t, r, r.Enrich(t.Context(), firing("Slow")))
		want(t, strings.Join(in.Notes, " "), "some profiles could not be read in time")
		for i := range 40 {
			r.Enrich(t.Context(), firing("Slow", "endpoint", fmt.Sprint(i)))
		}
		if n := p.asked.Load(); n > maxTasks {
			t.Errorf("%d are asking", n)
		}
	})
}

// leakingProfiler is that of a process with so many goroutines that nobody can
// look at them now.
type leakingProfiler struct{ fakeProfiler }

func (p *leakingProfiler) Look(ctx context.Context, _ int, _ time.Duration) (*profile.Profile, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *leakingProfiler) Goroutines(at time.Time) (*profile.Profile, time.Time, error) {
	if at.IsZero() {
		return nil, at, continuous.ErrNothing
	}
	return p.fakeProfiler.Goroutines(at)
}

func TestManyGoroutinesAsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen *profile.Profile
		explain := func(in cause.Input) cause.Result {
			seen = cmp.Or(seen, in.Profiles.Goroutines.After)
			return cause.Result{Findings: []cause.Finding{{Kind: "leak", Score: 1, Sentence: "Goroutines leak."}}}
		}
		p := cpuProfile("900 main.list")
		r := start(t, Config{profiler: &leakingProfiler{fakeProfiler{cpu: p}}, Series: oneSeries, Timeout: 500 * time.Millisecond, explain: explain})
		incidentOf(t, r, r.Enrich(t.Context(), firing("Slow")))
		if seen == nil {
			t.Error("the goroutines that were kept last are not looked at")
		}
	})
}

// explainsLate says what the figures tell at once, and with profiles never in
// time.
func explainsLate(release <-chan struct{}) func(cause.Input) cause.Result {
	return func(in cause.Input) cause.Result {
		if in.Profiles.CPU.After != nil {
			<-release
		}
		return cause.Result{Findings: []cause.Finding{{Kind: "no_cpu", Score: 1, Sentence: "The limit throttles the process."}}}
	}
}

// A process that has no time to read its profiles says what its figures tell.
func TestLateProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := cpuProfile("900 main.list")
		r := start(t, Config{profiler: &fakeProfiler{cpu: p, heap: p, waits: p}, Series: oneSeries, Timeout: 2 * time.Second, explain: explainsLate(release)})
		t.Cleanup(func() { close(release) })
		out := r.Enrich(t.Context(), firing("Slow"))
		want(t, out.Annotations["cause"], "The limit throttles the process.")
		want(t, strings.Join(incidentOf(t, r, out).Notes, " "), "took longer than")
	})
}

// TestLateLooks: where a process uses up its CPU, its CPU profile names the function
// though nobody can look at its goroutines in time.
func TestLateLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		explain := func(in cause.Input) cause.Result {
			f := cause.Finding{Kind: "cpu", Score: 1, Sentence: "The process uses the CPU."}
			switch {
			case in.Profiles.Waits.After != nil || in.Profiles.Heap.After != nil:
				<-release
			case in.Profiles.CPU.After != nil:
				f.Sentence = "list computes."
			}
			return cause.Result{Times: in.Times, Findings: []cause.Finding{f}}
		}
		p := cpuProfile("900 main.list")
		r := start(t, Config{profiler: &fakeProfiler{cpu: p, heap: p, waits: p}, Series: oneSeries, Timeout: 2 * time.Second, explain: explain})
		t.Cleanup(func() { close(release) })
		want(t, r.Enrich(t.Context(), firing("Slow")).Annotations["cause"], "list computes.")
	})
}

// slowDisplay holds up what is shown beside the findings.
type slowDisplay struct {
	fakeProfiler
	release chan struct{}
}

func (p *slowDisplay) WriteTrace(ctx context.Context, w io.Writer) error {
	<-p.release
	return p.fakeProfiler.WriteTrace(ctx, w)
}

// An alert leaves with its cause as soon as that is known, or its time is over.
func TestLateDisplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &slowDisplay{release: make(chan struct{})}
		explain, _ := explains(cause.Finding{Kind: "cpu", Score: 1, Sentence: "list computes."})
		r := start(t, Config{profiler: p, Series: oneSeries, Timeout: 2 * time.Second, explain: explain})
		t.Cleanup(func() { close(p.release) })
		want(t, r.Enrich(t.Context(), firing("Slow")).Annotations["cause"], "list computes.")
	})
}

// busyProfiler is the profiler of a process whose CPU is all in use: a profile
// takes a second to be read.
type busyProfiler struct{ fakeProfiler }

func (p *busyProfiler) Profile(kind string, from, to time.Time) (*profile.Profile, time.Duration, error) {
	time.Sleep(time.Second) // of the test's own clock: synctest
	return p.fakeProfiler.Profile(kind, from, to)
}

func TestBusyProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		explain := func(in cause.Input) cause.Result {
			if in.Profiles.CPU.After == nil {
				return cause.Result{Findings: []cause.Finding{{Kind: "cpu", Score: 0.5, Sentence: "The process uses the CPU."}}}
			}
			return cause.Result{Findings: []cause.Finding{{Kind: "cpu", Score: 1, Sentence: "list computes."}}}
		}
		p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
		r := start(t, Config{profiler: &busyProfiler{fakeProfiler{cpu: p}}, Series: oneSeries, explain: explain})
		s := newSink()
		pipeline := NewPipeline(r.Enrich, s.put, DefaultTimeout)
		pipeline.Notify([]alert.Alert{firing("Slow")})
		pipeline.Close(t.Context())
		want(t, s.alerts[0].Annotations["cause"], "list computes.")
	})
}
