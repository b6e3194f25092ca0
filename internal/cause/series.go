package cause

import (
	"math"
	"slices"
	"sort"
	"strings"
	"time"
)

// figures are the series of the service, by their name.
type figures struct {
	byName map[string][]Series
	first  time.Time     // of the oldest sample: what appears later began at 0
	times  []time.Time   // of the samples of the series that has the most of them
	step   time.Duration // between two samples
}

func newFigures(all []Series) figures {
	f := figures{byName: map[string][]Series{}, step: time.Second}
	var gaps []time.Duration
	var longest []Point
	for _, s := range all {
		if slices.ContainsFunc(s.Points, noNumber) { // a series that ended, mostly
			s.Points = slices.DeleteFunc(slices.Clone(s.Points), noNumber)
		}
		if len(s.Points) == 0 {
			continue
		}
		f.byName[s.Name] = append(f.byName[s.Name], s)
		if at := s.Points[0].At; f.first.IsZero() || at.Before(f.first) {
			f.first = at
		}
		if len(s.Points) > len(longest) {
			longest = s.Points
		}
		if len(gaps) < 2000 {
			for i := 1; i < len(s.Points); i++ {
				gaps = append(gaps, s.Points[i].At.Sub(s.Points[i-1].At))
			}
		}
	}
	f.times = timesOf(longest)
	if len(gaps) > 0 {
		slices.Sort(gaps)
		f.step = max(gaps[len(gaps)/2], 10*time.Millisecond)
	}
	return f
}

func noNumber(p Point) bool { return math.IsNaN(p.Value) || math.IsInf(p.Value, 0) }

// has tells whether there is any series of a name.
func (f figures) has(name string) bool { return len(f.byName[name]) > 0 }

// counter is the series that counts an event: of a histogram, its _count.
func (f figures) counter(family string) string {
	if f.has(family + "_count") {
		return family + "_count"
	}
	return family
}

// place is the index of the first point after at.
func place(points []Point, at time.Time) int {
	return sort.Search(len(points), func(i int) bool { return points[i].At.After(at) })
}

// increase is how much a counter grew in a time, resets counted as a server does.
// A series that appears while others are there began at 0.
func (f figures) increase(s Series, r Range) float64 {
	i, end := place(s.Points, r.From), place(s.Points, r.To)
	if i >= end {
		return 0
	}
	sum := 0.0
	var last float64
	switch {
	case i > 0:
		last = s.Points[i-1].Value
	case s.Points[0].At.Sub(f.first) > f.step*3/2:
		last = 0
	default:
		last = s.Points[0].Value
	}
	for _, p := range s.Points[i:end] {
		if p.Value >= last {
			sum += p.Value - last
		} else {
			sum += p.Value
		}
		last = p.Value
	}
	return sum
}

func timesOf(points []Point) []time.Time {
	times := make([]time.Time, len(points))
	for i, p := range points {
		times[i] = p.At
	}
	return times
}

// span is how long the samples in a time are of, for a rate: from the last one
// before it to the last one within. A busy process is late with its newest.
func (f figures) span(r Range) float64 {
	last := func(at time.Time) int {
		return sort.Search(len(f.times), func(i int) bool { return f.times[i].After(at) }) - 1
	}
	from, to := r.From, r.To
	if f.first.After(from) {
		from = f.first
	}
	if i, j := last(from), last(to); j > max(i, 0) {
		from, to = f.times[max(i, 0)], f.times[j]
	}
	return max(to.Sub(from).Seconds(), f.step.Seconds())
}

// rate is a counter's increase a second.
func (f figures) rate(s Series, r Range) float64 { return f.increase(s, r) / f.span(r) }

// mean is a gauge's, and whether it was there.
func (f figures) mean(s Series, r Range) (float64, bool) {
	i, end := place(s.Points, r.From), place(s.Points, r.To)
	if i >= end {
		if i > 0 && r.To.Sub(s.Points[i-1].At) < 5*f.step {
			return s.Points[i-1].Value, true
		}
		return 0, false
	}
	sum := 0.0
	for _, p := range s.Points[i:end] {
		sum += p.Value
	}
	return sum / float64(end-i), true
}

// both is a figure of the two times.
type both struct{ before, after float64 }

func (b both) growth() float64 { return b.after - b.before }

// newest orders by what is now, and what is not seen now by what was.
func (b both) newest() float64 { return b.after + b.before/1e6 }

// ratio is after to before; a large number where there was nothing.
func (b both) ratio() float64 { return ratio(b.after, b.before) }

func (b both) plus(o both) both { return both{b.before + o.before, b.after + o.after} }

func ratio(a, b float64) float64 {
	switch {
	case a <= 0:
		return 0
	case b <= 0:
		return 1000
	}
	return min(a/b, 1000)
}

// rates are a counter's rates in both times, summed by what key makes of the
// labels; ok false leaves a series out.
func (f figures) rates(name string, t Times, key func(map[string]string) (string, bool)) map[string]both {
	sums := map[string]both{}
	for _, s := range f.byName[name] {
		if k, ok := key(s.Labels); ok {
			sums[k] = sums[k].plus(both{f.rate(s, t.Before), f.rate(s, t.After)})
		}
	}
	return sums
}

// gauge is a gauge's mean of both times, summed over its series.
func (f figures) gauge(name string, t Times) (b both, ok bool) {
	return f.gaugeOf(name, t, func(map[string]string) bool { return true })
}

func (f figures) gaugeOf(name string, t Times, of func(map[string]string) bool) (b both, ok bool) {
	for _, s := range f.byName[name] {
		if !of(s.Labels) {
			continue
		}
		before, _ := f.mean(s, t.Before)
		after, there := f.mean(s, t.After)
		b = b.plus(both{before, after})
		ok = ok || there
	}
	return b, ok
}

// amount is a counter's rate in both times, or a level's mean.
func (f figures) amount(s Series, t Times, level bool) (b both) {
	if !level {
		return both{f.rate(s, t.Before), f.rate(s, t.After)}
	}
	b.before, _ = f.mean(s, t.Before)
	b.after, _ = f.mean(s, t.After)
	return b
}

// total is the rate of a counter, all series together.
func (f figures) total(name string, t Times) both {
	return f.rates(name, t, func(map[string]string) (string, bool) { return "", true })[""]
}

// histograms are the names of the families of histograms, without their suffix.
func (f figures) histograms() []string {
	var names []string
	for name := range inOrder(f.byName) {
		if family, ok := strings.CutSuffix(name, "_sum"); ok && f.has(family+"_count") {
			names = append(names, family)
		}
	}
	slices.Sort(names)
	return names
}
