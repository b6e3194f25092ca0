package cause_test

import (
	"testing"
	"time"
)

const minute = time.Minute

var leaksFaults = []fault{
	{"goroutines are not ended", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("go_goroutine_count", moved{60, 1500})
		s.all = append(s.all, standing{moved{0, 1440}, map[string]string{"started_by": "POST /citas"}, stack(chanReceive, own("(*Mailer).later.func1", 81))})
		s.alert = about(s, "go_goroutine_count", ">", 500)
	}, "leak", "clinic.(*Mailer).later", ""},
	{"goroutines are not ended that requests of no known route started", func(s *service) {
		s.creeping, s.lasts, s.nameless = true, 10*minute, true
		s.creeps("go_goroutine_count", moved{60, 1500})
		s.all = append(s.all, standing{moved{0, 1440}, map[string]string{"started_by": "GET"}, stack(chanReceive, own("(*Mailer).later.func1", 81))})
		s.alert = about(s, "go_goroutine_count", ">", 500)
	}, "leak", "1440 are in clinic.(*Mailer).later (mailer.go:81), waiting to receive from a channel, 0 before, started by GET requests", "en"},
	{"goroutines of the background are not ended", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("go_goroutine_count", moved{60, 900})
		s.all = append(s.all, standing{moved{3, 843}, nil, stack(selecting, own("(*Feed).watch", 40), own("(*Feed).Start.func1", 30))})
		s.alert = about(s, "go_goroutine_count", ">", 500)
	}, "leak", "clinic.(*Feed).watch", ""},
	{"bodies of answers are not closed", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("process_open_fds", moved{40, 900})
		s.creeps("go_goroutine_count", moved{60, 1800})
		s.all = append(s.all, standing{moved{8, 860}, map[string]string{"started_by": "POST /citas"}, persistConn},
			standing{moved{8, 860}, map[string]string{"started_by": "POST /citas"}, stack(selecting, []string{"net/http.(*persistConn).writeLoop transport.go:2600"})})
		s.alert = about(s, "process_open_fds", ">", 800)
	}, "leak", "clinic.(*Payments).Charge", ""},
	{"bodies of answers are not closed, alert on goroutines", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("process_open_fds", moved{40, 900})
		s.creeps("go_goroutine_count", moved{60, 1800})
		s.all = append(s.all, standing{moved{8, 860}, map[string]string{"started_by": "POST /citas"}, persistConn},
			standing{moved{8, 860}, map[string]string{"started_by": "POST /citas"}, stack(selecting, []string{"net/http.(*persistConn).writeLoop transport.go:2600"})})
		s.alert = about(s, "go_goroutine_count", ">", 800)
	}, "leak", "clinic.(*Payments).Charge", ""},
	// Rivals.
	{"goroutines of requests that wait for a slow host", func(s *service) {
		s.part("POST /citas", "pay").each.after = 20
		s.level("go_goroutine_count", moved{60, 260})
		s.alert = about(s, "go_goroutine_count", ">", 200)
	}, "dependency", "pagos.example.com", ""},
	{"goroutines come and go with the traffic", func(s *service) {
		s.level("go_goroutine_count", moved{60, 75})
		s.all[0].seen.after = 34
		s.alert = about(s, "go_goroutine_count", ">", 70)
	}, "", "", ""},
	{"a profile of the time before is older than most connections", func(s *service) {
		s.level("go_goroutine_count", moved{140, 155})
		s.all[0].seen = moved{2, 20}
		s.all = append(s.all, standing{moved{0, 45}, map[string]string{"started_by": "GET"}, persistConn})
		s.alert = about(s, "go_goroutine_count", ">", 20)
		s.alert.Drill = true
	}, "", "", ""},
	{"some goroutines go, and others come", func(s *service) {
		s.all[0].seen = moved{60, 18}
		s.all = append(s.all, standing{moved{0, 45}, map[string]string{"started_by": "POST /citas"}, persistConn})
		s.alert = about(s, "go_goroutine_count", ">", 20)
		s.alert.Drill = true
	}, "", "", ""},
}

func TestLeaks(t *testing.T) { try(t, leaksFaults) }
