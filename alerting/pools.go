package alerting

import (
	"fmt"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
)

// How many may wait for a connection on average, and how many waits may begin
// while none ends.
const maxWaiting, maxBegun = 0.5, 5

// poolPreset is about connections to databases that are all in use. A wait for
// one is only timed when it ends: where none is given back any more, waits begin
// and no time passes.
func (b builder) poolPreset() preset {
	say := b.words.of
	window := b.pace.window(5 * time.Minute)
	waits, waited := b.metric("pool_waits"), b.metric("pool_wait_time")
	open, most := b.metric("pool_connections"), b.metric("pool_connections_max")
	const labels = "job, instance, pool"
	over := func(aggregation, function, series string) string {
		return fmt.Sprintf("%s by (%s) (%s(%s[%s]))", aggregation, labels, function, series, length(window))
	}
	used := selector(open.Family, map[string]string{"state": "used"})
	limit := fmt.Sprintf("max by (%s) (%s)", labels, most.Family)
	return preset{
		of: "pools",
		rule: Rule{
			Alert: "ConnectionPoolWaits", Metric: waited.Key, Window: window, Evidence: EvidenceLatency, For: 5 * time.Minute,
			Expr: strings.Join([]string{
				"(",
				"  " + compare(over("sum", "rate", waited.Family), ">", maxWaiting),
				"  and " + over("max", "max_over_time", used) + " >= " + limit,
				")",
				"or",
				"(",
				"  " + compare(over("sum", "increase", waits.Family), ">=", maxBegun),
				"  and " + over("max", "min_over_time", used) + " >= " + limit,
				"  unless " + compare(over("sum", "increase", waited.Family), ">", 0),
				")",
			}, "\n"),
			Summary: say("Requests wait for a database connection", "Hay peticiones que esperan una conexión a la base de datos"),
			Description: say("All connections of the pool {{ $labels.pool }} are in use, and {{ $value | humanize }} on average wait for one (job {{ $labels.job }}, instance {{ $labels.instance }}).",
				"Todas las conexiones del pool {{ $labels.pool }} están en uso, y en promedio "+b.words.template("$value | humanize")+" esperan una (job {{ $labels.job }}, instance {{ $labels.instance }})."),
			Impact: say("Requests that need the database take longer than the database does.", "Las peticiones que usan la base de datos tardan más que la propia base de datos."),
			Steps: []string{
				say("See in the incident who holds the connections: a slow query, a transaction that waits for something else, rows that are not closed.", "Mirar en el incidente quién retiene las conexiones: una consulta lenta, una transacción que espera otra cosa, filas sin cerrar."),
				say("Raise the limit (SetMaxOpenConns) only if the database has room for more.", "Subir el límite (SetMaxOpenConns) solo si la base de datos admite más."),
			},
		},
		trials: func(r Rule) []trial { return b.poolTrials(r, waits, waited, open, most) },
	}
}

// poolTrials are a pool in which one waits, and one that gives nothing back, each
// with neighbours that only nearly do.
func (b builder) poolTrials(r Rule, waits, waited, open, most domain.Metric) []trial {
	until := r.Window + r.For
	pool := map[string]string{"pool": "db"}
	kept := with(b.target("job", "instance"), "pool", "db")
	samples := int(until/b.scene(r, "").interval) + 1
	measure := func(s *scene, waiting, begin float64, used string) {
		s.steady(most.Family, pool, 4, 0, until)
		s.add(open.Family, with(pool, "state", "used"), used)
		s.steady(open.Family, with(pool, "state", "idle"), 4, 0, until)
		s.steady(waits.Family, pool, 0, begin, until)
		s.steady(waited.Family, pool, 0, waiting*s.interval.Seconds(), until)
	}
	full, roomy := fmt.Sprintf("4+0x%d", samples), fmt.Sprintf("3+0x%d", samples)

	wait := b.scene(r, "one waits")
	measure(wait, 1, 10, full)
	measure(wait.as("less than half of one"), 0.4, 10, full)
	measure(wait.as("not at the limit"), 1, 10, roomy)
	measure(wait.as("nobody waits"), 0, 0, full)
	first := wait.afterBegin(question{stat: domain.StatRate, window: r.Window}, 1, maxWaiting, r, kept)

	stuck := b.scene(r, "none is given back")
	each := 3 * maxBegun * float64(stuck.interval) / float64(r.Window) // three times as many as it takes
	measure(stuck, 0, each, full)
	measure(stuck.as("one was given back"), 0, each, fmt.Sprintf("4 4 3 4+0x%d", samples))
	measure(stuck.as("waits that end"), 0.005, each, full)
	measure(stuck.as("few waits"), 0, 0.8/3*each, full)
	return []trial{first, stuck.afterBegin(question{stat: domain.StatIncrease, window: r.Window}, 3*maxBegun, maxBegun, r, kept)}
}

// afterBegin says that the alert fires for a counter that grows by v, as q counts,
// a while after that is beyond bound, and alone when its neighbours had the time to.
func (s *scene) afterBegin(q question, v, bound float64, r Rule, kept map[string]string) trial {
	after := q.begins(v, Rule{Op: ">", Bound: bound}, s.interval) + r.For
	s.waits(after)
	s.firesBy(max(after, r.Window), kept, v)
	return s.firesBy(r.Window+r.For, kept, v)
}
