package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/figures"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/testkit"
)

func TestDashboard(t *testing.T) {
	tel := start(t)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /good", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /idle", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /bad/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	for i := range 100 {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/good", nil))
		if i%4 == 0 {
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/bad/%d", i), nil))
		}
	}
	tel.Counter("pedidos_procesados").With("canal", "web").Add(3)
	tel.Histogram("valor_pedido").With().Record(t.Context(), 40)
	tel.APIError(ErrorType("timeout"))
	tel.Counter("pedidos_procesado").With().Add(1) // a problem
	var failure error
	monitored := tel.Monitor("create_pedido", func(context.Context) error { return failure })
	must(t, monitored(t.Context()))
	failure = errors.New("no")
	if monitored(t.Context()) == nil {
		t.Fatal("the error is lost")
	}

	d := tel.dashboard(t.Context())
	if d.SystemStatus != "degraded" || len(d.Reasons) != 1 || d.Reasons[0] != "GET /bad/{id} answers 100 % of its requests with 5xx" {
		t.Errorf("status %s for %q", d.SystemStatus, d.Reasons)
	}
	endpoints := map[string]figures.Route{}
	for i, e := range d.Endpoints {
		endpoints[e.Method+" "+e.Endpoint] = e
		if i > 0 && e.TimeSeconds > d.Endpoints[i-1].TimeSeconds {
			t.Errorf("%s comes too late", e.Endpoint)
		}
	}
	good, bad, idle := endpoints["GET /good"], endpoints["GET /bad/{id}"], endpoints["GET /idle"]
	if good.Requests != 100 || good.Errors != 0 || *good.ErrorRatio != 0 || *good.P95 <= 0 || *good.P95 > 0.005 || good.PerSecond <= 0 || good.PerSecondStart <= 0 {
		t.Errorf("the good endpoint: %+v", good)
	}
	if bad.Requests != 25 || bad.Errors != 25 || *bad.ErrorRatio != 1 {
		t.Errorf("the bad endpoint: %+v", bad)
	}
	if idle.Endpoint == "" || idle.P50 != nil || idle.P99 != nil || idle.ErrorRatio != nil || idle.Profile != nil {
		t.Errorf("the idle endpoint: %+v", idle)
	}
	values := map[string]float64{}
	for _, e := range append(d.Events, d.Errors...) {
		values[e.Name] += e.Value
	}
	if values["pedidos_procesados"] != 3 || values["valor_pedido"] != 40 || values["api_errors"] != 1 {
		t.Errorf("events %v", values)
	}
	if len(d.Functions) != 1 || d.Functions[0].Function != "create_pedido" || d.Functions[0].Calls != 2 || d.Functions[0].Errors != 1 || *d.Functions[0].ErrorRatio != 0.5 {
		t.Errorf("functions %+v", d.Functions)
	}
	if len(d.Problems) != 1 || !strings.Contains(d.Problems[0], "nearest=pedidos_procesados") {
		t.Errorf("problems %q", d.Problems)
	}
}

// The last problems are kept, in order.
func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	var p problems
	for i := range maxProblems + 3 {
		p.add(fmt.Sprint(i))
	}
	if got := p.list(); len(got) != maxProblems || got[0] != "3" || got[maxProblems-1] != fmt.Sprint(maxProblems+2) {
		t.Errorf("%d are kept: %q", len(got), got)
	}
}

// TestDashboardText has what no page and no JSON takes as it is: markup in a
// label, a number that JSON does not have, and nothing at all.
func TestDashboardText(t *testing.T) {
	tel := start(t, func(c *Config) {
		c.Admin.Guarded = true
		c.Domain.Events[0].Attributes["canal"] = []string{`<script>"\`, "web"}
	})
	tel.Counter("pedidos_procesados").With("canal", `<script>"\`).Add(1)
	tel.Histogram("valor_pedido").With().Record(t.Context(), math.Inf(1))
	w := askHandler(tel, http.MethodGet, "/metrics-dashboard", nil)
	if strings.Contains(w.Body.String(), "<script>") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("markup in the answer: %v\n%s", w.Header(), w.Body)
	}
	var d map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	for name, value := range d {
		if value == nil {
			t.Errorf("%s is null: an empty list is []", name)
		}
	}
	found := 0
	for _, e := range d["events"].([]any) {
		event := e.(map[string]any)
		switch label := event["labels"].(map[string]any)["canal"]; {
		case event["name"] == "valor_pedido" && event["value"] == 0.0 && event["count"] == 0.0:
			found++
		case label == `<script>"\` && event["value"] == 1.0:
			found++
		}
	}
	if found != 2 {
		t.Errorf("events: %v", d["events"])
	}
}

// TestDashboardFields writes down the fields: they are only added.
func TestDashboardFields(t *testing.T) {
	var text strings.Builder
	fields(&text, "", reflect.TypeFor[figures.Dashboard]())
	testkit.Golden(t, "testdata/dashboard.golden.txt", []byte(text.String()))
}

// fields lists the JSON fields of a struct with their types.
func fields(out *strings.Builder, path string, t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		if t.Elem().Kind() != reflect.Struct {
			fmt.Fprintf(out, "%s %v or null\n", path, t.Elem())
			return
		}
		fmt.Fprintf(out, "%s or null\n", path)
		fields(out, path, t.Elem())
	case reflect.Slice:
		fields(out, path+"[]", t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case f.Anonymous:
				fields(out, path, f.Type)
			case f.IsExported():
				fields(out, strings.TrimPrefix(path+"."+name, "."), f.Type)
			}
		}
	default:
		fmt.Fprintf(out, "%s %v\n", path, t)
	}
}

func TestDashboardProfile(t *testing.T) {
	d := figures.Dashboard{Endpoints: []figures.Route{{Endpoint: "/a", Method: "GET"}, {Endpoint: "/a", Method: "POST"}, {Endpoint: "/b"}}}
	addProfile(&d, nil)
	if d.Endpoints[0].Profile != nil {
		t.Error("a profile out of nothing")
	}
	addProfile(&d, &continuous.Report{Endpoints: []profiles.Usage{{
		Name: "/a", CPUShare: 0.25, AllocShare: 0.5, Advice: []string{"look at burn"},
		CPU: profiles.Top{Own: []profiles.Function{{Function: "main.burn"}}}, Allocations: profiles.Top{Own: []profiles.Function{{Function: "main.copy"}}},
	}}})
	for i := range 2 {
		p := d.Endpoints[i].Profile
		if p == nil || p.CPUShare != 0.25 || p.AllocShare != 0.5 || p.Functions[0].Function != "main.burn" || p.AllocFunctions[0].Function != "main.copy" || p.Waits == nil || p.Advice[0] != "look at burn" {
			t.Errorf("%s: %+v", d.Endpoints[i].Method, p)
		}
	}
	if d.Endpoints[2].Profile != nil || d.Advice == nil {
		t.Errorf("%+v", d)
	}
}

// TestReports asks again and again: one report serves.
func TestReports(t *testing.T) {
	profiler, err := continuous.Start(continuous.Config{Service: "tienda", Interval: 50 * time.Millisecond, Logger: noLog})
	must(t, err)
	defer func() { must(t, profiler.Stop(context.Background())) }()
	var rs reports
	var first *continuous.Report
	eventually(t, "there is a report", func() bool { first = rs.read(t.Context(), profiler); return first != nil })
	if rs.read(t.Context(), profiler) != first {
		t.Error("a second look makes a second report")
	}
	rs.next = time.Now()
	if again := rs.read(t.Context(), profiler); again == nil || again == first {
		t.Error("an old report is served for ever")
	}
}

func TestJudge(t *testing.T) {
	endpoint := func(name string, recent, failed int64) figures.Route {
		return figures.Route{Endpoint: name, Method: "GET", PerSecond: float64(recent), Rate: figures.Rate{ErrorRatio: new(float64(failed) / float64(recent))}}
	}
	for _, c := range []struct {
		endpoints []figures.Route
		ready     string
		want      string
		reasons   int
	}{
		{nil, "", "healthy", 0},
		{[]figures.Route{endpoint("/a", 100, 4)}, "", "healthy", 0},
		{[]figures.Route{endpoint("/a", 19, 19)}, "", "healthy", 0}, // too few to tell
		{[]figures.Route{endpoint("/a", 100, 5)}, "", "degraded", 1},
		{[]figures.Route{endpoint("/a", 100, 100), endpoint("/b", 101, 0)}, "", "degraded", 1},
		{[]figures.Route{endpoint("/a", 100, 100), endpoint("/b", 100, 0)}, "", "unhealthy", 2},
		{nil, "down", "unhealthy", 1},
		{[]figures.Route{endpoint("/a", 100, 5)}, "down", "unhealthy", 2},
	} {
		d := figures.Dashboard{Endpoints: c.endpoints}
		judge(&d, map[string]string{"database": c.ready})
		if d.SystemStatus != c.want || len(d.Reasons) != c.reasons {
			t.Errorf("%+v: %s for %q, want %s", c, d.SystemStatus, d.Reasons, c.want)
		}
		for _, reason := range d.Reasons { // the page says them in the domain's language
			if reason, failed := strings.CutPrefix(reason, "not ready: "); !failed && humanize.Of("es").Sentence(reason) == reason {
				t.Errorf("%q has no Spanish", reason)
			}
		}
	}
}

// TestReadings is over what time the rates are, for someone who looks every
// five seconds, and for one who comes back after an hour.
func TestReadings(t *testing.T) {
	began := time.Now()
	var rs snapshots
	window := func(after time.Duration) time.Duration {
		now := began.Add(after)
		return now.Sub(rs.compare(snapshot{at: now}, began).at)
	}
	for after := 5 * time.Second; after < 10*time.Minute; after += 5 * time.Second {
		if w := window(after); w < min(after, dashboardWindow) || w > 2*dashboardWindow {
			t.Errorf("after %v: %v", after, w)
		}
	}
	for _, c := range []struct{ after, want time.Duration }{ // the last reading kept is of the ninth minute
		{69 * time.Minute, time.Hour},
		{69*time.Minute + 10*time.Second, time.Hour + 10*time.Second},
		{69*time.Minute + 15*time.Second, 15 * time.Second},
		{69*time.Minute + 59*time.Second, 59 * time.Second},
		{70 * time.Minute, time.Minute},
	} {
		if w := window(c.after); w != c.want {
			t.Errorf("after %v: %v, want %v", c.after, w, c.want)
		}
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, c := range []struct {
		q      float64
		counts []uint64
		want   float64
	}{
		{0.5, []uint64{10, 0, 0, 0}, 0.5},
		{0.5, []uint64{5, 10, 5, 0}, 1.5},
		{0.95, []uint64{0, 0, 10, 0}, 3.9},
		{0.99, []uint64{1, 0, 0, 10}, 4},
		{0.5, []uint64{0, 4, 0, 0}, 1.5},
		{0.5, []uint64{1, 0, 1, 0}, 1}, // at the end of a bucket, before an empty one
	} {
		if got := quantile(c.q, bounds, c.counts); math.Abs(*got-c.want) > 1e-9 {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.q, c.counts, *got, c.want)
		}
	}
	if quantile(0.5, bounds, []uint64{0, 0, 0, 0}) != nil || quantile(0.5, nil, []uint64{1}) != nil {
		t.Error("a quantile of nothing")
	}
}
