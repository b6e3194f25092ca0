package cause

// clientsLeave: clients leave before the answer, though it takes no longer.
func clientsLeave(m *model) []Finding {
	if m.reach[gone] <= 0 {
		return nil
	}
	w := m.w
	name, most, all := "", both{}, both{}
	for n, e := range inOrder(m.endpoints) {
		if !m.about(n) {
			continue
		}
		left := both{e.byStatus["499"].before * e.more(), e.byStatus["499"].after}
		all = all.plus(left)
		if left.growth() > most.growth() {
			name, most = n, left
		}
	}
	if all.growth()*m.f.span(m.t.After) < 5 || all.growth() < 0.01*m.strict*m.requests.after {
		return nil
	}
	e := m.endpoints[name]
	score := m.reach[gone] * 0.9 * (1 - m.slowShare(func(s string) bool { return s == "499" }))
	f := Finding{Kind: "clients", Score: score, Endpoint: name}
	// How long they waited is counted by route, whatever the method.
	_, path := split(name)
	after, left := "", 0.0
	for n, other := range inOrder(m.endpoints) {
		if _, of := split(n); of == path {
			left += other.byStatus["499"].after
		}
	}
	waited := m.f.rates(m.family("requests_gone_time"), m.t, func(l map[string]string) (string, bool) { return "", l["endpoint"] == path })[""]
	if waited.after > 0 && left > 0 {
		after = w.Say(" after %s", " a los %s", w.Seconds(waited.after/left))
	}
	f.Sentence = w.Say("Clients give up%s: %s of the requests to %s end in 499%s; a request takes %s%s.",
		"Los clientes abandonan%s: el %s de las peticiones a %s termina en 499%s; una petición tarda %s%s.",
		after, w.Percent(per(e.byStatus["499"].after, e.requests.after)), name, w.wasPercent(per(e.byStatus["499"].before, e.requests.before)), w.Seconds(e.duration.after), w.wasSeconds(e.duration.before))
	f.Next = w.T("Ask for the client's timeout and its latest release; the service answers as before.", "Preguntar por el timeout del cliente y por su última versión; el servicio responde como antes.")
	return []Finding{f}
}
