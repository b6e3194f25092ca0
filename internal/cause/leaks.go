package cause

import (
	"cmp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// goroutines are all of them, as they were once in each of the times.
func (m *model) goroutines() []sighting {
	if m.all != nil {
		return m.all
	}
	m.all = append([]sighting{}, m.sightings(m.in.Profiles.Goroutines)...)
	return m.all
}

// group are goroutines that began in one function and are at one place.
type group struct {
	at, root  stacks.Frame
	wait      stacks.Wait
	startedBy string
	network   bool // it serves a connection
	serves    bool // it is a request's own
	both
}

// rootOf is the outermost frame of own code on a stack, or else the outermost.
func rootOf(frames []stacks.Frame) stacks.Frame {
	for _, f := range slices.Backward(frames) {
		if stacks.Owner(f.Function) == stacks.Own {
			return f
		}
	}
	return frames[len(frames)-1]
}

// grownGroups are those that there are more of, the most first.
func (m *model) grownGroups() (list []group, grown float64) {
	type key struct {
		at, root, kind, by string
		serves             bool
	}
	var sums byKey[key, group]
	for _, s := range m.goroutines() {
		at, _ := own(s.frames)
		root := rootOf(s.frames)
		by := cmp.Or(s.startedBy, s.endpoint)
		sum := sums.of(key{at.Function, root.Function, s.wait.Kind, by, s.endpoint != ""},
			group{at: at, root: root, wait: s.wait, startedBy: by, serves: s.endpoint != ""})
		for _, f := range s.frames {
			if strings.HasPrefix(f.Function, "net/http.(*persistConn).") || strings.HasPrefix(f.Function, "net/http.(*conn).") || strings.HasPrefix(f.Function, "net.(*") {
				sum.network = true
			}
		}
		sum.both = sum.plus(s.both)
	}
	for _, g := range sums.list {
		if g.growth() > 0 {
			grown += g.growth()
			if !g.serves || m.slowed() <= 0 { // what requests wait for is told by others
				list = append(list, g)
			}
		}
	}
	slices.SortFunc(list, func(a, b group) int {
		return cmp.Or(cmp.Compare(b.growth(), a.growth()), strings.Compare(a.at.Function, b.at.Function), strings.Compare(a.startedBy, b.startedBy))
	})
	return list, grown
}

// leaks: goroutines, or the connections that they serve, are never ended.
func leaks(m *model) (list []Finding) {
	reach := max(m.reach[goroutines], m.reach[files])
	if reach <= 0 {
		return nil
	}
	groups, grown := m.grownGroups()
	count, _ := m.f.gauge(m.family("go_goroutine_count"), m.t)
	fds, hasFiles := m.f.gauge(m.family("process_open_fds"), m.t)
	if m.kind == files || m.reach[goroutines] <= 0 {
		if !hasFiles || !m.moreOpen(fds) {
			return nil
		}
	} else if !m.moreGoroutines(total(m.goroutines())) || count.before > 0 && !m.moreGoroutines(count) { // some come where others go
		return nil
	}
	if len(groups) == 0 {
		return nil
	}
	w := m.w
	// A connection of a client has two goroutines, in the same library.
	first := groups[0]
	share := first.growth() / grown
	for _, g := range groups[1:] {
		if g.startedBy == first.startedBy && g.startedBy != "" || g.network && first.network && g.at.Function == first.at.Function {
			share += g.growth() / grown
		}
	}
	f := Finding{Kind: "leak", Score: reach * min(share, 1), Function: first.at.Function, File: first.at.File, Line: first.at.Line, Endpoint: first.startedBy}
	began := ""
	if first.startedBy != "" {
		by := first.startedBy
		if isMethod(by) {
			by, f.Endpoint = w.requestsTo(by), ""
		}
		began = w.Say(", started by %s", ", iniciadas por %s", by)
		if at, ok := m.callerFor(first.startedBy); ok && stacks.Owner(first.at.Function) != stacks.Own {
			began += w.Say(" in %s", " en %s", where(at))
			f.Function, f.File, f.Line = at.Function, at.File, at.Line
		}
	} else if first.root.Function != first.at.Function {
		began = w.Say(", started in %s", ", iniciadas en %s", where(first.root))
	}
	known := m.in.Profiles.Goroutines.Before != nil
	waits := ""
	if reason := w.waitingFor(first.wait.Kind); reason != "" {
		waits = w.Say(", waiting %s", ", esperando %s", reason)
	}
	switch {
	case first.network && (m.kind == files || stacks.Owner(first.at.Function) != stacks.Own):
		f.Sentence = w.Say("Connections leak: %s goroutines are in %s%s%s; %s file descriptors are open%s.",
			"Fuga de conexiones: hay %s goroutines en %s%s%s; hay %s descriptores abiertos%s.",
			w.count(first.after), where(first.at), w.was(w.count(first.before), known), began, w.count(fds.after), w.wasCount(fds.before))
		f.Next = w.T("Close every response body and every connection, also on error paths.", "Cerrar el cuerpo (body) de cada respuesta y cada conexión, también en los caminos de error.")
	default:
		f.Sentence = w.Say("Goroutines leak: %s are in %s%s%s%s.", "Fuga de goroutines: hay %s en %s%s%s%s.",
			w.count(first.after), where(first.at), waits, w.was(w.count(first.before), known), began)
		f.Next = w.Say("Let %s end: with a context, a channel that is closed, or a timeout.", "Dar un final a %s: un contexto, un canal que se cierre o un timeout.", written(first.at.Function))
	}
	f.Rests = []string{w.Say("goroutines: %s%s", "goroutines: %s%s", w.count(count.after), w.wasCount(count.before))}
	return append(list, f)
}

// moreGoroutines tells whether there are more of them than come and go.
func (m *model) moreGoroutines(n both) bool {
	return n.growth() >= 20*m.strict && n.growth() >= 0.3*m.strict*n.before
}

func total(list []sighting) (sum both) {
	for _, s := range list {
		sum = sum.plus(s.both)
	}
	return sum
}

// callerFor is own code that serves an endpoint and was seen to call elsewhere.
func (m *model) callerFor(endpoint string) (at stacks.Frame, ok bool) {
	most := 0.0
	for _, s := range m.seen {
		i := stacks.DeepestOwn(s.frames)
		if s.endpoint == endpoint && i >= 0 && calls(s.wait.Kind) && s.after+s.before > most {
			most, at, ok = s.after+s.before, s.frames[i], true
		}
	}
	return at, ok
}

func (w words) waitingFor(kind string) string {
	switch kind {
	case stacks.Lock:
		return w.T("for a lock", "un candado (lock)")
	case stacks.Pool:
		return w.T("for a connection", "una conexión")
	case stacks.Limiter:
		return w.T("for a limiter", "a un limitador")
	case stacks.Call, stacks.DNS, stacks.Network:
		return w.T("for an answer from the network", "una respuesta de la red")
	case stacks.File:
		return w.T("for a file", "un archivo")
	case stacks.Log:
		return w.T("for the log", "al log")
	case stacks.Sleep:
		return w.T("in time.Sleep", "en time.Sleep")
	case stacks.Send, stacks.Receive, stacks.Group, stacks.Condition, stacks.Select:
		return w.waitsFor(kind)
	case stacks.Forever:
		return w.T("for what never comes", "algo que nunca llega")
	}
	return ""
}
