package main

import (
	"math"
	"time"
)

// axis is the upright one of a panel.
type axis struct {
	low, high float64
	ticks     []float64
	labels    []string
}

// axisOf covers the values from low to high and what the field wants to be
// seen, in whole steps, about n of them.
func axisOf(f field, low, high float64, n int) axis {
	if f.Custom.AxisSoftMin != nil {
		low = min(low, *f.Custom.AxisSoftMin)
	}
	if f.Custom.AxisSoftMax != nil {
		high = max(high, *f.Custom.AxisSoftMax)
	}
	if f.Min != nil {
		low = *f.Min
	}
	if f.Max != nil {
		high = *f.Max
	}
	if high <= low { // a flat line lies on the ground
		high = low + max(1e-9, math.Abs(low))
		if low == 0 {
			high = 1
		}
	}
	s := scalingOf(f.Unit)
	z := s.sizeOf(max(math.Abs(low), math.Abs(high)))
	step := round((high-low)/z.of/float64(n)) * z.of
	a := axis{low: math.Floor(low/step+1e-9) * step, high: math.Ceil(high/step-1e-9) * step}
	z = s.sizeOf(max(math.Abs(a.low), math.Abs(a.high))) // 1 ms, not 1000 µs
	decimals := max(0, -int(math.Floor(math.Log10(step/z.of)+1e-9)))
	for i := 0; a.low+float64(i)*step <= a.high+step/2; i++ {
		v := a.low + float64(i)*step
		label := s.before + fixed(v/z.of, decimals) + z.after
		a.ticks, a.labels = append(a.ticks, v), append(a.labels, label)
	}
	return a
}

// round is the next of 1, 2, 5, 10, 20 ... from v up.
func round(v float64) float64 {
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*base*(1+1e-9) {
			return m * base
		}
	}
	return 10 * base
}

// y is where a value is in an area.
func (a axis) y(v float64, in area) float64 {
	return in.bottom() - (v-a.low)/(a.high-a.low)*in.h
}

// x is where a time is in an area.
func (w window) x(at time.Time, in area) float64 {
	return in.x + float64(at.Sub(w.from))/float64(w.until.Sub(w.from))*in.w
}

// clock draws the times below an area and the lines up from them.
func (p *picture) clock(in area) {
	const room = 64 // pixels from one to the next at least
	step := 24 * time.Hour
	for _, s := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if float64(s)/float64(p.window.until.Sub(p.window.from))*in.w >= room {
			step = s
			break
		}
	}
	format := "15:04"
	switch {
	case step < time.Minute:
		format = "15:04:05"
	case step >= 24*time.Hour:
		format = "Jan 2"
	}
	for at := p.window.from.Truncate(step); !at.After(p.window.until); at = at.Add(step) {
		if at.Before(p.window.from) {
			continue
		}
		x := p.window.x(at, in)
		p.line(x, in.y, x, in.bottom(), "class", "grid")
		if x-in.x > 12 && in.right()-x > 12 { // else it would stand out of the panel
			p.text(x, in.bottom()+15, "tick", at.Format(format), "text-anchor", "middle")
		}
	}
}

// levels draws the labels of an upright axis and the lines beside them.
func (p *picture) levels(a axis, in area) {
	for i, v := range a.ticks {
		y := a.y(v, in)
		p.line(in.x, y, in.right(), y, "class", "grid")
		p.text(in.x-6, y+4, "tick", a.labels[i], "text-anchor", "end")
	}
}

// room is how wide the labels are.
func (a axis) room() float64 {
	var w float64
	for _, label := range a.labels {
		w = max(w, widthOf(label, tickSize))
	}
	return w + 8
}
