package cause

import "math"

// Excess is how much there is of what the alert is about beyond what there was
// before, in a unit of its own: to compare instances of one service, each with
// its own series, at the same Times. It needs no profiles. Without a time before
// it is all that there is. 0 is for what cannot be told.
func Excess(in Input) float64 {
	in.Profiles = Profiles{}
	m := newModel(in)
	requests := func(of func(status string) bool) (sum float64) {
		for name, e := range m.endpoints {
			for status, rate := range e.byStatus {
				if m.about(name) && of(status) {
					sum += max(rate.after-rate.before*e.more(), 0)
				}
			}
		}
		return sum
	}
	grown := func(b both, ok bool) float64 {
		if !ok {
			return 0
		}
		return max(b.growth(), 0)
	}
	gauge := func(key string) float64 { return grown(m.f.gauge(m.family(key), m.t)) }
	switch m.kind {
	case latency:
		open, _ := m.f.gauge(m.family("active_requests"), m.t) // those without an end are in no histogram
		return max(m.slowed(), open.growth(), 0)
	case failures:
		if sum := requests(m.bad); sum > 0 {
			return sum
		}
		return grown(m.f.total(m.family("api_errors"), m.t), true)
	case gone:
		return requests(func(status string) bool { return status == "499" })
	case cpu:
		return grown(m.f.total(m.family("process_cpu_time"), m.t), true)
	case memory:
		return max(gauge("go_memory_used"), gauge("process_memory_usage"))
	case goroutines:
		return gauge("go_goroutine_count")
	case files:
		return gauge("process_open_fds")
	case disk:
		return gauge("disk_usage")
	case traffic:
		return math.Abs(m.requests.growth())
	case event:
		return math.Abs(m.eventOf().rate.growth())
	}
	return 0
}
