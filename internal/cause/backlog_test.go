package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/cause"
)

// queued has three workers who send mails, of which more and more wait.
func queued(s *service, mails moved, op string) {
	s.domain.Events = append(s.domain.Events, domain.Event{Name: "avisos_en_cola", Kind: domain.KindGauge})
	s.level("avisos_en_cola", mails)
	s.count("client_requests", moved{5, 0}, "peer", "correo.example.com", "status", "2xx")
	s.alert, s.noise = about(s, "avisos_en_cola", op, 40), 0
}

var (
	worker  = [][]string{own("mail.(*Mailer).work", 74), own("mail.(*Mailer).Run.func1", 60)}
	idle    = stack(chanReceive, worker[0], worker[1])
	sending = stack(httpCall, own("httpx.Do", 83), own("mail.(*Mailer).send", 93), worker[0], worker[1])
)

var backlogFaults = []fault{
	{"who works a queue off waits for a host", func(s *service) {
		queued(s, moved{1, 60}, ">")
		s.waits = append(s.waits, standing{moved{2.8, 0.1}, nil, idle}, standing{moved{0.2, 2.9}, nil, sending})
	}, "stuck", "mail.(*Mailer).send (mailer.go:93) waits for correo.example.com in httpx.Do", "en"},
	{"who works a queue off has ended", func(s *service) {
		queued(s, moved{1, 60}, ">")
		s.waits = append(s.waits, standing{moved{2.8, 0}, nil, idle}, standing{moved{0.2, 0}, nil, sending})
	}, "ended", "mail.(*Mailer).work", ""},
	{"who works a queue off has ended, and a job too", func(s *service) {
		queued(s, moved{1, 60}, ">")
		s.waits = append(s.waits, standing{moved{3, 0}, nil, idle}, standing{moved{1, 0}, nil, stack(sleeping, own("(*Jobs).run", 12))})
	}, "ended", "", ""},
	// Rivals.
	{"a queue grows, and of three who work it off one is seen a little more often to wait for a host", func(s *service) {
		queued(s, moved{10, 60}, ">")
		s.waits = append(s.waits, standing{moved{0.8, 0.3}, nil, idle}, standing{moved{2.2, 2.7}, nil, sending})
	}, "event", "avisos_en_cola rose from 10", "en"},
	{"a queue grows though it is worked off as before", func(s *service) {
		queued(s, moved{10, 60}, ">")
		s.waits = append(s.waits, standing{same(0.3), nil, idle}, standing{same(2.7), nil, sending})
	}, "event", "avisos_en_cola rose from 10", "en"},
	{"a job that ran before does not run now", func(s *service) {
		queued(s, moved{10, 60}, ">")
		s.waits = append(s.waits, standing{same(3), nil, idle}, standing{moved{0.4, 0}, nil, stack(sleeping, own("(*Jobs).run", 12))})
	}, "event", "avisos_en_cola", ""},
	{"a level falls, while who fills it waits", func(s *service) {
		queued(s, moved{60, 10}, "<")
		s.waits = append(s.waits, standing{moved{2.8, 0.1}, nil, idle}, standing{moved{0.2, 2.9}, nil, sending})
	}, "event", "avisos_en_cola", ""},
}

func TestBacklog(t *testing.T) { try(t, backlogFaults) }

// TestLevelOfValue: of a level by its values, the value is told as a level.
func TestLevelOfValue(t *testing.T) {
	try(t, []fault{{"one tenant's queue grows", func(s *service) {
		s.domain.Events = append(s.domain.Events, domain.Event{Name: "en_cola", Kind: domain.KindUpDown, Attributes: map[string][]string{"clinica": {"norte", "sur"}}})
		s.noise = 0
		s.level("en_cola", moved{5, 95}, "clinica", "norte")
		s.level("en_cola", same(5), "clinica", "sur")
		s.alert = cause.Alert{Name: "Queue", Metric: "en_cola", Op: ">", Bound: 50, Value: 100, Expr: s.family("en_cola") + " > 50"}
	}, "value", "en_cola (clinica=norte) grew from 5 to ", "en"}})
}
