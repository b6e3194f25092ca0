package evidence

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/cause"
)

// shopStore are series in memory, from the epoch on.
type shopStore struct {
	all    []cause.Series
	traces []Exemplar
}

var labelPattern = regexp.MustCompile(`(\w+)="([^"]*)"`)

// load reads series in the notation of promtool's tests, a value each 5 seconds:
// 0+10x3 is 0 10 20 30, and _x3 is no value three times.
func load(t testing.TB, series string) *shopStore {
	t.Helper()
	s := &shopStore{}
	for line := range strings.Lines(strings.TrimSpace(series)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "{")
		labels, values, _ := strings.Cut(rest, "} ")
		one := cause.Series{Name: name, Labels: map[string]string{}}
		for _, l := range labelPattern.FindAllStringSubmatch(labels, -1) {
			one.Labels[l[1]] = l[2]
		}
		at := time.UnixMilli(0)
		for _, part := range strings.Fields(values) {
			text, times, _ := strings.Cut(part, "x")
			n, _ := strconv.Atoi(times)
			if text == "_" {
				at = at.Add(time.Duration(n) * 5 * time.Second)
				continue
			}
			from, step, _ := strings.Cut(text, "+")
			v, err := strconv.ParseFloat(from, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			by, _ := strconv.ParseFloat(step, 64)
			for i := range n + 1 {
				one.Points = append(one.Points, cause.Point{At: at, Value: v + float64(i)*by})
				at = at.Add(5 * time.Second)
			}
		}
		s.all = append(s.all, one)
	}
	return s
}

func (s *shopStore) series(_ context.Context, ranges ...cause.Range) (found []cause.Series, _ error) {
	from, to := ranges[0].From, ranges[len(ranges)-1].To
	for _, one := range s.all {
		one.Points = slices.DeleteFunc(slices.Clone(one.Points), func(p cause.Point) bool { return p.At.Before(from) || p.At.After(to) })
		if len(one.Points) > 0 {
			found = append(found, one)
		}
	}
	return found, nil
}

func (s *shopStore) exemplars(_ context.Context, _ string, from, to time.Time) ([]Exemplar, error) {
	return slices.DeleteFunc(slices.Clone(s.traces), func(e Exemplar) bool { return e.At.Before(from) || e.At.After(to) }), nil
}

// sources puts the store into a Config, at a time after the epoch.
func (s *shopStore) sources(cfg Config, now time.Duration) Config {
	cfg.Series, cfg.Exemplars = s.series, s.exemplars
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

// What moved, failed and was deployed is in every incident, and is counted from
// the samples themselves.
func TestFiguresEvidence(t *testing.T) {
	s := load(t, busyShop)
	r := start(t, s.sources(Config{Rules: fiveMinutes("requests")}, 1200*time.Second))
	out := r.Enrich(t.Context(), at1200("Plain"))
	t.Log(out.Annotations)
	want(t, out.Annotations["changed"], "version 1.4.2 (bbbbbbb) took the place of 1.4.1 (aaaaaaa) at ", "pedidos_procesados 600 → 0", "carritos_activos 7 → 19", "5xx 0 → 590")
	if strings.Contains(out.Annotations["changed"], "; requests ") {
		t.Errorf("changed %q: requests did not move", out.Annotations["changed"])
	}
	in := incidentOf(t, r, out)
	if len(in.Errors) != 3 || in.Errors[0] != (Move{"requests", "/pedidos", "503", 0, 590}) || in.Errors[1] != (Move{"api_errors", "", "pasarela", 0, 531}) || in.Errors[2] != (Move{"api_errors", "", "validation", 60, 60}) {
		t.Errorf("errors %+v", in.Errors)
	}
}

// A counter that is new began at 0, one that falls began anew, and what was
// before a time is none of it.
func TestIncrease(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	points := func(values ...float64) (list []cause.Point) {
		for i, v := range values {
			list = append(list, cause.Point{At: at(100 + 10*i), Value: v})
		}
		return list
	}
	for name, c := range map[string]struct {
		began  int
		points []cause.Point
		want   float64
	}{
		"as old as the service": {100, points(5, 6, 8, 11, 20), 5},
		"new in that time":      {50, points(5, 6, 8, 11, 20), 11},
		"another process":       {100, points(50, 60, 4, 7, 9), 17},
		"none":                  {100, nil, 0},
		"after that time":       {100, points(1, 1, 1, 1, 100), 0},
	} {
		r := cause.Range{From: at(100), To: at(130)}
		switch name {
		case "new in that time":
			r.From = at(95)
		case "as old as the service":
			r.From = at(110)
		}
		if got := increase(c.points, r, at(c.began)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The slowest request of the window that left a trace is in the incident: of the
// endpoint that the alert is about, or else of the one that was found.
func TestLatencyEvidenceStore(t *testing.T) {
	s := load(t, busyShop)
	for id, e := range map[string]Exemplar{
		"before":  {Value: 9, At: time.UnixMilli(500_000)},
		"slowest": {Value: 3.5, At: time.UnixMilli(1_000_000)},
		"another": {Value: 2, At: time.UnixMilli(1_100_000)},
	} {
		e.TraceID, e.Labels = id, map[string]string{"endpoint": "/pedidos"}
		s.traces = append(s.traces, e)
	}
	explain, _ := explains(cause.Finding{Endpoint: "POST /pedidos", Sentence: "It is slow."})
	r := start(t, s.sources(Config{Rules: fiveMinutes("response_duration"), explain: explain}, 1200*time.Second))
	out := r.Enrich(t.Context(), at1200("Slow"))
	in := incidentOf(t, r, out)
	if in.Endpoint != "/pedidos" {
		t.Errorf("endpoint %q, want the one that got slow", in.Endpoint)
	}
	if in.Slowest == nil || in.Slowest.Seconds != 3.5 || in.Slowest.TraceID != "slowest" {
		t.Errorf("slowest %+v", in.Slowest)
	}
	want(t, strings.Join(in.Notes, " "), "profiling is off")
}

// A hostile label value does no harm.
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
