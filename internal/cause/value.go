package cause

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// value is one value of an event's attribute that explains most of a change.
type value struct {
	event, text string // "uploads", "tenant=acme"
	share       float64
	what        string  // "count" or "size"
	level       bool    // the event goes up and down
	each        float64 // how many times as much of the event there is for each request
	both
}

// changedValues are the attribute values that most of an event's change is due
// to, while the others stay about as they were.
func (m *model) changedValues() (list []value) {
	for _, metric := range m.in.Domain.Metrics() {
		if metric.Event == nil || len(metric.Attributes) == 0 {
			continue
		}
		list = append(list, m.explained(metric.Key, "count", m.f.counter(metric.Family), isLevel(metric))...)
		if sum := metric.Family + "_sum"; m.f.has(sum) {
			list = append(list, m.explained(metric.Key, "size", sum, false)...)
		}
	}
	slices.SortFunc(list, func(a, b value) int { return cmp.Or(cmp.Compare(b.share, a.share), strings.Compare(a.text, b.text)) })
	return list
}

// timesOfEvent are those to compare an event in. It comes before what it brings
// about, and the time before ends at its first sign.
func (m *model) timesOfEvent(name string) Times {
	t := m.t
	if at, ok := firstSign(m.f.steps(name, func(map[string]string) bool { return true }), t.After.From, t.Before.From); ok && at.Before(t.Before.To) {
		t.Before = Range{maxTime(at.Add(-t.Before.Length()), minTime(m.f.first, at)), at}
	}
	return t
}

func (m *model) explained(event, what, name string, level bool) (list []value) {
	whole, byValue := m.countsOf(name, m.timesOfEvent(name), level)
	changed := whole.growth()
	n := max(whole.before, whole.after) * m.f.span(m.t.After)
	if what == "count" && !level && (n < 10 || math.Abs(changed)*m.f.span(m.t.After) < 3*math.Sqrt(n)) || math.Abs(changed) < 0.3*max(whole.before, whole.after) {
		return nil
	}
	labels := map[string]int{}
	for text := range byValue {
		name, _, _ := strings.Cut(text, "=")
		labels[name]++
	}
	for text, b := range inOrder(byValue) {
		name, _, _ := strings.Cut(text, "=")
		if labels[name] < 2 { // the only value explains nothing
			continue
		}
		share := b.growth() / changed
		if usual := per(b.before, whole.before); share >= 0.7 && share > usual+0.2 {
			list = append(list, value{event: event, text: text, share: min(share, 1), what: what, level: level, each: m.forEach(whole), both: b})
		}
	}
	return list
}

// forEach is how many times as much of something there is for each request as
// before.
func (m *model) forEach(whole both) float64 {
	return ratio(per(whole.after, m.requests.after), per(whole.before, m.requests.before))
}

// work are the kinds of claims that more work makes larger.
var work = []string{claimCPU, claimCollector, claimCall, claimReady, stacks.Pool, stacks.Lock, stacks.File, stacks.Client}

// moreWork is the part of the time that requests take more which is due to what
// one value brings: so many times as much of an event for each request. Whose work
// it is says more than where it is done.
func (m *model) moreWork(v value) (share float64) {
	if v.growth() <= 0 || v.each < 2 || v.level {
		return 0
	}
	for _, kind := range work {
		for _, c := range m.spentTime(kind) {
			if c.peer == "" {
				share += c.share
			}
		}
	}
	return share * v.share * (1 - 1/v.each) * (1 + 0.4*v.share)
}

// valueOfMost says which attribute value most of a change is due to, "" for none.
func (m *model) valueOfMost() string {
	list := m.changedValues()
	if len(list) == 0 {
		return ""
	}
	v := list[0]
	after, before := m.w.amounts(v.both, v.level)
	return m.w.Say("%s (%s): %s%s", "%s (%s): %s%s", v.event, v.text, after, m.w.was(before, m.w.figures))
}

// oneValue: one attribute value explains most of the change of an event, or of
// the traffic that is counted with it.
func oneValue(m *model) (list []Finding) {
	w := m.w
	for _, v := range m.changedValues() {
		score := m.reach[latency] * m.moreWork(v)
		if !v.level && v.growth() > 0 && v.each >= 2 {
			score = max(score, m.eachCore()*v.share*(1-1/v.each)*m.cores.growth())
		}
		if m.reach[event] > 0 && v.event == m.in.Alert.Metric {
			score = max(score, m.leftOfEvent()*v.share*0.95)
		} else if v.growth() > 0 && v.what == "count" && !v.level {
			more := m.reach[traffic] * 0.85 * m.trafficShare()
			for _, c := range m.spentTime(claimTraffic) {
				more = max(more, m.reach[latency]*c.share)
			}
			score = max(score, more*(1+0.1*v.share)) // whose requests they are says more than how many
		}
		if score < floor {
			continue
		}
		verb := w.T("grew", "creció")
		if v.growth() < 0 {
			verb = w.T("fell", "cayó")
		}
		after, before := w.amounts(v.both, v.level)
		list = append(list, Finding{
			Kind: "value", Score: score,
			Sentence: w.Say("%s (%s) %s from %s to %s: %s of the change; the other values are about as before.", "%s (%s) %s de %s a %s: el %s del cambio; los demás valores están casi como antes.",
				v.event, v.text, verb, before, after, w.Percent(v.share)),
			Next: w.Say("Look at what is special about %s: one client, one provider, one channel.", "Ver qué tiene de especial %s: un cliente, un proveedor, un canal.", v.text),
		})
		break
	}
	return list
}
