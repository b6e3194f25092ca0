package cause_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// everywhere makes half of the requests to each endpoint end in a status, from one
// place. All endpoints are asked as often.
func everywhere(s *service, status, site string) {
	for name, e := range s.endpoints {
		_, path, _ := strings.Cut(name, " ")
		e.requests, e.status[status] = same(20), moved{0, 0.5}
		s.count("failures", moved{0, 10}, "endpoint", path, "status", status, "site", site)
	}
}

var failingFaults = []fault{
	{"a handler panics", func(s *service) {
		s.endpoint("GET /informes").status["500"] = moved{0, 0.5}
		s.count("api_errors", moved{0, 1}, "error_type", "panic")
		s.count("failures", moved{0, 1}, "endpoint", "/informes", "status", "500", "site", "report.Totals (report.go:31)")
		s.alert = failing(s)
	}, "panic", "report.Totals", ""},
	{"validation refuses everything", func(s *service) {
		s.endpoint("POST /citas").status["422"] = moved{0.02, 0.95}
		s.count("api_errors", moved{0.2, 9.5}, "error_type", "validation")
		s.count("failures", moved{0.2, 9.5}, "endpoint", "/citas", "status", "422", "site", "clinic.(*API).check (check.go:18)")
		s.alert = refusing(s)
	}, "errors", "clinic.(*API).check", ""},
	{"an endpoint answers 500 from the first request on, as a host does to others", func(s *service) {
		for _, e := range s.endpoints {
			e.requests.before = 0
		}
		s.part("POST /citas", "pay").answers = map[string]moved{"404": {0, 1}}
		s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
		s.alert = failing(s)
	}, "errors", "GET /citas", ""},
	{"an endpoint answers 500", func(s *service) {
		s.endpoint("GET /citas").status["500"] = moved{0.001, 0.3}
		s.count("failures", moved{0.04, 12}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).list (api.go:66)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).list", ""},
	{"two endpoints answer 500, alert on the one that does it less often", func(s *service) {
		s.endpoint("GET /citas").status["500"] = moved{0, 0.5}
		s.endpoint("GET /medicos/{id}").status["500"] = moved{0, 0.3}
		s.alert = failing(s)
		s.alert.Labels = map[string]string{"endpoint": "/medicos/{id}"}
	}, "errors", "GET /medicos/{id}", ""},
	{"all handlers return their errors to one function", func(s *service) {
		for _, e := range []string{"GET /citas", "POST /citas"} {
			for _, p := range s.endpoint(e).parts {
				p.frames = stack(p.frames, own("(*API).answer.func1", 140))
			}
		}
		s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
		s.count("failures", moved{0, 12}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).answer (api.go:141)")
		s.alert = failing(s)
	}, "errors", "from clinic.(*API).answer (api.go:141), which calls clinic.(*Store).List", "en"},
	{"an endpoint answers 500, and nobody knows where from", func(s *service) {
		s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
		s.alert = failing(s)
	}, "errors", "GET /citas", ""},
	{"an endpoint answers 500, alert on the objective", func(s *service) {
		s.endpoint("GET /citas").status["500"] = moved{0, 0.3}
		s.count("failures", moved{0, 12}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).list (api.go:66)")
		s.alert = failing(s)
		s.alert.Name, s.alert.Labels = "disponibleBurnsFast", map[string]string{"slo": "disponible"}
		s.alert.Op, s.alert.Expr = "", s.domain.Prefix+`:slo_errors:ratio_rate1h{slo="disponible"} > 0.0144`
	}, "errors", "clinic.(*API).list", ""},
	{"a handler panicked once, and the objective notices", func(s *service) {
		s.scale(0.1)
		s.endpoint("GET /informes").status["500"] = moved{0, 1}
		s.lasts = 10 * time.Second
		s.count("api_errors", moved{0, 0.2}, "error_type", "panic")
		s.count("failures", moved{0, 0.2}, "endpoint", "/informes", "status", "500", "site", "report.Totals (report.go:31)")
		s.alert = failing(s)
	}, "panic", "report.Totals", ""},
	{"a few of few requests fail, in a drill", func(s *service) {
		s.scale(0.02)
		s.endpoint("GET /citas").status["500"] = moved{0, 0.06}
		s.alert = failing(s)
		s.alert.Drill = true
	}, "", "", ""},
	{"credentials are no longer accepted", func(s *service) {
		s.endpoint("POST /citas").status["401"] = moved{0.01, 0.8}
		s.count("failures", moved{0.1, 8}, "endpoint", "/citas", "status", "401", "site", "auth.Require.func1 (auth.go:40)")
		s.alert = refusing(s)
	}, "errors", "auth.Require", ""},
	{"what has one value of an event's attribute is refused", func(s *service) {
		s.count("reservas", moved{1, 0}, "canal", "telefono")
		s.count("reservas", moved{4, 5.5}, "canal", "app")
		s.endpoint("POST /citas").status["422"] = moved{0, 0.1}
		s.alert = eventFell(s)
		s.alert.Labels = map[string]string{"canal": "telefono"}
	}, "errors", "POST /citas answers 422", "en"},
	{"one place refuses the requests to all endpoints", func(s *service) {
		everywhere(s, "401", "auth.Require.func1 (auth.go:40)")
		s.alert = refusing(s)
	}, "errors", "4 of 4 endpoints answer 401 to 50 % of their requests", "en"},
	{"one place refuses the requests to all endpoints, and where is told", func(s *service) {
		everywhere(s, "503", "clinic.(*Breaker).Allow (breaker.go:12) < clinic.(*API).guard (api.go:20)")
		s.alert = failing(s)
	}, "errors", "clinic.(*Breaker).Allow", ""},
	{"one place refuses the requests to a hundred endpoints", func(s *service) {
		for i := range 100 {
			s.endpoint(fmt.Sprintf("GET /sala%d", i), 2).parts = map[string]*part{"work": {each: same(0.002), computes: true, frames: stack(own("(*API).room", 300))}}
		}
		everywhere(s, "401", "auth.Require.func1 (auth.go:40)")
		s.alert = refusing(s)
	}, "errors", "104 of 104 endpoints answer 401 to", "en"},
	{"requests are refused before their route is known, of whichever method", func(s *service) {
		for _, e := range s.endpoints {
			e.requests = moved{20, 10}
		}
		for _, name := range []string{"GET unmatched", "POST unmatched"} {
			s.endpoint(name, 1).requests = moved{0, 20}
			s.endpoint(name).status["429"] = same(1)
			s.endpoint(name).parts["answer"] = &part{each: same(0.001), computes: true, frames: stack(own("limit.Each", 15))}
		}
		s.count("failures", moved{0, 40}, "endpoint", "unmatched", "status", "429", "site", "limit.Each (limit.go:15)")
		s.alert = refusing(s)
	}, "errors", "Requests are answered 429 before their route is known", "en"},
	// Rivals.
	{"one endpoint fails in three places, and another fails less, in one", func(s *service) {
		everywhere(s, "500", "")
		for name, share := range map[string]float64{"GET /citas": 0.74, "GET /informes": 0.26, "POST /citas": 0, "GET /medicos/{id}": 0} {
			s.endpoint(name).status["500"] = moved{0, share}
		}
		s.more = slices.DeleteFunc(s.more, func(one series) bool { return one.key == "failures" })
		for _, line := range []string{"61", "64", "67"} {
			s.count("failures", moved{0, 4.9}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).list (api.go:"+line+")")
		}
		s.count("failures", moved{0, 5.2}, "endpoint", "/informes", "status", "500", "site", "report.Totals (report.go:31)")
		s.alert = failing(s)
	}, "errors", "from clinic.(*API).list", "en"},
	{"one endpoint of four fails, and another a little", func(s *service) {
		everywhere(s, "500", "clinic.(*API).list (api.go:66)")
		for name, share := range map[string]float64{"GET /citas": 0.5, "GET /informes": 0.02, "POST /citas": 0, "GET /medicos/{id}": 0} {
			s.endpoint(name).status["500"] = moved{0, share}
		}
		s.alert = failing(s)
	}, "errors", "GET /citas answers 500 to 50 % of its requests", "en"},
	{"more errors, as many of each hundred requests as before", func(s *service) {
		s.endpoint("GET /citas").status["500"] = same(0.03)
		s.traffic(1.4)
		s.alert = failing(s)
	}, "", "", ""},
	{"a harmless release when a handler begins to panic", func(s *service) {
		s.release()
		s.endpoint("GET /informes").status["500"] = moved{0, 0.5}
		s.count("api_errors", moved{0, 1}, "error_type", "panic")
		s.count("failures", moved{0, 1}, "endpoint", "/informes", "status", "500", "site", "report.Totals (report.go:31)")
		s.alert = failing(s)
	}, "panic", "report.Totals", ""},
	{"requests fail as they are slow", func(s *service) {
		s.part("GET /citas", "query").each.after = 2
		s.endpoint("GET /citas").status["503"] = moved{0, 0.6}
		s.count("api_errors", moved{0, 24}, "error_type", "timeout")
		s.count("failures", moved{0, 24}, "endpoint", "/citas", "status", "503", "site", "clinic.(*API).list (api.go:66)")
		s.alert = failing(s)
	}, "dependency", "clinic.(*Store).List", ""},
}

func TestFailing(t *testing.T) { try(t, failingFaults) }
