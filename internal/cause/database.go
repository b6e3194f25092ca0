package cause

import (
	"math"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// databases are the packages of drivers and clients whose calls are a database's,
// and the product, where they speak to one alone and are called by name.
var databases = []struct{ prefix, product string }{
	{"database/sql", ""}, {"gorm.io/gorm", ""}, {"github.com/jmoiron/sqlx", ""},
	{"github.com/jackc/pgx", "PostgreSQL"}, {"github.com/lib/pq", "PostgreSQL"}, {"github.com/go-sql-driver/mysql", "MySQL"},
	{"modernc.org/sqlite", "SQLite"}, {"github.com/mattn/go-sqlite3", "SQLite"}, {"go.mongodb.org/mongo-driver", "MongoDB"},
	{"github.com/redis/go-redis", "Redis"}, {"github.com/gomodule/redigo", "Redis"}, {"github.com/gocql/gocql", "Cassandra"},
}

func databaseAt(pkg string) int {
	for i, d := range databases {
		if rest, ok := strings.CutPrefix(pkg, d.prefix); ok && (rest == "" || rest[0] == '/') {
			return i
		}
	}
	return -1
}

// isDatabase tells whether a package is a database's.
func isDatabase(pkg string) bool { return databaseAt(pkg) >= 0 }

// databaseOf names the database that a library speaks to, or says else.
func databaseOf(pkg, other string) string {
	if i := databaseAt(pkg); i >= 0 && databases[i].product != "" {
		return databases[i].product
	}
	return other
}

// isDatabaseLock tells whether what a goroutine waits in is a database's lock on
// its data. A mutex within a database of the process is held for a moment by those
// that compute there.
func isDatabaseLock(library string) bool {
	pkg := stacks.Package(library)
	return pkg != "database/sql" && isDatabase(pkg)
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

// callsOf is how many calls of the database a request makes that a claim is of, if
// it is those of its endpoint that make more of them, and before each made as many
// as all others.
func (m *model) callsOf(c claim) both {
	e, each := m.endpoints[c.endpoint], m.callsEach()
	if c.spread {
		return each
	}
	if e == nil || e.requests.before <= 0 || each.before <= 0 {
		return both{}
	}
	arrive := max(e.requests.before, e.requests.after) // those that have no end yet, too
	added := max(each.after*m.requests.after-each.before*max(m.requests.before, m.requests.after), 0)
	return both{each.before, each.before + added/arrive}
}

// manyCalls is how many times as many calls a request must make for them to be the
// cause, however long each of them takes.
const manyCalls = 3

// database: its calls take longer, or there are more of them. What a database in
// the process does is CPU time of its library.
func (m *model) database() (Finding, bool) {
	share, first := 0.0, claim{}
	for _, kind := range []string{claimCPU, claimCall, stacks.File, stacks.Sleep} {
		for _, c := range m.spentTime(kind) {
			if c.peer == "" && isDatabase(c.through) {
				share += m.reach[latency] * c.share
				if c.share > first.share {
					first = c
				}
			}
		}
	}
	if each := m.eachCore(); each > 0 {
		sum, most := 0.0, 0.0
		for _, s := range m.spent {
			if isDatabase(s.through) {
				x := s.after - s.before*m.endpointMore(s.endpoint)
				sum += max(x, 0)
				if x > most && share == 0 {
					most, first = x, claim{at: s.at, endpoint: s.endpoint, through: s.through, both: s.both}
				}
			}
		}
		share = max(share, each*sum)
	}
	if share < floor || first.through == "database/sql" && first.wait != stacks.Lock && m.statementsAsBefore() {
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
	often := max(each.ratio(), ratio(top.calls.after, top.calls.before*m.moreRequests()), m.callsOf(first).ratio())
	more := each.before > 0 && (often > manyCalls || often > 1.5 && math.Log(often) > 0.35*math.Log(often*max(taken.ratio(), 1)))
	switch {
	case first.wait == stacks.Lock && isDatabaseLock(first.library):
		who := w.T("another connection or process", "otra conexión u otro proceso")
		if text, at, ok := m.lockedBy(); ok {
			who = text
			f.Function, f.File, f.Line = at.Function, at.File, at.Line
		}
		f.Sentence = w.Say("The database is locked by %s: %s requests wait for that in %s%s.",
			"La base de datos está bloqueada por %s: %s peticiones lo esperan a la vez en %s%s.", who, w.count(first.after), where(first.at), w.wasWaiting(first.before))
		f.Next = w.T("Look for a transaction that stays open while it does something else, or another program that writes to that file.", "Buscar una transacción que queda abierta mientras hace otra cosa, u otro programa que escribe en ese archivo.")
	case first.at.Function == "" && more: // no stack was seen
		f.Sentence = w.Say("The database is called more often: %s times for each request%s; %s takes %s%s.",
			"La base de datos recibe más llamadas: %s por cada petición%s; %s tarda %s%s.",
			w.number(each.after), w.wasNumber(each.before), top.name, w.Seconds(top.seconds.after), w.wasSeconds(top.seconds.before))
		f.Next = w.T("Look for a query in a loop, or a cache that answered before.", "Buscar una consulta dentro de un bucle, o una caché que antes respondía.")
	case first.at.Function == "":
		f.Sentence = w.Say("The database answers slowly: %s takes %s%s.", "La base de datos responde despacio: %s tarda %s%s.",
			top.name, w.Seconds(top.seconds.after), w.wasSeconds(top.seconds.before))
		f.Next = w.T("Look at the plan of that query: an index that is missing or not used, a table that grew, a lock in the database.", "Mirar el plan de esa consulta: un índice que falta o no se usa, una tabla que creció, un bloqueo en la base de datos.")
	case more:
		f.Sentence = w.Say("%s calls the database more often: %s calls for each request%s; a call takes %s%s.",
			"%s llama más a la base de datos: %s llamadas por cada petición%s; cada una tarda %s%s.",
			where(first.at), w.number(max(each.after, m.callsOf(first).after)), w.wasNumber(each.before), w.Seconds(taken.after), w.wasSeconds(taken.before))
		f.Next = w.Say("Look in %s for a query in a loop: fetch all with one query, or bring back the cache that answered before.", "Buscar en %s una consulta dentro de un bucle: traer todo con una sola, o recuperar la caché que antes respondía.", written(first.at.Function))
	default:
		var figures []string
		if inside.after > 0 { // else none of those requests has an end yet
			figures = append(figures, w.Say("its calls take %s of each request to %s%s", "sus llamadas ocupan %s de cada petición a %s%s",
				w.Seconds(inside.after), first.endpoint, w.was(w.Seconds(inside.before), w.looks && inside.before > 0)))
		}
		if top.seconds.ratio() > 1.5 {
			figures = append(figures, w.Say("%s takes %s%s", "%s tarda %s%s", top.name, w.Seconds(top.seconds.after), w.wasSeconds(top.seconds.before)))
		}
		if each.before > 0 && often > 1.5 {
			figures = append(figures, w.Say("it is called %s times for each request%s", "recibe %s llamadas por cada petición%s", w.number(max(each.after, m.callsOf(first).after)), w.wasNumber(each.before)))
		}
		f.Sentence = w.Say("%s answers slowly to %s", "%s responde despacio a %s", databaseOf(first.through, w.T("The database", "La base de datos")), where(first.at))
		if len(figures) > 0 {
			f.Sentence += ": " + strings.Join(figures, "; ")
		}
		f.Sentence += "."
		f.Next = w.Say("Look at the plan of the query in %s: an index that is missing or not used, a table that grew, a lock in the database.", "Mirar el plan de la consulta de %s: un índice que falta o no se usa, una tabla que creció, un bloqueo en la base de datos.", written(first.at.Function))
	}
	if first.endpoint != "" {
		f.Rests = []string{m.lasts(first.endpoint)}
	}
	for _, s := range calls[:min(2, len(calls))] {
		f.Rests = append(f.Rests, w.Say("%s: %s; each takes %s%s", "%s: %s; cada una tarda %s%s", s.name, w.rateWas(s.calls), w.Seconds(s.seconds.after), w.wasSeconds(s.seconds.before)))
	}
	return f, true
}

// inDatabase is how much of a request to an endpoint is spent in calls of the
// database, or in one that runs within the process.
func (m *model) inDatabase(endpoint string) both {
	sum := both{}
	for _, r := range m.rows[endpoint] {
		if isDatabase(r.through) && r.wait.Kind != "" && !queues(r.wait.Kind) {
			sum = sum.plus(r.both)
		}
	}
	for _, s := range m.spent {
		if s.endpoint == endpoint && isDatabase(s.through) {
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
