package cause

// trafficShare is how much of a change of traffic is more than chance, 0 or 1.
func (m *model) trafficShare() float64 {
	whole := m.requestsAbout()
	if whole.ratio() > 1.4*m.strict || whole.before > 0 && whole.ratio() < 0.7/m.strict {
		return 1
	}
	return 0
}

// requestsAbout are those of the endpoints that the alert may be about.
func (m *model) requestsAbout() (sum both) {
	of := ""
	if m.kind == event {
		of = m.eventOf().endpoint
	}
	for name, e := range m.endpoints {
		if m.about(name) && (of == "" || of == name) {
			sum = sum.plus(e.requests)
		}
	}
	return sum
}

// busier: more requests come, or fewer; each costs what it did.
func busier(m *model) []Finding {
	w := m.w
	share := m.reach[traffic] * m.trafficShare() * 0.85
	for _, c := range m.spentTime(claimTraffic) {
		share = max(share, m.reach[latency]*c.share)
	}
	if whole := m.moreCPU(); whole > 0 && m.reach[cpu] > 0 {
		more := 0.0
		for _, s := range m.spent {
			if s.endpoint != "" {
				more += s.before * (m.endpointMore(s.endpoint) - 1)
			}
		}
		share = max(share, m.reach[cpu]*more/whole)
	}
	if share < floor {
		return nil
	}
	// The endpoint with most of the change.
	name, most := "", 0.0
	sum := m.requestsAbout()
	for n, e := range m.endpoints {
		if !m.about(n) {
			continue
		}
		g := e.requests.growth()
		if sum.growth() < 0 {
			g = -g
		}
		if g > most || g == most && n < name {
			name, most = n, g
		}
	}
	f := Finding{Kind: "traffic", Score: share}
	mostly := ""
	if e := m.endpoints[name]; e != nil && most > 0.6*abs(sum.growth()) && len(m.endpoints) > 1 {
		f.Endpoint = name
		mostly = w.say(", mostly to %s (%s, before %s)", ", sobre todo a %s (%s; antes %s)", name, w.rate(e.requests.after), w.number(e.requests.before))
	}
	cost := both{per(m.cores.before, m.requests.before), per(m.cores.after, m.requests.after)}
	same := ""
	if cost.before > 0 && sum.growth() > 0 && cost.ratio() < 1.3 {
		same = w.say("; a request costs %s of CPU time, %s before", "; cada petición cuesta %s de CPU; antes %s", w.seconds(cost.after), w.seconds(cost.before))
	}
	if sum.growth() >= 0 {
		f.Sentence = w.say("More requests come: %s, %s before%s%s.", "Llegan más peticiones: %s; antes %s%s%s.", w.rate(sum.after), w.number(sum.before), mostly, same)
		f.Next = w.pick("Find where they come from (a campaign, a client that retries, a crawler); add replicas or limit it.", "Buscar de dónde vienen (una campaña, un cliente que reintenta, un robot); añadir réplicas o limitarlo.")
	} else {
		f.Sentence = w.say("Fewer requests come: %s, %s before%s.", "Llegan menos peticiones: %s; antes %s%s.", w.rate(sum.after), w.number(sum.before), mostly)
		if sum.after*m.f.span(m.t.After) < 1 {
			f.Sentence = w.say("No requests come any more%s: %s before.", "Ya no llegan peticiones%s: antes %s.", mostly, w.rate(sum.before))
		}
		f.Next = w.pick("Look in front of the service: load balancer, DNS, certificate, the client's release.", "Mirar delante del servicio: balanceador, DNS, certificado, la versión del cliente.")
	}
	f.Rests = []string{w.say("requests: %s, before %s", "peticiones: %s, antes %s", w.rate(m.requests.after), w.rate(m.requests.before))}
	return []Finding{f}
}

func abs(v float64) float64 { return max(v, -v) }
