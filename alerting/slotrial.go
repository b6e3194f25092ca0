package alerting

import (
	"fmt"
	"math"
	"time"

	"github.com/latido-dev/latido/domain"
)

// many are so many requests that no guard on few matters.
const many = 1e6

// burnCase is what is counted in a pair of windows.
type burnCase struct {
	name                      string
	requests, ofLong, ofShort float64 // how many, and which part of them is bad
	fires                     bool
}

// trials of an alert on an objective: one on requests, of which just so many
// fail that this alert fires and, if it can be, no louder one; and one on what
// is recorded, where every case is a job of its own, in which only one pair of
// windows can decide, and each of its limits does.
func (o objective) trials(severity domain.Severity, pairs []burn, r Rule) []trial {
	s := o.b.scene(r, "limits")
	now := check{after: s.interval}
	for _, p := range pairs {
		w := p.scaled(o.window)
		long, short := length(w.long), length(w.short)
		for _, c := range o.cases(p) {
			job := long + " and " + short + ": " + c.name
			s.target = map[string]string{"job": job, "slo": o.Name, "domain": o.b.d.Prefix}
			s.steady(o.name("slo_requests", "increase"+long), nil, c.requests, 0, s.interval)
			s.steady(o.name("slo_errors", "increase"+long), nil, c.requests*c.ofLong, 0, s.interval)
			s.steady(o.name("slo_requests", "increase"+short), nil, c.requests, 0, s.interval)
			s.steady(o.name("slo_errors", "increase"+short), nil, c.requests*c.ofShort, 0, s.interval)
			if c.fires {
				now.alerts = append(now.alerts, firing{map[string]string{"job": job}, c.ofLong})
			}
		}
	}
	s.checks = append(s.checks, now)
	return append(o.onRequests(severity, r), s.trial)
}

// cases are those in which a pair of windows alone decides.
func (o objective) cases(p burn) []burnCase {
	limit, _ := o.limit(p).Float64()
	least, enough := float64(o.least()), max(many, 10/limit, float64(o.least()))
	beyond, before := shown(min(limit*1.05, (1+limit)/2)), shown(limit*0.95)
	cases := []burnCase{
		{"beyond", enough, beyond, beyond, true},
		{"before in the long", enough, before, 1, false},
		{"before in the short", enough, 1, before, false},
	}
	if least > 0 {
		cases = append(cases, burnCase{"too few requests", 0.9 * least, 1, 1, false})
	}
	least = max(least, 1)
	if o.guarded(p) {
		least = max(least, 2)
		cases = append(cases, burnCase{"two are bad", least, 2 / least, 1, true}, burnCase{"one is bad", least, 1.9 / least, 1, false})
	}
	return append(cases, burnCase{"just enough requests", least, 1, 1, true})
}

// shown rounds to the digits that templates show.
func shown(v float64) float64 {
	var f float64
	_, _ = fmt.Sscan(fmt.Sprintf("%.4g", v), &f)
	return f
}

// onRequests is the alert's drill: as many fail as lies in the middle between
// its lowest limit and that of the next louder alert.
func (o objective) onRequests(severity domain.Severity, r Rule) []trial {
	lowest := func(s domain.Severity) float64 {
		limit := 1.0
		for _, p := range o.pairs(s) {
			f, _ := o.limit(p).Float64()
			limit = min(limit, f)
		}
		return limit
	}
	from, to := lowest(severity), 1.0
	if severity == domain.SeverityTicket {
		to = lowest(domain.SeverityPage)
	}
	bad := shown((from + min(to, 4*from)) / 2)
	n := math.Ceil(max(perInterval, float64(o.least())+1, 3/bad))
	s := o.b.scene(r, "too many are bad")
	after := 2 * s.interval // an alert reads long windows as they were at the evaluation before
	if !o.add(s, n, bad, after) {
		return nil
	}
	return []trial{s.firesBy(after, map[string]string{"job": o.b.d.Service()}, bad)}
}

// add adds series that count n from one sample to the next, of which a part is
// bad. It reports whether there can be such series.
func (o objective) add(s *scene, n, bad float64, until time.Duration) bool {
	labels := func(metric, label, filter string) (map[string]string, string, bool) {
		m := o.b.metric(metric)
		where := o.Where
		if label != "" {
			where = with(o.Where, label, filter)
		}
		match, _, ok := question{metric: m, where: where}.examples(o.b.d)
		return match, m.Family, ok
	}
	switch {
	case o.Good.Status != "":
		good, family, ok := labels("requests", "status", o.Good.Status)
		failed, _, found := labels("requests", "status", negated(o.Good.Status))
		if ok && found {
			s.steady(family, good, 0, n*(1-bad), until)
			s.steady(family, failed, 0, n*bad, until)
		}
		return ok && found
	case o.Good.FasterThan != 0:
		all, family, ok := labels("response_duration", "", "")
		if ok {
			s.steady(family+"_bucket", with(all, "le", number(time.Duration(o.Good.FasterThan).Seconds())), 0, n*(1-bad), until)
			s.steady(family+"_bucket", with(all, "le", "+Inf"), 0, n, until)
			s.steady(family+"_count", all, 0, n, until)
		}
		return ok
	default:
		good, goods, ok := labels(o.Good.Event, "", "")
		all, totals, found := labels(o.Total, "", "")
		if ok && found {
			s.steady(goods, good, 0, n*(1-bad), until)
			s.steady(totals, all, 0, n, until)
		}
		return ok && found
	}
}
