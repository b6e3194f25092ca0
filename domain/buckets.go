package domain

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// durationBuckets are the upper bounds, in seconds, of the duration histograms
// of a domain that gives none: 1 and 2.5 ms, which a fast route needs, and those
// of OpenTelemetry's http.server.request.duration
// (https://opentelemetry.io/docs/specs/semconv/http/http-metrics/). The limits
// of the domain are added to them.
var durationBuckets = []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

// defaultBuckets are the bounds of an event histogram that names none: the
// default of the OpenTelemetry SDK specification. The limits of the domain are
// added to them.
var defaultBuckets = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

// schedulerBuckets are bounds in seconds for the time that a goroutine waits
// to run: from what is normal to what a person notices. The Go runtime's own are
// some 150, which are folded into these and the limits of the domain.
var schedulerBuckets = []float64{1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 0.1, 1}

// SlowResponse is the p95 of response_duration, in seconds, above which the
// default rule response_p95 fires.
const SlowResponse = 1.0

// What a bound may be at most: of a duration so much that its nanoseconds fit
// into 64 bits, of other values what telemetry records at all.
const (
	maxDuration = 30 * 24 * time.Hour
	maxValue    = 1e300
)

// of are the bounds that the domain gives for a metric of the contract.
func (b Buckets) of(metric string) []Quantity {
	switch metric {
	case "response_duration":
		return b.ResponseDuration
	case "function_duration":
		return b.FunctionDuration
	}
	return nil
}

// Signed tells whether a histogram takes values below 0, which it does when one
// of its bounds is below 0. The sum of such values also falls, which Prometheus
// takes for a restart: there is no mean of them.
func (m Metric) Signed() bool { return len(m.Buckets) > 0 && m.Buckets[0] < 0 }

// bounded gives a histogram its bounds: those that are declared, and the limits
// of the domain. Prometheus knows of a bucket only how many values are in it,
// and guesses where: only at a bound does a quantile lie on the right side of
// a limit.
func (d Domain) bounded(m Metric) Metric {
	if m.Kind != KindHistogram {
		return m
	}
	if given := d.Buckets.of(m.Key); len(given) > 0 {
		m.Buckets = make([]float64, len(given))
		for i, q := range given {
			m.Buckets[i] = float64(q)
		}
	}
	signed, most := m.Signed(), highestBound(m)
	var limits []float64
	add := func(q float64) {
		if math.Abs(q) <= most && (q >= 0 || signed) { // any other has an error of its own
			limits = append(limits, q)
		}
	}
	// A quantile reads no more than the highest bound: beyond a limit there is another.
	above := func(limit float64) {
		if limit >= slices.Max(append(limits, m.Buckets...)) {
			add(beyond(limit, 1, most))
		}
	}
	for _, t := range d.Thresholds {
		if cmp.Or(t.Metric, t.Event) != m.Key || cmp.Or(t.Stat, m.Kind.Stats()[0]).Quantile() == 0 {
			continue
		}
		for _, q := range t.quantities() {
			if q != nil {
				add(float64(*q))
			}
		}
		if t.Above != nil {
			above(float64(*t.Above))
		}
		// Nor does it read less than the lowest one, where that is not above 0.
		if t.Below != nil && *t.Below <= 0 && float64(*t.Below) <= slices.Min(append(limits, m.Buckets...)) {
			add(beyond(float64(*t.Below), -1, most))
		}
	}
	if m.Key == "response_duration" {
		for _, s := range d.SLOs {
			if s.Good.FasterThan > 0 {
				add(time.Duration(s.Good.FasterThan).Seconds())
			}
		}
		if !slices.ContainsFunc(d.DefaultRules.Disable, func(rule string) bool { return rule == "response_p95" || rule == "all" }) {
			add(SlowResponse)
			above(SlowResponse)
		}
	}
	all := append(slices.Clone(m.Buckets), limits...)
	slices.Sort(all)
	m.Buckets = slices.Compact(all)
	return m
}

// beyond is a bound on the far side of a limit: as far from it as 0 is.
func beyond(limit, side, most float64) float64 {
	far := cmp.Or(math.Abs(limit), 1)
	return max(-most, min(limit+side*far, most))
}

// highestBound is what a bound of a histogram may be at most.
func highestBound(m Metric) float64 {
	if m.Event == nil {
		return maxDuration.Seconds()
	}
	return maxValue
}

// Combinations is how many combinations of attribute values the event has, with
// Other in each attribute.
func (e Event) Combinations() int {
	n := 1
	for _, values := range e.Attributes {
		n = min(n*(len(values)+1), math.MaxInt32)
	}
	return n
}

// Series is how many series an event may have in Prometheus at most. Each
// combination of a histogram has one for each bound, and three more: the last
// bucket, the sum and the count. It is 0 for a metric that is no event.
func (m Metric) Series() int {
	switch {
	case m.Event == nil:
		return 0
	case m.Kind == KindHistogram:
		return m.Event.Combinations() * (len(m.Buckets) + 3)
	}
	return m.Event.Combinations()
}

// durationBuckets checks the bounds of the histograms that every service has.
func (v *validator) durationBuckets() {
	for _, metric := range []string{"response_duration", "function_duration"} {
		path, given := "buckets."+metric, v.d.Buckets.of(metric)
		if len(given) > maxBuckets {
			v.add(path, "%d buckets, at most %d: each is a series of every route", len(given), maxBuckets)
			continue
		}
		bounds, wrong := make([]float64, len(given)), false
		for i, q := range given {
			at := index(path, i)
			bounds[i] = float64(q)
			unit := ""
			if v.unit != nil {
				unit = v.unit(at)
			}
			switch {
			case v.unread(at):
				wrong = true
			case unit != "" && unit != "s":
				v.add(at, "has the unit %s, but %s is in seconds: write 250ms, 2s or 1h", unitWord(unit), metric)
			case q <= 0 || bounds[i] > maxDuration.Seconds():
				v.add(at, "%s s is no bound of a duration: write more than 0, and at most %s", q, Duration(maxDuration))
			}
		}
		if !wrong {
			v.rising(path, bounds)
			v.fewBounds(path, len(given), v.metrics[metric])
		}
	}
}

// fewBounds checks that limits do not make too many bounds of those declared.
func (v *validator) fewBounds(path string, declared int, m Metric) {
	if declared <= maxBuckets && len(m.Buckets) > maxBuckets {
		v.add(path, "with the limits of thresholds and objectives %s has %d bounds, at most %d: each is a series", m.Key, len(m.Buckets), maxBuckets)
	}
}

// rising checks that bounds are finite, and in order.
func (v *validator) rising(path string, bounds []float64) {
	for i, b := range bounds {
		switch {
		case math.IsNaN(b) || math.IsInf(b, 0):
			v.add(index(path, i), "%g is no bound: write a finite number, +Inf is added by itself", b)
		case math.Abs(b) > maxValue:
			v.add(index(path, i), "%g is beyond what can be recorded: write at most %g", b, maxValue)
		case i > 0 && b <= bounds[i-1]:
			v.add(index(path, i), "%g does not rise above %g, the bound before it", b, bounds[i-1])
		}
	}
}
