package evidence

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// The size of a flame graph, in the units of its picture.
const (
	flameWidth  = 1000
	flameRow    = 18
	flameLetter = 6.2 // of the width of a letter
	// leastFlame is the width below which a function is left out, and
	// deepestFlame how many calls are drawn.
	leastFlame   = 1.5
	deepestFlame = 48
)

// call is a function on a stack, with what it and what it calls cost.
type call struct {
	name  string
	place string
	cost  float64
	calls map[string]*call
}

// flame draws the samples of one endpoint as a picture without scripts: who
// calls is above, and a function is as wide as what it costs. It is empty if
// there are no samples.
func flame(p *profile.Profile, sampleType, endpoint string) template.HTML {
	root := &call{calls: map[string]*call{}}
	value := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == sampleType })
	if value < 0 {
		return ""
	}
	for _, s := range p.Sample {
		if !slices.Contains(s.Label[profiles.LabelEndpoint], endpoint) {
			continue
		}
		root.add(stackOf(s), float64(s.Value[value]))
	}
	if root.cost <= 0 {
		return ""
	}
	var b strings.Builder
	depth := root.draw(&b, root.cost, 0, 0)
	return template.HTML(fmt.Sprintf(`<svg class="flame" viewBox="0 0 %d %d" role="img">`, flameWidth, depth*flameRow) + b.String() + "</svg>") //nolint:gosec // draw escapes every name
}

// frame is a function and where it is.
type frame struct{ name, place string }

// stackOf is the stack of a sample from the request's handler on, the caller
// first: what stands above the SDK's own frame is the same for every endpoint.
func stackOf(s *profile.Sample) (stack []frame) {
	for _, location := range slices.Backward(s.Location) {
		for _, line := range slices.Backward(location.Line) {
			if line.Function == nil {
				continue
			}
			if strings.HasPrefix(line.Function.Name, serving) {
				stack = nil
				continue
			}
			place := fmt.Sprintf("%s:%d", line.Function.Filename[strings.LastIndexByte(line.Function.Filename, '/')+1:], line.Line)
			stack = append(stack, frame{line.Function.Name, place})
		}
	}
	return stack
}

// serving begins the names of the functions that call a handler.
const serving = "github.com/latido-dev/latido/telemetry."

func (c *call) add(stack []frame, cost float64) {
	c.cost += cost
	for _, f := range stack[:min(len(stack), deepestFlame)] {
		next := c.calls[f.name]
		if next == nil {
			next = &call{name: f.name, place: f.place, calls: map[string]*call{}}
			c.calls[f.name] = next
		}
		next.cost += cost
		c = next
	}
}

// draw draws what a function calls, and returns how many rows that takes.
func (c *call) draw(b *strings.Builder, whole, left float64, row int) (rows int) {
	rows = row
	calls := make([]*call, 0, len(c.calls))
	for _, one := range c.calls {
		calls = append(calls, one)
	}
	slices.SortFunc(calls, func(a, b *call) int { return cmp.Or(cmp.Compare(b.cost, a.cost), strings.Compare(a.name, b.name)) })
	for _, one := range calls {
		width := one.cost / whole * flameWidth
		if width < leastFlame {
			continue
		}
		name := stacks.Short(one.name)
		fmt.Fprintf(b, `<g><title>%s %s, %.1f %%</title><rect class="f%d" x="%.1f" y="%d" width="%.1f" height="%d"/>`,
			template.HTMLEscapeString(one.name), template.HTMLEscapeString(one.place), one.cost/whole*100, shade(one.name), left, row*flameRow, width, flameRow-1)
		if letters := int((width - 6) / flameLetter); letters >= 3 {
			if runes := []rune(name); len(runes) > letters {
				name = string(runes[:letters-1]) + "…"
			}
			fmt.Fprintf(b, `<text x="%.1f" y="%d">%s</text>`, left+3, row*flameRow+13, template.HTMLEscapeString(name))
		}
		b.WriteString("</g>")
		rows = max(rows, one.draw(b, whole, left, row+1), row+1)
		left += width
	}
	return rows
}

// shade is one of the colours of a picture, the same for one package.
func shade(function string) int {
	sum := 0
	pkg, _, _ := strings.Cut(function[strings.LastIndexByte(function, '/')+1:], ".")
	for _, r := range pkg {
		sum = sum*31 + int(r)
	}
	return (sum%4 + 4) % 4
}
