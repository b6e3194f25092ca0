package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
)

// A store that hangs, and heeds its context, costs the alert what the store
// knows, and no time beyond the limit.
func TestHangingStore(t *testing.T) {
	p := profiler(t)
	profiledFor(t, p, time.Time{}, 2)
	hang := func(ctx context.Context, _ ...cause.Range) ([]cause.Series, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r := start(t, Config{Profiler: p, Series: hang, Timeout: 500 * time.Millisecond})
	began := time.Now()
	out := r.Enrich(t.Context(), firing("Slow"))
	if took := time.Since(began); took > 5*time.Second { // three times as much where the machine is busy
		t.Errorf("took %v of 500 ms", took)
	}
	if in := incidentOf(t, r, out); !strings.Contains(strings.Join(in.Notes, " "), "the store did not answer in time") {
		t.Errorf("notes %q, annotations %v", in.Notes, out.Annotations)
	}
}

// One that does not even heed its context holds no alert up. The number of
// those that hang is bounded, and Stop says that one still does.
func TestStoreHangsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked sync.WaitGroup
		hang := func(context.Context, ...cause.Range) ([]cause.Series, error) {
			asked.Add(1)
			defer asked.Done()
			<-release
			return nil, nil
		}
		r, err := Start(t.Context(), Config{Domain: shop, Rules: rules, Series: hang, Timeout: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		began := time.Now()
		for i := range 20 {
			all.Go(func() {
				out := r.Enrich(t.Context(), firing("Orders", "endpoint", fmt.Sprint("/", i)))
				if why := out.Annotations["evidence"]; why == "" {
					t.Errorf("annotations %v", out.Annotations)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("20 alerts took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		close(release)
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What the profiles say does not wait for such a store.
func TestStoreHangsBesideProfiles(t *testing.T) {
	p := profiler(t)
	release := make(chan struct{})
	explain, given := explains(cause.Finding{Sentence: "A supplier."})
	r := start(t, Config{Profiler: p, Timeout: 3 * time.Second, explain: explain, Series: func(context.Context, ...cause.Range) ([]cause.Series, error) {
		<-release
		return nil, nil
	}})
	t.Cleanup(func() { close(release) }) // before the Stop of start
	labelled(t, "/proveedor", awaitSupplier)
	profiledFor(t, p, time.Time{}, 2)
	out := r.Enrich(t.Context(), firing("Slow"))
	want(t, out.Annotations["cause"], "A supplier.")
	want(t, out.Annotations["waits_1"], "evidence.awaitSupplier | ")
	if in := given.Load(); in.Series != nil || !hasFunction(in.Profiles.Waits.After, "evidence.awaitSupplier") {
		t.Errorf("the engine was given %d series", len(in.Series))
	}
	want(t, strings.Join(incidentOf(t, r, out).Notes, " "), "the store did not answer in time")
}

func TestPanickingStore(t *testing.T) {
	series := func(context.Context, ...cause.Range) ([]cause.Series, error) { panic("boom\nfake=line") }
	var out strings.Builder
	r := start(t, Config{Series: series, Logger: slog.New(slog.NewTextHandler(&out, nil))})
	for range 2 {
		a := r.Enrich(t.Context(), firing("Orders"))
		if a.Annotations["evidence"] == "" {
			t.Errorf("annotations %v", a.Annotations)
		}
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(out.String(), "boom"); n != 1 {
		t.Errorf("logged %d times: %s", n, out.String())
	}
}

// A Now that panics is in no goroutine of ours, but in the caller's.
func TestPanickingClock(t *testing.T) {
	ok := true
	r := start(t, Config{Now: func() time.Time {
		if ok {
			return time.Now()
		}
		panic("boom")
	}})
	ok = false
	if out := r.Enrich(t.Context(), firing("CPU")); out.Annotations["evidence"] == "" {
		t.Errorf("annotations %v", out.Annotations)
	}
}

func TestDoneContext(t *testing.T) {
	r := start(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out := r.Enrich(ctx, firing("CPU")); out.Annotations["evidence"] == "" {
		t.Errorf("annotations %v", out.Annotations)
	}
}

// Resends carry the same cause; the resolved alert too, and its incident ends.
func TestEpisodes(t *testing.T) {
	asked := 0
	var mu sync.Mutex
	explain, _ := explains(cause.Finding{Kind: "lock", Sentence: "A lock is held."})
	r := start(t, Config{explain: explain, Series: func(ctx context.Context, ranges ...cause.Range) ([]cause.Series, error) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return oneSeries(ctx, ranges...)
	}})
	a := firing("Orders")
	first := r.Enrich(t.Context(), a)
	id := incidentOf(t, r, first).ID
	n := asked
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			again := r.Enrich(t.Context(), a)
			if fmt.Sprint(again.Annotations) != fmt.Sprint(first.Annotations) {
				t.Errorf("a resend has %v, the first %v", again.Annotations, first.Annotations)
			}
		})
	}
	all.Wait()
	if asked != n {
		t.Error("resends asked the store again")
	}
	over := a.Clone()
	over.EndsAt = time.Now()
	if out := r.Enrich(t.Context(), over); out.Annotations["incident"] != first.Annotations["incident"] {
		t.Errorf("the resolved alert has %v", out.Annotations)
	}
	waitUntil(t, "the incident ends", func() bool { return r.kept.find(id).incident.EndsAt != nil })
	later := a.Clone()
	later.StartsAt = a.StartsAt.Add(time.Hour)
	if out := r.Enrich(t.Context(), later); incidentOf(t, r, out).ID == id {
		t.Error("the next episode has the incident of the last one")
	}
}

// Of an alert that no rule of the domain is of, its link says what it is about.
func TestForeignRule(t *testing.T) {
	explain, given := explains()
	r := start(t, Config{explain: explain})
	a := firing("Theirs")
	a.GeneratorURL = "http://prometheus:9090/graph?g0.expr=rate%28tienda_requests_total%5B2m%5D%29+%3E+rate%28x%5B30s%3A5s%5D%29&g0.tab=1"
	r.Enrich(t.Context(), a)
	if in := given.Load().Alert; in.Expr != "rate(tienda_requests_total[2m]) > rate(x[30s:5s])" || in.Window != 2*time.Minute {
		t.Errorf("the engine was given %+v", in)
	}
}

// Every alert leaves an incident, also one that no rule of the domain is of. One
// that always fires does not.
func TestEveryAlert(t *testing.T) {
	r := start(t, Config{})
	for _, name := range []string{"Plain", "unknown", ""} {
		out := r.Enrich(t.Context(), firing(name))
		if in := incidentOf(t, r, out); in.Name != name || in.None == "" || out.Annotations["evidence"] == "" {
			t.Errorf("%q: %+v, %v", name, in, out.Annotations)
		}
	}
	drill := r.Enrich(t.Context(), firing("Plain", "drill", "true"))
	if in := incidentOf(t, r, drill); !in.Drill {
		t.Errorf("%+v", in)
	}
	kept := len(r.kept.list())
	for _, beat := range []alert.Alert{firing("Beat"), firing("Watchdog", "heartbeat", "true")} {
		if out := r.Enrich(t.Context(), beat); len(out.Annotations) != 0 {
			t.Errorf("%s: %v", beat.Name(), out.Annotations)
		}
	}
	if n := len(r.kept.list()); n != kept {
		t.Errorf("%d incidents of heartbeats", n-kept)
	}
}

func TestNothingToEnrich(t *testing.T) {
	r := start(t, Config{})
	over := firing("CPU")
	over.EndsAt = time.Now()
	if out := r.Enrich(t.Context(), over); len(out.Annotations) != 0 {
		t.Errorf("the end of an episode that nobody saw begin: %v", out.Annotations)
	}
	var none *Recorder
	if out := none.Enrich(t.Context(), firing("CPU")); len(out.Annotations) != 0 || none.Stop(t.Context()) != nil || none.Handler() == nil {
		t.Error("a nil Recorder does something")
	}
	if _, err := Start(t.Context(), Config{Timeout: -1, MaxBytes: -1}); err == nil {
		t.Error("negative bounds are taken")
	}
}

func TestAfterStop(t *testing.T) {
	for language, want := range map[string]string{"en": "the service is stopping", "es": "el servicio se está deteniendo"} {
		d := shop
		d.Language = language
		r := start(t, Config{Domain: d})
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if out := r.Enrich(t.Context(), firing("CPU")); out.Annotations["evidence"] != want {
			t.Errorf("%s: annotations %v", language, out.Annotations)
		}
	}
}

// What is remembered of alerts is bounded.
func TestEpisodesBounded(t *testing.T) {
	es := newEpisodes()
	for i := range 3 * maxEpisodes {
		es.of(alert.Alert{Labels: map[string]string{"alertname": "A", "endpoint": fmt.Sprint(i)}, StartsAt: time.Now()})
	}
	if len(es.known) != maxEpisodes || len(es.order) != maxEpisodes {
		t.Errorf("%d and %d remembered, want %d", len(es.known), len(es.order), maxEpisodes)
	}
}
