package evidence

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// The flame graph's size. What is narrower than flameLeast of it is left out:
// nobody can point at it.
const (
	flameWidth  = 1200.0
	flameRow    = 18.0
	flameLeast  = 0.002
	maxFlame    = 2000 // boxes
	maxDepth    = 64
	letterWidth = 6.6
)

// box is one function of a flame graph, with those that it calls below it.
type box struct {
	X, Y, Width    float64
	Function, Text string // in full, and what fits
	Owner          string
	Share, Value   float64
}

// TextX and TextY are where the box's text begins.
func (b box) TextX() float64 { return b.X + 3 }

// TextY is its base line.
func (b box) TextY() float64 { return b.Y + 12.5 }

// flame is a flame graph, the callers on top.
type flame struct {
	Width, Height float64
	Boxes         []box
}

// node is one function as it was called in one way.
type node struct {
	name  string
	value float64
	calls map[string]*node
}

func (n *node) call(name string) *node {
	if n.calls == nil {
		n.calls = map[string]*node{}
	}
	if n.calls[name] == nil {
		n.calls[name] = &node{name: name}
	}
	return n.calls[name]
}

// newFlame draws a profile, nil if there is nothing in it.
func newFlame(p *profile.Profile, sampleType string) *flame {
	if p == nil {
		return nil
	}
	index := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == sampleType })
	if index < 0 {
		return nil
	}
	root := &node{}
	for _, s := range p.Sample {
		value := float64(s.Value[index])
		if value <= 0 {
			continue
		}
		root.value += value
		at, depth := root, 0
		for _, location := range slices.Backward(s.Location) {
			for _, line := range slices.Backward(location.Line) {
				if line.Function == nil || depth >= maxDepth {
					continue
				}
				at = at.call(line.Function.Name)
				at.value += value
				depth++
			}
		}
	}
	if root.value == 0 {
		return nil
	}
	f := &flame{Width: flameWidth}
	f.draw(root, 0, -1, root.value)
	return f
}

// draw adds a node's boxes: the widest first, so that a bound on their number
// leaves out the narrow ones of each level.
func (f *flame) draw(n *node, x float64, depth int, whole float64) {
	width := n.value / whole * flameWidth
	if len(f.Boxes) >= maxFlame || n.value < flameLeast*whole {
		return
	}
	if depth >= 0 {
		name := stacks.Short(n.name)
		y := float64(depth) * flameRow
		f.Boxes = append(f.Boxes, box{X: x, Y: y, Width: width, Function: name, Text: fit(name, width), Owner: stacks.Owner(n.name), Share: n.value / whole, Value: n.value})
		f.Height = max(f.Height, y+flameRow)
	}
	calls := make([]*node, 0, len(n.calls))
	for _, c := range n.calls {
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b *node) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.name, b.name)) })
	for _, c := range calls {
		f.draw(c, x, depth+1, whole)
		x += c.value / whole * flameWidth
	}
}

// fit cuts a name to a box's width.
func fit(name string, width float64) string {
	letters, runes := int((width-6)/letterWidth), []rune(name)
	switch {
	case letters >= len(runes):
		return name
	case letters < 4:
		return ""
	}
	return string(runes[:letters-1]) + "…"
}
