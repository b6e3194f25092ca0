package cause_test

import "testing"

const mb = 1 << 20

// collecting makes the collector take CPU time, and requests wait for the CPU.
func collecting(s *service) {
	s.garbage = moved{0.01, 2.2}
	for name, each := range map[string]float64{"GET /citas": 0.05, "POST /citas": 0.05, "GET /informes": 0.3} {
		s.endpoint(name).parts["ready"] = &part{each: moved{0, each}, frames: own("(*API).list", 60)}
	}
	s.allocated = append(s.allocated, standing{moved{mb, 900 * mb}, nil, stack([]string{"bytes.growSlice buffer.go:233", "bytes.(*Buffer).Write buffer.go:170"}, own("export.Render", 44))})
}

var collectorFaults = []fault{
	{"the collector runs for what is allocated", collecting, "gc", "export.Render", ""},
	{"the collector runs for what is allocated, some of which is always in use", func(s *service) {
		collecting(s)
		s.count("go_memory_allocated", moved{mb, 900 * mb})
		s.level("go_memory_live", moved{5 * mb, 9 * mb})
		s.kept = append(s.kept, standing{moved{0, 4 * mb}, nil, own("export.Render", 44)})
	}, "gc", "export.Render (render.go:44) allocates", "en"},
	{"the collector runs for what is kept, and as much is allocated as before", func(s *service) {
		s.garbage = moved{0.01, 2.2}
		s.endpoint("GET /citas").parts["ready"] = &part{each: moved{0, 0.05}, frames: own("(*API).list", 60)}
		s.count("go_memory_allocated", moved{80 * mb, 90 * mb})
		s.level("go_memory_live", moved{30 * mb, 92 * mb})
		s.allocated = append(s.allocated, standing{moved{80 * mb, 90 * mb}, nil, own("export.Render", 44)})
		s.kept = append(s.kept, standing{moved{mb, 64 * mb}, nil, own("(*Sessions).Put", 31)})
	}, "gc", "(*Sessions).Put", ""},
	{"the collector runs near the limit for what is kept", func(s *service) {
		s.garbage = moved{0.01, 2.2}
		s.endpoint("GET /citas").parts["ready"] = &part{each: moved{0, 0.05}, frames: own("(*API).list", 60)}
		s.level("go_memory_limit", same(100*mb))
		s.level("go_memory_live", moved{30 * mb, 92 * mb})
		s.kept = append(s.kept, standing{moved{mb, 64 * mb}, nil, own("(*Sessions).Put", 31)})
	}, "gc", "clinic.(*Sessions).Put", ""},
	{"the collector runs for what is allocated, alert on CPU", func(s *service) {
		collecting(s)
		s.alert = about(s, "cpu_usage", ">", 60)
	}, "gc", "export.Render", ""},
	{"memory is kept", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("go_memory_used", moved{60 * mb, 400 * mb}, "go_memory_type", "other")
		s.creeps("process_memory_usage", moved{90 * mb, 430 * mb})
		s.kept = append(s.kept, standing{moved{mb, 330 * mb}, nil, own("(*Sessions).Put", 31)})
		s.alert = about(s, "go_memory_used", ">", 200*mb)
	}, "memory", "clinic.(*Sessions).Put", ""},
	{"memory is kept, and the heap of before is not known", func(s *service) {
		s.creeping, s.lasts, s.deaf = true, 10*minute, true
		s.creeps("go_memory_used", moved{60 * mb, 400 * mb}, "go_memory_type", "other")
		s.kept = append(s.kept, standing{moved{mb, 330 * mb}, nil, own("(*Sessions).Put", 31)})
		s.alert = about(s, "go_memory_used", ">", 200*mb)
	}, "memory", "clinic.(*Sessions).Put", ""},
	{"memory outside of Go", func(s *service) {
		s.lasts = 10 * minute
		s.creeps("process_memory_usage", moved{90 * mb, 900 * mb})
		s.alert = about(s, "process_memory_usage", ">", 500*mb)
	}, "memory", "", ""},
	// Rivals.
	{"memory of goroutines that are not ended", func(s *service) {
		s.creeping, s.lasts = true, 10*minute
		s.creeps("go_memory_used", moved{2 * mb, 300 * mb}, "go_memory_type", "stack")
		s.creeps("go_goroutine_count", moved{60, 40000})
		s.all = append(s.all, standing{moved{0, 40000}, map[string]string{"started_by": "POST /citas"}, stack(chanReceive, own("(*Mailer).later.func1", 81))})
		s.alert = about(s, "go_memory_used", ">", 200*mb)
	}, "leak", "clinic.(*Mailer).later", ""},
	{"a function computes while memory is as before", func(s *service) {
		s.part("GET /informes", "work").each.after = 0.4
		s.garbage = moved{0.01, 0.04}
	}, "cpu", "report.Totals", ""},
}

func TestCollector(t *testing.T) { try(t, collectorFaults) }
