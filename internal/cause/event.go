package cause

// leftOfEvent is the part of a business event's fall that no requests explain.
func (m *model) leftOfEvent() float64 {
	return max(0, m.reach[event]*(1-min(1, max(m.reach[traffic], m.reach[failures])+m.reach[gone])))
}

// eventSize: each of a business event's values is larger or smaller than before.
func eventSize(m *model) []Finding {
	if m.kind != event {
		return nil
	}
	e := m.eventOf()
	if !e.sized || e.each.before <= 0 || e.each.ratio() < 1.4*m.strict && e.each.ratio() > 0.7/m.strict {
		return nil
	}
	w := m.w
	come, came := w.rates(e.rate)
	f := Finding{
		Kind: "event", Score: 0.85 * m.reach[event], Endpoint: e.endpoint,
		Sentence: w.Say("%s is %s on average, %s before; it happens %s (%s before).", "%s es %s en promedio (antes %s); ocurre %s (antes %s).",
			e.name, w.number(e.each.after), w.number(e.each.before), come, came),
		Next: w.Say("Look at where %s is computed: a unit, a currency, a rounding, or input of another kind.", "Mirar dónde se calcula %s: una unidad, una moneda, un redondeo o datos de otro tipo.", e.name),
	}
	m.sinceChange(&f)
	return []Finding{f}
}

// eventFalls: a business event falls, though its requests come and succeed.
func eventFalls(m *model) []Finding {
	if m.kind != event {
		return nil
	}
	e := m.eventOf()
	if e.sized {
		return nil
	}
	w := m.w
	score := m.leftOfEvent() * 0.85
	changed := e.rate.before > 0 && e.rate.growth() < 0 && (e.level || -e.rate.growth()*m.f.span(m.t.After) >= 2) && e.rate.ratio() < 0.7/m.strict
	rises := m.in.Alert.Op == ">" && e.rate.ratio() > 1.4*m.strict
	if !changed && !rises || score < floor {
		return nil
	}
	requests := m.concerned
	of := w.T("requests", "peticiones")
	if e.endpoint != "" {
		of = w.Say("requests to %s", "peticiones a %s", e.endpoint)
	}
	after, before := w.amounts(e.rate, e.level)
	come, came := w.rates(requests)
	f := Finding{Kind: "event", Score: score, Endpoint: e.endpoint}
	end := w.T(" and succeed", " y terminan bien")
	if status, share := m.answeredElse(e.endpoint); share.growth() > 0.3*(1-e.rate.ratio()) {
		end = w.Say("; now %s of them are answered %s%s", "; ahora el %s de ellas recibe %s%s", w.Percent(share.after), status, w.was(w.T("", "el ")+w.Percent(share.before), true))
	}
	f.Sentence = w.Say("%s fell from %s to %s, while %s come as before (%s%s)%s.", "%s cayó de %s a %s, mientras las %s llegan como antes (%s%s)%s.",
		e.name, before, after, of, come, w.within(came, true), end)
	if rises {
		f.Sentence = w.Say("%s rose from %s to %s, while %s come as before (%s%s).", "%s subió de %s a %s, mientras las %s llegan como antes (%s%s).",
			e.name, before, after, of, come, w.within(came, true))
	}
	f.Next = w.Say("Look at the code between the request and %s: a branch that is skipped, a condition that no longer holds, the line that counts it.", "Mirar el código entre la petición y %s: una rama que se salta, una condición que ya no se cumple, la línea que lo cuenta.", e.name)
	m.sinceChange(&f)
	return []Finding{f}
}

// answeredElse is the answer that a larger part of the requests to an endpoint gets
// than before, though it is no error: a redirect, or 204 where it was 201.
func (m *model) answeredElse(endpoint string) (status string, share both) {
	e := m.endpoints[endpoint]
	if e == nil {
		return "", share
	}
	for s, rate := range inOrder(e.byStatus) {
		x := both{per(rate.before, e.requests.before), per(rate.after, e.requests.after)}
		if !failed(s) && x.growth() > share.growth() {
			status, share = s, x
		}
	}
	return status, share
}
