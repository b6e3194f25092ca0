package cause_test

import "testing"

// waitForCPU makes requests wait until they have a CPU.
func waitForCPU(s *service, each float64) {
	for name, frames := range map[string][]string{"GET /citas": own("(*API).list", 60), "POST /citas": own("(*API).reserve", 97), "GET /informes": own("report.Totals", 19)} {
		s.endpoint(name).parts["ready"] = &part{each: moved{0, each}, frames: frames}
	}
}

// throttles has a container's limit on CPU time, the seconds a second that threads
// wait for it, and how many of ten periods it is used up in.
func throttles(s *service, limit, waits, periods moved) {
	s.level("container_cpu_limit", limit)
	s.count("container_cpu_throttled_time", waits)
	s.count("container_cpu_throttled_periods", periods)
	s.count("container_cpu_periods", same(10))
}

// callsSeemSlow has each part that calls somebody wait for its CPU, too.
func callsSeemSlow(s *service) {
	for _, e := range s.endpoints {
		for _, p := range e.parts {
			if p.calls.after > 0 {
				p.each.after += 0.3
			}
		}
	}
}

// waitForProcessor has the runtime measure how long goroutines that can run wait, in
// seconds a second. It measures one of eight.
func waitForProcessor(s *service, wait moved) {
	s.set(series{key: "go_schedule_duration", suffix: "_sum", counter: true, value: wait.times(same(1. / 8))})
}

// reportsTakeTheCPU has own code leave none to the others, while nothing can be
// profiled.
func reportsTakeTheCPU(s *service) {
	waitForCPU(s, 0.4)
	s.blind = true
	s.others = moved{0.2, 1}
	s.part("GET /informes", "work").each.after = 1.3
}

var starvedFaults = []fault{
	{"another process takes the CPU", func(s *service) {
		waitForCPU(s, 0.2)
		s.others = moved{0.2, 3.7}
	}, "no_cpu", "4 ", ""},
	{"another process takes the CPU, alert on CPU", func(s *service) {
		s.others = moved{0.2, 3.7}
		s.alert = about(s, "cpu_usage", ">", 80)
	}, "no_cpu", "4 ", ""},
	{"the container's limit is used up", func(s *service) {
		waitForCPU(s, 0.2)
		throttles(s, same(0.5), moved{0, 2.4}, moved{0, 8})
	}, "no_cpu", "CPU", ""},
	{"GOMAXPROCS is lower", func(s *service) {
		waitForCPU(s, 0.2)
		s.level("go_processor_limit", moved{4, 1})
	}, "no_cpu", "GOMAXPROCS", ""},
	{"the container's limit is lowered, alert on throttling", func(s *service) {
		waitForCPU(s, 0.1)
		throttles(s, moved{2, 0.1}, moved{0, 1.4}, moved{0, 8})
		s.alert = about(s, "container_cpu_throttled_periods", ">", 25)
	}, "no_cpu", "CPU", ""},
	{"the container's limit is lowered as twice the traffic comes", func(s *service) {
		waitForCPU(s, 0.2)
		throttles(s, moved{2, 0.2}, moved{0, 2.4}, moved{0, 8})
		s.traffic(2)
	}, "no_cpu", "(0.2 cores) throttles", "en"},
	{"the container's limit is lowered a little later", func(s *service) {
		waitForCPU(s, 0.2)
		throttles(s, same(2), moved{0, 2.4}, moved{0, 8})
		s.set(series{key: "container_cpu_limit", value: moved{2, 0.1}, delay: 2 * s.step()})
	}, "no_cpu", "(0.1 cores)", "en"},
	{"the container's limit is lowered, and nothing could be profiled", func(s *service) {
		waitForCPU(s, 0.4)
		s.blind = true
		throttles(s, moved{2, 0.1}, moved{0, 1.4}, moved{0, 8})
	}, "no_cpu", "CPU", ""},
	{"the container's limit is lowered: calls seem slow too, and nothing could be profiled", func(s *service) {
		waitForCPU(s, 0.4)
		s.blind = true
		throttles(s, moved{2, 0.1}, moved{0, 1.4}, moved{0, 8})
		callsSeemSlow(s)
	}, "no_cpu", "CPU", ""},
	{"the container's limit is a little too low: calls seem slow too", func(s *service) {
		s.part("POST /citas", "pay").each.after += 0.04
		s.part("GET /citas", "query").each.after += 0.01
		throttles(s, moved{2, 0.1}, moved{0, 0.4}, moved{0, 7})
	}, "no_cpu", "CPU", ""},
	{"the container's limit is lowered: names seem to resolve slowly", func(s *service) {
		s.cpus = 2
		throttles(s, moved{2, 0.1}, moved{0, 1.1}, moved{0, 8})
		callsSeemSlow(s)
		s.endpoint("POST /citas").parts["dns"] = &part{each: moved{0.0005, 2}, peer: "pagos.example.com", frames: stack(resolving, own("(*Payments).Charge", 33))}
		s.alert = slowAt(s, "POST /citas")
	}, "no_cpu", "CPU", ""},
	{"the container's limit is lowered: clients and files seem slow", func(s *service) {
		s.cpus = 2
		throttles(s, moved{2, 0.1}, moved{0, 1.1}, moved{0, 8})
		s.endpoint("GET /citas").parts["write"] = &part{each: moved{0, 0.2}, frames: stack(polling,
			[]string{"net/http.checkConnErrorWriter.Write server.go:1890", "bufio.(*Writer).Flush bufio.go:636", "net/http.(*response).Write server.go:1640"}, own("(*API).answer", 140))}
		s.endpoint("GET /citas").parts["sync"] = &part{each: moved{0.0005, 0.1}, frames: stack(fileSync, own("(*Journal).Append", 28))}
		s.alert = slowAt(s, "GET /citas")
	}, "no_cpu", "CPU", ""},
	{"the container's limit is lowered: connections seem not to be given back", func(s *service) {
		s.cpus = 2
		throttles(s, moved{2, 0.1}, moved{0, 1.1}, moved{0, 8})
		s.endpoint("GET /citas").parts["conn"] = &part{each: moved{0, 0.1}, frames: stack(sqlPool, own("(*Store).Archived", 160))}
		s.alert = slowAt(s, "GET /citas")
	}, "no_cpu", "CPU", ""},
	{"another process takes the CPU: calls seem slow too, and nothing could be profiled", func(s *service) {
		waitForCPU(s, 0.4)
		s.blind = true
		s.others = moved{0.2, 3.7}
		callsSeemSlow(s)
	}, "no_cpu", "4 ", ""},
	{"another process takes the CPU: the one host that is called seems slow too", func(s *service) {
		waitForCPU(s, 0.03)
		s.others = moved{0.2, 3.7}
		s.part("POST /citas", "pay").each.after = 0.4
	}, "no_cpu", "4 ", ""},
	{"another process takes the CPU, a host is slow, and another is not called any more", func(s *service) {
		s.others = moved{0.2, 3.7}
		s.part("POST /citas", "pay").each.after = 0.9
		s.endpoint("GET /avisos", 5).requests.after = 0
		s.endpoint("GET /avisos").parts["notify"] = &part{each: same(0.02), frames: stack(httpCall, own("(*API).notices", 66)), peer: "avisos.example.com", calls: same(1)}
	}, "dependency", "pagos.example.com", ""},
	{"another process takes the CPU, and nothing could be profiled", func(s *service) {
		waitForCPU(s, 0.4)
		s.blind = true
		s.others = moved{0.2, 3.7}
	}, "no_cpu", "4 ", ""},
	{"own code takes the CPU now and then: calls seem slow too, as goroutines wait for a processor", func(s *service) {
		callsSeemSlow(s)
		waitForProcessor(s, moved{0.1, 12})
		s.part("GET /informes", "work").each.after = 0.4
	}, "cpu", "report.Totals", ""},
	{"own code takes the CPU now and then: calls seem slow too, and nothing could be profiled", func(s *service) {
		callsSeemSlow(s)
		waitForProcessor(s, moved{0.1, 12})
		s.blind = true
		s.part("GET /informes", "work").each.after = 0.4
	}, "cpu", "CPU", ""},
	{"more requests to one endpoint take the CPU, as goroutines wait for a processor, and nothing could be profiled", func(s *service) {
		s.endpoint("GET /medicos/{id}").requests.after = 1500
		s.part("POST /citas", "pay").each.after += 0.6
		waitForProcessor(s, moved{0.1, 12})
		s.blind = true
		s.alert = slowAt(s, "POST /citas")
	}, "traffic", "GET /medicos/{id}", ""},
	{"own code takes the CPU, and of the requests that the alert is about none has an end", func(s *service) {
		reportsTakeTheCPU(s)
		s.endpoint("POST /citas").requests.after = 0
		s.alert = slowAt(s, "POST /citas")
	}, "cpu", "", ""},
	{"the process is stopped for moments", func(s *service) {
		s.count("process_stalled_time", moved{0, 0.35})
		s.blind = true // nobody looks meanwhile
		for name := range s.endpoints {
			s.endpoint(name).parts["still"] = &part{each: moved{0, 0.4}}
		}
		s.part("POST /citas", "pay").each.after = 0.05
	}, "stalled", "The process stands still for", "en"},
	// Rivals.
	{"a name resolves slowly, and the container's limit throttles now and then", func(s *service) {
		throttles(s, same(0.5), moved{0.02, 0.3}, moved{0, 2})
		s.endpoint("POST /citas").parts["dns"] = &part{each: moved{0.0005, 2}, peer: "pagos.example.com", frames: stack(resolving, own("(*Payments).Charge", 33))}
	}, "dependency", "pagos.example.com", ""},
	{"goroutines wait a little for a processor while a host is slow", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.6
		waitForProcessor(s, moved{0.1, 0.9})
		s.part("GET /informes", "work").each.after = 0.1
	}, "dependency", "pagos.example.com", ""},
	{"of the requests that the alert is about none has an end, and the others are as ever", func(s *service) {
		s.blind = true
		s.endpoint("POST /citas").requests.after = 0
		s.part("GET /informes", "query").each.after += 0.02
		s.alert = slowAt(s, "POST /citas")
	}, "", "", ""},
	{"own code takes the CPU, and nothing could be profiled", reportsTakeTheCPU, "cpu", "", ""},
	{"own code takes the CPU from the others", func(s *service) {
		waitForCPU(s, 0.2)
		s.part("GET /informes", "work").each.after = 1.6
	}, "cpu", "report.Totals", ""},
	{"own code takes the most of the CPU, with its garbage, and others the rest", func(s *service) {
		waitForCPU(s, 0.3)
		s.cpus = 2
		s.others = moved{0.05, 0.6}
		s.garbage = moved{0.01, 0.3}
		s.part("GET /informes", "work").each.after = 0.4
	}, "cpu", "report.Totals", ""},
	{"more requests take the CPU", func(s *service) {
		s.traffic(12)
		waitForCPU(s, 0.2)
	}, "traffic", "", ""},
	{"more requests to one endpoint take the CPU from another", func(s *service) {
		s.endpoint("GET /medicos/{id}").requests.after = 3600
		waitForCPU(s, 0.2)
		s.alert = slowAt(s, "GET /citas")
	}, "traffic", "GET /medicos/{id}", ""},
	{"more requests to one endpoint take the CPU from another, and nothing could be profiled", func(s *service) {
		s.endpoint("GET /medicos/{id}").requests.after = 3600
		waitForCPU(s, 0.4)
		s.blind = true
		s.alert = slowAt(s, "GET /citas")
	}, "traffic", "GET /medicos/{id}", ""},
	{"more requests to one endpoint take the CPU from another, whose calls seem slow", func(s *service) {
		s.endpoint("GET /medicos/{id}").requests.after = 3600
		s.part("POST /citas", "pay").each.after += 0.6
		s.part("POST /citas", "query").each.after += 0.1
		s.alert = slowAt(s, "POST /citas")
	}, "traffic", "GET /medicos/{id}", ""},
	{"more requests to one endpoint, and CPU is left, while a host is slow", func(s *service) {
		s.endpoint("GET /medicos/{id}").requests.after = 400
		s.part("POST /citas", "pay").each.after += 0.6
		s.alert = slowAt(s, "POST /citas")
	}, "dependency", "pagos.example.com", ""},
	{"own code uses the container's limit up, alert on throttling", func(s *service) {
		throttles(s, same(1), moved{0, 1.4}, moved{0, 8})
		s.part("GET /informes", "work").each.after = 0.4
		s.alert = about(s, "container_cpu_throttled_periods", ">", 25)
	}, "cpu", "report.Totals", ""},
	{"the container's limit throttles now and then while a host is slow", func(s *service) {
		s.part("POST /citas", "pay").each.after = 0.6
		s.level("container_cpu_limit", same(0.5))
		s.count("container_cpu_throttled_time", moved{0.02, 0.3})
	}, "dependency", "pagos.example.com", ""},
	{"another process works, and there is CPU left, in a drill", func(s *service) {
		s.others = moved{0.05, 1}
		s.alert = about(s, "container_cpu_throttled_periods", ">", 25)
		s.alert.Drill = true
	}, "", "", ""},
	{"another process works while a host is slow", func(s *service) {
		s.others = moved{0.2, 1.2}
		s.part("POST /citas", "pay").each.after = 0.6
	}, "dependency", "pagos.example.com", ""},
}

func TestStarved(t *testing.T) { try(t, starvedFaults) }
