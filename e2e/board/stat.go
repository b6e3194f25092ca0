package main

import (
	"fmt"
	"strings"
)

// stat draws the last value of each series in the colour that the thresholds
// give it, over its curve if the panel wants one.
func (p *picture) stat(d panel, found []series, in area) error {
	each := in.w / float64(len(found))
	for i, s := range found {
		f, err := d.FieldConfig.field(s.name)
		if err != nil {
			return err
		}
		p.value(d, f, s, area{in.x + float64(i)*each, in.y, each, in.h})
	}
	return nil
}

func (p *picture) value(d panel, f field, s series, in area) {
	text, hue := f.formatted(s.last()), f.colourAt(s.last())
	place := in
	if d.Options.GraphMode == "area" && len(s.points) > 1 {
		h := in.h * 0.42
		p.spark(f, s, hue, area{in.x, in.bottom() - h, in.w, h})
		place.h -= h
	}
	if d.Options.TextMode == "value_and_name" {
		p.text(in.x, in.y+10, "quiet", cut(s.name, textSize, in.w))
		place = place.inset(0, 16, 0, 0)
	}
	size := min(44, place.h*0.72, in.w*0.92/widthOf(text, 1))
	p.text(in.x+in.w/2, place.y+place.h/2+size*0.34, "value", text, "data-value", fmt.Sprint(s.last()),
		"text-anchor", "middle", "style", fmt.Sprintf("font-size:%.0fpx;font-weight:600;fill:%s", size, hue))
}

// spark is a curve without an axis: from the lowest to the highest value.
func (p *picture) spark(f field, s series, hue string, in area) {
	low, high := s.points[0].value, s.points[0].value
	for _, point := range s.points {
		low, high = min(low, point.value), max(high, point.value)
	}
	if low > 0 && (high-low) < high*0.02 { // what does not change is not stretched
		low = 0
	}
	if high == low {
		high++
	}
	a := axis{low: low, high: high}
	var line strings.Builder
	for _, point := range s.points {
		fmt.Fprintf(&line, "%s,%s ", number(p.window.x(point.at, in)), number(a.y(point.value, in.inset(0, 2, 0, 2))))
	}
	first, last := p.window.x(s.points[0].at, in), p.window.x(s.points[len(s.points)-1].at, in)
	p.empty("polygon", "points", fmt.Sprintf("%s%s,%s %s,%s", line.String(), number(last), number(in.bottom()), number(first), number(in.bottom())), "fill", hue, "fill-opacity", "0.14")
	p.empty("polyline", "points", strings.TrimSpace(line.String()), "fill", "none", "stroke", hue, "stroke-width", 1.3, "stroke-opacity", "0.7")
}
