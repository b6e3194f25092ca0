package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// bucket is a row of a heat map: what was counted from the bound below it on.
type bucket struct {
	bound  float64 // +Inf for the last
	counts map[time.Time]float64
}

// heatmap draws how many values each bucket of a histogram got in each step.
func (p *picture) heatmap(d panel, f field, found []series, in area) error {
	buckets, err := bucketsOf(found)
	if err != nil {
		return err
	}
	var most float64
	for _, b := range buckets {
		for _, n := range b.counts {
			most = max(most, n)
		}
	}
	var labels []string
	room := 0.0
	for _, b := range buckets {
		label := "+Inf"
		if !math.IsInf(b.bound, 1) {
			label = f.formatted(b.bound)
		}
		labels, room = append(labels, label), max(room, widthOf(label, tickSize)+8)
	}
	plot := in.inset(room, 4, 4, 20)
	p.clock(plot)
	h := plot.h / float64(len(buckets))
	every := max(1, int(math.Ceil(15/h))) // labels that do not touch
	for i, b := range buckets {
		y := plot.bottom() - float64(i+1)*h
		if i%every == 0 {
			p.text(plot.x-6, y+4, "tick", labels[i], "text-anchor", "end")
		}
		p.cells(b, y, h, most, d, plot)
	}
	return nil
}

// cells draws a row: steps in a row of about the same colour are one cell.
func (p *picture) cells(b bucket, y, h, most float64, d panel, plot area) {
	const shades = 8
	exponent := cmp.Or(d.Options.Color.Exponent, 1)
	step := p.window.step
	shade := func(at time.Time) int {
		if n := b.counts[at]; n > d.Options.FilterValues.Le && most > 0 {
			return max(1, int(math.Round(math.Pow(n/most, exponent)*shades)))
		}
		return 0
	}
	for at := p.window.from.Truncate(step); at.Before(p.window.until); {
		until, n := at.Add(step), shade(at)
		for until.Before(p.window.until) && shade(until) == n {
			until = until.Add(step)
		}
		if n > 0 {
			x := p.window.x(at, plot)
			p.rect(area{x, y, p.window.x(until, plot) - x, h - 0.5}, "fill", colour("orange"), "fill-opacity", fmt.Sprintf("%.2g", 0.08+0.92*float64(n)/shades))
		}
		at = until
	}
}

// bucketsOf takes each cumulated bucket apart from the one below it.
func bucketsOf(found []series) ([]bucket, error) {
	var all []bucket
	for _, s := range found {
		bound, err := strconv.ParseFloat(s.labels["le"], 64)
		if err != nil {
			return nil, fmt.Errorf("a heat map of %v: has no label le with a number", s.labels)
		}
		b := bucket{bound, map[time.Time]float64{}}
		for _, point := range s.points {
			b.counts[point.at] = point.value
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(x, y bucket) int { return cmp.Compare(x.bound, y.bound) })
	for i := len(all) - 1; i > 0; i-- {
		for at := range all[i].counts {
			all[i].counts[at] -= all[i-1].counts[at]
		}
	}
	// Bounds beyond every value would only make the others small.
	none := func(b bucket) bool {
		for _, n := range b.counts {
			if n > 0 {
				return false
			}
		}
		return true
	}
	for len(all) > 1 && none(all[len(all)-1]) {
		all = all[:len(all)-1]
	}
	for len(all) > 1 && none(all[0]) {
		all = all[1:]
	}
	return all, nil
}
