package evidence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
)

// fleet are the instances a, b and c of the shop. Its profiles are of who is
// asked for.
type fleet struct {
	*shopStore
	mu    sync.Mutex
	asked [][]string
	hangs bool
	fails error
	away  atomic.Bool // the samples are
}

func (f *fleet) Series(ctx context.Context, labels map[string]string, ranges ...cause.Range) ([]cause.Series, error) {
	if f.away.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.series(ctx, ranges...)
}

func (f *fleet) Profile(ctx context.Context, kind string, ids []string, _ cause.Times) (pair cause.Pair, err error) {
	f.mu.Lock()
	f.asked = append(f.asked, ids)
	f.mu.Unlock()
	if f.hangs {
		<-ctx.Done()
		return pair, ctx.Err()
	}
	if f.fails != nil || kind != continuous.ProfileCPU {
		return pair, cmp.Or(f.fails, errors.New("nobody has it"))
	}
	pair.After = cpuProfile("900 main.of" + strings.Join(ids, "And"))
	pair.AfterFor = time.Minute
	return pair, nil
}

// failing is half an hour of three instances, each with 2 requests a second.
// Those that are named fail from 900 s on. A fourth one was taken away before.
func failing(bad ...string) string {
	text := `
  tienda_requests_total{job="tienda-api",instance="gone",endpoint="/pedidos",method="POST",status="201"} 0+10x140
  tienda_build_info{job="tienda-api",instance="gone",version="1",service_instance_id="id-gone"} 1x140`
	for _, name := range []string{"a", "b", "c"} {
		good, failed := "0+10x180 1800+10x180", "0+0x180 0+0x180"
		if slices.Contains(bad, name) {
			good, failed = "0+10x180 1800+0x180", "0+0x180 0+10x180"
		}
		text += fmt.Sprintf(`
  tienda_requests_total{job="tienda-api",instance=%[1]q,endpoint="/pedidos",method="POST",status="201"} %[2]s
  tienda_requests_total{job="tienda-api",instance=%[1]q,endpoint="/pedidos",method="POST",status="503"} %[3]s
  tienda_build_info{job="tienda-api",instance=%[1]q,version="1",service_instance_id="id-%[1]s"} 1x360`, name, good, failed)
	}
	return text
}

// TestFleetNamesWorst: of an alert on all instances those that are worse than the
// others are named, and explained by their own samples and profiles; where all
// are alike nobody is; and one that the alert names is it, whatever others do.
func TestFleetNamesWorst(t *testing.T) {
	for name, c := range map[string]struct {
		bad    []string
		labels []string
		says   string
		asked  []string
	}{
		"one of three":   {[]string{"b"}, nil, "b (1 of 3 instances): ", []string{"id-b"}},
		"two of three":   {[]string{"a", "c"}, nil, "a, c (2 of 3 instances): ", []string{"id-a"}},
		"all alike":      {[]string{"a", "b", "c"}, nil, "", []string{"id-gone", "id-a", "id-b", "id-c"}},
		"none":           {nil, nil, "", []string{"id-gone", "id-a", "id-b", "id-c"}},
		"the alert says": {[]string{"b"}, []string{"instance", "a"}, "a (1 of 3 instances): ", []string{"id-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fleet{shopStore: load(t, failing(c.bad...))}
			explain, given := explains(cause.Finding{Kind: "failing", Score: 1, Sentence: "It fails."})
			cfg := f.sources(Config{Rules: fiveMinutes("requests"), Fleet: f, ReleaseAfter: -1, explain: explain}, 1200*time.Second)
			cfg.Series = nil
			r := start(t, cfg)
			out := r.Enrich(t.Context(), at1200("Errors", c.labels...))
			if got := out.Annotations[AnnotationCause]; got != c.says+"It fails." {
				t.Errorf("cause %q", got)
			}
			if !slices.Equal(f.asked[0], c.asked) {
				t.Errorf("profiles of %v, want %v", f.asked[0], c.asked)
			}
			in := given.Load()
			of := map[string]bool{}
			for _, s := range in.Series {
				of[s.Labels["instance"]] = true
			}
			if len(of) != len(c.asked) || in.CPUs != 0 || in.Profiles.CPU.After == nil {
				t.Errorf("explained by series of %v, %d CPUs", slices.Sorted(maps.Keys(of)), in.CPUs)
			}
			if kept := incidentOf(t, r, out); strings.Join(kept.Instances, ", ") != strings.TrimSuffix(strings.Split(c.says+" (", " (")[0], " ") {
				t.Errorf("incident of %v", kept.Instances)
			}
		})
	}
}

// TestFleetNow: the instance that fails now is named, whichever failed long before,
// in the same time after a change.
func TestFleetNow(t *testing.T) {
	series := strings.Replace(failing("b"), `instance="a",endpoint="/pedidos",method="POST",status="503"} 0+0x180 0+0x180`,
		`instance="a",endpoint="/pedidos",method="POST",status="503"} 0+0x20 0+30x80 2400+0x260`, 1)
	f := &fleet{shopStore: load(t, series)}
	explain, _ := explains(cause.Finding{Kind: "failing", Score: 1, Sentence: "It fails."})
	cfg := f.sources(Config{Rules: fiveMinutes("requests"), Fleet: f, ReleaseAfter: -1, explain: explain}, 1200*time.Second)
	cfg.compared = func(in cause.Input) cause.Times {
		return cause.Times{Before: cause.Range{From: in.Now.Add(-1190 * time.Second), To: in.Now.Add(-1110 * time.Second)}, After: cause.Range{From: in.Now.Add(-1110 * time.Second), To: in.Now}}
	}
	cfg.Series = nil
	if out := start(t, cfg).Enrich(t.Context(), at1200("Errors")); out.Annotations[AnnotationCause] != "b (1 of 3 instances): It fails." {
		t.Errorf("cause %q", out.Annotations[AnnotationCause])
	}
}

// TestFleetProfilesHang: profiles that do not come cost an alert its time and no
// more, and the figures still say what is wrong and where.
func TestFleetProfilesHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{shopStore: load(t, failing("b")), hangs: true}
		cfg := f.sources(Config{Rules: fiveMinutes("requests"), Fleet: f, ReleaseAfter: -1}, 1200*time.Second)
		cfg.Timeout = 4 * time.Second
		r := start(t, cfg)
		began := time.Now()
		out := r.Enrich(t.Context(), at1200("Errors"))
		want(t, out.Annotations[AnnotationCause], "b (1 of 3 instances): ", "503")
		if took := time.Since(began); took > cfg.Timeout {
			t.Errorf("it took %v", took)
		}
	})
}

// TestFleetLate: a cause that could not be found when the first message went out is
// on the alert when it is sent again, under the same incident, which says that it
// came late.
func TestFleetLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{shopStore: load(t, failing("b"))}
		f.away.Store(true)
		cfg := f.sources(Config{Rules: fiveMinutes("requests"), Fleet: f, ReleaseAfter: -1}, 1200*time.Second)
		cfg.Series, cfg.Timeout = nil, time.Second
		r := start(t, cfg)
		a := at1200("Errors")
		first := r.Enrich(t.Context(), a)
		if first.Annotations[AnnotationCause] != "" || first.Annotations[AnnotationEvidence] == "" {
			t.Fatalf("nobody can know yet: %v", first.Annotations)
		}
		waitUntil(t, "what was found in time", func() bool { return len(r.kept.list()) == 1 })
		f.away.Store(false)
		var again alert.Alert
		waitUntil(t, "the cause on a resend", func() bool {
			again = r.Enrich(t.Context(), a)
			return again.Annotations[AnnotationCause] != ""
		})
		want(t, again.Annotations[AnnotationCause], "b (1 of 3 instances): ", "503")
		if again.Annotations[AnnotationIncident] != first.Annotations[AnnotationIncident] || len(r.kept.list()) != 1 {
			t.Errorf("%d incidents, %s and %s", len(r.kept.list()), first.Annotations[AnnotationIncident], again.Annotations[AnnotationIncident])
		}
		if in := incidentOf(t, r, again); !slices.ContainsFunc(in.Notes, func(n string) bool { return strings.Contains(n, "after the first message") }) {
			t.Errorf("the incident does not say that it came late: %q", in.Notes)
		}
		if resolved := r.Enrich(t.Context(), ended(a)); resolved.Annotations[AnnotationCause] != again.Annotations[AnnotationCause] {
			t.Errorf("the resolved alert says %v", resolved.Annotations)
		}
	})
}

// ended is the alert when it is over.
func ended(a alert.Alert) alert.Alert {
	a.EndsAt = a.StartsAt.Add(10 * time.Minute)
	return a
}
