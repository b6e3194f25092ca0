package domain

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/spelling"
)

// DefaultWindow is what Threshold.Window 0 means.
const DefaultWindow = Duration(5 * time.Minute)

// How long the times of a threshold may be: a window that is longer reads
// more than most servers keep.
const (
	leastWindow = time.Second
	maxWindow   = 30 * 24 * time.Hour
	maxFor      = 7 * 24 * time.Hour
	maxMinCount = 1_000_000_000
)

// Stats lists the statistics that suit metrics of a kind; the first is the
// one that the empty Stat means.
func (k Kind) Stats() []Stat {
	switch k {
	case KindHistogram:
		return []Stat{StatP95, StatP50, StatP99, StatMean, StatRate, StatIncrease, StatRatio}
	case KindUpDown, KindGauge:
		return []Stat{StatValue, StatMean, StatMax, StatMin}
	default:
		return []Stat{StatRate, StatIncrease, StatRatio}
	}
}

// Quantile is the quantile that the statistic is: 0.95 of p95, and 0 of those
// that are none.
func (s Stat) Quantile() float64 {
	return map[Stat]float64{StatP50: 0.5, StatP95: 0.95, StatP99: 0.99}[s]
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func (v *validator) thresholds() {
	if len(v.d.Thresholds) > maxRules {
		v.add("thresholds", "%d thresholds, at most %d", len(v.d.Thresholds), maxRules)
		return
	}
	for i, t := range v.d.Thresholds {
		v.threshold(t, index("thresholds", i))
	}
}

// section is an alert, and the threshold or objective that makes it.
type section struct{ alert, name string }

// alertName checks the name of a threshold or objective, and that the alerts
// which are called after it are the only ones of their names, also in small
// letters: so the runbook calls their sections.
func (v *validator) alertName(path, name string, suffixes ...string) {
	if err := checkName(name, alertName, alertLetters); err != nil {
		v.check(path, err)
		return
	}
	for _, suffix := range suffixes {
		alert := name + suffix
		first, taken := v.sections[strings.ToLower(alert)]
		switch {
		case !taken:
			v.sections[strings.ToLower(alert)] = section{alert, name}
			continue
		case first == section{alert, name}:
			v.add(path, "the name %q is there twice", name)
		case first.alert == alert:
			v.add(path, "the alert %s is there twice, of %q and of %q: write another name", alert, first.name, name)
		default:
			v.add(path, "%q differs from %q in capitals only, and both would have the section #%s of the runbook: write another name",
				alert, first.alert, strings.ToLower(alert))
		}
		return
	}
}

// minCount checks a least number.
func (v *validator) minCount(path string, n *int) {
	if n != nil && (*n < 0 || *n > maxMinCount) {
		v.add(path+".min_count", "%d is not between 0 and %d", *n, maxMinCount)
	}
}

func (v *validator) threshold(t Threshold, path string) {
	v.alertName(path+".name", t.Name, "")
	subject := v.exactlyOne(path, map[string]bool{
		"metric": t.Metric != "", "event": t.Event != "", "expr": t.Expr != "", "heartbeat": t.Heartbeat,
	}, "metric", "event", "expr", "heartbeat")
	switch subject {
	case "metric":
		if m, ok := v.metricOf(path+".metric", t.Metric); ok {
			v.onMetric(t, path, m)
			v.alertTexts(t, path, &m)
		}
	case "event":
		if m, ok := v.eventOf(path+".event", t.Event); ok {
			v.onMetric(t, path, m)
			v.alertTexts(t, path, &m)
		}
	case "expr":
		v.withoutMetric(t, path, "expr")
		v.alertTexts(t, path, nil)
		if set := t.conditions(); len(set) > 1 {
			v.add(join(path, set[1]), "cannot stand beside %s", set[0])
		} else if len(set) == 1 {
			v.plain(join(path, set[0]), *t.quantities()[set[0]])
		}
	case "heartbeat":
		v.withoutMetric(t, path, "heartbeat")
		v.alertTexts(t, path, nil)
		if set := t.conditions(); len(set) > 0 {
			v.add(join(path, set[0]), "has no meaning with heartbeat, which always fires")
		}
	}
	quantities := t.quantities()
	for _, field := range sortedNames(quantities) {
		if q := quantities[field]; q != nil && (math.IsNaN(float64(*q)) || math.IsInf(float64(*q), 0)) {
			v.add(join(path, field), "is not a finite number")
		}
	}
	v.within(path+".window", t.Window, leastWindow, maxWindow)
	v.within(path+".per", t.Per, time.Second, 24*time.Hour)
	v.minCount(path, t.MinCount)
	v.within(path+".for", t.For, leastWindow, maxFor)
	v.within(path+".keep_firing", t.KeepFiring, leastWindow, maxFor)
	oneOf(v, path+".severity", t.Severity, severities...)
	if strings.Contains(strings.TrimSpace(t.Summary), "\n") {
		v.add(path+".summary", "has more than one line: put the rest into description")
	}
	v.steps(path+".runbook", t.Runbook)
	if t.Heartbeat && len(t.Mute) > 0 {
		v.add(path+".mute", "has no meaning with heartbeat: whoever waits for it would take its silence for a fault")
		return
	}
	v.mutes(path+".mute", t.Mute)
}

// steps checks the steps of a runbook.
func (v *validator) steps(path string, steps []string) {
	for i, step := range steps {
		if strings.TrimSpace(step) == "" {
			v.add(index(path, i), "is empty: write what to do")
		}
	}
}

// quantities are the fields with which a threshold compares.
func (t Threshold) quantities() map[string]*Quantity {
	return map[string]*Quantity{"above": t.Above, "below": t.Below, "equals": t.Equals}
}

// conditions are those of them that are set.
func (t Threshold) conditions() []string {
	q := t.quantities()
	return slices.DeleteFunc(sortedNames(q), func(name string) bool { return q[name] == nil })
}

// metricOf finds the metric of the contract, or says which one was meant.
func (v *validator) metricOf(path, name string) (Metric, bool) {
	m, ok := v.metrics[name]
	switch {
	case ok && m.Event == nil:
		return m, true
	case ok:
		v.add(path, "%q is an event: write event: %s", name, name)
	default:
		meant := didYouMean(name, v.keys)
		if meant == "" {
			if near := spelling.Nearest(name, v.names); near != "" {
				meant = ": there is an event " + near + ": write event: " + near
			} else {
				meant = ": the metrics are " + list(v.keys) + "; for a metric of others write expr"
			}
		}
		v.add(path, "unknown metric %q%s", name, meant)
	}
	return Metric{}, false
}

// eventOf finds the event, or says which one was meant.
func (v *validator) eventOf(path, name string) (Metric, bool) {
	i := slices.IndexFunc(v.d.Events, func(e Event) bool { return e.Name == name })
	switch {
	case i >= 0 && (v.unread(index("events", i)) || len(v.d.Events[i].Attributes) > maxAttributes): // has an error of its own
	case i >= 0:
		return v.named.eventMetric(&v.d.Events[i]), true
	case v.unread("events"): // it may be the one that could not be read
	case slices.Contains(v.keys, name):
		v.add(path, "%q is a metric, not an event: write metric: %s", name, name)
	default:
		v.add(path, "unknown event %q%s", name, meantOr(name, v.names, "the events are"))
	}
	return Metric{}, false
}

// withoutMetric refuses what only means something for a metric or event.
func (v *validator) withoutMetric(t Threshold, path, subject string) {
	for _, f := range []struct {
		name string
		set  bool
	}{{"stat", t.Stat != ""}, {"window", t.Window != 0}, {"per", t.Per != 0}, {"where", len(t.Where) > 0}, {"by", t.By != ""}, {"min_count", t.MinCount != nil}} {
		if f.set {
			v.add(join(path, f.name), "has no meaning with %s: leave it out", subject)
		}
	}
}

// onMetric checks what a threshold says about its metric.
func (v *validator) onMetric(t Threshold, path string, m Metric) {
	if slices.Contains(m.Attributes, "event") && len(v.d.costed()) == 0 && !v.unread("events") {
		v.add(path+".metric", "%s needs an event whose endpoint is known: add endpoint to the event, such as endpoint: /pedidos", m.Key)
	}
	stats := m.Kind.Stats()
	stat := t.Stat
	switch {
	case stat == "":
		stat = stats[0]
	case slices.Contains(stats, stat):
	case slices.Contains(KindHistogram.Stats(), stat) || slices.Contains(KindGauge.Stats(), stat):
		v.add(path+".stat", "%s is none of %s, which is a %s: write %s", stat, m.Key, m.Kind, listStats(stats))
		return
	default:
		v.add(path+".stat", "unknown stat %q%s", stat, meantOr(string(stat), strings.Split(listStats(stats), ", "), "write one of"))
		return
	}
	if stat == StatMean && m.Signed() {
		v.add(path+".stat", "there is no mean of %s: values below 0 make its sum fall, which Prometheus takes for a restart; write p50, or make an event for each sign", m.Key)
		return
	}
	if t.Per != 0 && stat != StatRate {
		v.add(path+".per", "only a rate is per time: add stat: rate, or leave it out")
	}
	if t.Window != 0 && stat == StatValue {
		v.add(path+".window", "a value has no window: write stat: mean, max or min for that over one, or leave it out")
	}
	if t.MinCount != nil && stat != StatRatio && stat.Quantile() == 0 && (stat != StatMean || m.Kind != KindHistogram) {
		v.add(path+".min_count", "only a quantile, a ratio and the mean of a histogram are of so many: leave it out")
	}
	if stat == StatRatio && len(t.Where) == 0 && !v.unread(path+".where") {
		v.add(path+".stat", "a ratio needs where, which says what is divided by all")
	}
	v.where(path+".where", t.Where, m, stat == StatRatio)
	if t.By != "" {
		v.label(path+".by", t.By, m)
	}
	field := v.exactlyOne(path, map[string]bool{"above": t.Above != nil, "below": t.Below != nil, "equals": t.Equals != nil}, "above", "below", "equals")
	if field != "" {
		v.bound(path, field, float64(*t.quantities()[field]), stat, m)
		v.lasting(t, path, stat, m)
	}
}

func listStats(stats []Stat) string {
	words := make([]string, len(stats))
	for i, s := range stats {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}
