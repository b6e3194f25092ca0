package evidence

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
)

func counted(t *testing.T, reader *sdkmetric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
				outcome, _ := p.Attributes.Value(attribute.Key("outcome"))
				counts[m.Name+"/"+outcome.AsString()] = p.Value
			}
		}
	}
	return counts
}

// The oldest incidents go, beyond a number and beyond a size, on the disk too.
func TestIncidentsBounded(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
			r := start(t, Config{Dir: dir, MaxIncidents: 5, MaxBytes: 60 << 10, Meter: meter, Version: ""})
			if c := counted(t, reader); len(c) != 4 || c["telemetry.incidents/saved"] != 0 {
				t.Errorf("at the start %v, want four zeros", c)
			}
			at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
			for i := range 12 {
				in := &Incident{ID: newID(at.Add(time.Duration(i)*time.Minute), "CPU"), Kind: KindAlert, Name: "CPU", StartsAt: at, Cause: strings.Repeat("x", 2000)}
				r.keep(&gathered{incident: in})
			}
			list := r.kept.list()
			if len(list) != 5 || !strings.HasPrefix(list[0].ID, "20260102T151505Z-cpu-") || !strings.HasPrefix(list[4].ID, "20260102T151105Z-cpu-") {
				t.Errorf("%d kept, the newest %s", len(list), list[0].ID)
			}
			large := &Incident{ID: newID(at.Add(time.Hour), "CPU"), Cause: strings.Repeat("x", 20<<10)}
			r.keep(&gathered{incident: large})
			if list := r.kept.list(); list[0].ID != large.ID || len(list) > 3 || r.kept.bytes > 60<<10 {
				t.Errorf("%d kept with %d bytes after a large one", len(list), r.kept.bytes)
			}
			r.keep(&gathered{incident: &Incident{ID: newID(at.Add(2*time.Hour), "CPU"), Cause: strings.Repeat("x", 60<<10)}})
			if list := r.kept.list(); list[0].ID != large.ID {
				t.Error("one that is larger than the bound is kept")
			}
			c := counted(t, reader)
			if c["telemetry.incidents/saved"] != 13 || c["telemetry.incidents/dropped"] < 10 || c["telemetry.incidents/failed"] != 1 {
				t.Errorf("counted %v", c)
			}
			if dir != "" {
				folders, err := os.ReadDir(filepath.Join(dir, "incidents"))
				if err != nil || len(folders) != len(r.kept.list()) {
					t.Errorf("%d folders for %d incidents, %v", len(folders), len(r.kept.list()), err)
				}
			}
		})
	}
}

// A cause that was found after its incident was kept is in the folder, too, and
// that the alert is over by then stays. What it no longer has goes.
func TestCauseComesLater(t *testing.T) {
	dir := t.TempDir()
	r := start(t, Config{Dir: dir})
	in := Incident{ID: newID(time.Now(), "CPU"), Kind: KindAlert, Name: "CPU"}
	for _, cause := range []string{"", "A lock is held."} {
		in.Cause = cause
		g := &gathered{incident: &in}
		if cause == "" {
			g.before = &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
		}
		r.keep(g)
		_, err := os.Stat(filepath.Join(dir, "incidents", in.ID, fileBefore))
		if has := err == nil; has != (cause == "") {
			t.Errorf("with the cause %q it has a profile of before: %v", cause, has)
		}
		if cause == "" {
			r.kept.end(in.ID, time.Now())
		}
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := start(t, Config{Dir: dir}).kept.list()
	if len(list) != 1 || list[0].Cause != in.Cause || list[0].EndsAt == nil {
		t.Errorf("after a restart %+v", list)
	}
}

// After a restart the incidents are there, and an alert that still fires
// carries on with its own.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	p := profiler(t)
	stop := labelled(t, "/reportes", burn) // without it there may be no sample for a graph
	waitUntil(t, "a sample", func() bool {
		cpu, _, err := p.Profile(continuous.ProfileCPU, time.Time{}, time.Time{})
		return err == nil && len(cpu.Sample) > 0
	})
	profiledFor(t, p, time.Time{}, 2)
	url := func() string { return "http://127.0.0.1:9464/" }
	explain, _ := explains(cause.Finding{Kind: "lock", Sentence: "A lock is held.", Next: "Look."}, cause.Finding{Sentence: "Twice the traffic."})
	cfg := Config{Dir: dir, Profiler: p, URL: url, Timeout: 10 * time.Second, explain: explain}
	r := start(t, cfg)
	a, gone := firing("CPU"), firing("Slow")
	first := r.Enrich(t.Context(), a)
	incidentOf(t, r, first)
	stop()
	over := r.Enrich(t.Context(), gone)
	incidentOf(t, r, over)
	gone.EndsAt = time.Now()
	r.Enrich(t.Context(), gone)
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A crash while one was written leaves this, and somebody put that there.
	for _, folder := range []string{unfinished + "20260102T150405Z-cpu-0a1b2c", "notes", "20260102T150405Z-cpu-0a1b2c"} {
		if err := os.MkdirAll(filepath.Join(dir, "incidents", folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "incidents", "20260102T150405Z-cpu-0a1b2c", fileJSON), []byte(`{"id":"../../etc"}`), 0o600); err != nil {
		t.Fatal(err)
	}

	r = start(t, cfg)
	if list := r.kept.list(); len(list) != 2 {
		t.Fatalf("%d incidents after the restart, want 2", len(list))
	}
	if _, err := os.Stat(filepath.Join(dir, "incidents", unfinished+"20260102T150405Z-cpu-0a1b2c")); !os.IsNotExist(err) {
		t.Error("what was not finished is still there")
	}
	a.StartsAt = a.StartsAt.Add(30 * time.Second) // as rules have it that were restored
	again := r.Enrich(t.Context(), a)
	if first.Annotations["cause"] == "" || first.Annotations["next"] == "" || first.Annotations["also_1"] == "" || !mapsEqual(first.Annotations, again.Annotations) {
		t.Errorf("after the restart\n%v, before\n%v", again.Annotations, first.Annotations)
	}
	for _, in := range r.kept.list() {
		if ended := in.EndsAt != nil; ended != (in.Name == "Slow") {
			t.Errorf("%s: ended %v", in.Name, ended)
		}
	}
	a.EndsAt = time.Now()
	r.Enrich(t.Context(), a)
	id := strings.TrimPrefix(first.Annotations["incident"], "http://127.0.0.1:9464/incidents/")
	waitUntil(t, "the end is on the disk", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "incidents", id, fileJSON))
		var in Incident
		return err == nil && json.Unmarshal(data, &in) == nil && in.EndsAt != nil
	})
	var page []byte
	waitUntil(t, "the page says that it is over", func() bool {
		page, _ = os.ReadFile(filepath.Join(dir, "incidents", id, fileHTML))
		return bytes.Contains(page, []byte("resolved after"))
	})
	if !bytes.Contains(page, []byte(`class="flame"`)) {
		t.Error("the page lost its graph")
	}
}

func mapsEqual(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestUnfinished: an incident is in its folder with all of its files, or there is
// no such folder.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string][]byte{fileJSON: []byte("{}"), fileHTML: []byte("page"), "none/" + fileTrace: nil} // the last one cannot be written
	for range 20 {                                                                                         // in any order
		if err := writeFolder(dir, "incident", files); err == nil {
			t.Fatal("a file is written into a folder that is not there")
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Fatalf("%v is left of it, %v", left, err)
		}
	}
	delete(files, "none/"+fileTrace)
	seen := make(chan struct{})
	go func() { // whoever reads meanwhile
		defer close(seen)
		for {
			found, err := os.ReadDir(filepath.Join(dir, "incident"))
			if err == nil && len(found) != len(files) {
				t.Errorf("it is there with %d files of %d", len(found), len(files))
			}
			if err == nil {
				return
			}
		}
	}()
	if err := writeFolder(dir, "incident", files); err != nil {
		t.Fatal(err)
	}
	<-seen
}

// A folder that cannot be used, from the start or later, costs the disk only.
func TestUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	log := slog.New(slog.NewTextHandler(&out, nil))
	r := start(t, Config{Dir: file, Logger: log, Series: oneSeries})
	incidentOf(t, r, r.Enrich(t.Context(), firing("Orders")))
	if !strings.Contains(out.String(), "in memory only") {
		t.Errorf("logged %q", out.String())
	}

	dir := t.TempDir()
	out.Reset()
	r = start(t, Config{Dir: dir, Logger: log, Series: oneSeries})
	folder := filepath.Join(dir, "incidents")
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // as good as a full disk, for root too
		t.Fatal(err)
	}
	a := firing("Orders")
	in := incidentOf(t, r, r.Enrich(t.Context(), a))
	if data, err := r.kept.read(r.kept.find(in.ID), fileHTML); err != nil || len(data) == 0 {
		t.Errorf("the page is lost: %v", err)
	}
	a.EndsAt = time.Now()
	r.Enrich(t.Context(), a)
	waitUntil(t, "the incident ends", func() bool { return r.kept.find(in.ID).incident.EndsAt != nil })
	if n := strings.Count(out.String(), "cannot be written"); n != 1 {
		t.Errorf("logged %d times: %s", n, out.String())
	}
}

func TestIDs(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.FixedZone("", 3600))
	for name, wanted := range map[string]string{
		"RespuestaLenta": "20260102T140405Z-respuestalenta-", "": "20260102T140405Z-alert-", "../../etc/passwd": "20260102T140405Z-______etc_passwd-", "ñ<>": "20260102T140405Z-___-",
		strings.Repeat("x", 500): "20260102T140405Z-" + strings.Repeat("x", 64) + "-",
	} {
		if id := newID(at, name); !strings.HasPrefix(id, wanted) || !idPattern.MatchString(id) {
			t.Errorf("%.20q: %s, want %s", name, id, wanted)
		}
	}
	if one, other := newID(at, "a"), newID(at, "a"); one == other {
		t.Error("two alerts of one name and time have one id")
	}
	if id := newID(time.Time{}, "a"); !idPattern.MatchString(id) {
		t.Error(id)
	}
}
