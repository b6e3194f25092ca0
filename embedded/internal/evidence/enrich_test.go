package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
)

func TestEnrichCPU(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/reportes", burn)
	profiledFor(t, p, began, 4)

	a := firing("CPU")
	a.ActiveAt = began.Add(time.Second) // the rule's window ends there
	if now := time.Now(); a.ActiveAt.After(now) {
		waitUntil(t, "the window", func() bool { return time.Now().After(a.ActiveAt) })
	}
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	cause := out.Annotations["cause"]
	for _, want := range []string{"CPU use grew from", "evidence.burn (harness_test.go:", "mainly for /reportes"} {
		if !strings.Contains(cause, want) {
			t.Errorf("cause %q, want %q in it", cause, want)
		}
	}
	columns := strings.Split(out.Annotations["hot_1"], " | ")
	if len(columns) != 4 || columns[2] != "evidence.burn" || !strings.HasPrefix(columns[3], "harness_test.go:") || !strings.HasSuffix(columns[0], " %") {
		t.Errorf("hot_1 is %q", out.Annotations["hot_1"])
	}
	id, ok := strings.CutPrefix(out.Annotations["incident"], "/incidents/")
	if !ok {
		t.Fatalf("incident %q", out.Annotations["incident"])
	}
	waitUntil(t, "the incident", func() bool { return r.kept.find(id) != nil })
	in := r.kept.find(id).incident
	if in.Evidence != alerting.EvidenceCPU || in.Endpoint != "/reportes" || len(in.Files) != 2 || in.Baseline.Profiled < 0.2 || in.Window.Profiled < 0.3 {
		t.Errorf("%+v", in)
	}
}

// A request that waits leaves no CPU samples: hot functions would mislead.
func TestEnrichLatency(t *testing.T) {
	p := profiler(t)
	r := start(t, Config{Profiler: p, Timeout: 10 * time.Second})
	profiledFor(t, p, time.Time{}, 4)
	began := time.Now()
	labelled(t, "/other", burn) // busy, and not what the alert is about
	for range 3 {
		labelled(t, "/proveedor/stock", awaitSupplier)
	}
	profiledFor(t, p, began, 6)
	a := firing("Slow", "endpoint", "/proveedor/stock")
	a.ActiveAt = began.Add(time.Second)
	out := r.Enrich(t.Context(), a)
	t.Logf("%v", out.Annotations)
	for _, want := range []string{"Requests to /proveedor/stock wait", "no CPU samples", "evidence.awaitSupplier (harness_test.go:", "for: channel receive", "before 0"} {
		if cause := out.Annotations["cause"]; !strings.Contains(cause, want) {
			if want == "before 0" && strings.Contains(cause, "0 before") {
				continue
			}
			t.Errorf("cause %q, want %q in it", cause, want)
		}
	}
	if row := out.Annotations["waits_1"]; !strings.Contains(row, " | channel receive | evidence.awaitSupplier | harness_test.go:") {
		t.Errorf("waits_1 is %q", row)
	}
	if hot := out.Annotations["hot_1"]; strings.Contains(hot, "burn") {
		t.Errorf("hot_1 %q is another endpoint's", hot)
	}
}
