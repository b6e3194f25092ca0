package cause

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// databases are the packages of drivers and clients whose calls are a database's.
var databases = []string{
	"database/sql", "github.com/jackc/pgx", "github.com/lib/pq", "github.com/go-sql-driver/mysql", "modernc.org/sqlite", "github.com/mattn/go-sqlite3",
	"go.mongodb.org/mongo-driver", "github.com/redis/go-redis", "github.com/gomodule/redigo", "github.com/gocql/gocql", "gorm.io/gorm", "github.com/jmoiron/sqlx",
}

// throughDatabase tells whether a library is a database's.
func (m *model) throughDatabase(pkg string) bool {
	return slices.ContainsFunc(databases, func(prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") })
}

// added are the answers that the alert holds against the service, that there are
// more of: a second.
func (m *model) added() (sum float64) {
	for name, e := range m.endpoints {
		if !m.about(name) {
			continue
		}
		for status, rate := range e.byStatus {
			if m.bad(status) {
				sum += max(rate.after-rate.before*e.more(), 0)
			}
		}
	}
	return sum
}

// manyFail tells whether the added answers are more than chance. Of an alert on
// them the rule has decided that, be it one of a few.
func (m *model) manyFail() bool {
	n := m.added() * m.f.span(m.t.After)
	if m.kind == failures && m.in.Alert.Name != "" && !m.in.Alert.Drill {
		return n >= 0.9 && m.added() > 0.3*m.failedBefore()
	}
	return n >= 5*m.strict && m.added() > 0.01*m.strict*m.requests.after
}

// failedBefore are the answers that the alert holds against the service, a
// second, as they would be of now's requests.
func (m *model) failedBefore() (sum float64) {
	for name, e := range m.endpoints {
		for status, rate := range e.byStatus {
			if m.about(name) && m.bad(status) {
				sum += rate.before * e.more()
			}
		}
	}
	return sum
}

// dependency: somebody whom the service calls is slow, fails, or is called more
// often than before.
func dependency(m *model) (list []Finding) {
	peers := m.peers()
	byPeer, at := map[string]float64{}, map[string]claim{}
	for _, c := range m.spentTime(claimCall) {
		if m.throughDatabase(c.through) && c.peer == "" {
			continue
		}
		name := cmp.Or(c.peer, m.w.server(c.through, c.library))
		byPeer[name] += m.reach[latency] * c.share
		if c.share > at[name].share {
			at[name] = c
		}
	}
	if m.reach[failures] > 0 && m.manyFail() {
		for name, p := range peers {
			if wrong := p.failed.after - p.failed.before*m.moreRequests(); wrong > 0.2*m.added() && wrong*m.f.span(m.t.After) >= 3 {
				byPeer[name] = max(byPeer[name], m.reach[failures]*min(1, wrong/m.added()))
			}
		}
	}
	if m.kind == failures && m.in.Alert.Metric == "client_requests" {
		for name, p := range peers {
			if m.in.Alert.Labels["peer"] == "" || m.in.Alert.Labels["peer"] == name {
				if p.failed.growth()*m.f.span(m.t.After) >= 3 {
					byPeer[name] = max(byPeer[name], p.failed.growth()/max(sumFailed(peers), 1e-9))
				}
			}
		}
	}
	for name, share := range byPeer {
		if share < floor {
			continue
		}
		p, known := peers[name]
		if !known {
			p = called{name: name}
		}
		list = append(list, m.calling(p, at[name], share))
	}
	if f, ok := m.database(); ok {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Finding) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Peer, b.Peer)) })
	return list
}

func sumFailed(peers map[string]called) (sum float64) {
	for _, p := range peers {
		sum += max(p.failed.growth(), 0)
	}
	return sum
}

func (m *model) moreRequests() float64 {
	if m.requests.before <= 0 {
		return 1
	}
	return max(m.requests.after/m.requests.before, 1)
}

// callersOf is where own code is seen to wait for a host.
func (m *model) callersOf(peer string) (at stacks.Frame, endpoint string) {
	most := 0.0
	for _, s := range m.seen {
		if s.peer != peer || s.after <= most {
			continue
		}
		if i := stacks.DeepestOwn(s.frames); i >= 0 {
			most, at, endpoint = s.after, s.frames[i], s.endpoint
		}
	}
	return at, endpoint
}

// onlyCaller is the endpoint whose requests are the only ones seen to wait for a
// host.
func (m *model) onlyCaller(peer string) (endpoint string, ok bool) {
	for _, s := range m.seen {
		if s.peer != peer {
			continue
		}
		if s.endpoint == "" || ok && s.endpoint != endpoint {
			return "", false
		}
		endpoint, ok = s.endpoint, true
	}
	return endpoint, ok
}

// calling says what is wrong with a host's answers.
func (m *model) calling(p called, c claim, share float64) Finding {
	w := m.w
	place, endpoint := c.at, c.endpoint
	if place.Function == "" {
		place, endpoint = m.callersOf(p.name)
	}
	f := Finding{Kind: "dependency", Score: share, Peer: p.name, Endpoint: endpoint, Function: place.Function, File: place.File, Line: place.Line}
	if place.Function == "" { // it fails too fast to be seen
		f.Function, f.File, f.Line = m.siteOf(m.bad)
		place = stacks.Frame{Function: f.Function, File: f.File, Line: f.Line}
	}
	caller, in, status := "", "", ""
	if place.Function != "" {
		caller, in = w.say(" from %s", " desde %s", where(place)), w.say(" in %s", " en %s", where(place))
	}
	wrong := both{per(p.failed.before, p.calls.before), per(p.failed.after, p.calls.after)}
	requests, to := m.requests, w.pick("each request", "cada petición")
	if only, ok := m.onlyCaller(p.name); ok {
		requests, to = m.endpointRate(only), w.say("each request to %s", "cada petición a %s", only)
	}
	each := both{per(p.calls.before, requests.before), per(p.calls.after, requests.after)}
	often := ""
	if each.ratio() > 1.5 && each.before > 0 {
		often = w.say("; it is called %s times for %s%s", "; recibe %s llamadas por %s%s", w.number(each.after), to, w.wasNumber(each.before))
	}
	slower := p.seconds.ratio() > 1.5 && p.seconds.growth() > 0.002
	switch {
	case c.wait == stacks.DNS || c.wait == dialing && m.resolves(p.name):
		f.Sentence = w.say("The name %s resolves slowly (DNS): %s requests wait for it%s%s.", "El nombre %s tarda en resolverse (DNS): %s peticiones lo esperan a la vez%s%s.",
			p.name, w.count(c.after), in, w.wasWaiting(c.before))
	case c.wait == dialing:
		f.Sentence = w.say("Connections to %s open slowly: %s requests wait%s%s.", "Las conexiones con %s tardan en abrirse: %s peticiones esperan a la vez%s%s.",
			p.name, w.count(c.after), in, w.wasWaiting(c.before))
	case wrong.after-wrong.before > 0.1 && p.failed.after > 0:
		fails := w.pick("fails", "falla")
		if status = m.failsMostWith(p.name); status == "4xx" {
			fails = w.pick("refuses calls", "rechaza llamadas")
		}
		f.Sentence = w.say("%s %s: %s of the calls%s %s%s%s.", "%s %s: el %s de las llamadas%s %s%s%s.",
			p.name, fails, w.percent(wrong.after), caller, w.endsWith(status), w.was(w.pick("", "el ")+w.percent(wrong.before), p.calls.before > 0), often)
	case slower && (each.ratio() < p.seconds.ratio() || each.before == 0):
		f.Sentence = w.say("%s answers slowly: a call%s takes %s%s%s.", "%s responde despacio: una llamada%s tarda %s%s%s.",
			p.name, caller, w.seconds(p.seconds.after), w.wasSeconds(p.seconds.before), often)
	case each.ratio() > 1.5 && each.before > 0:
		f.Sentence = w.say("%s is called more often%s: %s times for %s%s; a call takes %s%s.", "%s recibe más llamadas%s: %s por %s%s; cada una tarda %s%s.",
			p.name, caller, w.number(each.after), to, w.wasNumber(each.before), w.seconds(p.seconds.after), w.wasSeconds(p.seconds.before))
	default:
		f.Sentence = w.say("%s does not answer in time: %s requests wait for it%s%s.", "%s no responde a tiempo: %s peticiones lo esperan a la vez%s%s.",
			p.name, w.count(c.after), in, w.wasWaiting(c.before))
	}
	f.Rests = []string{
		w.say("calls to %s: %s", "llamadas a %s: %s", p.name, w.rateWas(p.calls)),
	}
	if p.seconds.after > 0 {
		f.Rests = append(f.Rests, w.say("a call takes %s%s", "una llamada tarda %s%s", w.seconds(p.seconds.after), w.wasSeconds(p.seconds.before)))
	}
	if endpoint != "" {
		f.Rests = append(f.Rests, m.lasts(endpoint))
	}
	switch {
	case often != "":
		f.Next = w.say("Look in %s for retries without a pause, calls in a loop, or a cache that no longer hits.", "Buscar en %s reintentos sin pausa, llamadas en un bucle o una caché que ya no acierta.", cmp.Or(written(place.Function), w.pick("the code that calls it", "el código que lo llama")))
	case status == "4xx":
		f.Next = w.say("Check what is sent to %s: credentials, quota, the form of the request.", "Revisar qué se envía a %s: credenciales, cuota, formato de la petición.", p.name)
	default:
		f.Next = w.say("Ask the team that runs %s; until it recovers, shorten the timeout or answer without it.", "Preguntar al equipo de %s; mientras se recupera, acortar el timeout o responder sin él.", p.name)
	}
	return f
}

// resolves tells whether those who connect to a host wait for its address.
func (m *model) resolves(peer string) bool {
	resolving, connecting := 0.0, 0.0
	for _, s := range m.seen {
		if s.peer != "" && s.peer != peer {
			continue
		}
		switch {
		case s.wait.Kind == stacks.DNS:
			resolving += s.after
		case s.wait.Dials:
			connecting += s.after
		}
	}
	return resolving > connecting
}

// failsMostWith is how most of the calls to a host fail.
func (m *model) failsMostWith(peer string) (worst string) {
	most := 0.0
	for status, rate := range m.f.rates(m.family("client_requests"), m.t, func(l map[string]string) (string, bool) {
		return l["status"], l["peer"] == peer && useless(l["status"])
	}) {
		if g := rate.growth(); g > most || g == most && status < worst {
			worst, most = status, g
		}
	}
	return worst
}

// endsWith says how calls fail.
func (w words) endsWith(status string) string {
	switch status {
	case "timeout":
		return w.pick("time out", "termina en timeout")
	case "dial":
		return w.pick("cannot connect", "no logra conectar")
	case "error":
		return w.pick("end with a broken connection", "termina con la conexión cortada")
	}
	return w.say("end with status %s", "termina con estado %s", status)
}

// callsEach is how often the database is called for each request; 0 where
// nothing counts it.
func (m *model) callsEach() both {
	count := both{}
	for _, s := range m.statements() {
		count = count.plus(s.calls)
	}
	return both{per(count.before, m.requests.before), per(count.after, m.requests.after)}
}

// callsOf is how many calls of the database a request to an endpoint makes, if it
// is this endpoint's requests that make more of them, and before each made as many
// as all others.
func (m *model) callsOf(endpoint string) both {
	e, each := m.endpoints[endpoint], m.callsEach()
	if e == nil || e.requests.before <= 0 || each.before <= 0 {
		return both{}
	}
	arrive := max(e.requests.before, e.requests.after) // those that have no end yet, too
	added := max(each.after*m.requests.after-each.before*max(m.requests.before, m.requests.after), 0)
	return both{each.before, each.before + added/arrive}
}

// database: its calls take longer, or there are more of them. What a database in
// the process does is CPU time of its library.
func (m *model) database() (Finding, bool) {
	share, first := 0.0, claim{}
	for _, kind := range []string{claimCPU, claimCall, stacks.File, stacks.Sleep} {
		for _, c := range m.spentTime(kind) {
			if c.peer == "" && m.throughDatabase(c.through) {
				share += m.reach[latency] * c.share
				if c.share > first.share {
					first = c
				}
			}
		}
	}
	if whole := m.moreCPU(); whole > 0 && m.reach[cpu] > 0 {
		sum, most := 0.0, 0.0
		for _, s := range m.spent {
			if m.throughDatabase(s.through) {
				x := s.after - s.before*m.endpointMore(s.endpoint)
				sum += max(x, 0)
				if x > most && share == 0 {
					most, first = x, claim{at: s.at, endpoint: s.endpoint, through: s.through, both: s.both}
				}
			}
		}
		share = max(share, m.reach[cpu]*sum/whole)
	}
	if share < floor || first.through == "database/sql" && m.statementsAsBefore() {
		return Finding{}, false
	}
	w := m.w
	f := Finding{Kind: "dependency", Score: share, Function: first.at.Function, File: first.at.File, Line: first.at.Line, Endpoint: first.endpoint, Peer: "database"}
	each := m.callsEach()
	calls := m.statements()
	top := called{}
	if len(calls) > 0 {
		top = calls[0]
	}
	inside := m.inDatabase(first.endpoint)
	// Many calls make each of them slower; slow ones do not make more of them.
	taken := m.statementTime()
	often := max(each.ratio(), ratio(top.calls.after, top.calls.before*m.moreRequests()), m.callsOf(first.endpoint).ratio())
	more := each.before > 0 && often > 1.5 && math.Log(often) > 0.35*math.Log(often*max(taken.ratio(), 1))
	switch {
	case first.at.Function == "" && more: // no stack was seen
		f.Sentence = w.say("The database is called more often: %s times for each request%s; %s takes %s%s.",
			"La base de datos recibe más llamadas: %s por cada petición%s; %s tarda %s%s.",
			w.number(each.after), w.wasNumber(each.before), top.name, w.seconds(top.seconds.after), w.wasSeconds(top.seconds.before))
		f.Next = w.pick("Look for a query in a loop, or a cache that answered before.", "Buscar una consulta dentro de un bucle, o una caché que antes respondía.")
	case first.at.Function == "":
		f.Sentence = w.say("The database answers slowly: %s takes %s%s.", "La base de datos responde despacio: %s tarda %s%s.",
			top.name, w.seconds(top.seconds.after), w.wasSeconds(top.seconds.before))
		f.Next = w.pick("Look at the plan of that query: an index that is missing or not used, a table that grew, a lock in the database.", "Mirar el plan de esa consulta: un índice que falta o no se usa, una tabla que creció, un bloqueo en la base de datos.")
	case more:
		f.Sentence = w.say("%s calls the database more often: %s calls for each request%s; a call takes %s%s.",
			"%s llama más a la base de datos: %s llamadas por cada petición%s; cada una tarda %s%s.",
			where(first.at), w.number(max(each.after, m.callsOf(first.endpoint).after)), w.wasNumber(each.before), w.seconds(taken.after), w.wasSeconds(taken.before))
		f.Next = w.say("Look in %s for a query in a loop: fetch all with one query, or bring back the cache that answered before.", "Buscar en %s una consulta dentro de un bucle: traer todo con una sola, o recuperar la caché que antes respondía.", written(first.at.Function))
	default:
		f.Sentence = w.say("The database answers slowly to %s: its calls take %s of each request to %s%s",
			"La base de datos responde despacio a %s: sus llamadas ocupan %s de cada petición a %s%s",
			where(first.at), w.seconds(inside.after), first.endpoint, w.wasSeconds(inside.before))
		if top.seconds.ratio() > 1.5 {
			f.Sentence += w.say("; %s takes %s%s", "; %s tarda %s%s", top.name, w.seconds(top.seconds.after), w.wasSeconds(top.seconds.before))
		}
		f.Sentence += "."
		f.Next = w.say("Look at the plan of the query in %s: an index that is missing or not used, a table that grew, a lock in the database.", "Mirar el plan de la consulta de %s: un índice que falta o no se usa, una tabla que creció, un bloqueo en la base de datos.", written(first.at.Function))
	}
	if first.endpoint != "" {
		f.Rests = []string{m.lasts(first.endpoint)}
	}
	for _, s := range calls[:min(2, len(calls))] {
		f.Rests = append(f.Rests, w.say("%s: %s; each takes %s%s", "%s: %s; cada una tarda %s%s", s.name, w.rateWas(s.calls), w.seconds(s.seconds.after), w.wasSeconds(s.seconds.before)))
	}
	return f, true
}

// inDatabase is how much of a request to an endpoint is spent in calls of the
// database, or in one that runs within the process.
func (m *model) inDatabase(endpoint string) both {
	sum := both{}
	for _, r := range m.rows[endpoint] {
		if m.throughDatabase(r.through) && r.wait.Kind != "" && !queues(r.wait.Kind) {
			sum = sum.plus(r.both)
		}
	}
	for _, s := range m.spent {
		if s.endpoint == endpoint && m.throughDatabase(s.through) {
			sum = sum.plus(s.both)
		}
	}
	of := m.endpointRate(endpoint)
	return both{per(sum.before, of.before), per(sum.after, of.after)}
}

// statementsAsBefore tells whether the database's calls are measured, and none
// takes longer, comes more often, or has no end: looks are few, and may be wrong.
func (m *model) statementsAsBefore() bool {
	known := false
	for _, s := range m.statements() {
		if s.calls.before*m.f.span(m.t.Before) < fewRequests {
			continue
		}
		known = true
		often := ratio(s.calls.after, s.calls.before*m.moreRequests())
		if s.seconds.ratio() > 1.15 || often > 1.15 || often < 0.7 {
			return false
		}
	}
	return known
}

// statementTime is how long a call of the database takes, whichever it is.
func (m *model) statementTime() both {
	time, count := both{}, both{}
	for _, s := range m.statements() {
		time, count = time.plus(s.time()), count.plus(s.calls)
	}
	return both{per(time.before, count.before), per(time.after, count.after)}
}

func (m *model) endpointMore(name string) float64 {
	if e := m.endpoints[name]; e != nil {
		return e.more()
	}
	return 1
}

func (m *model) endpointRate(name string) both {
	if e := m.endpoints[name]; e != nil {
		return e.requests
	}
	return m.requests
}
