package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// curve is a series as it is drawn: on top of those below it, if it is stacked.
type curve struct {
	series
	field  field
	colour string
	base   []float64 // of each point
}

func (c curve) top(i int) float64 { return c.base[i] + c.points[i].value }

// timeseries draws lines over time, with the bounds and the marks, and a legend.
func (p *picture) timeseries(d panel, found []series, in area) error {
	curves, err := curvesOf(d, found)
	if err != nil {
		return err
	}
	if d.Options.Legend.ShowLegend {
		in = p.legend(d, curves, in)
	}
	f := curves[0].field
	low, high := curves[0].top(0), curves[0].top(0)
	for _, c := range curves {
		for i := range c.points {
			low, high = min(low, c.top(i)), max(high, c.top(i))
		}
	}
	if f.Custom.AxisLabel != "" {
		p.text(in.x, in.y+6, "tick", f.Custom.AxisLabel)
		in = in.inset(0, 14, 0, 0)
	}
	a := axisOf(f, low, high, max(2, int(in.h/34)))
	plot := in.inset(a.room(), 4, 4, 20)
	p.clock(plot)
	p.levels(a, plot)
	for _, m := range p.marks {
		x := p.window.x(m.at, plot)
		p.line(x, plot.y, x, plot.bottom(), "class", "mark", "stroke", m.color, "stroke-width", 1.2, "stroke-dasharray", "3 3")
	}
	p.bounds(f, a, plot)
	for _, c := range curves {
		p.curve(c, a, plot)
	}
	return nil
}

// bounds draws the thresholds that are within the axis.
func (p *picture) bounds(f field, a axis, plot area) {
	if mode := f.Custom.ThresholdsStyle.Mode; mode == "" || mode == "off" {
		return
	}
	for _, s := range f.Thresholds.Steps {
		if s.Value == nil || *s.Value < a.low || *s.Value > a.high {
			continue
		}
		y := a.y(*s.Value, plot)
		p.line(plot.x, y, plot.right(), y, "class", "threshold", "stroke", colour(s.Color), "stroke-width", 1.4, "stroke-dasharray", "7 4")
	}
}

// curve draws a series, in pieces where it has gaps.
func (p *picture) curve(c curve, a axis, plot area) {
	for from := 0; from < len(c.points); {
		to := from + 1
		for to < len(c.points) && c.points[to].at.Sub(c.points[to-1].at) <= c.step*3/2 {
			to++
		}
		var line, ground strings.Builder
		for i := from; i < to; i++ {
			x := number(p.window.x(c.points[i].at, plot))
			fmt.Fprintf(&line, "%s,%s ", x, number(clamped(a.y(c.top(i), plot), plot)))
		}
		for i := to - 1; i >= from; i-- {
			if i < to-1 && i > from && c.base[i] == c.base[i-1] && c.base[i] == c.base[i+1] {
				continue // on a straight line
			}
			fmt.Fprintf(&ground, "%s,%s ", number(p.window.x(c.points[i].at, plot)), number(clamped(a.y(c.base[i], plot), plot)))
		}
		if opacity := c.field.Custom.FillOpacity / 100; opacity > 0 && to-from > 1 {
			p.empty("polygon", "points", strings.TrimSpace(line.String()+ground.String()), "fill", c.colour, "fill-opacity", fmt.Sprint(opacity))
		}
		attributes := []any{"points", strings.TrimSpace(line.String()), "fill", "none", "stroke", c.colour, "stroke-width", max(1, c.field.Custom.LineWidth) * 1.4, "stroke-linejoin", "round"}
		if dash := c.field.Custom.LineStyle.Dash; len(dash) > 0 {
			attributes = append(attributes, "stroke-dasharray", strings.Trim(fmt.Sprint(dash), "[]"))
		}
		if to-from == 1 { // a polyline of one point is not seen without a cap
			attributes[1] = line.String() + strings.TrimSpace(line.String())
			attributes = append(attributes, "stroke-linecap", "round")
		}
		p.empty("polyline", attributes...)
		from = to
	}
}

// clamped keeps a height inside the area, where a panel's own bounds cut the axis.
func clamped(y float64, in area) float64 { return min(max(y, in.y), in.bottom()) }

// curvesOf looks up how each series is drawn, and stacks those that want it.
func curvesOf(d panel, found []series) ([]curve, error) {
	var names []string
	for _, s := range found {
		names = append(names, s.name)
	}
	chosen := colours(names)
	below := map[time.Time]float64{}
	var all []curve
	for i, s := range found {
		f, err := d.FieldConfig.field(s.name)
		if err != nil {
			return nil, err
		}
		c := curve{series: s, field: f, colour: chosen[i], base: make([]float64, len(s.points))}
		if f.Color.Mode == "fixed" {
			c.colour = colour(f.Color.FixedColor)
		}
		if f.DisplayName != "" {
			c.name = f.DisplayName
		}
		if f.Custom.Stacking.Mode == "normal" {
			for i, point := range s.points {
				c.base[i] = below[point.at]
				below[point.at] += point.value
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// legend draws the table below the curves and returns what is left above it.
func (p *picture) legend(d panel, curves []curve, in area) area {
	if l := d.Options.Legend; l.SortBy == "Max" && l.SortDesc {
		curves = slices.SortedStableFunc(slices.Values(curves), func(x, y curve) int { return cmp.Compare(y.most(), x.most()) })
	}
	rows := min(len(curves), max(1, int(in.h*0.4/lineRoom)-1))
	shown, more := curves[:rows], len(curves)-rows
	if more > 0 {
		shown, more = curves[:rows-1], more+1 // the last line counts them
		if rows == 1 {
			shown, more = curves[:1], 0 // a line at least; the panel shows the rest
		}
	}
	top := in.bottom() - float64(rows+1)*lineRoom + 6
	column := min(84.0, in.w/4)
	calcs := slices.Clone(d.Options.Legend.Calcs)
	x := func(i int) float64 { return in.right() - float64(len(calcs)-1-i)*column }
	for i, calc := range calcs {
		p.text(x(i), top+8, "tick", strings.TrimSuffix(calc, "NotNull"), "text-anchor", "end")
	}
	for i, c := range shown {
		y := top + 8 + float64(i+1)*lineRoom
		p.rect(area{in.x, y - 6, 14, 4}, "rx", 2, "fill", c.colour)
		p.text(in.x+20, y, "", cut(c.name, textSize, in.w-20-float64(len(calcs))*column))
		for k, calc := range calcs {
			value := c.last()
			if calc == "max" {
				value = c.most()
			}
			p.text(x(k), y, "", c.field.formatted(value), "text-anchor", "end")
		}
	}
	if more > 0 {
		p.text(in.x+20, top+8+float64(rows)*lineRoom, "quiet", fmt.Sprintf("… %d more", more))
	}
	return area{in.x, in.y, in.w, top - 8 - in.y}
}
