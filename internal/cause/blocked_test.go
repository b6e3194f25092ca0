package cause_test

import "testing"

var blockedFaults = []fault{
	{"the log blocks", func(s *service) {
		for _, name := range []string{"GET /citas", "POST /citas", "GET /medicos/{id}"} {
			s.endpoint(name).parts["lock"] = &part{each: moved{0, 0.3}, frames: stack(slogLock, own("(*API).answer", 140))}
		}
		s.endpoint("GET /citas").parts["write"] = &part{each: moved{0.00001, 0.024}, frames: stack(slogWrite, own("(*API).answer", 140))}
	}, "blocked", "clinic.(*API).answer", ""},
	{"a file is synced on each request", func(s *service) {
		s.endpoint("POST /citas").parts["sync"] = &part{each: moved{0.0005, 0.4}, frames: stack(fileSync, own("(*Journal).Append", 28))}
	}, "blocked", "clinic.(*Journal).Append", ""},
	{"requests sleep", func(s *service) {
		s.endpoint("POST /citas").parts["pause"] = &part{each: moved{0, 0.5}, frames: stack(sleeping, own("(*Payments).again", 61))}
	}, "blocked", "clinic.(*Payments).again", ""},
	{"requests stand in an empty select", func(s *service) {
		s.endpoint("POST /citas").parts["pause"] = &part{each: moved{0, 0.5}, frames: stack(parked, []string{"runtime.block select.go:104"}, own("(*API).reserve", 61))}
	}, "blocked", "cannot come", "en"},
	// Rivals.
	{"a host is slow while the log is written as before", func(s *service) {
		s.endpoint("POST /citas").parts["write"] = &part{each: same(0.004), frames: stack(slogWrite, own("(*API).answer", 140))}
		s.part("POST /citas", "pay").each.after = 0.6
	}, "dependency", "pagos.example.com", ""},
}

func TestBlocked(t *testing.T) { try(t, blockedFaults) }
