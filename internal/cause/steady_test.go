package cause_test

import (
	"strings"
	"testing"
)

// steadyFaults have been so for as long as anything is known: nothing grew.
var steadyFaults = []fault{
	{"an endpoint has failed from the start", func(s *service) {
		s.endpoint("GET /citas").status["500"] = same(0.3)
		s.count("failures", same(12), "endpoint", "/citas", "status", "500", "site", "clinic.(*API).list (api.go:66)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).list", ""},
	{"another process has always taken the CPU", func(s *service) {
		s.others = same(3.7)
		s.alert = about(s, "cpu_usage", ">", 80)
	}, "no_cpu", "4 ", ""},
	{"a host has always been slow", func(s *service) {
		s.part("POST /citas", "pay").each = same(0.9)
	}, "dependency", "pagos.example.com", ""},
	// Rivals.
	{"a drill while an endpoint fails as ever", func(s *service) {
		s.endpoint("GET /citas").status["500"] = same(0.3)
		s.alert = failing(s)
		s.alert.Drill = true
	}, "", "", ""},
	{"few fail, as ever", func(s *service) {
		s.endpoint("GET /citas").status["500"] = same(0.03)
		s.alert = failing(s)
	}, "", "", ""},
}

func TestSteady(t *testing.T) { try(t, steadyFaults) }

// TestSteadyBesideBusy: an endpoint has always been slow, and busy ones that are
// fast use the database for more time than it sleeps. Where the profiles know no
// endpoints, nobody knows who sleeps; and what no alert of long durations is about
// is no cause of it.
func TestSteadyBesideBusy(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(s *service){
		"": func(*service) {}, "without endpoints in the profiles": func(s *service) { s.nameless = true },
		"of another endpoint": func(s *service) { s.alert = slowAt(s, "GET /citas") },
		"too fast":            func(s *service) { s.alert.Op = "<" },
		"without a bound":     func(s *service) { s.alert.Bound = 0 },
	} {
		r := ofService(t, func(s *service) {
			s.endpoint("GET /historial", 1).parts = map[string]*part{"sleep": {each: same(0.2), frames: stack(sleeping, own("(*Archive).Fetch", 21))}}
			tell(s)
		})
		switch {
		case name != "" && len(r.Findings) > 0:
			t.Errorf("%s: %s", name, told(r))
		case name == "" && (len(r.Findings) != 1 || r.Findings[0].Kind != "blocked" || !strings.HasSuffix(r.Findings[0].Function, "(*Archive).Fetch")):
			t.Error(told(r))
		}
	}
}
