package evidence

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/embedded/alert"
)

// shopStore is Prometheus' own engine on series that promqltest loads, from the
// epoch on: the expressions of this package are real ones.
type shopStore struct {
	engine  *promql.Engine
	storage *teststorage.TestStorage
}

func load(t testing.TB, series string) *shopStore {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 5s\n"+strings.Trim(series, "\n"))
	t.Cleanup(func() { _ = storage.Close() })
	return &shopStore{promqltest.NewTestEngine(t, false, 5*time.Minute, 1e6), storage}
}

func (s *shopStore) query(ctx context.Context, expr string, at time.Time) ([]Sample, error) {
	q, err := s.engine.NewInstantQuery(ctx, s.storage, nil, expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	vector, err := result.Vector()
	if err != nil {
		return nil, err
	}
	var out []Sample
	for _, v := range vector {
		out = append(out, Sample{v.Metric.Map(), v.F, time.UnixMilli(v.T)})
	}
	return out, nil
}

func (s *shopStore) queryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	q, err := s.engine.NewRangeQuery(ctx, s.storage, nil, expr, from, to, step)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, result.Err
	}
	matrix, err := result.Matrix()
	if err != nil {
		return nil, err
	}
	var out []Series
	for _, m := range matrix {
		one := Series{Labels: m.Metric.Map()}
		for _, p := range m.Floats {
			one.Points = append(one.Points, Point{time.UnixMilli(p.T), p.F})
		}
		out = append(out, one)
	}
	return out, nil
}

func (s *shopStore) exemplars(ctx context.Context, expr string, from, to time.Time) ([]Exemplar, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	q, err := s.storage.ExemplarQuerier(ctx)
	if err != nil {
		return nil, err
	}
	results, err := q.Select(from.UnixMilli(), to.UnixMilli(), parser.ExtractSelectors(parsed)...)
	if err != nil {
		return nil, err
	}
	var out []Exemplar
	for _, r := range results {
		for _, e := range r.Exemplars {
			out = append(out, Exemplar{r.SeriesLabels.Map(), e.Labels.Get("trace_id"), e.Value, time.UnixMilli(e.Ts)})
		}
	}
	return out, nil
}

// sources puts the store into a Config, at a time after the epoch.
func (s *shopStore) sources(cfg Config, now time.Duration) Config {
	cfg.Query, cfg.QueryRange, cfg.Exemplars = s.query, s.queryRange, s.exemplars
	cfg.Now = func() time.Time { return time.UnixMilli(0).Add(now) }
	cfg.Timeout = 10 * time.Second
	return cfg
}

// busyShop is half an hour of a shop, in steps of 5 s. At 900 s orders stop and
// /pedidos begins to fail; 1.4.2 was deployed at 850 s.
const busyShop = `
  tienda_requests_total{job="tienda-api",endpoint="/pedidos",method="POST",status="201"} 0+10x180 1800+0x180
  tienda_requests_total{job="tienda-api",endpoint="/pedidos",method="POST",status="503"} 0+0x180 0+10x180
  tienda_requests_total{job="tienda-api",endpoint="/catalogo",method="GET",status="200"} 0+20x360
  tienda_api_errors_total{job="tienda-api",error_type="pasarela"} 0+0x180 0+9x180
  tienda_api_errors_total{job="tienda-api",error_type="validation"} 0+1x360
  tienda_pedidos_procesados_total{job="tienda-api"} 0+10x180 1800+0x180
  tienda_carritos_activos{job="tienda-api"} 7x180 19x180
  tienda_response_duration_seconds_sum{job="tienda-api",endpoint="/pedidos"} 0+1x180 180+30x180
  tienda_response_duration_seconds_sum{job="tienda-api",endpoint="/catalogo"} 0+2x360
  tienda_response_duration_seconds_bucket{job="tienda-api",endpoint="/pedidos",le="10"} 0+10x360
  tienda_build_info{job="tienda-api",version="1.4.1",revision="aaaaaaa1"} 1x170 _x190
  tienda_build_info{job="tienda-api",version="1.4.2",revision="bbbbbbb2"} _x170 1x190
`

// at1200 is an alert on the shop whose window is from 900 s to 1200 s.
func at1200(name string, labels ...string) alert.Alert {
	a := firing(name, append(labels, "job", "tienda-api")...)
	a.ActiveAt, a.StartsAt = time.UnixMilli(0).Add(1200*time.Second), time.UnixMilli(0).Add(1200*time.Second)
	return a
}

// fiveMinutes gives the rules the window of the shop's alerts.
func fiveMinutes(metric string) []alerting.Rule {
	var list []alerting.Rule
	for _, one := range rules {
		one.Window, one.Metric = 5*time.Minute, metric
		list = append(list, one)
	}
	return list
}

func TestErrorsEvidence(t *testing.T) {
	s := load(t, busyShop)
	r := start(t, s.sources(Config{Rules: fiveMinutes("requests")}, 1200*time.Second))
	out := r.Enrich(t.Context(), at1200("Errors"))
	t.Log(out.Annotations)
	want(t, out.Annotations["cause"], "/pedidos answered 503 to ", " requests, 0 before; errors of type pasarela went from 0 to ", "Version 1.4.2 (bbbbbbb) took the place of 1.4.1 (aaaaaaa) shortly before")
	want(t, out.Annotations["changed"], "version 1.4.2 (bbbbbbb) took the place of 1.4.1 (aaaaaaa) at ", "pedidos_procesados 600 → ", "carritos_activos 7 → 19", "5xx 0 → ")
	if strings.Contains(out.Annotations["changed"], "; requests ") {
		t.Errorf("changed %q: requests did not move", out.Annotations["changed"])
	}
}

func TestEventsEvidence(t *testing.T) {
	s := load(t, busyShop)
	r := start(t, s.sources(Config{Rules: fiveMinutes("pedidos_procesados")}, 1200*time.Second))
	out := r.Enrich(t.Context(), at1200("Orders"))
	want(t, out.Annotations["cause"], "pedidos_procesados went from 600 to ", "requests come, and ", "are answered with a server error")
}

// Fewer visitors are another cause than orders that fail.
func TestEventsEvidenceTraffic(t *testing.T) {
	for series, cause := range map[string]string{
		`tienda_requests_total{job="tienda-api",status="200"} 0+10x180 1800+0x180`: "no requests come at all",
		`tienda_requests_total{job="tienda-api",status="200"} 0+10x180 1800+2x180`: "fewer requests come",
		`tienda_requests_total{job="tienda-api",status="200"} 0+10x360`:            "requests come as before",
	} {
		s := load(t, "  tienda_pedidos_procesados_total{job=\"tienda-api\"} 0+10x180 1800+0x180\n  "+series)
		r := start(t, s.sources(Config{Rules: fiveMinutes("pedidos_procesados")}, 1300*time.Second))
		a := at1200("Orders")
		a.ActiveAt = a.ActiveAt.Add(100 * time.Second)
		want(t, r.Enrich(t.Context(), a).Annotations["cause"], cause)
	}
}

// The slowest request of the window that left a trace is in the incident, and
// for a rule over all endpoints the one that got slow is found.
func TestLatencyEvidenceStore(t *testing.T) {
	s := load(t, busyShop)
	app := s.storage.Appender(t.Context())
	series := labels.FromStrings("__name__", "tienda_response_duration_seconds_bucket", "job", "tienda-api", "endpoint", "/pedidos", "le", "10")
	for _, e := range []exemplar.Exemplar{
		{Labels: labels.FromStrings("trace_id", "before"), Value: 9, Ts: 500_000, HasTs: true},
		{Labels: labels.FromStrings("trace_id", "slowest"), Value: 3.5, Ts: 1_000_000, HasTs: true},
		{Labels: labels.FromStrings("trace_id", "another"), Value: 2, Ts: 1_100_000, HasTs: true},
	} {
		if _, err := app.AppendExemplar(0, series, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	r := start(t, s.sources(Config{Rules: fiveMinutes("response_duration")}, 1200*time.Second))
	out := r.Enrich(t.Context(), at1200("Slow"))
	in := incidentOf(t, r, out)
	if in.Endpoint != "/pedidos" {
		t.Errorf("endpoint %q, want the one that got slow", in.Endpoint)
	}
	if in.Slowest == nil || in.Slowest.Seconds != 3.5 || in.Slowest.TraceID != "slowest" {
		t.Errorf("slowest %+v", in.Slowest)
	}
	if want := "none: profiling is off"; out.Annotations["evidence"] != want {
		t.Errorf("evidence %q, want %q", out.Annotations["evidence"], want)
	}
}

// A hostile label value stays a value in PromQL.
func TestHostileLabels(t *testing.T) {
	s := load(t, busyShop)
	r := start(t, s.sources(Config{Rules: fiveMinutes("requests")}, 1200*time.Second))
	for _, hostile := range []string{`"} or vector(1) #`, "\\", "\x00\xff", strings.Repeat("x", 1<<16), "<script>alert(1)</script>", "a\nb"} {
		out := r.Enrich(t.Context(), at1200("Errors", "endpoint", hostile))
		if len(out.Annotations) == 0 || len(out.Annotations["cause"]) > 2*maxText {
			t.Errorf("%.20q: %v", hostile, out.Annotations)
		}
		for name, value := range out.Annotations {
			if strings.ContainsAny(value, "\n\x00") || !strings.HasPrefix(name, "changed") && len(value) > 2*maxText {
				t.Errorf("%.20q: %s is %.60q", hostile, name, value)
			}
		}
	}
}

// want checks that a text has all of these in it.
func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q has no %q", text, part)
		}
	}
}

// incidentOf waits for the incident that an alert links to.
func incidentOf(t *testing.T, r *Recorder, a alert.Alert) *Incident {
	t.Helper()
	_, id, ok := strings.Cut(a.Annotations["incident"], "/incidents/")
	if !ok {
		t.Fatalf("no incident in %v", a.Annotations)
	}
	waitUntil(t, "the incident", func() bool { return r.kept.find(id) != nil })
	return r.kept.find(id).incident
}
