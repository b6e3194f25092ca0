package cause

import "math"

// descriptorsRunOut: the process has as many files and connections open as it
// may have. Where goroutines tell who keeps connections, leaks does so.
func descriptorsRunOut(m *model) []Finding {
	w := m.w
	open, known := m.f.gauge(m.family("process_open_fds"), m.t)
	most, bounded := m.f.gauge(m.family("process_max_fds"), m.t)
	f, whose, failing := m.failingWith("too_many_files")
	switch {
	case failing && f.Function != "":
		whose += w.Say(", from %s", ", desde %s", placeText(f))
	case failing:
	case m.reach[files] > 0 && known && m.moreOpen(open) && (m.kind == files || !bounded || open.after > most.after/2): // else it is as many requests
		f.Score = 0.7 * m.reach[files]
	default:
		return nil
	}
	f.Kind = "descriptors"
	level := ""
	if known && open.growth() >= 10 {
		of := ""
		if bounded {
			of = w.Say(" of %s", " de %s", w.count(most.after))
		}
		level = w.Say(": %s%s are open%s", ": hay %s%s abiertos%s", w.count(math.Round(open.after)), of, w.wasCount(open.before))
		if o := m.in.Opened; float64(o.Descriptors) > 0.5*open.growth() {
			level += w.Say(", %s of them of %s", ", %s de ellos de %s", w.count(float64(o.Descriptors)), o.Path)
		}
	}
	f.Sentence = w.Say("File descriptors run out%s%s.", "Se agotan los descriptores de archivo%s%s.", level, whose)
	if !failing && bounded && open.after < most.after/2 { // the alert's own limit is a lower one
		f.Sentence = w.Say("More files and connections stay open%s.", "Quedan abiertos más archivos y conexiones%s.", level)
	}
	f.Next = w.T("See what is open (ls -l /proc/PID/fd) and close it on every path: files, bodies, connections; raise the limit (ulimit -n) only then.",
		"Ver qué está abierto (ls -l /proc/PID/fd) y cerrarlo en todos los caminos: archivos, cuerpos (body), conexiones; subir el límite (ulimit -n) solo después.")
	return []Finding{f}
}

// moreOpen tells whether more files and connections are open than come and go
// with the traffic.
func (m *model) moreOpen(open both) bool {
	return open.growth() >= 10*m.strict && open.ratio() >= 1.3*m.strict
}
