package cause

import "math"

// descriptorsRunOut: the process has as many files and connections open as it
// may have. Where goroutines tell who keeps connections, leaks does so.
func descriptorsRunOut(m *model) []Finding {
	w := m.w
	open, known := m.f.gauge(m.family("process_open_fds"), m.t)
	most, bounded := m.f.gauge(m.family("process_max_fds"), m.t)
	refused := m.errorsOf("too_many_files")
	f := Finding{Kind: "descriptors"}
	whose := ""
	if m.reach[failures] > 0 && refused.growth()*m.f.span(m.t.After) >= 3 {
		f.Score = m.reach[failures] * min(refused.growth()/max(m.added(), 1e-9), 1)
		f.Function, f.File, f.Line = m.siteOf(m.bad)
		if endpoint, status, more := m.mostAdded(); more.growth() > 0 {
			f.Endpoint = endpoint
			whose = w.Say("; %s of the requests to %s end in %s", "; el %s de las peticiones a %s termina en %s", w.Percent(per(more.after, m.endpoints[endpoint].requests.after)), endpoint, status)
			if f.Function != "" {
				whose += w.Say(", from %s", ", desde %s", placeText(f))
			}
		}
	} else if m.reach[files] > 0 && known && open.growth() >= 10 && open.ratio() > 1.3 {
		f.Score = 0.7 * m.reach[files]
	}
	if f.Score == 0 {
		return nil
	}
	level := ""
	if known && open.growth() >= 10 {
		of := ""
		if bounded {
			of = w.Say(" of %s", " de %s", w.count(most.after))
		}
		level = w.Say(": %s%s are open%s", ": hay %s%s abiertos%s", w.count(math.Round(open.after)), of, w.wasCount(open.before))
	}
	f.Sentence = w.Say("File descriptors run out%s%s.", "Se agotan los descriptores de archivo%s%s.", level, whose)
	f.Next = w.T("See what is open (ls -l /proc/PID/fd) and close it on every path: files, bodies, connections; raise the limit (ulimit -n) only then.",
		"Ver qué está abierto (ls -l /proc/PID/fd) y cerrarlo en todos los caminos: archivos, cuerpos (body), conexiones; subir el límite (ulimit -n) solo después.")
	return []Finding{f}
}
