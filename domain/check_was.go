package domain

import (
	"slices"
	"time"
)

// maxWas is how many former names an event may have.
const maxWas = 3

// former checks the former names of an event: they are series like others.
func (v *validator) former(e *Event, path string, series map[string]string) {
	at := path + ".was"
	switch {
	case len(e.Was) == 0 && e.WasUntil != "" && !v.unread(at):
		v.add(path+".was_until", "has no meaning without was, the former names")
		return
	case len(e.Was) > maxWas:
		v.add(at, "%d former names, at most %d: each has all the series of the event", len(e.Was), maxWas)
		return
	case len(e.Was) > 0 && e.WasUntil == "" && !v.unread(path+".was_until"):
		v.add(path, "needs was_until, the last day of its former names: was_until: %s", time.Now().AddDate(0, 3, 0).Format(time.DateOnly))
	}
	if _, err := time.Parse(time.DateOnly, e.WasUntil); err != nil && e.WasUntil != "" {
		v.add(path+".was_until", "%q is no date: write it as in 2027-03-31", e.WasUntil)
	}
	for i, name := range e.Was {
		if err := checkName(name, eventName, snakeLetters); err != nil {
			v.check(index(at, i), err)
			continue
		}
		old := *e
		old.Name, old.Was = name, nil
		for _, one := range seriesOf(v.named.eventMetric(&old)) {
			if who, taken := series[one]; taken {
				v.add(index(at, i), "%q is %s in Prometheus, as is %s: a former name belongs to nobody else", name, one, who)
				break
			}
			series[one] = "a former name of event \"" + e.Name + "\""
		}
		if slices.Contains(e.Was[:i], name) {
			v.add(index(at, i), "%q is there twice", name)
		}
	}
}
