package cause

import "math"

// trafficShare is how much of a change of traffic is more than chance, 0 or 1.
func (m *model) trafficShare() float64 {
	whole := m.concerned
	span := m.f.span(m.t.After)
	if n := max(whole.before, whole.after) * span; math.Abs(whole.growth())*span < 3*math.Sqrt(n) {
		return 0 // so few vary by themselves
	}
	if whole.ratio() > 1.4*m.strict || whole.before > 0 && whole.ratio() < 0.7/m.strict {
		return 1
	}
	return 0
}

// requestsAbout are those of the endpoints that the alert may be about: of an
// event's, those that it comes from.
func (m *model) requestsAbout() (sum both, about func(endpoint string) bool) {
	of := ""
	if m.kind == event {
		of = m.eventOf().endpoint
	}
	about = func(name string) bool { return m.about(name) && (of == "" || of == name) }
	for name, e := range inOrder(m.endpoints) {
		if about(name) {
			sum = sum.plus(e.requests)
		}
	}
	return sum, about
}

// manyMore is how many times as many requests are a cause of whatever takes
// longer where no CPU is left.
const manyMore = 3

// leastOfMany is what so many more requests are worth for requests that take
// longer, if nothing is seen of why: whatever is seen is worth more.
const leastOfMany = 0.35

// floods tells whether so many more requests come that they use up the CPU. What
// the others wait for then seems slow as well.
func (m *model) floods() bool {
	own := m.cores.growth()
	return m.requests.before > 0 && m.requests.ratio() > manyMore && m.outOfCPU() && own > leastCores && own > m.otherCores().growth() && m.costAsBefore()
}

// costAsBefore tells whether a request takes no more CPU time than it did.
func (m *model) costAsBefore() bool {
	cost := both{per(m.cores.before, m.requests.before), per(m.cores.after, m.requests.after)}
	return cost.before > 0 && cost.ratio() < 1.3
}

// busier: more requests come, or fewer; each costs what it did.
func busier(m *model) []Finding {
	w := m.w
	share := m.reach[traffic] * m.trafficShare() * 0.85
	sum, about := m.requestsAbout()
	for _, c := range m.spentTime(claimTraffic) {
		share = max(share, m.reach[latency]*c.share)
		if sum.growth() < 0.4*m.requests.growth() { // it is others that take the CPU from it
			about, sum = func(string) bool { return true }, m.requests
		}
	}
	if m.requests.before > 0 && m.requests.ratio() > manyMore && m.slowed() > 0 {
		share = max(share, leastOfMany*m.reach[latency])
	}
	if each := m.eachCore(); each > 0 {
		more := 0.0
		for _, s := range m.spent {
			if s.endpoint != "" {
				more += s.before * (m.endpointMore(s.endpoint) - 1)
			}
		}
		share = max(share, each*more)
	}
	if share < floor {
		return nil
	}
	// The endpoint with most of the change.
	name, most := "", 0.0
	for n, e := range inOrder(m.endpoints) {
		if !about(n) {
			continue
		}
		g := e.requests.growth()
		if sum.growth() < 0 {
			g = -g
		}
		if g > most {
			name, most = n, g
		}
	}
	f := Finding{Kind: "traffic", Score: share}
	mostly := ""
	if e := m.endpoints[name]; e != nil && most > 0.6*abs(sum.growth()) && len(m.endpoints) > 1 {
		f.Endpoint = name
		after, before := w.rates(e.requests)
		mostly = w.Say(", mostly to %s (%s%s)", ", sobre todo a %s (%s%s)", name, after, w.within(before, w.figures))
	}
	same := ""
	if sum.growth() > 0 && m.costAsBefore() {
		cost := both{per(m.cores.before, m.requests.before), per(m.cores.after, m.requests.after)}
		same = w.Say("; each takes %s of CPU time%s", "; cada una usa %s de CPU%s", w.Seconds(cost.after), w.wasSeconds(cost.before))
	}
	if sum.growth() >= 0 {
		f.Sentence = w.Say("More requests come: %s%s%s.", "Llegan más peticiones: %s%s%s.", w.rateWas(sum), mostly, same)
		f.Next = w.T("Find where they come from (a campaign, a client that retries, a crawler); add replicas or limit them.", "Buscar de dónde vienen (una campaña, un cliente que reintenta, un bot); añadir réplicas o limitarlas.")
	} else {
		f.Sentence = w.Say("Fewer requests come: %s%s.", "Llegan menos peticiones: %s%s.", w.rateWas(sum), mostly)
		if sum.after*m.f.span(m.t.After) < 1 {
			f.Sentence = w.Say("No requests come any more: %s before%s.", "Ya no llegan peticiones: antes %s%s.", w.rate(sum.before), mostly)
		}
		f.Next = w.T("Look in front of the service: load balancer, DNS, certificate, the client's release.", "Mirar qué hay delante del servicio: balanceador, DNS, certificado, la versión del cliente.")
	}
	f.Rests = []string{w.Say("requests: %s", "peticiones: %s", w.rateWas(m.requests))}
	return []Finding{f}
}

func abs(v float64) float64 { return max(v, -v) }
