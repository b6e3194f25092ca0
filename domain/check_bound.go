package domain

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// bound checks that a condition can be true, and can be false: any other
// alert is silent, or loud, for ever.
func (v *validator) bound(path, field string, q float64, stat Stat, m Metric) {
	at := join(path, field)
	unit := m.unitOf(stat)
	if v.unit != nil {
		if got := v.unit(at); got != "" && got != unit {
			v.add(at, "has the unit %s, but %s of %s is %s: write %s", unitWord(got), stat, m.Key, unitNoun(unit), inUnit(unit))
			return
		} else if meant := meantUnit(q, unit, stat, m); got == "" && meant != "" {
			v.add(at, "%s of %s is %s: write %s", stat, m.Key, unitNoun(unit), meant)
			return
		}
	}
	lowest, highest := lowest(m, stat), math.Inf(1)
	switch {
	case unit == "%" && (stat == StatRatio || m.Event == nil):
		highest = 100
	case m.Event == nil && m.Key == "build_info": // it is in its labels what it says
		lowest, highest = 1, 1
	case stat.Quantile() > 0 && len(m.Buckets) > 0: // beyond it there is no bound
		highest = highestBound(m)
	}
	switch {
	case lowest == highest:
		v.add(at, "%s of %s is always %g: name another metric", stat, m.Key, lowest)
	case q < lowest:
		v.add(at, "%s of %s is never below %g", stat, m.Key, lowest)
	case q > highest && stat.Quantile() > 0:
		v.add(at, "%s of %s is never above %s: a bound of this histogram is at most that", stat, m.Key, Quantity(highest))
	case q > highest:
		v.add(at, "%s of %s is never above %g", stat, m.Key, highest)
	case field == "above" && q == highest:
		v.add(at, "nothing is above %g here, so this would never fire", q)
	case field == "below" && q == lowest:
		v.add(at, "nothing is below %g here, so this would never fire: write equals: %g, or a higher number", q, q)
	case field == "equals" && !exact(q, unit, stat, m):
		v.add(at, "%s of %s is computed, and hardly ever %g exactly: write %s", stat, m.Key, q, around(q, stat))
	}
}

// unitOf is the unit of a statistic of the metric.
func (m Metric) unitOf(stat Stat) string {
	switch {
	case stat == StatRatio:
		return "%"
	case m.Kind == KindHistogram && (stat == StatRate || stat == StatIncrease):
		return "" // of how often, not of how much
	}
	return m.Unit
}

// meantUnit are the two readings of a number without a unit that is taken for
// one of another unit: 0.8 for 80 %, 300 for milliseconds, 80 for megabytes. It
// is "" for any other number.
func meantUnit(q float64, unit string, stat Stat, m Metric) string {
	switch {
	case unit == "%" && q > 0 && q <= 1:
		return fmt.Sprintf("%g%% or %g%%", math.Round(q*1e8)/1e6, q) // 0.07 * 100 is a little more than 7
	case unit == "By" && q > 0 && q < 1024:
		return fmt.Sprintf("%gMiB or %gB", q, q)
	case unit == "s" && m.Event == nil && m.Kind == KindHistogram && q >= 60:
		return fmt.Sprintf("%gms or %gs", q, q)
	}
	return ""
}

// plain checks a limit beside an expression, of which it is not known what unit
// its value has: of 5% it would not be clear whether 5 or 0.05 is meant.
func (v *validator) plain(at string, q Quantity) {
	if v.unit == nil {
		return
	}
	switch unit := v.unit(at); unit {
	case "":
	case "%":
		v.add(at, "has the unit %%, but the unit of an expression is not known: write %s if its value goes to 100, or %g if it goes to 1", q, float64(q)/100)
	default:
		v.add(at, "has the unit %s, but the unit of an expression is not known: write %s if its value is %s, and no unit", unitWord(unit), q, unitNoun(unit))
	}
}

// exact tells whether a figure can be just that number. What Prometheus computes
// can only be 0, or all: 3 events in a window are 3.08.
func exact(q float64, unit string, stat Stat, m Metric) bool {
	switch {
	case stat.Quantile() > 0:
		return false
	case stat == StatRatio:
		return q == 0 || q == 100
	case stat == StatRate || stat == StatIncrease || stat == StatMean:
		return q == 0
	case m.Event != nil && m.Kind == KindGauge: // the service sets it
		return true
	case unit == "%" || unit == "s" || unit == "By": // measured
		return q == 0 || unit == "%" && q == 100
	}
	return q == math.Trunc(q)
}

// around says what to write for a figure that is about that number.
func around(q float64, stat Stat) string {
	if stat == StatIncrease && q == math.Trunc(q) && q > 0 {
		return fmt.Sprintf("above: %g, or below: %g", q-0.5, q+0.5)
	}
	return "above or below"
}

// lasting checks that the condition can last for so long. One event is counted
// for as long as the window is; what fires on a single one must not wait longer.
func (v *validator) lasting(t Threshold, path string, stat Stat, m Metric) {
	if t.Above == nil || t.For == 0 || v.unread(path+".for") || v.unread(path+".window") {
		return
	}
	window := time.Duration(cmp.Or(t.Window, DefaultWindow))
	events := float64(*t.Above)
	switch stat {
	case StatIncrease:
	case StatRate:
		events *= window.Seconds() / cmp.Or(time.Duration(t.Per), time.Second).Seconds()
	default:
		return
	}
	if counts := m.Kind == KindHistogram || m.Unit != "s" && m.Unit != "By"; counts && events < 1 && time.Duration(t.For) >= window {
		v.add(path+".for", "one of %s is counted for %s only, and the condition would have to hold for %s: write a shorter for, or a window that is longer",
			m.Key, Duration(window), t.For)
	}
}

// lowest is the lowest value that a statistic can have. Only what an event
// measures goes below 0: a balance, or a refund.
func lowest(m Metric, stat Stat) float64 {
	switch {
	case m.Event == nil || m.Kind == KindCounter || stat == StatRate || stat == StatIncrease || stat == StatRatio:
		return 0
	case m.Kind == KindHistogram && !m.Signed(): // a value below 0 is refused
		return 0
	default:
		return math.Inf(-1)
	}
}

// unitWord is how the file writes a unit, unitNoun how one talks of it.
func unitWord(unit string) string {
	if unit == "By" {
		return "B"
	}
	return unit
}

// inUnit is what a limit in a unit may look like.
func inUnit(unit string) string {
	switch unit {
	case "s":
		return "one such as 300ms or 2s"
	case "By":
		return "one such as 256MiB"
	case "%":
		return "one such as 80%"
	}
	return "the number alone"
}

func unitNoun(unit string) string {
	switch unit {
	case "":
		return "a plain number"
	case "s":
		return "in seconds"
	case "By":
		return "in bytes"
	case "%":
		return "in percent"
	}
	return "a plain number, of " + unit
}
