package cause

import (
	"cmp"
	"slices"
	"strings"
)

// called is somebody whom the service calls: a host, or a kind of statement.
type called struct {
	name      string
	calls     both // a second
	failed    both // of them
	redirects bool // which is how they fail
	seconds   both // of one, mean
}

// time is what the calls take together, in seconds a second.
func (c called) time() both {
	return both{c.calls.before * c.seconds.before, c.calls.after * c.seconds.after}
}

// wrong is the share of the calls that failed.
func (c called) wrong() both {
	return both{per(c.failed.before, c.calls.before), per(c.failed.after, c.calls.after)}
}

// peers are the hosts that requests are sent to.
func (m *model) peers() map[string]called {
	if m.byPeer != nil {
		return m.byPeer
	}
	of := func(l map[string]string) (string, bool) { return l["peer"], true }
	all := map[string]called{}
	family := m.family("client_requests")
	for name, rate := range m.f.rates(family, m.t, of) {
		all[name] = called{name: name, calls: rate}
	}
	for name, rate := range m.f.rates(family, m.t, func(l map[string]string) (string, bool) { return l["peer"], useless(l["status"]) }) {
		c := all[name]
		c.failed = rate
		all[name] = c
	}
	for name, rate := range m.f.rates(family, m.t, func(l map[string]string) (string, bool) { return l["peer"], l["status"] == "3xx" }) {
		c := all[name]
		if per(rate.before, c.calls.before) < 0.1 && per(rate.after, c.calls.after) > 0.5 { // it sends them elsewhere all at once
			c.failed, c.redirects = c.failed.plus(rate), true
			all[name] = c
		}
	}
	sums := m.f.rates(m.family("client_duration")+"_sum", m.t, of)
	for name, count := range m.f.rates(m.family("client_duration")+"_count", m.t, of) {
		c := all[name]
		c.name, c.seconds = name, both{per(sums[name].before, count.before), per(sums[name].after, count.after)}
		all[name] = c
	}
	m.byPeer = all
	return all
}

// measured is the part of what looks saw more of, in calls to a host, that the
// durations of those calls bear out: looks are few, and every call is measured.
// Calls without an end are in no duration; then the looks are believed.
func (m *model) measured(peer string) float64 {
	c, known := m.peers()[peer]
	if !known || m.looks.before == 0 || c.calls.after*m.f.span(m.t.After) < fewRequests {
		return 1
	}
	seen := m.waitFor(peer)
	time, more := c.time(), m.moreOf(deed{claimCall, peer})
	looked := seen.after - seen.before*more
	if looked <= 0 || seen.after > 2*time.after+1 {
		return 1
	}
	return min(max(time.after-time.before*more, 0)/looked, 1)
}

// useless tells of an answer that the service had no use for: the host failed, or
// refused the request.
func useless(status string) bool { return clientFailed(status) || strings.HasPrefix(status, "4") }

// statements are the calls of databases that others' instruments measure, by
// what they do: otelsql and others follow OpenTelemetry's conventions for them
// (https://opentelemetry.io/docs/specs/semconv/database/database-metrics/).
func (m *model) statements() []called {
	if m.byStmt != nil {
		return m.byStmt
	}
	all := []called{}
	for _, family := range m.f.histograms() {
		if !strings.Contains(family, "_db_") && !strings.Contains(family, "_sql_") && !strings.Contains(family, "_redis_") {
			continue
		}
		of := func(l map[string]string) (string, bool) {
			op := statement(l)
			for _, plumbing := range []string{"reset_session", "ping", "connect", "close", "prepare"} {
				if strings.Contains(op, plumbing) {
					return "", false
				}
			}
			return op, op != ""
		}
		sums := m.f.rates(family+"_sum", m.t, of)
		unit := 1.0
		if strings.Contains(family, "millisecond") {
			unit = 1e-3
		}
		for name, count := range inOrder(m.f.rates(family+"_count", m.t, of)) {
			all = append(all, called{name: name, calls: count, seconds: both{per(sums[name].before, count.before) * unit, per(sums[name].after, count.after) * unit}})
		}
	}
	slices.SortFunc(all, func(a, b called) int {
		return cmp.Or(cmp.Compare(b.time().growth(), a.time().growth()), cmp.Compare(a.name, b.name))
	})
	m.byStmt = all
	return all
}

// statement is what a call of a database does, by its labels.
func statement(l map[string]string) string {
	for _, name := range []string{"db_query_summary", "db_statement", "db_query_text", "db_operation_name", "db_operation", "db_sql_method", "operation", "method", "command"} {
		if l[name] != "" {
			return l[name]
		}
	}
	return ""
}

// callRatio is how many times as long calls take as before, for each request: of
// a host, or of the library's database. It is 0 where nothing is measured.
func (m *model) callRatio(peer, through string) float64 {
	of := deed{claimCall, peer}
	if peer == "" {
		of = deed{ofDatabase, ""}
	}
	more := m.moreOf(of)
	if more <= 0 {
		return 0
	}
	each := func(time both) float64 { return ratio(time.after, time.before*more) }
	if peer != "" {
		c := m.peers()[peer]
		if c.calls.after*m.f.span(m.t.After) >= 2 && c.calls.before > 0 {
			return each(c.time())
		}
		seen := both{}
		for _, s := range m.seen {
			if s.peer == peer {
				seen = seen.plus(s.both)
			}
		}
		if c.calls.before <= 0 && (c.calls.after > 0 || seen.before <= 0) { // nobody knows how long it took
			return 0
		}
		return each(seen)
	}
	if !isDatabase(through) {
		return 0
	}
	time, count := both{}, both{}
	for _, s := range m.statements() {
		time, count = time.plus(s.time()), count.plus(s.calls)
	}
	if count.before > 0 && count.after > 0 {
		return each(time)
	}
	return 0
}

// measuredCalls is the time that calls take more by their own durations: all that
// there is to go by where no goroutine was looked at.
func (m *model) measuredCalls() (all []claim) {
	sum := 0.0
	take := func(c claim, calls, time both) {
		more := min(m.moreRequests(), max(calls.ratio(), 1)) // of those that call
		if c.share = (time.after - time.before*more) / m.slowed(); c.share > 0 {
			sum += c.share
			c.kind = claimCall
			all = append(all, c)
		}
	}
	for name, p := range inOrder(m.peers()) {
		take(claim{peer: name}, p.calls, p.time())
	}
	calls, time := both{}, both{}
	for _, s := range m.statements() {
		calls, time = calls.plus(s.calls), time.plus(s.time())
	}
	take(claim{through: "database/sql"}, calls, time)
	for i := range all {
		all[i].share /= max(sum, 1)
	}
	return all
}

// otherCores are those that other processes of the machine use.
func (m *model) otherCores() both {
	host, ok := m.f.gauge(m.family("cpu_usage"), m.t)
	if !ok || m.in.CPUs == 0 {
		return both{}
	}
	k := float64(m.in.CPUs) / 100
	return both{max(host.before*k-m.cores.before, 0), max(host.after*k-m.cores.after, 0)}
}

// saturated tells whether there is no CPU left: of the machine's, or of those
// that the process may use.
func (m *model) saturated() bool {
	const nearly = 0.85
	used := m.cores.after + m.otherCores().after
	return m.in.CPUs > 0 && used > nearly*float64(m.in.CPUs) || m.in.Procs > 0 && m.cores.after > nearly*float64(m.in.Procs) || m.throttled().after > leastThrottled
}

// throttled is the time a second in which the container's threads had to wait,
// as its CPU limit was used up.
func (m *model) throttled() both { return m.f.total(m.family("container_cpu_throttled_time"), m.t) }
