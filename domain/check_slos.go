package domain

import (
	"slices"
	"time"
)

// DefaultSLOWindow is what SLO.Window 0 means.
const DefaultSLOWindow = Duration(30 * 24 * time.Hour)

func (v *validator) slos() {
	if len(v.d.SLOs) > maxRules {
		v.add("slos", "%d objectives, at most %d", len(v.d.SLOs), maxRules)
		return
	}
	for i, s := range v.d.SLOs {
		v.slo(s, index("slos", i))
	}
}

func (v *validator) slo(s SLO, path string) {
	v.alertName(path+".name", s.Name, "BurnsFast", "BurnsSlowly") // as alerting/ calls them
	switch o := s.Objective; {
	case o == 0:
		v.add(path+".objective", "missing: write the percentage that must be good, such as 99.9")
	case !(o > 0 && o < 100): // NaN too
		v.add(path+".objective", "%g is not between 0 and 100: write the percentage that must be good, such as 99.9", o)
	case o <= 1:
		v.add(path+".objective", "%g is a percentage, so nearly all may fail (did you mean %g?)", o, o*100)
	}
	v.within(path+".window", s.Window, 24*time.Hour, 90*24*time.Hour)
	v.minCount(path, s.MinCount)
	v.steps(path+".runbook", s.Runbook)
	v.mutes(path+".mute", s.Mute)

	good := path + ".good"
	kind := v.exactlyOne(good, map[string]bool{
		"status": s.Good.Status != "", "faster_than": s.Good.FasterThan != 0, "event": s.Good.Event != "",
	}, "status", "faster_than", "event")
	if kind != "" && kind != "event" && s.Total != "" {
		v.add(path+".total", "only has a meaning when good is an event: leave it out")
	}
	switch kind {
	case "status":
		v.matcher(good+".status", "status", s.Good.Status, v.metrics["requests"], true)
		v.where(path+".where", s.Where, v.metrics["requests"], false)
	case "faster_than":
		v.within(good+".faster_than", s.Good.FasterThan, time.Millisecond, 24*time.Hour)
		v.where(path+".where", s.Where, v.metrics["response_duration"], false)
	case "event":
		v.goodEvent(s, path)
	}
}

// goodEvent checks an objective over two events, of which one counts all.
func (v *validator) goodEvent(s SLO, path string) {
	good, goodOK := v.eventOf(path+".good.event", s.Good.Event)
	if v.unread(path + ".total") {
		return
	}
	if s.Total == "" {
		v.add(path, "needs total, the event that counts all of which %q counts the good ones", s.Good.Event)
		return
	}
	total, totalOK := v.eventOf(path+".total", s.Total)
	if s.Total == s.Good.Event {
		v.add(path+".total", "is the event that counts the good ones, so that all would be good: name the one that counts all")
		return
	}
	for _, e := range []struct {
		at string
		m  Metric
		ok bool
	}{{path + ".good.event", good, goodOK}, {path + ".total", total, totalOK}} {
		if e.ok && e.m.Kind != KindCounter {
			v.add(e.at, "%q has the kind %s: an objective counts, so it needs a counter", e.m.Key, e.m.Kind)
		}
	}
	if goodOK {
		v.where(path+".where", s.Where, good, false)
	}
	if !goodOK || !totalOK {
		return
	}
	for _, label := range sortedNames(s.Where) {
		if at := key(path+".where", label); slices.Contains(good.labels(), label) && !slices.Contains(total.labels(), label) {
			v.add(at, "%s has no label %q, but %s has: both must", s.Total, label, s.Good.Event)
		}
	}
}
