package cause_test

import (
	"testing"
	"time"
)

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
	// Rivals.
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
