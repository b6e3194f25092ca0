package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	barHeight    = 15.0
	topFunctions = 5
)

// flamegraph draws the functions that have most by themselves, and below them
// who calls whom: the root on top, a bar as wide as what it has with its calls.
func (p *picture) flamegraph(ctx context.Context, a asking, d panel, in area) error {
	if len(d.Targets) != 1 {
		return fmt.Errorf("a flame graph of %d queries: has one", len(d.Targets))
	}
	f, err := d.FieldConfig.field("")
	if err != nil {
		return err
	}
	g, err := a.flame(ctx, d.Targets[0])
	if err != nil {
		return err
	}
	if len(g.Levels) == 0 || len(g.Levels[0]) < 4 || g.Levels[0][1] == 0 {
		p.note(in, cmp.Or(f.NoValue, "No data"))
		return nil
	}
	total := g.Levels[0][1]
	self := g.Self()
	names := slices.SortedFunc(maps.Keys(self), func(x, y string) int {
		return cmp.Or(cmp.Compare(self[y], self[x]), strings.Compare(x, y))
	})
	for i, name := range names[:min(topFunctions, len(names))] {
		y := in.y + float64(i)*lineRoom + 10
		p.rect(area{in.x, y - 9, 8, 11}, "rx", 2, "fill", hueOf(name))
		p.text(in.x+14, y, "", cut(short(name), textSize, in.w-150))
		p.text(in.right()-58, y, "", f.formatted(float64(self[name])), "text-anchor", "end")
		p.text(in.right(), y, "quiet", fmt.Sprintf("%.1f %%", 100*float64(self[name])/float64(total)), "text-anchor", "end")
	}
	in = in.inset(0, topFunctions*lineRoom+8, 0, 0)
	levels := g.Levels
	if fit := int(in.h / barHeight); len(levels) > fit {
		levels = levels[:fit-1] // the last line counts them
		p.text(in.x, in.y+float64(fit)*barHeight-3, "quiet", fmt.Sprintf("… %d levels below", len(g.Levels)-len(levels)))
	}
	for i, level := range levels {
		var at int64
		for bar := range slices.Chunk(level, 4) {
			if len(bar) < 4 || bar[3] < 0 || bar[3] >= int64(len(g.Names)) {
				return fmt.Errorf("level %d of the flame graph: %v is no bar", i, bar)
			}
			at += bar[0]
			x, w := in.x+float64(at)/float64(total)*in.w, float64(bar[1])/float64(total)*in.w
			at += bar[1]
			p.bar(g.Names[bar[3]], f, bar[1], area{x, in.y + float64(i)*barHeight, w, barHeight - 1})
		}
	}
	return nil
}

// bar draws a function, if it is wide enough to be seen.
func (p *picture) bar(name string, f field, value int64, in area) {
	if in.w < 1 {
		return
	}
	p.rect(area{in.x, in.y, max(0.6, in.w-0.6), in.h}, "fill", hueOf(name))
	text := short(name)
	if name == "total" {
		text += " " + f.formatted(float64(value))
	}
	if in.w > 34 {
		p.text(in.x+4, in.y+10.5, "in", cut(text, 11, in.w-7))
	}
}

// short is a function with the last part of its package's path.
func short(name string) string {
	path, rest := name, ""
	if i := strings.IndexAny(name, "[("); i >= 0 { // a type parameter has a path of its own
		path, rest = name[:i], name[i:]
	}
	return path[strings.LastIndex(path, "/")+1:] + rest
}

// hueOf is the colour of a function's package.
func hueOf(name string) string {
	pkg, _, _ := strings.Cut(short(name), ".")
	return palette[hash(pkg)%len(palette)]
}
