package cause_test

import "testing"

var valueFaults = []fault{
	{"one value of an attribute makes the traffic", func(s *service) {
		s.endpoint("GET /informes").requests.after = 60
		s.count("informes", moved{0.8, 58.8}, "clinica", "norte")
		s.alert = about(s, "requests", ">", 100)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) > 100"
	}, "value", "clinica=norte", ""},
	{"one value of an attribute falls", func(s *service) {
		s.count("reservas", moved{4, 0}, "canal", "app")
		s.alert = eventFell(s)
	}, "value", "canal=app", ""},
	{"one value of an attribute brings the rows, each of which is a query", func(s *service) {
		s.part("POST /citas", "query").each = moved{0.005, 0.6}
		s.part("POST /citas", "query").calls = moved{1, 80}
		s.count("reservas", moved{4, 400}, "canal", "app")
		s.alert = slow(s)
	}, "value", "canal=app", ""},
	{"the same, while the first of it came some time before requests were slow", func(s *service) {
		s.part("POST /citas", "query").each = moved{0.005, 0.6}
		s.part("POST /citas", "query").calls = moved{1, 80}
		s.set(series{key: "reservas", labels: pairs([]string{"canal", "app"}), value: moved{4, 400}, counter: true, delay: -6 * s.step()})
		s.alert = slow(s)
	}, "value", "canal=app", ""},
	{"one value of an attribute brings the requests that a limiter holds back", func(s *service) {
		e := s.endpoint("POST /citas")
		e.requests.after = 45
		e.parts["limit"] = &part{each: moved{0.0001, 0.7}, frames: stack(rateLimit, own("(*API).reserve", 93))}
		e.parts["pay"].frames = stack(httpCall, own("(*Payments).Charge", 33), own("(*API).reserve", 95))
		s.count("reservas", moved{4, 39}, "canal", "app")
		s.alert = slow(s)
	}, "value", "canal=app", ""},
	// Rivals.
	{"all values of an attribute grow", func(s *service) {
		s.traffic(4)
		s.alert = about(s, "requests", ">", 200)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) > 200"
	}, "traffic", "", ""},
	{"all values of an attribute fall", func(s *service) {
		s.count("reservas", moved{5, 0.5}, "canal", "web")
		s.count("reservas", moved{4, 0.4}, "canal", "app")
		s.count("reservas", moved{1, 0.1}, "canal", "telefono")
		s.alert = eventFell(s)
	}, "event", "reservas", ""},
}

func TestValue(t *testing.T) { try(t, valueFaults) }
