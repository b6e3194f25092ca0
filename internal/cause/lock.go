package cause

import (
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

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
	rest := w.Say("%s wait for it in %s: %s at a time%s", "%s lo esperan en %s: %s a la vez%s",
		w.requestsOf(first), where(first.at), w.count(waiting.after), w.wasWaiting(waiting.before))
	if h := first.holder; h != nil && h.kind == stacks.Lock {
		f.Function, f.File, f.Line = h.function.Function, h.function.File, h.function.Line
		f.Sentence = w.Say("%s holds a lock while it waits for another; %s.", "%s mantiene un candado (lock) mientras espera otro; %s.", where(h.function), rest)
		if other, ok := m.crossed(*h); ok {
			f.Sentence = w.Say("Deadlock: %s and %s each hold a lock and wait for another; %s.", "Interbloqueo (deadlock): %s y %s mantienen cada una un candado (lock) y esperan otro; %s.",
				where(h.function), where(other.function), rest)
		} else if h.after > mayPass {
			f.Sentence = w.Say("Deadlock: %s requests in %s each hold a lock and wait for another; %s.", "Interbloqueo (deadlock): %s peticiones en %s mantienen cada una un candado (lock) y esperan otro; %s.",
				w.count(h.after), where(h.function), rest)
		}
		f.Next = w.T("Take locks in the same order everywhere, and call nothing that takes one while another is held; a restart ends a deadlock for now.",
			"Tomar los candados en el mismo orden en todas partes y no llamar con uno tomado a nada que tome otro; reiniciar acaba con el interbloqueo por ahora.")
	} else if h := first.holder; h != nil {
		f.Function, f.File, f.Line, f.Peer = h.function.Function, h.function.File, h.function.Line, h.peer
		f.Sentence = w.Say("%s holds a lock while it %s; %s.", "%s mantiene un candado (lock) mientras %s; %s.", where(h.function), w.does(h), rest)
		f.Next = w.Say("Do that work in %s without the lock: take it only to read or change what it guards.", "Hacer ese trabajo de %s sin el candado: tomarlo solo para leer o cambiar lo que protege.", written(h.function.Function))
	} else if first.ofFile() {
		f.Sentence = humanize.Capital(w.Say("%s wait for a file's lock in %s: %s at a time%s; another process has it, or nobody gives it back.",
			"%s esperan el bloqueo de un archivo en %s: %s a la vez%s; lo tiene otro proceso, o nadie lo devuelve.",
			w.requestsOf(first), where(first.at), w.count(waiting.after), w.wasWaiting(waiting.before)))
		f.Next = w.T("See who has the file open (lsof, /proc/locks); ask for its lock with a time limit.", "Ver quién tiene abierto el archivo (lsof, /proc/locks); pedir su bloqueo con un límite de tiempo.")
	} else {
		f.Sentence = humanize.Capital(w.Say("%s wait for a lock in %s: %s at a time%s; no goroutine is seen to hold it.",
			"%s esperan un candado (lock) en %s: %s a la vez%s; no se ve ninguna goroutine que lo tenga.",
			w.requestsOf(first), where(first.at), w.count(waiting.after), w.wasWaiting(waiting.before)))
		f.Next = w.T("Look for a path that does not unlock it: a return without Unlock, a panic, two locks taken in two orders.",
			"Buscar un camino que no lo libera: un return sin Unlock, un panic, dos candados tomados en distinto orden.")
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
	if e.duration.after <= 0 {
		return m.w.Say("no request to %s is answered", "ninguna petición a %s recibe respuesta", endpoint)
	}
	return m.w.Say("a request to %s takes %s%s", "una petición a %s tarda %s%s", endpoint, m.w.Seconds(e.duration.after), m.w.wasSeconds(e.duration.before))
}
