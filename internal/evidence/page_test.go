package evidence

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/testkit"
)

// cpuProfile builds a CPU profile: each line is milliseconds and functions, from
// the outermost.
func cpuProfile(lines ...string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7}
	locations := map[string]*profile.Location{}
	for _, line := range lines {
		fields := strings.Fields(line)
		var ms int64
		_, _ = fmt.Sscan(fields[0], &ms)
		s := &profile.Sample{Value: []int64{ms * 1e6}}
		for _, name := range fields[1:] {
			if locations[name] == nil {
				id := uint64(len(locations) + 1)
				f := &profile.Function{ID: id, Name: name, Filename: "/src/shop/" + name[strings.LastIndexByte(name, '.')+1:] + ".go"}
				locations[name] = &profile.Location{ID: id, Line: []profile.Line{{Function: f, Line: int64(10 * id)}}}
				p.Function, p.Location = append(p.Function, f), append(p.Location, locations[name])
			}
			s.Location = append([]*profile.Location{locations[name]}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// sample is an incident with all that one can have, and labels of an enemy.
func sample(language string) *gathered {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	before := cpuProfile("900 net/http.serve main.list encoding/json.Marshal", "50 net/http.serve main.report main.sort")
	after := cpuProfile("800 net/http.serve main.list encoding/json.Marshal", "5200 net/http.serve main.report main.sort math.Sin", "40 runtime.gcBgMarkWorker")
	both := cause.Pair{Before: before, After: after, BeforeFor: 10 * time.Second, AfterFor: 10 * time.Second}
	end := at.Add(90 * time.Second)
	in := &Incident{
		ID: "20260102T150405Z-respuestalenta-0a1b2c", Kind: KindAlert, Name: "RespuestaLenta", Severity: "page", Service: "tienda-api", Language: language, Drill: true,
		Labels:      map[string]string{"alertname": "RespuestaLenta", "endpoint": `<script>alert("1")</script>`, "severity": "page"},
		Annotations: map[string]string{"summary": "La tienda <b>responde</b> lento", "runbook_url": "javascript:alert(1)"},
		Value:       3.25, ActiveAt: at.Add(-time.Minute), StartsAt: at, EndsAt: &end, Version: "1.4.2", Revision: "bbbbbbb2", Evidence: alerting.EvidenceLatency,
		Endpoint: `<script>alert("1")</script>`, Window: Range{at.Add(-5 * time.Minute), at, 10}, Baseline: Range{at.Add(-10 * time.Minute), at.Add(-5 * time.Minute), 10},
		Notes:    []string{"a <note>"},
		Profiles: []Section{sectionOf(both, "cpu", "cpu")},
		Waits: &Waiting{Share: 0.94, Busy: 0.01, Before: 0.1, After: 12.25, Seen: 130, Looks: 10, Places: []WaitingPlace{
			{WaitPlace: profiles.WaitPlace{Function: "github.com/x/shop.(*Supplier).awaitAnswer", File: "/src/shop/supplier.go", Line: 61, Reason: "select", Share: 0.94}, Before: 0.1, After: 12.25}}},
		Goroutines: &Goroutines{Before: 20, After: 4310, BeforeTime: at.Add(-time.Minute), Groups: []profiles.GoroutineGroup{
			{Function: "main.leak", File: "/src/shop/leak.go", Line: 8, Reason: "channel receive", Started: "main.leak.func1", Owner: "own", Before: 0, After: 4290}}},
		Errors:   []Move{{Name: "requests", Endpoint: "/pagos", Label: "503", Before: 0, After: 41}},
		Moved:    []Move{{Name: "pedidos_procesados", Before: 600, After: 12}, {Name: "requests", Before: 1000, After: 1010}},
		Slowest:  &Slowest{TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", Endpoint: "/pagos", Seconds: 3.5, At: at},
		Deployed: &Deployment{Before: Release{"1.4.1", "aaaaaaa1"}, After: Release{"1.4.2", "bbbbbbb2"}, At: at.Add(-2 * time.Minute)},
		Flame:    "cpu",
	}
	in.Findings = []cause.Finding{
		{Kind: "cpu", Score: 0.81, Sentence: "GET /pagos computes for 520 ms, 5 ms before: main.sort (sort.go:40) <b>grew</b>.", Next: "Look at main.sort.", Rests: []string{"cores 0.09 → 0.6"},
			Function: "main.sort", File: "/src/shop/sort.go", Line: 40, Endpoint: "GET /pagos"},
		{Kind: "release", Score: 0.3, Sentence: "Version 1.4.2 took the place of 1.4.1.", Next: "Compare them."},
	}
	in.Cause = in.Findings[0].Sentence
	return &gathered{incident: in, before: before, after: after}
}

func TestIncidentGolden(t *testing.T) {
	for _, language := range []string{"en", "es"} {
		g := sample(language)
		files := map[string][]byte{}
		if err := render(g.incident, g.after, files); err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, "testdata/incident."+language+".html", files[fileHTML])
		if language == "en" {
			testkit.Golden(t, "testdata/incident.json", files[fileJSON])
		}
		page := string(files[fileHTML])
		for _, never := range []string{"<script", `"javascript:`, "<b>responde", "<note>", "http-equiv", " style="} {
			if strings.Contains(page, never) {
				t.Errorf("%s: the page has %q", language, never)
			}
		}
		var back Incident
		if err := json.Unmarshal(files[fileJSON], &back); err != nil {
			t.Fatal(err)
		}
		r := start(t, Config{Domain: domain.Domain{Prefix: "tienda", Language: language}})
		if a, b := r.annotations(g.incident), r.annotations(&back); !mapsEqual(a, b) {
			t.Errorf("annotations after JSON\n%v\nbefore\n%v", b, a)
		}
	}
}

func get(t *testing.T, h http.Handler, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestHandler(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{Dir: dir})
			h := r.Handler()
			if text := body(t, get(t, h, "/api/incidents")); strings.TrimSpace(text) != "{\n  \"incidents\": []\n}" {
				t.Errorf("without incidents: %s", text)
			}
			g := sample("en")
			r.keep(g)
			id := g.incident.ID
			base := "/incidents/" + id
			for path, wants := range map[string][3]string{
				"/api/incidents":                      {"application/json", `"name": "RespuestaLenta"`, ""},
				"/api/incidents?alert=RespuestaLenta": {"application/json", id, ""},
				"/api/incidents/" + id:                {"application/json", `"cause": "GET /pagos`, ""},
				base:                                  {"text/html; charset=utf-8", "awaitAnswer", ""},
				base + "/before.pb.gz":                {"application/octet-stream", "\x1f\x8b", id + "-before.pb.gz"},
				base + "/after.pb.gz":                 {"application/octet-stream", "\x1f\x8b", id + "-after.pb.gz"},
			} {
				a := get(t, h, path)
				text := body(t, a)
				if a.StatusCode != http.StatusOK || a.Header.Get("Content-Type") != wants[0] || !strings.Contains(text, wants[1]) {
					t.Errorf("%s: %s %q %.200s", path, a.Status, a.Header.Get("Content-Type"), text)
				}
				if wants[2] != "" && !strings.Contains(a.Header.Get("Content-Disposition"), wants[2]) {
					t.Errorf("%s: saved as %q", path, a.Header.Get("Content-Disposition"))
				}
				if a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-") {
					t.Errorf("%s: headers %v", path, a.Header)
				}
			}
			p, err := profile.ParseData([]byte(body(t, get(t, h, base+"/after.pb.gz"))))
			if err != nil || len(p.Sample) != 3 {
				t.Errorf("after.pb.gz: %v", err)
			}
			for _, path := range []string{base + "/trace.out", "/incidents/20260102T150405Z-x-000000", "/api/incidents/..%2f..%2fetc%2fpasswd", "/incidents/%2e%2e/before.pb.gz", "/api/incidents/x"} {
				if a := get(t, h, path); a.StatusCode != http.StatusNotFound {
					t.Errorf("%s: %s", path, a.Status)
				}
			}
			if a := get(t, h, "/incidents/?alert=RespuestaLenta"); a.StatusCode != http.StatusFound || a.Header.Get("Location") != id {
				t.Errorf("the newest of an alert: %s, %q", a.Status, a.Header.Get("Location"))
			}
			for _, path := range []string{"/incidents/", "/incidents/?alert=unknown"} {
				if a := get(t, h, path); a.StatusCode != http.StatusFound || a.Header.Get("Location") != "../alerts#incidents" {
					t.Errorf("%s: %s, %q", path, a.Status, a.Header.Get("Location"))
				}
			}
		})
	}
}

// Without an alert the same is asked: what stands out now. One is answered at a
// time.
func TestFindings(t *testing.T) {
	explain, given := explains(cause.Finding{Kind: "lock", Score: 0.5, Sentence: "A lock is held.", Next: "Look.", Rests: []string{"1 s"}})
	asked, release := make(chan struct{}, 1), make(chan struct{})
	r := start(t, Config{Series: oneSeries, explain: func(in cause.Input) cause.Result {
		asked <- struct{}{}
		<-release
		return explain(in)
	}})
	answer := make(chan *http.Response, 1)
	go func() { answer <- get(t, r.Handler(), "/api/findings") }()
	<-asked
	if a := get(t, r.Handler(), "/api/findings"); a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a second one at the same time: %s", a.Status)
	}
	close(release)
	text := body(t, <-answer)
	var found Findings
	if err := json.Unmarshal([]byte(text), &found); err != nil || len(found.Findings) != 1 || found.Findings[0].Sentence != "A lock is held." || found.Service != "tienda-api" || found.At.IsZero() {
		t.Errorf("%v: %s", err, text)
	}
	if in := given.Load(); in.Alert.Name != "" || !in.Alert.ActiveAt.IsZero() || len(in.Series) != 1 || in.Times.After.Length() == 0 {
		t.Errorf("the engine was given %+v", in.Alert)
	}
	if n := len(r.kept.list()); n != 0 {
		t.Errorf("%d incidents of nothing", n)
	}
	quiet := start(t, Config{explain: func(cause.Input) cause.Result { return cause.Result{None: "Nothing changed."} }})
	want(t, body(t, get(t, quiet.Handler(), "/api/findings")), `"findings": []`, `"none": "Nothing changed."`, "profiling is off")
}

// TestFindingsOfWhatFires: where nothing stands out yet, an alert that fires has its
// cause, a page before a ticket; a drill has none, nor has what is over.
func TestFindingsOfWhatFires(t *testing.T) {
	explain := func(in cause.Input) cause.Result {
		if in.Alert.Name == "" {
			return cause.Result{None: "Nothing changed."}
		}
		return cause.Result{Findings: []cause.Finding{{Kind: "lock", Sentence: "The cause of " + in.Alert.Name + "."}}}
	}
	r := start(t, Config{Series: oneSeries, explain: explain, Timeout: time.Minute})
	says := func(want string) {
		t.Helper()
		if text := body(t, get(t, r.Handler(), "/api/findings")); !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	incidentOf(t, r, r.Enrich(t.Context(), firing("CPU", "drill", "true")))
	says("Nothing changed.")
	page, ticket := firing("Slow"), firing("Orders", "severity", "ticket")
	incidentOf(t, r, r.Enrich(t.Context(), page))
	incidentOf(t, r, r.Enrich(t.Context(), ticket))
	says("The cause of Slow.")
	page.EndsAt = time.Now()
	id := incidentOf(t, r, r.Enrich(t.Context(), page)).ID
	waitUntil(t, "its end", func() bool { return r.kept.find(id).incident.EndsAt != nil })
	says("The cause of Orders.")
}

func TestWebhook(t *testing.T) {
	r := start(t, Config{Series: oneSeries})
	post := func(kind, text string) (int, string) {
		req := httptest.NewRequest(http.MethodPost, "/api/evidence", strings.NewReader(text))
		req.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	one := func(status, name, domain string) string {
		return fmt.Sprintf(`{"status":%q,"labels":{"alertname":%q,"severity":"page","domain":%q},"annotations":{"summary":"x"},"startsAt":"2026-01-02T15:04:05Z","endsAt":"2026-01-02T15:09:05Z"}`, status, name, domain)
	}
	code, text := post("application/json", `{"version":"4","status":"firing","alerts":[`+one("firing", "Orders", "tienda")+`,`+one("firing", "Orders", "another")+`,`+one("firing", "Beat", "tienda")+`,`+one("firing", "unknown", "")+`]}`)
	if code != http.StatusAccepted || !strings.Contains(text, `"taken": 1`) {
		t.Errorf("%d %s", code, text)
	}
	waitUntil(t, "an incident", func() bool { return len(r.kept.list()) == 1 })
	in := r.kept.list()[0]
	if in.Name != "Orders" || in.Annotations["summary"] != "x" || in.StartsAt.Year() != 2026 {
		t.Errorf("%+v", in)
	}
	if code, text := post("application/json", `{"version":"4","alerts":[`+one("resolved", "Orders", "tienda")+`]}`); code != http.StatusAccepted {
		t.Errorf("%d %s", code, text)
	}
	waitUntil(t, "the incident ends", func() bool { return r.kept.list()[0].EndsAt != nil })
	for name, c := range map[string]struct {
		kind, text string
		code       int
	}{
		"a form of another site": {"text/plain", `{"version":"4"}`, http.StatusUnsupportedMediaType},
		"no type":                {"", `{"version":"4"}`, http.StatusUnsupportedMediaType},
		"no JSON":                {"application/json", `<xml>`, http.StatusBadRequest},
		"another version":        {"application/json", `{"version":"5"}`, http.StatusBadRequest},
		"too long":               {"application/json", `{"version":"4","x":"` + strings.Repeat("x", 2*maxWebhook) + `"}`, http.StatusBadRequest},
	} {
		if code, text := post(c.kind, c.text); code != c.code {
			t.Errorf("%s: %d %.100s, want %d", name, code, text, c.code)
		}
	}
	storm := one("firing", "Orders", "tienda")
	if code, text := post("application/json", `{"version":"4","alerts":[`+storm+strings.Repeat(","+storm, 500)+`]}`); code != http.StatusAccepted || !strings.Contains(text, `"taken": 100`) {
		t.Errorf("a storm: %d %s", code, text)
	}
}

// The style of a page is what its policy allows.
func TestContentPolicy(t *testing.T) {
	files := map[string][]byte{}
	if err := render(sample("en").incident, nil, files); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(files[fileHTML]), "<style>")
	css, _, _ := strings.Cut(rest, "</style>")
	if css != style {
		t.Error("the style in the page is not the one whose hash is allowed")
	}
}
