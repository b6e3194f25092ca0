package backtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
)

// episode is one time that an alert fired: from the evaluation at which it
// began to that at which it was resolved.
type episode struct {
	line     int // which alert
	from, to int // evaluations
	going    bool
}

// episodes are what Prometheus makes of the evaluations, in their order, at
// which an alert's condition held, among n of them. Its state machine is that
// of rules/alerting.go there: pending from the first of them until it held for
// hold; then firing, until it did not hold for keep. An evaluation without the
// condition ends what is pending at once; it makes no difference whether the
// condition was false or there were no data.
func episodes(held []int, n int, step, hold, keep time.Duration) []episode {
	var all []episode
	active, fired, last := -1, -1, -1       // since when; -1 for not at all
	absent := int((keep + step - 1) / step) // evaluations without the condition that do not resolve it
	resolved := func() int { return last + 1 + absent }
	for _, i := range held {
		switch {
		case active < 0:
		case fired < 0 && i > last+1:
			active = -1
		case fired >= 0 && i > resolved():
			all = append(all, episode{from: fired, to: resolved()})
			active, fired = -1, -1
		}
		if active < 0 {
			active = i
		}
		if fired < 0 && time.Duration(i-active)*step >= hold {
			fired = i
		}
		last = i
	}
	if fired >= 0 {
		e := episode{from: fired, to: resolved()}
		if e.to >= n {
			e.to, e.going = n-1, true
		}
		all = append(all, e)
	}
	return all
}

// line is one series of an answer: its labels, and its values at some of the
// evaluations.
type line struct {
	labels map[string]string
	key    string // the labels, for sorting
	at     []int
	values []float64
}

// alertsOf are the alerts that the series of an expression become: they have
// the rule's labels too. Two that become the same alert at once are an error in
// Prometheus, which then evaluates the rule no more.
func alertsOf(r alerting.Rule, lines []line) ([]line, error) {
	byKey := map[string]int{}
	var all []line
	for _, l := range lines {
		l.labels = maps.Clone(l.labels)
		delete(l.labels, "__name__")
		for name, value := range r.Labels {
			if !strings.Contains(value, "{{") { // a template, which says nothing here
				l.labels[name] = value
			}
		}
		l.key = remote.LabelText(l.labels)
		i, twice := byKey[l.key]
		if !twice {
			byKey[l.key] = len(all)
			all = append(all, l)
			continue
		}
		for j, at := range l.at {
			at0, there := slices.BinarySearch(all[i].at, at)
			if there {
				return nil, fmt.Errorf("two series become the same alert {%s}: Prometheus refuses to evaluate such a rule", strings.TrimSuffix(l.key, ","))
			}
			all[i].at = slices.Insert(all[i].at, at0, at)
			all[i].values = slices.Insert(all[i].values, at0, l.values[j])
		}
	}
	slices.SortFunc(all, func(a, b line) int { return strings.Compare(a.key, b.key) })
	return all, nil
}

// firing is what a rule would have done with one limit.
type firing struct {
	episodes []episode     // by their start, those of all alerts
	total    time.Duration // in which at least one alert fired
	longest  episode
}

// at is what the rule would have done with a limit; one without a limit of its
// own has already compared.
func (p *replayed) at(bound float64) firing {
	var f firing
	for i := range p.lines {
		for _, e := range episodes(p.held(i, bound), p.grid.n, p.grid.step, p.rule.For, p.rule.KeepFiring) {
			e.line = i
			f.episodes = append(f.episodes, e)
		}
	}
	slices.SortStableFunc(f.episodes, func(a, b episode) int { return a.from - b.from })
	until := -1
	for _, e := range f.episodes {
		if from := max(e.from, until); e.to > from {
			f.total += time.Duration(e.to-from) * p.grid.step
		}
		until = max(until, e.to)
		if e.to-e.from > f.longest.to-f.longest.from || f.longest == (episode{}) {
			f.longest = e
		}
	}
	return f
}

// held are the evaluations at which an alert's condition held.
func (p *replayed) held(i int, bound float64) []int {
	l := p.lines[i]
	if !p.limited {
		return l.at
	}
	var at []int
	for j, v := range l.values {
		if beyond(p.rule.Op, v, bound) {
			at = append(at, l.at[j])
		}
	}
	return at
}

// beyond compares as PromQL does: with NaN nothing holds.
func beyond(op string, v, bound float64) bool {
	switch op {
	case ">":
		return v > bound
	case "<":
		return v < bound
	}
	return v == bound
}
