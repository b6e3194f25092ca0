package evidence

import (
	"context"
	"io"
	"log/slog"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.uber.org/goleak"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var shop = domain.Domain{
	Prefix: "tienda", App: "tienda-api", Entity: "pedido",
	Events: []domain.Event{{Name: "pedidos_procesados"}, {Name: "carritos_activos", Kind: domain.KindUpDown}},
}

// rule makes a rule with evidence.
func rule(name string, kind alerting.Evidence) alerting.Rule {
	return alerting.Rule{Alert: name, Evidence: kind, Window: time.Second, Labels: map[string]string{"severity": "page"}, Severity: domain.SeverityPage}
}

// rules are one of each kind.
var rules = []alerting.Rule{
	rule("CPU", alerting.EvidenceCPU), rule("Memory", alerting.EvidenceMemory), rule("Slow", alerting.EvidenceLatency),
	rule("Errors", alerting.EvidenceErrors), rule("Leak", alerting.EvidenceGoroutines), rule("Orders", alerting.EvidenceEvents),
	rule("Plain", ""), {Alert: "Beat", Source: alerting.SourceHeartbeat},
}

// firing makes an alert that has been firing since a moment ago.
func firing(name string, labels ...string) alert.Alert {
	a := alert.Alert{Labels: map[string]string{"alertname": name, "severity": "page", "domain": "tienda"}, StartsAt: time.Now(), ActiveAt: time.Now(), Value: 3}
	for i := 0; i+1 < len(labels); i += 2 {
		a.Labels[labels[i]] = labels[i+1]
	}
	return a
}

func start(t testing.TB, cfg Config) *Recorder {
	t.Helper()
	if cfg.Domain.Prefix == "" {
		cfg.Domain = shop
	}
	if cfg.Rules == nil {
		cfg.Rules = rules
	}
	if cfg.compared == nil { // the alert's window and as much before it: no figure of a test's needs longer
		cfg.compared = halves
	}
	cfg.betweenLooks = 10 * time.Millisecond
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	r, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // Stop itself waits for five seconds
		waitUntil(t, "its end", func() bool { return r.Stop(context.Background()) == nil })
	})
	return r
}

// profiler starts one with short windows. Only one at a time has a CPU profile.
func profiler(t testing.TB) *continuous.Profiler {
	t.Helper()
	t.Setenv("PYROSCOPE_SERVER_ADDRESS", "")
	p, err := continuous.Start(continuous.Config{Interval: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

// waitUntil polls: nothing here has a fixed time.
func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	// Not all the time: what is asked costs CPU, which would be in the profiles.
	for tick := time.Tick(50 * time.Millisecond); !ok(); {
		select {
		case <-tick:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// profiledFor waits until the profiler has so many windows since from.
func profiledFor(t testing.TB, p *continuous.Profiler, from time.Time, windows int) {
	t.Helper()
	waitUntil(t, "windows of profile", func() bool {
		_, d, err := p.Profile(continuous.ProfileCPU, from, time.Time{})
		return err == nil && d >= time.Duration(windows)*p.Interval()*9/10
	})
}

// labelled runs fn in a goroutine that works for an endpoint, until the test
// ends or stop is called.
func labelled(t testing.TB, endpoint string, fn func(stop <-chan struct{})) (stop func()) {
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		pprof.Do(context.Background(), pprof.Labels(profiles.LabelEndpoint, endpoint), func(context.Context) { fn(quit) })
	})
	stop = sync.OnceFunc(func() { close(quit); done.Wait() })
	t.Cleanup(stop)
	return stop
}

var spent float64

//go:noinline
func burn(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		for i := range 100_000 {
			spent += float64(i) * 1.000001
		}
	}
}

//go:noinline
func awaitSupplier(stop <-chan struct{}) { <-stop }

// oneSeries is a store that knows of one event.
func oneSeries(_ context.Context, ranges ...cause.Range) ([]cause.Series, error) {
	var points []cause.Point
	for at, v := ranges[0].From, 0.0; !at.After(ranges[0].To); at, v = at.Add(5*time.Second), v+1 {
		points = append(points, cause.Point{At: at, Value: v})
	}
	return []cause.Series{{Name: "tienda_pedidos_procesados_total", Points: points}}, nil
}

// explains is an engine that finds this, whatever it is given, and tells what it
// was given.
func explains(findings ...cause.Finding) (func(cause.Input) cause.Result, *atomic.Pointer[cause.Input]) {
	var given atomic.Pointer[cause.Input]
	return func(in cause.Input) cause.Result {
		if profiled := in.Profiles.CPU.After != nil || in.Profiles.Waits.After != nil; profiled || given.Load() == nil { // the figures alone are asked first
			given.Store(&in)
		}
		return cause.Result{Times: in.Times, Findings: findings}
	}, &given
}

// hasFunction tells whether a function is in a profile.
func hasFunction(p *profile.Profile, name string) bool {
	return p != nil && slices.ContainsFunc(p.Function, func(f *profile.Function) bool { return strings.HasSuffix(f.Name, name) })
}

// fakeProfiler has the same profile of a kind for every time since it began.
type fakeProfiler struct {
	cpu, heap, waits *profile.Profile
	since            time.Time
}

func (p *fakeProfiler) Interval() time.Duration { return 10 * time.Second }

func (p *fakeProfiler) Profile(kind string, _, to time.Time) (*profile.Profile, time.Duration, error) {
	one := map[string]*profile.Profile{continuous.ProfileCPU: p.cpu, continuous.ProfileHeap: p.heap, continuous.ProfileWaits: p.waits}[kind]
	if one == nil || !to.IsZero() && to.Before(p.since) {
		return nil, 0, continuous.ErrNothing
	}
	return ours(one), 30 * time.Second, nil
}

// ours is a copy that whoever asked may cut.
func ours(p *profile.Profile) *profile.Profile {
	if p == nil {
		return nil
	}
	return &profile.Profile{SampleType: p.SampleType, PeriodType: p.PeriodType, Period: p.Period, Sample: slices.Clone(p.Sample), Location: p.Location, Function: p.Function, Comments: p.Comments}
}

func (p *fakeProfiler) Goroutines(at time.Time) (*profile.Profile, time.Time, error) {
	if !at.IsZero() && at.Before(p.since) || p.cpu == nil {
		return nil, time.Time{}, continuous.ErrNothing
	}
	return ours(p.cpu), at, nil
}

func (p *fakeProfiler) Look(context.Context, int, time.Duration) (*profile.Profile, error) {
	return ours(p.waits), nil
}

func (p *fakeProfiler) OfEndpoint(all *profile.Profile, _ string) *profile.Profile { return all }

func (p *fakeProfiler) WriteTrace(context.Context, io.Writer) error { return continuous.ErrNothing }
