package alerting

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// objective is an SLO on its way to rules.
type objective struct {
	domain.SLO
	b      builder
	window time.Duration
	budget *big.Rat // the part that may be bad
}

// seldom is the time between two evaluations of what looks far back. It is well
// below the five minutes for which Prometheus takes a sample for the present.
const seldom = 2 * time.Minute

// slo are the groups of one objective: what its short windows record, with the
// alert that wakes people up; and what its long windows and its budget record of
// that, with the other alert.
func (b builder) slo(s domain.SLO) []Group {
	o := objective{SLO: s, b: b, window: time.Duration(cmp.Or(s.Window, domain.DefaultSLOWindow)), budget: budgetOf(s.Objective)}
	short := Group{Name: b.d.Prefix + ".slo." + s.Name, Interval: o.often()}
	long := Group{Name: short.Name + ".long", Interval: seldom}
	for _, w := range o.windows() {
		group := &short
		if o.long(w) {
			group = &long
		}
		group.Rules = append(group.Rules, o.records(w)...)
	}
	if o.kept(o.window) {
		long.Rules = append(long.Rules, o.record("slo_budget_left", "ratio", o.left()))
	}
	for severity, group := range map[domain.Severity]*Group{domain.SeverityPage: &short, domain.SeverityTicket: &long} {
		if pairs := o.pairs(severity); len(pairs) > 0 {
			group.Rules = append(group.Rules, o.alert(severity, pairs))
		}
	}
	return []Group{short, long}
}

// often is the time between two evaluations of the short windows, 0 for the
// server's. The windows of an objective over months are longer, and are
// evaluated as much more seldom: an evaluation costs what the window has samples.
func (o objective) often() time.Duration {
	shortest := burns.page[0].scaled(o.window).short
	if shortest <= burns.page[0].short {
		return 0
	}
	return min((shortest / 20).Truncate(time.Second), seldom)
}

// long tells whether a window is added up from what the shortest one recorded.
// It is if to count it anew from every series would be dear; the windows of the
// first pair, in which people are woken up, are counted.
func (o objective) long(w time.Duration) bool {
	return w > max(time.Hour, burns.page[0].scaled(o.window).long)
}

// kept tells whether samples are kept for as long as a window.
func (o objective) kept(window time.Duration) bool {
	return o.b.o.Retention == 0 || o.b.pace.window(window) <= o.b.o.Retention
}

// budgetOf is what an objective in percent leaves, exactly as it was written:
// 0.001 of 99.9, where floating point has 0.0009999999999999432.
func budgetOf(objective float64) *big.Rat {
	good, _ := new(big.Rat).SetString(number(objective))
	return new(big.Rat).Quo(new(big.Rat).Sub(big.NewRat(100, 1), good), big.NewRat(100, 1))
}

// decimal writes a ratio in full; it has a finite number of digits, since its
// parts were decimals. Another one is written to more than a float has.
func decimal(r *big.Rat) string {
	n, exact := r.FloatPrec()
	if !exact {
		n = 20
	}
	return r.FloatString(n)
}

// factor is how many times as fast as allowed the budget of o burns in a pair
// of windows that matters.
func (o objective) factor(p burn) *big.Rat {
	share, _ := new(big.Rat).SetString(number(p.share))
	return new(big.Rat).Mul(share, big.NewRat(int64(burns.of), int64(p.long)*100))
}

// pairs are the pairs of windows of a severity. Those whose limit is beyond
// everything being bad are left out: they could never fire. So are those that are
// not kept.
func (o objective) pairs(severity domain.Severity) []burn {
	all := burns.page
	if severity == domain.SeverityTicket {
		all = burns.ticket
	}
	return slices.DeleteFunc(all[:], func(p burn) bool {
		return o.limit(p).Cmp(big.NewRat(1, 1)) >= 0 || !o.kept(p.scaled(o.window).long)
	})
}

// limit is the part of bad ones beyond which the budget burns too fast.
func (o objective) limit(p burn) *big.Rat { return new(big.Rat).Mul(o.factor(p), o.budget) }

// windows are all windows of the pairs, shortest first.
func (o objective) windows() []time.Duration {
	var all []time.Duration
	for _, p := range append(burns.page[:], burns.ticket[:]...) {
		if p = p.scaled(o.window); o.kept(p.long) {
			all = append(all, p.long, p.short)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// name is that of a recorded series, in Prometheus' order level:metric:operation.
func (o objective) name(metric, operation string) string {
	return o.b.d.Prefix + ":" + metric + ":" + operation
}

// series selects a recorded series of o.
func (o objective) series(metric, operation string) string {
	return o.name(metric, operation) + "{slo=" + labelmatch.Quote(o.Name) + "}"
}

func (o objective) record(metric, operation, expr string) Rule {
	return Rule{
		Record: o.name(metric, operation), Expr: expr, Source: SourceSLO,
		Labels: map[string]string{"slo": o.Name, "domain": o.b.d.Prefix},
	}
}

// records are what one window says: how many there were, how many were bad,
// and which part that is.
func (o objective) records(w time.Duration) []Rule {
	operation, ratio := "increase"+length(w), "ratio_rate"+length(w)
	all, bad := o.counts(o.b.pace.window(w))
	if o.long(w) {
		all, bad = o.over("slo_requests", w), o.over("slo_errors", w)
	}
	return []Rule{
		o.record("slo_requests", operation, all),
		o.record("slo_errors", operation, bad),
		o.record("slo_errors", ratio, fmt.Sprintf("%s / (%s > 0)", o.series("slo_errors", operation), o.series("slo_requests", operation))),
	}
}

// counts are how many there were in a window, and how many of them were bad.
// Where no series counts the bad, or the good, there are none of them.
func (o objective) counts(w time.Duration) (all, bad string) {
	increase := func(metric, suffix string, where map[string]string) string {
		m := o.b.metric(metric) // a valid domain has it
		m.Family, m.Kind = m.Family+suffix, domain.KindCounter
		return question{metric: m, where: where, window: w}.counted("increase")
	}
	with := func(label, value string) map[string]string {
		where := map[string]string{label: value}
		maps.Copy(where, o.Where)
		return where
	}
	without := func(good string) string {
		return fmt.Sprintf("clamp_min(%s - (%s or 0 * %s), 0)", all, good, all)
	}
	switch {
	case o.Good.Status != "":
		all = increase("requests", "", o.Where)
		return all, fmt.Sprintf("%s or 0 * %s", increase("requests", "", with("status", negated(o.Good.Status))), all)
	case o.Good.FasterThan != 0:
		all = increase("response_duration", "_count", o.Where)
		return all, without(increase("response_duration", "_bucket", with("le", bucket(time.Duration(o.Good.FasterThan)))))
	default:
		all = increase(o.Total, "", o.Where)
		return all, without(increase(o.Good.Event, "", o.Where))
	}
}

// negated keeps what a filter leaves out.
func negated(text string) string {
	m, err := labelmatch.Parse(text)
	if err != nil { // a valid domain has none
		return text
	}
	return map[string]string{"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}[m.Op] + m.Value
}

// bucket filters the buckets of a histogram for a bound. A whole number is
// le="1" where /metrics is written as plain text, and le="1.0" in OpenMetrics
// and in every Prometheus since 3.0.
func bucket(d time.Duration) string {
	text := number(d.Seconds())
	if strings.Contains(text, ".") {
		return text
	}
	return "=~" + text + `(\.0)?`
}

// over is how many there were in a long window: what the shortest one recorded,
// at every step as long as it is, so that each counts once. Counts are added up
// and not ratios, so that a busy hour weighs more than a quiet one. Before the
// first step is over there is what was recorded so far.
func (o objective) over(metric string, w time.Duration) string {
	shortest := burns.page[0].scaled(o.window).short
	recorded := o.series(metric, "increase"+length(shortest))
	return fmt.Sprintf("sum_over_time(%s[%s:%s]) or %s", recorded, length(o.b.pace.window(w)), length(o.b.pace.window(shortest)), recorded)
}

// left is the part of the error budget that is left in the objective's window;
// below 0 it is overdrawn.
func (o objective) left() string {
	return fmt.Sprintf("1 - (%s) / ((%s) > 0) / %s", o.over("slo_errors", o.window), o.over("slo_requests", o.window), decimal(o.budget))
}

// alertSuffix says of an alert on an objective how fast its budget burns.
var alertSuffix = map[domain.Severity]string{domain.SeverityPage: "BurnsFast", domain.SeverityTicket: "BurnsSlowly"}

// least is the traffic in the long window below which there is no alert.
func (o objective) least() int {
	if o.MinCount == nil {
		return domain.DefaultMinCount
	}
	return *o.MinCount
}

// guarded tells whether one bad request among the fewest would be beyond the
// limit of a pair of windows: then the alert asks for a second one. One that
// fails at night is no reason to wake up.
func (o objective) guarded(p burn) bool {
	bad, _ := o.limit(p).Float64()
	return bad*float64(o.least()) < 1.9
}

// alert fires when the budget burns too fast in one of the pairs of windows,
// with enough traffic in the long one.
func (o objective) alert(severity domain.Severity, pairs []burn) Rule {
	var either, words []string
	for _, p := range pairs {
		limit := decimal(o.limit(p))
		s := p.scaled(o.window)
		long, short := length(s.long), length(s.short)
		all := []string{
			o.series("slo_errors", "ratio_rate"+long) + " > " + limit,
			o.series("slo_errors", "ratio_rate"+short) + " > " + limit,
		}
		if o.least() > 0 {
			all = append(all, fmt.Sprintf("%s >= %d", o.series("slo_requests", "increase"+long), o.least()))
		}
		if o.guarded(p) {
			all = append(all, o.series("slo_errors", "increase"+long)+" >= 2")
		}
		either = append(either, "(\n  "+strings.Join(all, "\n  and ")+"\n)")
		factor, _ := o.factor(p).Float64()
		words = append(words, fmt.Sprintf(o.b.words.of("at ×%s of what is allowed over %s and %s", "a ×%s de lo permitido en %s y en %s"), o.b.words.number(factor), long, short))
	}
	r := Rule{
		Alert: o.Name + alertSuffix[severity], Expr: strings.Join(either, "\nor\n"), Source: SourceSLO, Severity: severity,
		Labels: map[string]string{"slo": o.Name}, Evidence: o.evidence(), Metric: o.metric(), Window: o.b.pace.window(pairs[0].scaled(o.window).long),
		Steps:  o.Runbook,
		Impact: o.b.words.of("The objective is missed: ", "Se incumple el objetivo: ") + cmp.Or(o.Description, o.Name),
	}
	goal := o.b.words.number(o.Objective) + " %"
	r.Summary = literal(fmt.Sprintf(o.b.words.of("%s: the error budget burns fast", "%s: el presupuesto de errores se gasta rápido"), o.Name))
	if severity == domain.SeverityTicket {
		r.Summary = literal(fmt.Sprintf(o.b.words.of("%s: the error budget burns too fast to last", "%s: el presupuesto de errores no va a alcanzar"), o.Name))
	}
	r.condition = fmt.Sprintf(o.b.words.of("of the objective %s (%s in %s), the budget burns ", "del objetivo %s (%s en %s), el presupuesto se gasta "), o.Name, goal, length(o.window)) +
		strings.Join(words, o.b.words.of(", or ", ", o "))
	r.Description = literal(cased(r.condition)) +
		fmt.Sprintf(o.b.words.of(": %s are bad (job {{ $labels.job }}).", ": son malas %s (job {{ $labels.job }})."), o.b.words.template("$value | humanizePercentage"))
	return o.b.alert(r, func(r Rule) []trial { return o.trials(severity, pairs, r) })
}

func (o objective) evidence() Evidence {
	switch {
	case o.Good.FasterThan != 0:
		return EvidenceLatency
	case o.Good.Event != "":
		return EvidenceEvents
	}
	return EvidenceErrors
}

func (o objective) metric() string {
	switch {
	case o.Good.FasterThan != 0:
		return "response_duration"
	case o.Good.Event != "":
		return o.Total
	}
	return "requests"
}
