package alerting

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/latido-dev/latido/domain"
)

// perInterval is how many requests there are from one sample to the next.
const perInterval = 100

// trials are those of a plain comparison: the alert fires just beyond the bound
// and not just before it, so that a rule with another bound fails. Each value
// is measured by a job of its own.
//
// There are none where no series can be made up: for a filter that matches
// nothing that could be thought of.
func (b builder) trials(q question, r Rule) []trial {
	fires, silent := q.values(r)
	match, other, found := q.examples(b.d)
	if !found {
		return nil
	}
	kept := b.target("job")
	for _, label := range q.labels()[1:] {
		kept[label] = match[label]
		if label == "instance" {
			kept[label] = drillInstance
		}
	}
	condition := r.Op + " " + number(r.Bound)

	drill := b.scene(r, condition+", "+number(fires[0]))
	begins := q.begins(fires[0], r, drill.interval) + r.For
	after := begins
	if q.fills() && fires[0] != 0 {
		after = max(after, q.window) // until then it is less
	}
	q.measure(drill, match, other, fires[0], after)
	drill.firesBy(after, kept, fires[0])
	drill.untested = true // below it is, with the others beside it

	all := b.scene(r, condition)
	all.waits(begins)
	if r.Op == "<" && q.fills() { // all are below until the window is full
		after = q.window + r.For + r.KeepFiring + 2*all.interval
	}
	now := check{after: after}
	for i, v := range append(fires, silent...) {
		labels := kept
		if i > 0 {
			labels = with(kept, "job", number(v))
		}
		all.target["job"] = labels["job"]
		q.measure(all, match, other, v, after)
		if i < len(fires) {
			now.alerts = append(now.alerts, firing{labels, v})
		}
	}
	all.checks = append(all.checks, now)
	trials := []trial{drill.trial, all.trial}
	if q.enough() > 0 {
		trials = append(trials, b.fewTrial(q, r, match, other, kept, fires[0]))
	}
	if q.absent != "" {
		trials = append(trials, b.scene(r, "no series at all").fires(r.For, b.target("job"), 0))
	}
	return trials
}

// fewTrial has just enough for the answer to say something, and just not.
func (b builder) fewTrial(q question, r Rule, match, other, kept map[string]string, v float64) trial {
	s := b.scene(r, fmt.Sprintf("at least %d", q.least))
	after := q.window + r.For
	each := func(n int) float64 { return float64(n) * float64(s.interval) / float64(q.window) }
	q.measureOf(s, match, other, v, each(q.least+1), after)
	s.as("too few")
	q.measureOf(s, match, other, v, each(q.least-1), after)
	return s.firesBy(after, kept, v)
}

// values are those with which the condition of a rule just holds, the first
// one for drills, and those with which it just does not.
func (q question) values(r Rule) (fires, silent []float64) {
	step := math.Abs(r.Bound) / 20
	if step == 0 {
		step = 2 // at 1 a prefix begins or ends, by the last bit
	}
	round := func(v float64) float64 {
		// Four digits are what the templates show: no more, or the last may differ.
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
		if q.unit() == "s" && math.Abs(v) >= 60 { // shown in whole seconds
			return math.Floor(v) + 0.5
		}
		return v
	}
	beyond := round(r.Bound + step)
	if top := q.highest(); beyond > top {
		beyond = (r.Bound + top) / 2
	}
	short := round(r.Bound - step)
	if r.Bound == 0 {
		short = 0
	}
	switch r.Op {
	case ">":
		return []float64{beyond}, []float64{short}
	case "<":
		if q.absent != "" { // nothing at all is what is feared
			return []float64{0, short}, []float64{beyond}
		}
		if r.Bound == 0 {
			return []float64{-step}, []float64{0}
		}
		return []float64{short}, []float64{beyond}
	default:
		if r.Bound == q.highest() {
			return []float64{r.Bound}, []float64{short}
		}
		return []float64{r.Bound}, []float64{beyond}
	}
}

// highest is what the answer cannot be beyond.
func (q question) highest() float64 {
	switch {
	case q.stat == domain.StatRatio:
		return 100
	case q.stat.Quantile() > 0:
		return q.metric.Buckets[len(q.metric.Buckets)-1]
	}
	return math.Inf(1)
}

// fills tells whether the answer grows until the window is full of samples.
func (q question) fills() bool { return q.stat == domain.StatRate || q.stat == domain.StatIncrease }

// stands tells whether the answer is a level, and not something that happens.
func (q question) stands() bool {
	return slices.Contains(domain.KindGauge.Stats(), q.stat) && q.metric.Kind != domain.KindHistogram
}

// begins is when the condition first holds, of series that start at 0.
func (q question) begins(v float64, r Rule, interval time.Duration) time.Duration {
	switch {
	case q.stands():
		return 0
	case !q.fills():
		return interval // a rate has two samples
	case r.Op == ">":
		samples := math.Floor(r.Bound/v*float64(q.window)/float64(interval)) + 1
		return min(time.Duration(samples)*interval, q.window)
	case q.absent != "" && q.by == "":
		return 0 // one sample alone is no growth, and so counts as 0
	default:
		return interval
	}
}

// measure adds series of which the answer to the question is v.
func (q question) measure(s *scene, match, other map[string]string, v float64, until time.Duration) {
	q.measureOf(s, match, other, v, max(perInterval, 2*float64(q.least)), until)
}

// measureOf is measure with so many requests from one sample to the next.
func (q question) measureOf(s *scene, match, other map[string]string, v, each float64, until time.Duration) {
	family := q.metric.Family
	seconds := s.interval.Seconds()
	switch {
	case q.stat.Quantile() > 0:
		for bound, n := range distribution(q.metric.Buckets, q.stat.Quantile(), v) {
			s.steady(family+"_bucket", with(match, "le", bound), 0, n*each, until)
		}
		s.steady(family+"_count", match, 0, each, until)
	case q.stat == domain.StatMean && q.metric.Kind == domain.KindHistogram:
		s.steady(family+"_count", match, 0, each, until)
		s.steady(family+"_sum", match, 0, each*v, until)
	case q.stat == domain.StatRate:
		per := cmp.Or(q.per.Seconds(), 1)
		s.steady(family+q.countSuffix(), match, 0, v*seconds/per, until)
	case q.stat == domain.StatIncrease:
		s.steady(family+q.countSuffix(), match, 0, v*seconds/q.window.Seconds(), until)
	case q.stat == domain.StatRatio:
		s.steady(family+q.countSuffix(), match, 0, v*each/100, until)
		if v < 100 {
			s.steady(family+q.countSuffix(), other, 0, (100-v)*each/100, until)
		}
	default:
		s.steady(family, match, v, 0, until)
	}
}

// with is labels and one more.
func with(labels map[string]string, name, value string) map[string]string {
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	all[name] = value
	return all
}

// distribution yields the buckets of a histogram, by their bounds and with the
// part of all values that they count, whose quantile is v.
func distribution(bounds []float64, quantile, v float64) func(yield func(string, float64) bool) {
	// The quantile lies in the bucket from lo to hi, at the part f of it.
	i, lo := 0, 0.0
	for i < len(bounds)-1 && v > bounds[i] {
		lo = bounds[i]
		i++
	}
	f := 1.0
	if hi := bounds[i]; hi > lo {
		f = (v - lo) / (hi - lo)
	}
	// Below the bucket, and below its end: so that quantile is the part f between.
	below, upTo := 0.0, 1.0
	if f <= quantile {
		below = (quantile - f) / (1 - f)
	} else {
		upTo = quantile / f
	}
	return func(yield func(string, float64) bool) {
		for j, bound := range bounds {
			part := 1.0
			switch {
			case j < i:
				part = below
			case j == i:
				part = upTo
			}
			if !yield(number(bound), part) {
				return
			}
		}
		yield("+Inf", 1)
	}
}
