package evidence

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

func second(s float64) time.Time { return time.Unix(0, int64(s*1e9)) }

// twice are two times: the first is twice as long as the second.
var twice = cause.Times{Before: cause.Range{From: second(0), To: second(200)}, After: cause.Range{From: second(200), To: second(300)}}

// counter is a series with a value at 0, 200 and 300 seconds, and one beyond.
func counter(name string, labels map[string]string, at0, at200, at300 float64) cause.Series {
	return cause.Series{Name: name, Labels: labels, Points: []cause.Point{{At: second(0), Value: at0}, {At: second(200), Value: at200}, {At: second(300), Value: at300}, {At: second(301), Value: 1e6}}}
}

func answers(endpoint, method, status string, at0, at200, at300 float64) cause.Series {
	return counter("tienda_requests_total", map[string]string{"endpoint": endpoint, "method": method, "status": status}, at0, at200, at300)
}

// TestFailures: failed answers are added up by endpoint and status, errors by type, and
// the time before counts as if it were as long. Half of one is one, and less is none.
func TestFailures(t *testing.T) {
	failure := func(kind string, at0, at200, at300 float64) cause.Series {
		return counter("tienda_api_errors_total", map[string]string{"error_type": kind}, at0, at200, at300)
	}
	f := figures{shop, []cause.Series{
		counter("another_total", nil, 0, 5, 50),
		answers("/a", "GET", "200", 0, 5, 50),
		answers("/a", "GET", "503", 0, 10, 20),
		answers("/a", "POST", "503", 0, 20, 60),
		answers("/b", "GET", "404", 0, 0, 30),
		answers("/b", "GET", "500", 0, 0, 30),
		answers("/b", "GET", "501", 0, 0, 0.5),
		answers("/b", "GET", "502", 0, 0, 0.49),
		failure("pasarela", 0, 0, 1000),
		failure("validation", 0, 0, 2000),
	}, twice}
	errors := []Move{{"api_errors", "", "validation", 0, 2000}, {"api_errors", "", "pasarela", 0, 1000}}
	ofB := []Move{{"requests", "/b", "404", 0, 30}, {"requests", "/b", "500", 0, 30}, {"requests", "/b", "501", 0, 0.5}}
	for endpoint, want := range map[string][]Move{
		"":   slices.Concat([]Move{{"requests", "/a", "503", 15, 50}}, ofB, errors),
		"/b": slices.Concat(ofB, errors),
	} {
		if got := f.failures(endpoint); !slices.Equal(got, want) {
			t.Errorf("%q: %+v, want %+v", endpoint, got, want)
		}
	}
	f.Before = cause.Range{}
	if got := f.failures("/a")[0]; got != (Move{"requests", "/a", "503", 0, 50}) {
		t.Errorf("without a time before %+v", got)
	}
	f.series = nil
	for i := range maxListed + 1 {
		f.series = append(f.series, answers(fmt.Sprint("/", i), "GET", "500", 0, 0, 10))
	}
	if got := len(f.failures("")); got != maxListed {
		t.Errorf("%d are listed", got)
	}
}

// TestMoved: each event moves as its kind does, and what moved most for its size is
// first.
func TestMoved(t *testing.T) {
	d := domain.Domain{Prefix: "tienda", Events: []domain.Event{{Name: "pedidos"}, {Name: "valor", Kind: domain.KindHistogram},
		{Name: "carritos", Kind: domain.KindUpDown}, {Name: "nivel", Kind: domain.KindGauge}, {Name: "frio", Kind: domain.KindGauge}, {Name: "never", Kind: domain.KindGauge}}}
	f := figures{d, []cause.Series{
		counter("another", nil, 1, 2, 3),
		answers("/a", "GET", "200", 0, 20, 20), answers("/a", "GET", "404", 0, 0, 10), answers("/a", "GET", "500", 0, 0, 1),
		counter("tienda_pedidos_total", map[string]string{"canal": "web"}, 0, 40, 60), counter("tienda_pedidos_total", map[string]string{"canal": "app"}, 0, 20, 30),
		counter("tienda_valor_count", nil, 0, 8, 8), counter("tienda_valor_sum", nil, 0, 999, 9999),
		counter("tienda_carritos", map[string]string{"canal": "web"}, 0, 10, 110), counter("tienda_carritos", map[string]string{"canal": "app"}, 0, 6, 34),
		counter("tienda_nivel", map[string]string{"tanque": "a"}, 0, 5, 4), counter("tienda_nivel", map[string]string{"tanque": "b"}, 0, 4, 5), counter("tienda_nivel", map[string]string{"tanque": "c"}, 0, 1, 1),
		counter("tienda_frio", nil, 0, -18, -18),
	}, twice}
	want := []Move{{Name: "carritos", Before: 16, After: 144}, {Name: "valor", Before: 4, After: 0}, {Name: "5xx", Before: 0, After: 1},
		{Name: "requests", Before: 10, After: 11}, {Name: "frio", Before: -18, After: -18}, {Name: "nivel", Before: 5, After: 5}, {Name: "pedidos", Before: 30, After: 30}}
	if got := f.moved(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestBegan: the service began with the first sample of any of its series. What is
// there within a second of that is as old as the service.
func TestBegan(t *testing.T) {
	at := func(s float64) cause.Series { return cause.Series{Points: []cause.Point{{At: second(s)}}} }
	if got := (figures{series: []cause.Series{at(20), at(10), at(30)}}).began(); got != second(10) {
		t.Errorf("it began at %v", got)
	}
	if got := (figures{}).began(); !got.IsZero() {
		t.Errorf("without series it began at %v", got)
	}
	for s, want := range map[float64]float64{10: 1, 11: 1, 11.5: 6} {
		points := []cause.Point{{At: second(s), Value: 5}, {At: second(20), Value: 6}}
		if got := increase(points, cause.Range{From: second(0), To: second(20)}, second(10)); got != want {
			t.Errorf("a counter that is there from %v s on grew by %v, want %v", s, got, want)
		}
	}
}

// TestDeployed: the release that is seen last took the place of the one that is seen
// last before it; of two that run side by side the newer one is now.
func TestDeployed(t *testing.T) {
	info := func(version string, from, to float64) cause.Series {
		return cause.Series{Name: "tienda_build_info", Labels: map[string]string{"version": version}, Points: []cause.Point{{At: second(from)}, {At: second((from + to) / 2)}, {At: second(to)}}}
	}
	other := cause.Series{Name: "tienda_requests_total", Points: []cause.Point{{At: second(0)}}}
	for name, c := range map[string]struct {
		series        []cause.Series
		before, after string // "" for none
		at            float64
	}{
		"none":                   {nil, "", "", 0},
		"one":                    {[]cause.Series{info("1", 0, 50)}, "", "", 0},
		"one twice":              {[]cause.Series{info("1", 0, 50), info("1", 60, 90)}, "", "", 0},
		"another":                {[]cause.Series{other, info("1", 0, 50), other, info("2", 60, 90)}, "1", "2", 60},
		"the other order":        {[]cause.Series{info("2", 60, 90), info("1", 0, 50)}, "1", "2", 60},
		"the last but one":       {[]cause.Series{info("2", 20, 50), info("1", 0, 10), info("3", 60, 90)}, "2", "3", 60},
		"several instances":      {[]cause.Series{info("2", 70, 80), info("1", 0, 50), info("2", 60, 75), info("2", 65, 90), info("1", 10, 85)}, "1", "2", 60},
		"side by side":           {[]cause.Series{info("1", 0, 90), info("2", 60, 90)}, "1", "2", 60},
		"side by side, in turn":  {[]cause.Series{info("2", 60, 90), info("1", 0, 90)}, "1", "2", 60},
		"back to the old one":    {[]cause.Series{info("1", 0, 40), info("2", 41, 60), info("1", 61, 90)}, "2", "1", 0},
		"who does not say which": {[]cause.Series{info("", 0, 90)}, "", "", 0},
	} {
		got := figures{domain: shop, series: c.series}.deployed()
		if c.after == "" {
			if got != nil {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if got == nil || *got != (Deployment{Release{Version: c.before}, Release{Version: c.after}, second(c.at)}) {
			t.Errorf("%s: %+v, want %s by %s at %v", name, got, c.before, c.after, c.at)
		}
	}
}

// TestSlowest: it is the slowest request with a trace, wherever it stands.
func TestSlowest(t *testing.T) {
	list := []Exemplar{{TraceID: "a", Value: 1}, {Value: 9}, {TraceID: "b", Value: 3}, {TraceID: "c", Value: 2}}
	asked := ""
	r := &Recorder{cfg: Config{Domain: shop, Exemplars: func(_ context.Context, expr string, _, _ time.Time) ([]Exemplar, error) {
		asked = expr
		return list, nil
	}}}
	if got := r.slowest(t.Context(), "", cause.Range{}); got == nil || got.TraceID != "b" || asked != "tienda_response_duration_seconds_bucket" {
		t.Errorf("%+v of %s", got, asked)
	}
	list = list[1:2]
	if got := r.slowest(t.Context(), "/a", cause.Range{}); got != nil || asked != `tienda_response_duration_seconds_bucket{endpoint="/a"}` {
		t.Errorf("without a trace %+v of %s", got, asked)
	}
}
