package cause_test

import (
	"math"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

func ofService(t *testing.T, tell func(s *service)) cause.Result {
	t.Helper()
	s := newService(t, "en", true)
	tell(s)
	return cause.Explain(s.input())
}

// score is that of the finding of a kind, 0 for none.
func score(r cause.Result, kind string) float64 {
	for _, f := range r.Findings {
		if f.Kind == kind {
			return f.Score
		}
	}
	return 0
}

// Of what is left of a limit, its fall and the use that grows both take their part.
func TestFallOfALimitBesideGrowth(t *testing.T) {
	t.Parallel()
	limit := func(use moved) float64 {
		return score(ofService(t, func(s *service) {
			s.level("process_max_fds", moved{2000, 1000})
			s.level("process_open_fds", use)
			s.alert = about(s, "process_open_fds", ">", 600)
		}), "limit")
	}
	alone, beside := limit(same(700)), limit(moved{500, 700})
	if want := math.Log(2) / (math.Log(2) + math.Log(1.4)); alone == 0 || math.Abs(beside/alone-want) > 0.02 {
		t.Errorf("beside growth %.3f of %.3f, want %.3f of it", beside, alone, want)
	}
}

// What one request starts leaks together, wherever its goroutines wait.
func TestLeakInTwoPlaces(t *testing.T) {
	t.Parallel()
	leak := func(counts ...float64) float64 {
		return score(ofService(t, func(s *service) {
			s.creeping, s.lasts = true, 10*minute
			s.creeps("go_goroutine_count", moved{60, 1500})
			s.all = append(s.all, standing{moved{0, 440}, nil, stack(selecting, own("(*Feed).watch", 40))})
			for i, n := range counts {
				s.all = append(s.all, standing{moved{0, n}, map[string]string{"started_by": "POST /citas"}, stack(chanReceive, own([]string{"(*Mailer).later", "(*Mailer).soon"}[i], 81))})
			}
			s.alert = about(s, "go_goroutine_count", ">", 500)
		}), "leak")
	}
	one, two := leak(1000), leak(700, 300)
	if want := 1000 / 1440.; math.Abs(one-want) > 0.02 || math.Abs(two-want) > 0.02 {
		t.Errorf("in one place %.3f, in two %.3f, want %.3f", one, two, want)
	}
}

// What is a small part of it is not said to be what it is made of.
func TestSmallPartsAreNotSaid(t *testing.T) {
	t.Parallel()
	for part, tell := range map[string]func(s *service){
		"of them of": func(s *service) {
			s.lasts = 10 * minute
			s.creeps("process_open_fds", moved{40, 990})
			s.opened = cause.Opened{Path: "/srv/fotos/1.jpg", Descriptors: 400}
			s.alert = about(s, "process_open_fds", ">", 900)
		},
		"in use": func(s *service) {
			starvedPool(s, 0.6)
			s.level("pool_connections", moved{2, 3}, "pool", "main", "state", "used")
		},
	} {
		r := ofService(t, tell)
		if len(r.Findings) == 0 || strings.Contains(r.Findings[0].Sentence, part) {
			t.Errorf("%+v: want a finding without %q", r.Findings, part)
		}
	}
}

// An alert on one method is explained by requests of that method, and by none that
// takes hardly three milliseconds more.
func TestOtherRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		labels map[string]string
		query  moved
		kind   string
	}{
		"of its method":           {map[string]string{"method": "GET"}, moved{0.006, 0.5}, "dependency"},
		"of another":              {map[string]string{"method": "POST"}, moved{0.006, 0.5}, ""},
		"three milliseconds more": {map[string]string{"method": "GET"}, moved{0.0005, 0.0033}, ""},
		"of its endpoint":         {map[string]string{"endpoint": "/citas"}, moved{0.006, 0.5}, "dependency"},
		"of another endpoint":     {map[string]string{"endpoint": "/informes"}, moved{0.006, 0.5}, ""},
	} {
		r := ofService(t, func(s *service) {
			s.part("GET /citas", "work").each = moved{}
			s.part("GET /citas", "query").each = c.query
			s.alert.Labels = c.labels
		})
		kind := ""
		if len(r.Findings) > 0 {
			kind = r.Findings[0].Kind
		}
		if kind != c.kind {
			t.Errorf("%s: %q is found, want %q", name, kind, c.kind)
		}
	}
}

// Of the CPU time that values bring with each request, one request's own is not due
// to the value that comes more often.
func TestValuesWithEachRequest(t *testing.T) {
	t.Parallel()
	value := func(rate float64) float64 {
		return score(ofService(t, func(s *service) {
			s.part("POST /citas", "work").each = moved{0.002, 0.2}
			s.count("reservas", moved{4, rate}, "canal", "app")
			s.alert = about(s, "cpu_usage", ">", 1)
		}), "value")
	}
	if few, many := value(40), value(400); few < 0.7 || few > 0.8 || many < 0.96 || many > 0.985 { // 4.5 and 40 with each
		t.Errorf("%.3f with few of them, %.3f with many", few, many)
	}
}

// TestTransactionsInUse: who has a connection of an exhausted pool uses it, in two
// places; a call that comes after it holds none.
func TestTransactionsInUse(t *testing.T) {
	t.Parallel()
	r := ofService(t, func(s *service) {
		starvedPool(s, 0.5)
		reserve := s.endpoint("POST /citas")
		reserve.parts["query"].each.after = 0.3
		reserve.parts["note"] = &part{each: moved{0.008, 0.3}, frames: stack(pgxQuery, own("(*Store).Note", 95)), calls: same(1), query: "INSERT notas"}
		reserve.parts["notify"] = &part{each: moved{0.02, 0.3}, frames: stack(httpCall, own("(*API).reserve", 120)), peer: "avisos.example.com", calls: same(1)}
		s.waits = append(s.waits, standing{moved{0.1, 6.2}, map[string]string{"started_by": "POST /citas"}, stack(selecting, []string{"database/sql.(*Tx).awaitDone sql.go:2212"})})
	})
	if database := score(r, "dependency"); database < 0.75 {
		t.Errorf("the database explains %.2f of it: %s", database, told(r))
	}
}
