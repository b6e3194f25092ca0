package cause_test

import (
	"testing"

	"github.com/latido-dev/latido/internal/cause"
)

var descriptorFaults = []fault{
	{"files are not closed", func(s *service) {
		s.level("process_max_fds", same(160))
		s.creeps("process_open_fds", moved{40, 160})
		s.endpoint("GET /informes").status["500"] = moved{0, 0.9}
		s.count("api_errors", moved{0, 1.8}, "error_type", "too_many_files")
		s.count("failures", moved{0, 1.8}, "endpoint", "/informes", "status", "500", "site", "clinic.(*API).report (api.go:140)")
		s.alert = failing(s)
	}, "descriptors", "clinic.(*API).report", ""},
	{"files are not closed, and none is missed yet", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("process_open_fds", moved{40, 990})
		s.alert = about(s, "process_open_fds", ">", 900)
	}, "descriptors", "1024", ""},
	{"more are open than a limit of the user's, far from the system's", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("process_open_fds", moved{40, 90})
		s.alert = about(s, "process_open_fds", ">", 80)
	}, "descriptors", "1024", ""},
	{"one file is opened again and again", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("process_open_fds", moved{40, 990})
		s.opened = cause.Opened{Path: "/srv/fotos/1.jpg", Descriptors: 900}
		s.alert = about(s, "process_open_fds", ">", 900)
	}, "descriptors", "900 of them of /srv/fotos/1.jpg", "en"},
	// Rivals.
	{"requests fail while as many files are open as ever", func(s *service) {
		s.level("process_open_fds", same(900))
		s.endpoint("POST /citas").status["500"] = moved{0, 1}
		s.count("failures", moved{0, 10}, "endpoint", "/citas", "status", "500", "site", "clinic.(*API).reserve (api.go:99)")
		s.alert = failing(s)
	}, "errors", "clinic.(*API).reserve", ""},
}

func TestDescriptors(t *testing.T) { try(t, descriptorFaults) }
