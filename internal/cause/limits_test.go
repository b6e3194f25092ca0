package cause_test

import "testing"

var limitFaults = []fault{
	{"the process may have fewer files open than it could", func(s *service) {
		s.level("process_max_fds", moved{20000, 48})
		s.level("process_open_fds", same(46))
		s.alert = about(s, "process_open_fds", ">", 90)
	}, "limit", "from 20000 to 48", "en"},
	{"GOMEMLIMIT is lowered", func(s *service) {
		s.level("go_memory_limit", moved{400 * mb, 80 * mb})
		s.level("go_memory_used", same(70*mb), "go_memory_type", "other")
		s.alert = about(s, "go_memory_used", ">", 60*mb)
	}, "limit", "GOMEMLIMIT", ""},
	{"the process may have a fifth less files open", func(s *service) {
		s.level("process_max_fds", moved{1000, 800})
		s.level("process_open_fds", same(790))
		s.alert = about(s, "process_open_fds", ">", 95)
	}, "limit", "from 1000 to 800", "en"},
	// Rivals.
	{"files stay open, while the limit is a little lower", func(s *service) {
		s.level("process_max_fds", moved{1100, 1000})
		s.level("process_open_fds", moved{46, 950})
		s.alert = about(s, "process_open_fds", ">", 90)
	}, "descriptors", "", ""},
}

func TestLimits(t *testing.T) { try(t, limitFaults) }
