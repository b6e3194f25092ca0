package cause

import "github.com/latido-dev/latido/internal/stacks"

// holdsLock: requests wait for a lock; the one to name is who has it.
func holdsLock(m *model) (list []Finding) {
	w := m.w
	claims := m.spentTime(stacks.Lock)
	if len(claims) == 0 {
		return nil
	}
	// Several places may wait for what one function holds.
	first, share, waiting := claims[0], 0.0, both{}
	for _, c := range claims {
		if c.holder == nil || first.holder == nil || c.holder.function.Function == first.holder.function.Function {
			share += c.share
			waiting = waiting.plus(c.both)
		}
	}
	f := Finding{Kind: "lock", Score: m.reach[latency] * share, Endpoint: first.endpoint, Function: first.at.Function, File: first.at.File, Line: first.at.Line}
	rest := w.say("%s wait for it in %s: %s at a time, %s before", "%s lo esperan en %s: %s a la vez, antes %s",
		w.requestsTo(first.endpoint), where(first.at), w.number(waiting.after), w.number(waiting.before))
	if h := first.holder; h != nil {
		f.Function, f.File, f.Line, f.Peer = h.function.Function, h.function.File, h.function.Line, h.peer
		f.Sentence = w.say("%s holds a lock while it %s; %s.", "%s tiene un candado (lock) mientras %s; %s.", where(h.function), w.does(h), rest)
		f.Next = w.say("Do that work in %s without the lock: take it only to read or change what it guards.", "Hacer ese trabajo de %s sin el candado: tomarlo solo para leer o cambiar lo que protege.", written(h.function.Function))
	} else {
		f.Sentence = upper(w.say("requests to %s wait for a lock in %s, and nobody is seen to hold it: %s at a time, %s before.",
			"las peticiones a %s esperan un candado (lock) en %s y no se ve quién lo tiene: %s a la vez, antes %s.",
			first.endpoint, where(first.at), w.number(waiting.after), w.number(waiting.before)))
		f.Next = w.pick("Look for a path on which the lock is not given back: a return without Unlock, a panic, two locks in two orders.",
			"Buscar un camino en el que el candado no se devuelve: un return sin Unlock, un panic, dos candados en distinto orden.")
	}
	f.Rests = append(f.Rests, m.lasts(first.endpoint))
	return append(list, f)
}

// lasts is how long the requests of an endpoint take.
func (m *model) lasts(endpoint string) string {
	e := m.endpoints[endpoint]
	if e == nil {
		return ""
	}
	return m.w.say("a request to %s takes %s, before %s", "una petición a %s tarda %s, antes %s", endpoint, m.w.seconds(e.duration.after), m.w.seconds(e.duration.before))
}
