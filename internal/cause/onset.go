package cause

import (
	"math"
	"time"
)

// The times that are compared, at most and at least.
const (
	longestTime = 10 * time.Minute
	leastSteps  = 3 // samples
	beforeOf    = 5 // times the time that is asked for without an alert
)

// Compared chooses the two times: After from when the alert's figure changed,
// Before what ended before that. For a figure that creeps, Before is the oldest
// that is known. Without an alert, After is the last minute.
func Compared(in Input) Times {
	f := newFigures(in.Series)
	least := max(leastSteps*f.step, time.Second)
	a := in.Alert
	if a.ActiveAt.IsZero() {
		first := f.first
		if signal := f.signal(in, latency); len(signal) > 0 {
			first = signal[0].At.Add(-f.step) // before the first request there is nothing
		}
		length := max(time.Minute, least)
		if age := in.Now.Sub(first); !first.IsZero() && age < 3*time.Minute {
			length = max(age/4, least)
		}
		from := in.Now.Add(-length)
		before := Range{from.Add(-beforeOf * length), from}
		if before.From.Before(first) && before.To.After(first) {
			before.From = first
		}
		return Times{before, Range{from, in.Now}}
	}
	window := min(max(a.Window, least), longestTime)
	kind := symptomOf(in.Domain, a)
	signal := f.signal(in, kind)
	first := f.first // of what can be compared with
	answers := kind == latency || kind == failures || kind == gone
	if served := f.signal(in, latency); kind != traffic && kind != disk && len(served) > 0 && (answers || in.Now.Sub(served[0].At) > 4*least) {
		first = served[0].At.Add(-f.step) // before the first request there is nothing
	}
	lowest := first.Add(least) // something must be before it
	onset := maxTime(a.ActiveAt.Add(-window), lowest)
	at, changed := change(signal, a.direction(kind), lowest, in.Now.Add(-f.step))
	if changed {
		onset = at
	}
	after := Range{onset, in.Now}
	if after.Length() < least {
		after.From = in.Now.Add(-least)
	}
	if after.Length() > longestTime { // as it is now
		after.From = in.Now.Add(-longestTime)
	}
	length := min(max(after.Length(), 2*window, 10*f.step), longestTime)
	sign := onset // the first of it
	if changed {
		if at, ok := firstSign(signal, onset, onset.Add(-max(2*window, 10*f.step))); ok {
			sign = at
		}
		if answers {
			// Requests are counted at their end, and were in trouble from their begin.
			sign = sign.Add(-f.longest(in, sign))
		}
		sign = maxTime(sign, minTime(lowest.Add(f.step), onset))
	}
	before := Range{To: sign.Add(-f.step)}
	before.From = before.To.Add(-length)
	if before.From.Before(first) && before.To.After(first) {
		before.From = first
	}
	if kind == memory || kind == goroutines || kind == files || kind == disk {
		// What creeps was never at rest: the oldest time is the best one.
		before.From = first
		if before.To.Sub(first) > 2*longestTime+length {
			before.From = before.To.Add(-2*longestTime - length)
		}
		before.To = before.From.Add(min(length, max(before.To.Sub(before.From)/2, least)))
		after.From = maxTime(after.From, in.Now.Add(-max(window/2, 2*least)))
	}
	return Times{before, after}
}

// firstSign is when a signal was first as bad as it is from an onset on, for a
// moment: the last time before that, not before lowest. As long as it was never
// well, as in a service that starts and has no request yet, it is no sign.
func firstSign(signal []Point, onset, lowest time.Time) (time.Time, bool) {
	var before, after, n, k float64
	for _, p := range signal {
		if p.At.After(onset) {
			after, k = after+p.Value, k+1
		} else {
			before, n = before+p.Value, n+1
		}
	}
	if n == 0 || k == 0 {
		return time.Time{}, false
	}
	before, after = before/n, after/k
	half, well := (before+after)/2, false
	for i, p := range signal {
		switch bad := after > before && p.Value > half || after < before && p.Value < half; {
		case p.At.After(onset):
			return time.Time{}, false
		case !bad:
			well = true
		case well && p.At.After(lowest):
			return signal[i-1].At, true
		}
	}
	return time.Time{}, false
}

// longest is how long the requests may have taken that ended right after a time, of
// the endpoint of the alert's that became the slowest: twice their mean. It is 0 if
// none became slower.
func (f figures) longest(in Input, onset time.Time) (longest time.Duration) {
	m, _ := in.Domain.Metric("response_duration")
	t := Times{Range{f.first, onset}, Range{onset, onset.Add(leastSteps * f.step)}}
	of := func(l map[string]string) (string, bool) {
		return nameOf(l["method"], l["endpoint"]), sameService(in.Alert, l)
	}
	sums := f.rates(m.Family+"_sum", t, of)
	for name, n := range inOrder(f.rates(m.Family+"_count", t, of)) {
		mean := both{per(sums[name].before, n.before), per(sums[name].after, n.after)}
		if n.before > 0 && mean.ratio() > longer {
			longest = max(longest, time.Duration(min(2*mean.after, longestTime.Seconds())*float64(time.Second)))
		}
	}
	return longest
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// signal is the figure whose change is looked for, one value a step.
func (f figures) signal(in Input, kind symptom) []Point {
	name := func(key string) string { m, _ := in.Domain.Metric(key); return m.Family }
	of := func(labels map[string]string) bool { return sameService(in.Alert, labels) }
	duration := name("response_duration")
	requests := name("requests")
	switch kind {
	case latency, gone:
		time := f.steps(duration+"_sum", of)
		count := f.steps(duration+"_count", of)
		mean := quotient(time, count)
		if kind == gone {
			left := f.steps(requests, func(l map[string]string) bool { return of(l) && l["status"] == "499" })
			return quotient(left, f.steps(requests, of))
		}
		return mean
	case failures:
		bad := badFor(in.Domain, in.Alert)
		wrong := f.steps(requests, func(l map[string]string) bool { return of(l) && bad(l["status"]) })
		if in.Alert.Metric == "client_requests" {
			wrong = f.steps(name("client_requests"), func(l map[string]string) bool { return clientFailed(l["status"]) })
		}
		return quotient(wrong, f.steps(requests, of))
	case cpu:
		return f.levels(name("cpu_usage"))
	case memory:
		return f.levels(name("go_memory_used"))
	case goroutines:
		return f.levels(name("go_goroutine_count"))
	case files:
		return f.levels(name("process_open_fds"))
	case disk:
		return f.levels(name("disk_usage"))
	case traffic:
		return f.steps(requests, of)
	case event:
		family := name(in.Alert.Metric)
		if f.has(family+"_sum") && in.Alert.aboutSize(family) {
			return quotient(f.steps(family+"_sum", in.Alert.isOf), f.steps(family+"_count", in.Alert.isOf))
		}
		return f.steps(f.counter(family), in.Alert.isOf)
	}
	return nil
}

// sameService tells whether a series may be of what the alert is about: its
// endpoint and method, where the alert has them.
func sameService(a Alert, labels map[string]string) bool {
	for _, l := range []string{"endpoint", "method"} {
		if v := a.Labels[l]; v != "" && labels[l] != "" && labels[l] != v {
			return false
		}
	}
	return true
}

// grid are the times of the steps: those of the samples of the first series that
// has the most of them.
func (f figures) grid(name string) []time.Time {
	var longest []Point
	for _, s := range f.byName[name] {
		if len(s.Points) > len(longest) {
			longest = s.Points
		}
	}
	return timesOf(longest)
}

// steps is how much counters grew from one sample to the next, together.
func (f figures) steps(name string, of func(map[string]string) bool) []Point {
	times := f.grid(name)
	if len(times) < 2 {
		return nil
	}
	points := make([]Point, len(times)-1)
	for i := range points {
		points[i].At = times[i+1]
	}
	for _, s := range f.byName[name] {
		if !of(s.Labels) {
			continue
		}
		for i := range points {
			points[i].Value += f.increase(s, Range{times[i], times[i+1]})
		}
	}
	return points
}

// levels is a gauge, its series together.
func (f figures) levels(name string) []Point {
	times := f.grid(name)
	points := make([]Point, len(times))
	for i, at := range times {
		points[i].At = at
		for _, s := range f.byName[name] {
			if k := place(s.Points, at); k > 0 && at.Sub(s.Points[k-1].At) < 5*f.step {
				points[i].Value += s.Points[k-1].Value
			}
		}
	}
	return points
}

// quotient divides two signals that have the same times. Where there is nothing
// to divide by, the value before goes on; before the first one there is none.
func quotient(a, b []Point) []Point {
	at := map[int64]float64{}
	for _, p := range a {
		at[p.At.UnixMilli()] = p.Value
	}
	var points []Point
	last := 0.0
	for _, p := range b {
		if p.Value > 0 {
			last = at[p.At.UnixMilli()] / p.Value
		}
		if p.Value > 0 || len(points) > 0 {
			points = append(points, Point{p.At, last})
		}
	}
	return points
}

// direction is where the signal of an alert goes to make it fire: 1 up, -1 down, 0
// either.
func (a Alert) direction(kind symptom) float64 {
	switch {
	case kind == failures || kind == gone || kind == cpu:
		return 1 // also of a rule on how many were well
	case kind == latency: // those that have no end are in no mean
	case a.Op == ">":
		return 1
	case a.Op == "<" || a.Op == "==" && a.Bound == 0:
		return -1
	}
	return 0
}

// change finds where a signal changed the most in a direction, not before lowest
// and not after highest: the last time at which it was as before. It is not found
// in one that stays about the same.
func change(signal []Point, direction float64, lowest, highest time.Time) (time.Time, bool) {
	n := len(signal)
	if n < 2*leastSteps {
		return time.Time{}, false
	}
	// In logarithms, so that one very slow request does not hide the rest.
	scale := 0.0
	for _, p := range signal {
		scale += math.Abs(p.Value)
	}
	scale = scale / float64(n) / 100
	if scale == 0 {
		return time.Time{}, false
	}
	logs := make([]float64, n)
	whole, squares := 0.0, 0.0
	for i, p := range signal {
		logs[i] = math.Log(max(p.Value, 0) + scale)
		whole += logs[i]
		squares += logs[i] * logs[i]
	}
	best, at, sum := 0.0, -1, 0.0
	for i := 1; i < n; i++ {
		sum += logs[i-1]
		if signal[i].At.Before(lowest) || signal[i].At.After(highest) {
			continue
		}
		k := float64(i)
		apart := (whole-sum)/(float64(n)-k) - sum/k
		if apart*direction < 0 {
			continue
		}
		if score := apart * apart * k * (float64(n) - k); score > best {
			best, at = score, i
		}
	}
	if at < 0 {
		return time.Time{}, false
	}
	// Of all that varies, the change must be a good part.
	spread := squares - whole*whole/float64(n)
	if spread <= 0 || best/float64(n) < 0.3*spread {
		return time.Time{}, false
	}
	return signal[at-1].At, true
}

func clientFailed(status string) bool {
	switch status {
	case "5xx", "timeout", "dial", "tls", "error":
		return true
	}
	return false
}
