package cause

import (
	"math"
	"strings"
)

// nothing says what was looked at, what of it is not as before, and what was not
// there to be looked at.
func (m *model) nothing() string {
	w := m.w
	if m.f.first.IsZero() {
		if m.in.Profiles.CPU.After == nil && m.in.Profiles.Waits.After == nil {
			return w.T("there are neither figures nor profiles of that time", "de ese tiempo no hay cifras ni perfiles")
		}
		return w.T("there are no figures of that time, and its profiles alone do not say it", "de ese tiempo no hay cifras, y los perfiles solos no lo dicen")
	}
	same, moved := m.compared()
	text := w.T("nothing explains it: ", "nada lo explica: ")
	if !w.figures {
		return text + w.all(append(same, moved...)) + w.T("; how it was before is not known", "; no se sabe cómo era antes")
	}
	text += w.all(same) + w.T(" are about as before", " están como antes")
	if len(moved) > 0 {
		text += w.T("; not as before: ", "; cambiaron: ") + w.all(moved)
	}
	if !m.looked() {
		text += w.T("; where requests wait was not looked at", "; no se miró dónde esperan las peticiones")
	}
	return text
}

// looked tells whether somebody looked at goroutines, in both times.
func (m *model) looked() bool { return m.w.looks && m.in.Profiles.Waits.After != nil }

// compared are the things that were looked at: those that are about as before, and
// those that are not, with their figures.
func (m *model) compared() (same, moved []string) {
	w := m.w
	differs := func(of both, least float64) bool {
		return (of.ratio() > 1.5 || of.ratio() < 1/1.5) && math.Abs(of.growth()) > least
	}
	add := func(name, after, before string, known bool, of both, least float64) {
		if text := name + " (" + after + w.within(before, known) + ")"; known && differs(of, least) {
			moved = append(moved, text)
		} else {
			same = append(same, text)
		}
	}
	after, before := w.rates(m.requests)
	add(w.T("requests", "peticiones"), after, before, w.figures, m.requests, 0.2)
	mean, failing := both{}, both{}
	for _, e := range inOrder(m.endpoints) {
		mean.before += e.duration.before * e.requests.before
		mean.after += e.duration.after * e.requests.after
		for status, rate := range inOrder(e.byStatus) {
			if m.bad(status) {
				failing = failing.plus(rate)
			}
		}
	}
	if m.requests.after > 0 && (m.requests.before > 0 || !w.figures) { // or there is none to compare
		mean = both{per(mean.before, m.requests.before), per(mean.after, m.requests.after)}
		add(w.T("their duration", "su duración"), w.Seconds(mean.after), w.Seconds(mean.before), m.requests.before > 0, mean, 0.002)
	}
	if m.in.Profiles.CPU.After != nil {
		add("CPU", w.coresOf(m.cores.after), w.number(m.cores.before), w.figures || w.cpu, m.cores, 0.05)
	}
	if !w.figures {
		return same, moved
	}
	if differs(failing, 0.05) {
		after, before := w.rates(failing)
		add(w.T("errors", "errores"), after, before, true, failing, 0)
	} else {
		same = append(same, w.T("errors", "errores"))
	}
	memory, _ := m.f.gauge(m.family("go_memory_used"), m.t)
	if memory.before > 0 && differs(memory, 16<<20) {
		add(w.T("memory", "memoria"), w.Bytes(memory.after), w.Bytes(memory.before), true, memory, 0)
	} else {
		same = append(same, w.T("memory", "memoria"))
	}
	there, _ := m.f.gauge(m.family("go_goroutine_count"), m.t)
	if there.before > 0 && differs(there, 20) {
		add("goroutines", w.count(there.after), w.count(there.before), true, there, 0)
	} else if m.looked() {
		same = append(same, "goroutines")
	}
	if m.looked() {
		same = append(same, w.T("locks", "candados"), w.T("calls", "llamadas"))
	}
	return append(same, w.T("connections", "conexiones")), moved
}

// all lists things: a, b and c.
func (w words) all(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	last := len(list) - 1
	return strings.Join(list[:last], ", ") + w.T(" and ", " y ") + list[last]
}
