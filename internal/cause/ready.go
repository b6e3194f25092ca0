package cause

import (
	"math"
	"slices"

	"github.com/latido-dev/latido/internal/stacks"
)

// endsLate tells whether a wait that somebody else ends lasts longer for lack of
// CPU: a goroutine whose answer has come still waits for its turn, and so does one
// that is to give back what others wait for.
func (m *model) endsLate(c claim) bool {
	switch c.kind {
	case claimCall:
		// All names are resolved by one server, which may be slow for all hosts.
		return m.floods() || m.heldBack() || c.wait != dialing && c.wait != stacks.DNS && m.allStarve()
	case stacks.Client, stacks.File, stacks.Syscall:
		return m.heldBack()
	}
	return queues(c.kind) && m.throttledMuch() // else who has it may be who takes the CPU
}

// heldBack tells whether it was measured that goroutines that could run did not.
func (m *model) heldBack() bool { return m.waitsForProcessor() || m.throttledMuch() }

// throttledMuch tells whether the container's limit holds threads back for much of
// the time that requests take longer, or of all time, in which requests queue.
func (m *model) throttledMuch() bool {
	held := m.throttled().growth()
	return held > leastThrottled && (held > 0.25*m.slowed() || m.in.CPUs > 0 && held > 0.25*float64(m.in.CPUs))
}

// allStarve tells whether what takes longer does so for lack of CPU, calls too.
// Then requests that call nobody take longer as well.
func (m *model) allStarve() bool {
	switch {
	case m.heldBack():
		return true
	case !m.saturated() || m.moreCPU() <= 0 && m.throttled().growth() <= leastThrottled:
		return false
	case m.floods():
		return true
	}
	calling := map[string]bool{}
	for name, rows := range m.rows {
		calling[name] = slices.ContainsFunc(rows, func(r row) bool { return r.peer != "" })
	}
	slower, all := 0.0, 0.0 // requests
	for name, e := range inOrder(m.endpoints) {
		if m.unnamed == "" && calling[name] || e.requests.before*m.f.span(m.t.Before) < fewRequests || e.requests.after*m.f.span(m.t.After) < fewRequests {
			continue
		}
		all += e.requests.after
		if e.duration.after > 2*e.duration.before && e.duration.growth() > leastLonger {
			slower += e.requests.after
		}
	}
	if m.unnamed != "" { // whose requests call somebody is not known, but how often
		for _, p := range inOrder(m.peers()) {
			slower, all = slower-p.calls.after, all-p.calls.after
		}
	}
	return 2*slower > max(all, 0) || m.allPeersSlow()
}

// waitsForProcessor tells whether the runtime itself says that much of the time
// that requests take more is spent by goroutines that could run. It sees it before
// the CPU's use, a mean, shows it.
func (m *model) waitsForProcessor() bool {
	ready := m.readyTime().growth()
	return ready > leastReady && ready > 0.25*m.slowed() && m.moreCPU() > 0
}

// outOfCPU tells whether there is none left, by its use or by who waits for it.
func (m *model) outOfCPU() bool { return m.saturated() || m.waitsForProcessor() }

// leastReady is how much longer goroutines must wait for a processor to be worth
// a word, in seconds a second.
const leastReady = 0.5

// readyTime is how long goroutines that could run waited until they did, in
// seconds a second. The runtime measures one of eight turns (gTrackingPeriod in
// its proc.go), and the sum is made of its buckets' lower bounds.
func (m *model) readyTime() both {
	const oneOf = 8
	sum := m.f.total(m.family("go_schedule_duration")+"_sum", m.t)
	return both{oneOf * sum.before, oneOf * sum.after}
}

// allPeersSlow tells whether every host that is called answers later than before:
// several do not fail at one time, but who asks them may have no CPU.
func (m *model) allPeersSlow() bool {
	n := 0
	for name, p := range m.peers() {
		if p.calls.before*m.f.span(m.t.Before) < fewRequests {
			continue
		}
		if n++; p.calls.after > 0 && p.seconds.ratio() < 2 || p.calls.after == 0 && m.waitFor(name).growth() <= 0 {
			return false
		}
	}
	return n > 1
}

// waitFor is how many goroutines of requests wait for a host at a time.
func (m *model) waitFor(peer string) (seen both) {
	for _, s := range m.seen {
		if s.peer == peer && s.endpoint != "" {
			seen = seen.plus(s.both)
		}
	}
	return seen
}

// lessCPU is how much of a lack of CPU comes of a limit that was lowered, and not of
// the use that grew: 0 to 1.
func (m *model) lessCPU() float64 {
	fell := 0.0
	now := Range{m.t.After.To, m.t.After.To} // it may have been lowered meanwhile
	for _, limit := range []string{"container_cpu_limit", "go_processor_limit"} {
		if cores, _ := m.f.gauge(m.family(limit), Times{m.t.Before, now}); cores.after > 0 && cores.after < cores.before {
			fell = max(fell, math.Log(cores.before/cores.after))
		}
	}
	if fell == 0 {
		return 0
	}
	return fell / (fell + math.Log(max(m.cores.ratio(), 1)))
}

// whoHasTheCPU gives the time in which requests could have run to what runs
// instead: the collector, own code that takes more of it, more requests, another
// process, or nobody, where a limit holds them back.
func (m *model) whoHasTheCPU(c claim) []claim {
	own := max(m.cores.growth(), 0)
	collector := max(m.garbage.growth(), 0)
	others := max(m.otherCores().growth(), 0)
	throttled := max(m.throttled().growth(), 0)
	if throttled > leastThrottled && own+collector < 0.3*max(m.cores.before, 0.1) {
		others = 0
	} else {
		throttled = 0
	}
	whole := own + others + throttled
	if whole < 0.05 {
		return []claim{c}
	}
	var list []claim
	if less := m.lessCPU(); less > 0 {
		lowered := c
		lowered.share *= less
		c.share -= lowered.share
		list = append(list, lowered)
	}
	give := func(kind string, part float64, set func(*claim)) {
		if part <= 0 {
			return
		}
		one := c
		one.kind, one.share = kind, c.share*part/whole
		if set != nil {
			set(&one)
		}
		list = append(list, one)
	}
	give(claimCollector, min(collector, own), nil)
	give(claimReady, others+throttled, nil)
	left := max(own-collector, 0)
	// Own code: more requests, or more for each.
	grown, busier := 0.0, 0.0
	for _, s := range m.spent {
		if s.collects {
			continue
		}
		more := m.endpointMore(s.endpoint)
		grown += max(s.after-s.before*more, 0)
		busier += max(s.before*(more-1), 0)
	}
	switch {
	case grown+busier > 0:
	case m.floods(): // no profile is there yet
		give(claimTraffic, left, func(one *claim) { one.both = m.requests })
		return list
	default:
		give(claimReady, left, nil)
		return list
	}
	for _, s := range m.spent {
		more := m.endpointMore(s.endpoint)
		if x := s.after - s.before*more; x > 0 && !s.collects {
			give(claimCPU, left*x/(grown+busier), func(one *claim) {
				one.at, one.through, one.library, one.endpoint, one.both = s.at, s.through, s.leaf, s.endpoint, s.both
			})
		}
	}
	give(claimTraffic, left*busier/(grown+busier), func(one *claim) { one.both = m.requests })
	return list
}
