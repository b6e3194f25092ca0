package cause_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

// TestHealthy: for an alert that fires of a service that is well, nothing is
// found, and it is said what was looked at.
func TestHealthy(t *testing.T) {
	alerts := map[string]func(*service) cause.Alert{
		"slow": slow, "failing": failing, "refusing": refusing, "leaving": leaving, "event": eventFell,
		"cpu":        func(s *service) cause.Alert { return about(s, "cpu_usage", ">", 80) },
		"memory":     func(s *service) cause.Alert { return about(s, "go_memory_used", ">", 80*mb) },
		"resident":   func(s *service) cause.Alert { return about(s, "process_memory_usage", ">", 80*mb) },
		"goroutines": func(s *service) cause.Alert { return about(s, "go_goroutine_count", ">", 80) },
		"files":      func(s *service) cause.Alert { return about(s, "process_open_fds", ">", 80) },
		"disk":       func(s *service) cause.Alert { return about(s, "disk_usage", ">", 80) },
		"pool":       func(s *service) cause.Alert { return about(s, "pool_wait_time", ">", 1) },
		"throttled":  func(s *service) cause.Alert { return about(s, "container_cpu_throttled_time", ">", 1) },
		"none":       func(s *service) cause.Alert { return cause.Alert{} },
	}
	services := map[string]func(*service){
		"well":               func(*service) {},
		"half the traffic":   func(s *service) { s.traffic(0.5) },
		"more traffic":       func(s *service) { s.traffic(1.5) },
		"a harmless release": (*service).release,
		"some garbage":       func(s *service) { s.garbage = moved{0.01, 0.03} },
		"noise":              func(s *service) { s.noise = 0.1 },
		"a new, seldom query": func(s *service) {
			s.noise = 0.1
			s.endpoint("GET /historial", 0.2).requests.before = 0
			s.endpoints["GET /historial"].parts["query"] = &part{each: same(0.5), frames: stack(pgxQuery, own("(*Store).History", 170)), calls: same(1), query: "SELECT historial"}
		},
		"little traffic":       func(s *service) { s.scale(0.02) },
		"a third more traffic": func(s *service) { s.traffic(1.33); s.release() },
	}
	for name, tell := range services {
		for alert, of := range alerts {
			moves := name == "half the traffic" || name == "more traffic"
			for _, drill := range []bool{true, false} {
				if moves && !drill && (alert == "event" || alert == "none" || alert == "cpu" || alert == "throttled") {
					continue // that is what it is
				}
				try(t, []fault{{name: fmt.Sprintf("%s, %s, drill=%v", name, alert, drill), only: map[bool]string{true: "es", false: "en"}[drill], tell: func(s *service) {
					tell(s)
					s.alert = of(s)
					s.alert.Drill = drill
				}}})
			}
		}
	}
}

// TestDrillOfBusyMinutes: as much comes and goes with the traffic, which is far
// from any limit.
func TestDrillOfBusyMinutes(t *testing.T) {
	for _, metric := range []string{"process_open_fds", "disk_usage", "process_memory_usage", "go_goroutine_count"} {
		try(t, []fault{{name: metric, tell: func(s *service) {
			s.creeps("process_open_fds", moved{40, 61})
			s.level("disk_usage", moved{40, 41.5})
			s.level("process_memory_usage", moved{80 * mb, 105 * mb})
			s.alert = about(s, metric, ">", 0)
			s.alert.Drill = true
		}}})
	}
}

// TestDrillOfTheFirstTraffic: what nobody asked for before took no time before,
// which makes no time of now too much.
func TestDrillOfTheFirstTraffic(t *testing.T) {
	for name, of := range map[string]func(*service) cause.Alert{"slow": slow, "failing": failing, "leaving": leaving} {
		try(t, []fault{{name: name, tell: func(s *service) {
			for _, e := range s.endpoints {
				e.requests.before = 0
			}
			s.alert = of(s)
			s.alert.Drill = true
		}}})
	}
}

// TestReportOfTheFirstSeconds: a service that has just begun is asked what stands
// out, and has no time before to compare with.
func TestReportOfTheFirstSeconds(t *testing.T) {
	for _, history := range []time.Duration{time.Second, 6 * time.Second, 11 * time.Second} {
		try(t, []fault{{name: history.String(), tell: func(s *service) {
			s.history = history
			for i := range s.more {
				if s.more[i].counter {
					s.more[i].value.before = 0
				}
			}
			for _, e := range s.endpoints {
				e.requests.before = 0
			}
			s.alert = cause.Alert{}
		}}})
	}
}

// TestReportOfTheFirstMinutes: a service that has run for two minutes has a time
// before to compare with, in which not all was warm yet.
func TestReportOfTheFirstMinutes(t *testing.T) {
	young := func(change func(*service)) func(*service) {
		return func(s *service) {
			s.history, s.lasts = 100*time.Second, 45*time.Second
			change(s)
			s.alert = cause.Alert{}
		}
	}
	try(t, []fault{
		{"all is well", young(func(s *service) {
			s.traffic(1.3)
			s.level("process_memory_usage", moved{80 << 20, 105 << 20})
		}), "", "", ""},
		{"a handler fails", young(func(s *service) { s.endpoint("GET /citas").status["500"] = moved{0, 0.3} }), "errors", "GET /citas", ""},
		{"a peer is slow", young(func(s *service) { s.part("POST /citas", "pay").each.after = 1 }), "dependency", "pagos.example.com", ""},
		{"a function computes", young(func(s *service) { s.part("GET /citas", "work").each.after = 0.04 }), "cpu", "clinic.(*API).list", ""},
	})
}
