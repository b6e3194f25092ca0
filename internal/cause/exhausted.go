package cause

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// pool is a connection pool that the service names.
type pool struct {
	name      string
	used, max both
	wait      both // goroutines that wait, at a time
}

// pools are those whose figures are recorded, the fullest first.
func (m *model) pools() []pool {
	all := map[string]*pool{}
	of := func(name string) *pool {
		if all[name] == nil {
			all[name] = &pool{name: name}
		}
		return all[name]
	}
	for _, s := range m.f.byName[m.family("pool_connections")] {
		if s.Labels["state"] != "used" {
			continue
		}
		before, _ := m.f.mean(s, m.t.Before)
		after, _ := m.f.mean(s, m.t.After)
		p := of(s.Labels["pool"])
		p.used = p.used.plus(both{before, after})
	}
	for _, s := range m.f.byName[m.family("pool_connections_max")] {
		before, _ := m.f.mean(s, m.t.Before)
		after, _ := m.f.mean(s, m.t.After)
		of(s.Labels["pool"]).max = both{before, after}
	}
	for name, rate := range m.f.rates(m.family("pool_wait_time"), m.t, func(l map[string]string) (string, bool) { return l["pool"], true }) {
		of(name).wait = rate
	}
	list := make([]pool, 0, len(all))
	for _, p := range inOrder(all) {
		list = append(list, *p)
	}
	full := func(p pool) float64 { return per(p.used.after, p.max.after) }
	slices.SortFunc(list, func(a, b pool) int {
		return cmp.Or(cmp.Compare(b.wait.growth(), a.wait.growth()), cmp.Compare(full(b), full(a)), strings.Compare(a.name, b.name))
	})
	return list
}

// notGivenBack are the rows, transactions and answers that requests left open, by
// who left them: each has a goroutine of its library's until it is closed.
func (m *model) notGivenBack() (startedBy string, at stacks.Frame, open both) {
	sums := map[string]both{}
	places := map[string]stacks.Frame{}
	for _, s := range m.goroutines() {
		for _, f := range s.frames {
			if s.startedBy != "" && isAwaitDone(f) {
				sums[s.startedBy] = sums[s.startedBy].plus(s.both)
				places[s.startedBy] = f
			}
		}
	}
	for name, b := range inOrder(sums) {
		if b.growth() > open.growth() {
			startedBy, open, at = name, b, places[name]
		}
	}
	return startedBy, at, open
}

// exhausted: a pool or a limiter has no more to give.
func exhausted(m *model) (list []Finding) {
	w := m.w
	for _, kind := range []string{stacks.Pool, stacks.Limiter, stacks.Send, stacks.Receive, stacks.Select, stacks.Condition, stacks.Group} {
		claims := m.spentTime(kind)
		if len(claims) == 0 {
			continue
		}
		first, share, waiting := claims[0], 0.0, both{}
		for _, c := range claims {
			if kind == stacks.Pool && c.library == first.library && c.peer == first.peer || c.at.Function == first.at.Function {
				share += c.share
				waiting = waiting.plus(c.both)
			}
		}
		f := Finding{Kind: "pool", Score: m.reach[latency] * share, Endpoint: first.endpoint, Function: first.at.Function, File: first.at.File, Line: first.at.Line}
		wait := w.Say("%s requests wait in %s%s", "%s peticiones esperan a la vez en %s%s", w.count(waiting.after), where(first.at), w.wasWaiting(waiting.before))
		switch kind {
		case stacks.Pool:
			name, use := w.Say("The connection pool of %s", "El pool de conexiones de %s", library(first.through, first.library)), ""
			if p, ok := m.poolOf(first); ok {
				name = w.Say("The connection pool %q", "El pool de conexiones %q", p.name)
				if p.used.after >= 0.5*p.max.after { // in the moments of the samples
					use = w.Say(" (%s of %s in use%s)", " (%s de %s en uso%s)", w.count(math.Round(p.used.after)), w.count(p.max.after), w.within(w.count(math.Round(p.used.before)), w.figures))
				}
			}
			var who string
			if first.ofHTTP() {
				f.Peer = first.peer
				name = w.Say("http.Transport's pool of connections to %s (MaxConnsPerHost)", "El pool de conexiones de http.Transport con %s (MaxConnsPerHost)", cmp.Or(first.peer, w.T("a host", "un host")))
			}
			if by, _, open := m.notGivenBack(); open.growth() >= 1 && open.after > 1.5*open.before && open.after >= 0.5*m.heldConnections() {
				who = w.Say(": %s keep rows or transactions open (%s)", ": %s dejan abiertas consultas o transacciones (%s)", w.requestsTo(by), w.count(open.after))
				if !isMethod(by) {
					f.Endpoint = by
				}
				if at, ok := m.opener(by); ok {
					f.Function, f.File, f.Line = at.Function, at.File, at.Line
					who += w.Say(" in %s", " en %s", where(at))
				}
				if h := first.holder; h != nil && h.endpoint == by {
					who += w.Say(", which meanwhile %s", ", que mientras tanto %s", w.does(h))
				}
			} else if h := first.holder; h != nil {
				if !first.ofHTTP() { // else they are the calls themselves
					who = w.Say(": %s holds a connection while it %s", ": %s retiene una conexión mientras %s", where(h.function), w.does(h))
					f.Function, f.File, f.Line = h.function.Function, h.function.File, h.function.Line
				}
			} else if at, call, ok := m.taker(first, takesConnection); ok {
				who = w.Say(": no goroutine works with them; only %s calls %s, and what that returns has to be given back",
					": ninguna goroutine trabaja con ellas; solo %s llama a %s, y lo que obtiene hay que devolverlo", where(at), call)
				f.Function, f.File, f.Line = at.Function, at.File, at.Line
			} else if at, ok := m.newcomer(first); ok {
				who = w.Say(": no goroutine works with them; they are not given back since %s uses the pool, which it did not before",
					": ninguna goroutine trabaja con ellas; no se devuelven desde que %s usa el pool, lo que antes no hacía", where(at))
				f.Function, f.File, f.Line = at.Function, at.File, at.Line
			} else if at, call, ok := m.taker(first, takesRows); ok {
				who = w.Say(": no goroutine works with them; only %s calls %s, and what that returns has to be closed",
					": ninguna goroutine trabaja con ellas; solo %s llama a %s, y lo que devuelve hay que cerrarlo", where(at), call)
				f.Function, f.File, f.Line = at.Function, at.File, at.Line
			} else {
				who = w.T(": no goroutine works with them, they were not given back", ": ninguna goroutine trabaja con ellas, no se devolvieron")
			}
			f.Sentence = w.Say("%s is exhausted%s%s; %s.", "%s está agotado%s%s; %s.", name, use, who, wait)
			if h := first.holder; h != nil && h.kind == stacks.Lock && isDatabaseLock(h.library) {
				if text, at, ok := m.lockedBy(); ok {
					f.Function, f.File, f.Line = at.Function, at.File, at.Line
					f.Sentence = w.Say("The database is locked by %s; %s waits for that, and exhausts the pool%s; %s.", "La base de datos está bloqueada por %s; %s lo espera y agota el pool%s; %s.",
						text, where(h.function), use, wait)
				}
			}
			f.Next = w.T("Close rows, transactions and bodies on every path, and hold no connection while something else is called; enlarge the pool only then.",
				"Cerrar filas (rows), transacciones y cuerpos (body) en todos los caminos, y no retener una conexión mientras se llama a otro; ampliar el pool solo después.")
			if first.ofHTTP() {
				f.Next = w.T("Allow more connections to it (MaxConnsPerHost) or make fewer calls, and close the body of every answer.", "Permitir más conexiones con él (MaxConnsPerHost) o hacer menos llamadas, y cerrar el cuerpo (body) de cada respuesta.")
			}
		case stacks.Limiter:
			f.Kind = "limiter"
			f.Sentence = w.Say("A limiter (%s) holds requests back: %s", "Un limitador (%s) frena las peticiones: %s", library("", first.library), wait)
			if h := first.holder; h != nil && h.after > 0 {
				f.Sentence += w.Say("; the one that got through %s", "; la que pasó %s", w.does(h))
			}
			f.Sentence += "."
			f.Next = w.T("Compare the limit with the requests that come, and look at how long those take that get through.", "Comparar el límite con las peticiones que llegan, y ver cuánto tardan las que pasan.")
		default:
			f.Kind = "handover"
			f.Score *= 0.9
			f.Sentence = humanize.Capital(w.Say("%s wait %s in %s", "%s esperan %s en %s", w.requestsOf(first), w.waitsFor(kind), where(first.at)))
			if h := first.holder; h != nil && h.after > 0 {
				f.Sentence += w.Say(": %s %s", ": %s %s", where(h.function), w.does(h))
				f.Function, f.File, f.Line, f.Peer = h.function.Function, h.function.File, h.function.Line, h.peer
			}
			f.Sentence += w.Say("; %s at a time%s.", "; %s a la vez%s.", w.count(waiting.after), w.wasWaiting(waiting.before))
			f.Next = w.T("Look at who should answer there: there are too few workers, or they are stuck or slow.", "Ver quién debe responder ahí: hay pocos workers, o están detenidos o lentos.")
		}
		f.Rests = append(f.Rests, m.lasts(first.endpoint))
		list = append(list, f)
	}
	return list
}

// newcomer is the one function that waits for the pool of a claim and is in no
// profile of the time before, though its endpoint had requests enough to be seen.
func (m *model) newcomer(c claim) (at stacks.Frame, ok bool) {
	const enough = 40
	ran := map[string]bool{}
	p := m.in.Profiles
	for _, before := range []*profile.Profile{p.CPU.Before, p.Heap.Before, p.Waits.Before, p.Mutex.Before, p.Goroutines.Before} {
		if before == nil {
			continue
		}
		for _, f := range before.Function {
			ran[f.Name] = true
		}
	}
	for _, s := range m.seen {
		i := stacks.DeepestOwn(s.frames)
		if s.wait.Kind != stacks.Pool || s.wait.Library != c.library || i < 0 || ran[s.frames[i].Function] || s.frames[i].Function == at.Function {
			continue
		}
		if s.endpoint == "" || m.endpointRate(s.endpoint).before*m.f.span(m.t.Before) < enough && !m.queriedElsewhere(s.endpoint) {
			continue // it need not have been seen
		}
		if at.Function != "" {
			return at, false
		}
		at = s.frames[i]
	}
	return at, at.Function != "" && len(ran) > 0
}

// Calls that leave a connection taken until something is closed, and start no
// goroutine that would show it: those for a connection of one's own, and those for
// rows without a context, or a transaction of pgx.
var (
	takesConnection = []string{"database/sql.(*DB).Conn", "pgxpool.(*Pool).Acquire"}
	takesRows       = []string{"database/sql.(*DB).Query", "pgxpool.(*Pool).Begin", "pgxpool.(*Pool).BeginTx", "pgxpool.(*Pool).Query"}
)

// taker is the one function of own code that is seen in such a call.
func (m *model) taker(c claim, calls []string) (at stacks.Frame, call string, ok bool) {
	for _, call := range calls {
		takers := map[string]stacks.Frame{}
		for _, s := range m.seen {
			i := stacks.DeepestOwn(s.frames)
			if i > 0 && strings.HasSuffix(s.frames[i-1].Function, call) && s.wait.Library == c.library {
				takers[s.frames[i].Function] = s.frames[i]
			}
		}
		for _, at := range inOrder(takers) {
			return at, written(call), len(takers) == 1
		}
	}
	return at, "", false
}

// queriedElsewhere tells whether requests to an endpoint were seen at the database
// before, in functions in which none of them is seen now.
func (m *model) queriedElsewhere(endpoint string) bool {
	functions := map[string]both{}
	for _, s := range m.seen {
		if at, i := own(s.frames); s.endpoint == endpoint && isDatabase(through(s.frames, i)) {
			functions[at.Function] = functions[at.Function].plus(s.both)
		}
	}
	for _, s := range m.spent {
		if s.endpoint == endpoint && isDatabase(s.through) {
			functions[s.at.Function] = functions[s.at.Function].plus(s.both)
		}
	}
	for _, b := range functions {
		if b.before > 0 && b.after == 0 {
			return true
		}
	}
	return false
}

// poolOf is the pool that a claim waits for, where the service names its pools:
// of several, the one that is waited for the most.
func (m *model) poolOf(c claim) (p pool, ok bool) {
	if c.kind != stacks.Pool || !isDatabase(cmp.Or(c.through, stacks.Package(c.library))) {
		return pool{}, false
	}
	list := m.pools()
	if len(list) == 0 || list[0].max.after <= 0 || list[0].used.after < 0.8*list[0].max.after && list[0].wait.growth() < 0.05 {
		return pool{}, false // it is another one, that the service does not name
	}
	return list[0], true
}

// heldConnections are those of the fullest pool that are in use, or those seen.
func (m *model) heldConnections() float64 {
	if pools := m.pools(); len(pools) > 0 && pools[0].used.after > 0 {
		return pools[0].used.after
	}
	return 1
}

// opener is the function that queries for requests of an endpoint: where what
// they leave open was opened.
func (m *model) opener(endpoint string) (at stacks.Frame, ok bool) {
	most := 0.0
	look := func(frames []stacks.Frame, weight float64) {
		i := stacks.DeepestOwn(frames)
		if i < 0 || !isDatabase(through(frames, i)) || weight <= most {
			return
		}
		most, at, ok = weight, frames[i], true
	}
	for _, s := range m.seen {
		if s.endpoint == endpoint {
			look(s.frames, s.after+s.before)
		}
	}
	if ok {
		return at, true
	}
	for _, s := range m.spent {
		if s.endpoint == endpoint && isDatabase(s.through) && s.after+s.before > most {
			most, at, ok = s.after+s.before, s.at, true
		}
	}
	return at, ok
}

func (w words) waitsFor(kind string) string {
	switch kind {
	case stacks.Send:
		return w.T("to send on a channel", "para enviar a un canal")
	case stacks.Receive:
		return w.T("to receive from a channel", "para recibir de un canal")
	case stacks.Group:
		return w.T("for other goroutines", "a otras goroutines")
	case stacks.Condition:
		return w.T("for a condition (sync.Cond)", "una condición (sync.Cond)")
	}
	return w.T("in a select", "en un select")
}
