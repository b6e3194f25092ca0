package alerting

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// trial is one set of series on which a rule is tried. The first trial of a
// rule is its drill.
type trial struct {
	name     string
	interval time.Duration
	series   []DrillSeries
	checks   []check
	untested bool // only for drills
}

// check is what must hold some time after the first sample: that these alerts
// of the rule fire, and no others.
type check struct {
	after  time.Duration
	alerts []firing
}

// firing is an alert that fires, with its labels and value.
type firing struct {
	labels map[string]string
	value  float64
}

// drillInstance is the address of the admin listener, which is the instance
// for a Prometheus beside it and in the process.
const drillInstance = "127.0.0.1:9464"

// target are labels that Prometheus gives to every series of the service.
func (b builder) target(names ...string) map[string]string {
	all := map[string]string{"job": b.d.Service(), "instance": drillInstance}
	labels := map[string]string{}
	for _, name := range names {
		labels[name] = all[name]
	}
	return labels
}

// scene is a trial as it is put together.
type scene struct {
	trial
	step   time.Duration     // before the end of its pending time, at which an alert is seen not to fire yet; 0 without one
	target map[string]string // labels of every series
}

// scene begins a trial of a rule.
func (b builder) scene(r Rule, name string) *scene {
	s := &scene{trial: trial{name: r.Alert + ": " + name, interval: b.interval(r)}, target: b.target("job", "instance")}
	if r.For > 0 {
		s.step = gcd(b.most(), r.For)
	}
	return s
}

// most is the longest time between two samples.
func (b builder) most() time.Duration {
	if b.pace.fast {
		return time.Second
	}
	return time.Minute
}

// interval is the time between the samples of a rule's trials. It divides the
// rule's times, so that it is known at which sample something begins, and a
// window has several samples.
func (b builder) interval(r Rule) time.Duration {
	i := b.most()
	for _, d := range []time.Duration{r.Window, r.For, r.KeepFiring} {
		i = gcd(i, d)
	}
	for r.Window > 0 && i*4 > r.Window {
		i /= 2
	}
	return i
}

func gcd(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// add adds a series with values in promtool's notation.
func (s *scene) add(family string, labels map[string]string, values string) {
	all := maps.Clone(s.target)
	maps.Copy(all, labels)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pairs = append(pairs, name+"="+strconv.Quote(all[name]))
	}
	s.series = append(s.series, DrillSeries{family + "{" + strings.Join(pairs, ",") + "}", values})
}

// steady adds a series that begins at start and grows by step with each
// sample, for a while and a little longer.
func (s *scene) steady(family string, labels map[string]string, start, step float64, until time.Duration) {
	step, _ = strconv.ParseFloat(strconv.FormatFloat(step, 'g', 9, 64), 64) // nobody reads 81.24999999999997
	sign := "+"
	if step < 0 {
		sign, step = "-", -step
	}
	s.add(family, labels, fmt.Sprintf("%s%s%sx%d", number(start), sign, number(step), int(until/s.interval)+1))
}

// fires says that the alert fires after a time, with the labels that its
// expression keeps, and that while it is pending it does not.
func (s *scene) fires(after time.Duration, kept map[string]string, value float64) trial {
	s.waits(after)
	return s.firesBy(after, kept, value)
}

// waits says that an alert which fires after a time does not before.
func (s *scene) waits(after time.Duration) {
	if s.step > 0 {
		s.checks = append(s.checks, check{after: after - s.step})
	}
}

// firesBy says only that it fires then.
func (s *scene) firesBy(after time.Duration, kept map[string]string, value float64) trial {
	s.checks = append(s.checks, check{after, []firing{{kept, value}}})
	return s.trial
}

// as has the series that follow come from another job.
func (s *scene) as(job string) *scene {
	s.target["job"] = job
	return s
}

// at has the series that follow come from another instance.
func (s *scene) at(instance string) *scene {
	s.target["instance"] = instance
	return s
}

// trialsOf makes up the trials of a rule, none of one that records.
func (r Rule) trialsOf() []trial {
	if r.trials == nil {
		return nil
	}
	return r.trials()
}

// finished adds to the labels of each alert those of its rule.
func finished(r Rule, trials []trial) []trial {
	for _, t := range trials {
		for _, c := range t.checks {
			for i, f := range c.alerts {
				labels := with(f.labels, "alertname", r.Alert)
				maps.Copy(labels, r.Labels)
				c.alerts[i].labels = labels
			}
		}
	}
	return trials
}
