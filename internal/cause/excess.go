package cause

import "math"

// Excess is how much there is of what the alert is about beyond what there was
// before, in a unit of its own: to compare instances of one service, each with
// its own series, at the same Times. It needs no profiles. Without a time before
// it is all that there is, and of durations those that are long for the alert's
// bound. 0 is for what cannot be told.
func Excess(in Input) float64 {
	in.Profiles = Profiles{}
	m := newModel(in)
	requests := func(of func(status string) bool) (sum float64) {
		for name, e := range inOrder(m.endpoints) {
			for status, rate := range inOrder(e.byStatus) {
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

// readExcess finds the endpoints whose requests take longer than they did: in
// seconds of requests a second.
func (m *model) readExcess() {
	for name, e := range m.endpoints {
		slow := 0.0
		if m.slower(e) {
			slow = e.requests.after * e.duration.growth()
		}
		// Requests that have no end yet are in no histogram.
		hung := 0.0
		if m.looks.after > 0 {
			expected := e.open.before * e.more()
			if e.requests.before > 0 && e.requests.after < e.requests.before { // those that should be answered by now
				expected = e.open.before
			}
			if hung = e.open.after - expected; hung < m.strict*max(0.5*expected, 1) || m.looks.before == 0 && e.duration.after > 0 {
				hung = 0
			}
		}
		if e.excess = max(slow, hung); m.in.Alert.Drill && e.requests.before == 0 { // nobody knows what is usual, and nothing need be wrong
			e.excess = 0
		}
		e.about = m.about(name)
	}
}

// slower tells whether requests to an endpoint take longer than they did, by more
// than chance makes of so many, or where nothing is known of before, whether they
// are slow.
func (m *model) slower(e *endpoint) bool {
	if m.kind == latency && m.t.Before == (Range{}) {
		return m.slow(e)
	}
	d, times := e.duration, longer*m.strict
	if m.kind == latency && !m.in.Alert.Drill && m.in.Alert.Name != "" {
		times = longerAlert
	}
	return d.after > times*d.before && d.growth() > leastLonger && e.requests.after*m.f.span(m.t.After) >= fewRequests
}

// slow tells whether requests to an endpoint take long for what the alert says, and
// are enough of those that it may be about: its bound is of a quantile, mostly, and
// the mean of its requests is less.
func (m *model) slow(e *endpoint) bool {
	const enough = 0.01
	a := m.in.Alert
	return a.Op == ">" && a.Bound > 0 && e.duration.after > a.Bound/2 && e.requests.after >= enough*m.concerned.after
}

// slowed is all the time that requests take more, in seconds a second.
func (m *model) slowed() (sum float64) {
	for _, e := range inOrder(m.endpoints) {
		if e.about {
			sum += e.excess
		}
	}
	return sum
}
