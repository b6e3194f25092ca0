package cause

import (
	"strings"

	"github.com/latido-dev/latido/domain"
)

// stand says how much of the alert each symptom stands for: its own all, others
// as much of it as they explain.
func (m *model) stand() {
	if m.in.Alert.Name == "" && m.in.Alert.Metric == "" {
		for _, s := range []symptom{latency, failures, gone, cpu, memory, goroutines, files, disk, traffic} {
			m.reach[s] = 1
		}
		return
	}
	m.reach[m.kind] = 1
	if m.kind == latency && m.f.first.IsZero() && m.saturated() { // too busy to give its own figures
		m.raise(cpu, likely)
	}
	if m.kind == latency && m.fewAnswered() {
		m.lookAround()
	}
	if m.kind == failures && badStatus(m.in.Domain, m.in.Alert) == nil && m.added() == 0 {
		m.bad = failed
	}
	if m.kind == event {
		m.standBehindEvent()
	}
	if m.reach[gone] > 0 {
		m.raise(latency, m.reach[gone]*m.slowShare(func(s string) bool { return s == "499" }))
	}
	if m.reach[failures] > 0 {
		m.raise(latency, 0.95*m.reach[failures]*m.slowShare(m.bad))
	}
	if m.reach[traffic] > 0 && m.requests.growth() < 0 {
		// Those who wait for an answer send no further request, and one is counted at its end.
		if m.slowed() > m.requests.before-m.requests.after && m.slowed() > 1 {
			m.raise(latency, 0.9*m.reach[traffic])
			m.reach[traffic] *= 0.5
		}
	}
	switch m.kind {
	case goroutines, files:
		grown, requests := 0.0, 0.0
		for _, s := range m.seen {
			if g := s.growth(); g > 0 {
				grown += g
				if s.endpoint != "" {
					requests += g
				}
			}
		}
		if grown > 0 && m.slowed() > 0 {
			m.raise(latency, 0.9*requests/grown)
		}
	case memory:
		m.raise(goroutines, m.stackShare())
	}
}

// fewAnswered tells whether too few requests that the alert is about have an end in
// the bad time to tell anything by: they may all wait.
func (m *model) fewAnswered() bool {
	answered := both{}
	for _, e := range inOrder(m.endpoints) {
		if e.about {
			answered = answered.plus(e.requests)
		}
	}
	return !m.in.Alert.Drill && m.slowed() <= 0 && answered.before > answered.after && answered.after*m.f.span(m.t.After) < fewRequests
}

// lookAround takes what other requests wait for as what those wait for that the
// alert is about, where all take twice as long as before.
func (m *model) lookAround() {
	usual, more := 0.0, 0.0
	for _, e := range inOrder(m.endpoints) {
		usual += e.requests.after * e.duration.before
		more += e.excess
	}
	if more < usual || more <= 0 {
		return
	}
	for _, e := range m.endpoints {
		e.about = true
	}
	m.reach[latency] = likely
}

func (m *model) raise(s symptom, to float64) { m.reach[s] = max(m.reach[s], min(to, 1)) }

// slowShare is the part of the added answers of a kind that endpoints give whose
// requests take longer than they did.
func (m *model) slowShare(bad func(string) bool) float64 {
	whole, slow := 0.0, 0.0
	for name, e := range inOrder(m.endpoints) {
		if !m.about(name) {
			continue
		}
		x := 0.0
		for status, rate := range inOrder(e.byStatus) {
			if bad(status) {
				x += max(rate.after-rate.before*e.more(), 0)
			}
		}
		whole += x
		if e.excess > 0 && (e.duration.after-e.duration.before > 0.03 || e.open.after > e.open.before+2) {
			slow += x
		}
	}
	if whole <= 0 {
		return 0
	}
	return slow / whole
}

// stackShare is the part of the added memory that goroutines' stacks are.
func (m *model) stackShare() float64 {
	name := m.family("go_memory_used")
	whole, _ := m.f.gauge(name, m.t)
	stack, _ := m.f.gaugeOf(name, m.t, func(l map[string]string) bool { return l["go_memory_type"] == "stack" })
	if whole.growth() <= 0 || stack.growth() <= 0 {
		return 0
	}
	return min(stack.growth()/whole.growth(), 1)
}

// standBehindEvent splits an event's fall into that of the requests that it
// comes from, and those that fail.
func (m *model) standBehindEvent() {
	e := m.eventOf()
	if e.rate.before <= 0 || e.rate.after >= e.rate.before || e.sized {
		return
	}
	fell := (1 - e.rate.after/e.rate.before) * e.part
	requests, wrong, left := both{}, both{}, both{}
	for name, one := range inOrder(m.endpoints) {
		if e.endpoint != "" && name != e.endpoint {
			continue
		}
		requests = requests.plus(one.requests)
		for status, rate := range inOrder(one.byStatus) {
			switch {
			case status == "499":
				left = left.plus(rate)
			case failed(status):
				wrong = wrong.plus(rate)
			}
		}
	}
	kept := min(m.keptFrom(e.endpoint), max(-requests.growth(), 0))
	requests.after, wrong.after = requests.after+kept, wrong.after+kept
	share := func(part, whole both) float64 {
		return max(per(part.after, whole.after)-per(part.before, whole.before), 0) / fell
	}
	if requests.before > 0 && requests.after < requests.before {
		m.raise(traffic, (1-requests.after/requests.before)/fell)
		if m.slowed() > 1 && m.slowed() > requests.before-requests.after {
			m.raise(latency, 0.95*m.reach[traffic])
		}
	}
	m.raise(failures, share(wrong, requests))
	m.raise(gone, share(left, requests))
	m.bad = func(s string) bool { return failed(s) && s != "499" }
}

// keptFrom is how many more requests of an endpoint's method are refused a second
// before their route is known, as middleware does.
func (m *model) keptFrom(endpoint string) (kept float64) {
	method, _, _ := strings.Cut(endpoint, " ")
	if e := m.endpoints[nameOf(method, domain.Unmatched)]; e != nil && endpoint != "" {
		for status, rate := range inOrder(e.byStatus) {
			if failed(status) && status != "404" && status != "499" {
				kept += max(rate.growth(), 0)
			}
		}
	}
	return kept
}

// eventFigures are the alert's event's.
type eventFigures struct {
	name, endpoint string
	level          bool    // it goes up and down, and is not counted
	rate           both    // of those with the labels of the alert: a second, or how high it is
	part           float64 // that these were of all
	sized          bool    // the alert is about how large each is
	each           both
}

func (m *model) eventOf() eventFigures {
	e := eventFigures{name: m.in.Alert.Metric}
	metric, _ := m.in.Domain.Metric(m.in.Alert.Metric)
	if metric.Event != nil {
		e.endpoint = strings.TrimSpace(metric.Event.Endpoint)
	}
	e.level = isLevel(metric)
	whole := both{}
	for _, s := range m.f.byName[m.f.counter(metric.Family)] {
		rate := m.f.amount(s, m.t, e.level)
		whole = whole.plus(rate)
		if m.in.Alert.isOf(s.Labels) {
			e.rate = e.rate.plus(rate)
		}
	}
	e.part = per(e.rate.before, whole.before)
	if e.sized = metric.Kind == domain.KindHistogram && m.in.Alert.aboutSize(metric.Family); e.sized {
		sum := m.f.rates(metric.Family+"_sum", m.t, func(l map[string]string) (string, bool) { return "", m.in.Alert.isOf(l) })[""]
		e.each = both{per(sum.before, e.rate.before), per(sum.after, e.rate.after)}
	}
	return e
}

// isLevel tells of a metric that goes up and down.
func isLevel(m domain.Metric) bool { return m.Kind == domain.KindUpDown || m.Kind == domain.KindGauge }

// aboutSize tells whether a rule is about how large each of a histogram's values is,
// and not about how many there are, or all together.
func (a Alert) aboutSize(family string) bool {
	return strings.Contains(a.Expr, family+"_bucket") || strings.Contains(a.Expr, family+"_sum") && strings.Contains(a.Expr, family+"_count")
}

// isOf tells whether an alert may be about what a series counts: labels that both
// have are the same.
func (a Alert) isOf(labels map[string]string) bool {
	for name, value := range a.Labels {
		if v, ok := labels[name]; ok && v != value {
			return false
		}
	}
	return true
}

// countsOf are how often something happened, or how high a level was, in all and
// by each value of each of its labels.
func (m *model) countsOf(name string, t Times, level bool) (whole both, byValue map[string]both) {
	byValue = map[string]both{}
	for _, s := range m.f.byName[name] {
		rate := m.f.amount(s, t, level)
		whole = whole.plus(rate)
		for label, value := range s.Labels {
			switch label {
			case "__name__", "job", "instance", "le", "quantile":
				continue
			}
			byValue[label+"="+value] = byValue[label+"="+value].plus(rate)
		}
	}
	return whole, byValue
}
