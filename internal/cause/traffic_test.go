package cause_test

import (
	"fmt"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

// bookingsStop has hardly any bookings, and an alert on them.
func bookingsStop(s *service) {
	s.count("reservas", moved{5, 0.2}, "canal", "web")
	s.count("reservas", moved{4, 0.1}, "canal", "app")
	s.count("reservas", moved{1, 0}, "canal", "telefono")
	s.alert = eventFell(s)
}

func requestsFell(s *service) {
	s.alert = about(s, "requests", "<", 10)
	s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) < 10"
}

// valued has an event whose values add up to 500 a second, and then to another sum.
func valued(s *service, sum float64, op string, bound float64) {
	s.domain.Events = append(s.domain.Events, domain.Event{Name: "valor", Kind: domain.KindHistogram, Endpoint: "POST /citas"})
	s.noise = 0
	s.set(series{key: "valor", suffix: "_count", counter: true, value: same(5)})
	s.set(series{key: "valor", suffix: "_sum", counter: true, value: moved{500, sum}})
	s.alert = about(s, "valor", op, bound)
	s.alert.Expr = fmt.Sprintf("histogram_quantile(0.95, sum by (le) (rate(%s_bucket[1m]))) %s %g", s.family("valor"), op, bound)
}

var trafficFaults = []fault{
	{"traffic grows, alert on traffic", func(s *service) {
		s.traffic(4)
		s.alert = about(s, "requests", ">", 200)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) > 200"
	}, "traffic", "", ""},
	{"requests no longer come", func(s *service) {
		s.traffic(0)
		requestsFell(s)
	}, "traffic", "", ""},
	{"requests to one endpoint no longer come", func(s *service) {
		s.endpoint("GET /citas").requests.after = 1
		requestsFell(s)
	}, "traffic", "GET /citas", ""},
	{"an event falls with the requests to its endpoint", func(s *service) {
		s.endpoint("POST /citas").requests.after = 0.5
		s.count("reservas", moved{5, 0.25}, "canal", "web")
		s.count("reservas", moved{4, 0.2}, "canal", "app")
		s.count("reservas", moved{1, 0.05}, "canal", "telefono")
		s.alert = eventFell(s)
	}, "traffic", "POST /citas", ""},
	{"an event falls with all requests", func(s *service) {
		s.traffic(0)
		for _, canal := range []string{"web", "app", "telefono"} {
			s.count("reservas", moved{3, 0}, "canal", canal)
		}
		s.alert = eventFell(s)
	}, "traffic", "mostly to POST /citas", "en"},
	// Rivals.
	{"an event falls though its requests come", func(s *service) {
		s.count("reservas", moved{5, 0.1}, "canal", "web")
		s.count("reservas", moved{4, 0.1}, "canal", "app")
		s.count("reservas", moved{1, 0}, "canal", "telefono")
		s.alert = eventFell(s)
	}, "event", "reservas", ""},
	{"an event falls as its requests are sent elsewhere", func(s *service) {
		s.endpoint("POST /citas").status["302"] = moved{0, 0.97}
		bookingsStop(s)
	}, "event", "now 97 % of them are answered 302, 0 % before", "en"},
	{"an event falls as its requests fail", func(s *service) {
		s.endpoint("POST /citas").status["500"] = moved{0, 0.96}
		s.count("failures", moved{0, 9.6}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).reserve (api.go:99)")
		bookingsStop(s)
	}, "errors", "clinic.(*API).reserve", ""},
	{"an event falls as middleware refuses its requests, whose route is not known yet", func(s *service) {
		s.endpoint("POST /citas").requests.after = 0.4
		s.endpoint("POST unmatched", 0.0001).requests.after = 9.6
		s.endpoint("POST unmatched").status["429"] = moved{0, 1}
		s.count("failures", moved{0, 9.6}, "endpoint", "unmatched", "status", "429", "site", "clinic.(*API).limit (api.go:113)")
		bookingsStop(s)
	}, "errors", "POST requests are answered 429 before their route is known", "en"},
	{"the same, in two ways", func(s *service) {
		s.endpoint("POST /citas").requests.after = 5
		s.endpoint("POST unmatched", 0.0001).requests.after = 5
		s.endpoint("POST unmatched").status["429"] = moved{0, 0.5}
		s.endpoint("POST unmatched").status["503"] = moved{0, 0.5}
		bookingsStop(s)
		for canal, rate := range map[string]float64{"web": 5, "app": 4, "telefono": 1} {
			s.count("reservas", moved{rate, rate / 2}, "canal", canal)
		}
	}, "errors", "", ""},
	{"an event falls as its requests take longer, and fewer come", func(s *service) {
		s.endpoint("POST /citas").requests.after = 6
		s.part("POST /citas", "pay").each.after = 0.92
		for canal, rate := range map[string]float64{"web": 5, "app": 4, "telefono": 1} {
			s.count("reservas", moved{rate, rate * 0.6}, "canal", canal)
		}
		s.alert = eventFell(s)
	}, "dependency", "pagos.example.com", ""},
	{"fewer requests come, as they take longer", func(s *service) {
		s.endpoint("GET /citas").requests.after = 20
		s.part("GET /citas", "query").each.after = 1.5
		s.alert = about(s, "requests", "<", 60)
		s.alert.Expr = "sum by (job) (rate(" + s.family("requests") + "[1m])) < 60"
	}, "dependency", "clinic.(*Store).List", ""},
	{"an event's values become a hundred times as large", func(s *service) {
		valued(s, 50000, ">", 1000)
	}, "event", "valor is 10000 on average, 100 before; it happens 5 a second (5 before)", "en"},
	{"an event's values become half as large", func(s *service) {
		valued(s, 250, "<", 60)
	}, "event", "valor is 50 on average, 100 before; it happens 5 a second (5 before)", "en"},
	{"an event falls as its requests are refused", func(s *service) {
		s.endpoint("POST /citas").status["422"] = moved{0, 0.96}
		s.count("failures", moved{0, 9.6}, "endpoint", "/citas", "status", "422", "site", "clinic.(*API).check (check.go:18)")
		bookingsStop(s)
	}, "errors", "clinic.(*API).check", ""},
	{"an event falls as its requests hang", func(s *service) {
		s.endpoint("POST /citas").requests.after = 0.2
		s.waits = append(s.waits, standing{moved{0, 80}, map[string]string{"method": "POST", "endpoint": "/citas", "peer": "pagos.example.com"}, stack(httpCall, own("(*Payments).Charge", 33), serving)})
		s.count("reservas", moved{5, 0.1}, "canal", "web")
		s.count("reservas", moved{4, 0.1}, "canal", "app")
		s.count("reservas", moved{1, 0}, "canal", "telefono")
		s.alert = eventFell(s)
	}, "dependency", "pagos.example.com", ""},
	{"an event falls, and with it one value only", func(s *service) {
		s.count("reservas", moved{5, 0}, "canal", "web")
		s.alert = eventFell(s)
	}, "value", "canal=web", ""},
	{"clients leave, though answers take as long as before", func(s *service) {
		s.endpoint("GET /informes").status["499"] = moved{0, 0.6}
		s.count("requests_gone_time", moved{0, 0.025}, "endpoint", "/informes")
		s.alert = leaving(s)
	}, "clients", "GET /informes", ""},
	{"clients leave whichever the method", func(s *service) {
		s.endpoint("GET /citas").status["499"] = moved{0, 0.6}
		s.endpoint("POST /citas").status["499"] = moved{0, 0.6}
		s.count("requests_gone_time", moved{0, 50 * 0.6 * 0.025}, "endpoint", "/citas")
		s.alert = leaving(s)
	}, "clients", "Clients give up after 24", "en"},
	{"clients leave as answers take longer", func(s *service) {
		s.part("POST /citas", "pay").each.after = 4
		s.endpoint("POST /citas").status["499"] = moved{0, 0.9}
		s.alert = leaving(s)
	}, "dependency", "pagos.example.com", ""},
}

func TestTraffic(t *testing.T) { try(t, trafficFaults) }

// TestManyMoreRequests: many more requests are a cause where nothing is seen of how,
// and a few more are none.
func TestManyMoreRequests(t *testing.T) {
	for times, kind := range map[float64]string{20: "traffic", 1.2: ""} {
		s := newService(t, "en", false)
		s.blind = true
		s.traffic(times)
		s.endpoint("GET /citas").parts["unseen"] = &part{each: moved{0, 0.2}}
		got := ""
		if found := cause.Explain(s.input()).Findings; len(found) > 0 {
			got = found[0].Kind
		}
		if got != kind {
			t.Errorf("%v times the requests: finds %q, want %q", times, got, kind)
		}
	}
}
