package alerting

import (
	"cmp"
	"fmt"
	"math"
	"time"

	"github.com/latido-dev/latido/domain"
)

// trials of an alert on an objective: one on requests, of which just so many
// fail that this alert fires and, if it can be, no louder one; and for each
// pair of windows some on the recorded series, in which only that pair can
// decide, and each of its limits does.
func (o objective) trials(severity domain.Severity, pairs []burn, r Rule) []trial {
	trials := o.onRequests(severity, r)
	least := float64(cmp.Or(o.MinRequests, defaultMinRequests))
	for _, p := range pairs {
		limit, _ := o.limit(p).Float64()
		s := p.scaled(o.window)
		long, short := length(s.long), length(s.short)
		beyond, before := shown(min(limit*1.05, (1+limit)/2)), shown(limit*0.95)
		// recorded is a trial with what is counted in the two windows.
		recorded := func(name string, requests, ofLong, ofShort float64) *scene {
			c := o.b.scene(r, name)
			c.target = map[string]string{"job": o.b.d.Service(), "slo": o.Name, "domain": o.b.d.Prefix}
			for _, w := range []struct {
				name string
				bad  float64
			}{{long, ofLong}, {short, ofShort}} {
				c.steady(o.name("slo_requests", "increase"+w.name), nil, requests, 0, c.interval)
				c.steady(o.name("slo_errors", "increase"+w.name), nil, requests*w.bad, 0, c.interval)
			}
			return c
		}
		kept := o.b.target("job")
		many := max(1e6, 3*least)
		fires := recorded("beyond the limit in "+long+" and "+short, many, beyond, beyond)
		trials = append(trials,
			fires.firesBy(fires.interval, kept, beyond),
			recorded("before the limit in "+long, many, before, 1).silent(fires.interval),
			recorded("before the limit in "+short, many, 1, before).silent(fires.interval),
			recorded("too few requests in "+long, least-1, 1, 1).silent(fires.interval),
			recorded("only one is bad in "+long, least, 1/least, 1).silent(fires.interval),
		)
	}
	return trials
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
	n := math.Ceil(max(perInterval, float64(o.MinRequests)+1, 3/bad))
	s := o.b.scene(r, "too many are bad")
	if !o.add(s, n, bad, s.interval) {
		return nil
	}
	return []trial{s.firesBy(s.interval, map[string]string{"job": o.b.d.Service()}, bad)}
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
