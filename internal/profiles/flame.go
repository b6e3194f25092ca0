package profiles

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// The size of a flame graph, in the units of its picture. A box that is narrower
// than flameLeast of it is left out: nobody can point at it.
const (
	flameWidth  = 1200.0
	flameRow    = 18.0
	flameLeast  = 0.002
	maxFlame    = 2000 // boxes
	maxDepth    = 64
	letterWidth = 6.6
)

// Flame is a flame graph, the callers on top. A request's stack begins at its
// handler: what stands above it is the same for every endpoint.
type Flame struct {
	height float64
	boxes  []FlameBox
}

// FlameBox is one function of a flame graph, with those that it calls below it.
type FlameBox struct {
	Function, Place string  // with its package's path; file and line
	Share, Value    float64 // of the profile, 0 to 1; as the profile counts
	x, y, width     float64
}

// node is one function as it was called in one way.
type node struct {
	name, place string
	value       float64
	calls       map[string]*node
}

func (n *node) call(f stacks.Frame) *node {
	if n.calls == nil {
		n.calls = map[string]*node{}
	}
	if n.calls[f.Function] == nil {
		n.calls[f.Function] = &node{name: f.Function, place: fmt.Sprintf("%s:%d", path.Base(f.File), f.Line)}
	}
	return n.calls[f.Function]
}

// FlameOf draws a profile's values of one sample type, nil if it has none.
func FlameOf(p *profile.Profile, sampleType string) *Flame {
	if p == nil {
		return nil
	}
	index := stacks.Index(p, sampleType)
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
		frames := stacks.Of(s)
		if i := slices.IndexFunc(frames, func(f stacks.Frame) bool { return Serves(f.Function) }); i > 0 {
			frames = frames[:i]
		}
		at := root
		for _, f := range slices.Backward(frames[max(0, len(frames)-maxDepth):]) {
			at = at.call(f)
			at.value += value
		}
	}
	if root.value == 0 {
		return nil
	}
	f := &Flame{}
	f.draw(root, 0, -1, root.value)
	return f
}

// draw adds a node's boxes: the widest first, so that a bound on their number
// leaves out the narrow ones of each level.
func (f *Flame) draw(n *node, x float64, depth int, whole float64) {
	if len(f.boxes) >= maxFlame || n.value < flameLeast*whole {
		return
	}
	if depth >= 0 {
		y := float64(depth) * flameRow
		f.boxes = append(f.boxes, FlameBox{n.name, n.place, n.value / whole, n.value, x, y, n.value / whole * flameWidth})
		f.height = max(f.height, y+flameRow)
	}
	calls := slices.SortedFunc(maps.Values(n.calls), func(a, b *node) int { return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.name, b.name)) })
	for _, c := range calls {
		f.draw(c, x, depth+1, whole)
		x += c.value / whole * flameWidth
	}
}

// SVG is the picture, without scripts. A box has its function's owner as its
// class, and title as what a browser shows when it is pointed at.
func (f *Flame) SVG(title func(FlameBox) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<svg class=\"flame\" viewBox=\"0 0 %v %v\" role=\"img\">\n", flameWidth, f.height)
	for _, box := range f.boxes {
		fmt.Fprintf(&b, `<g><title>%s</title><rect class="%s" x="%.1f" y="%.0f" width="%.1f" height="%v"/>`,
			html.EscapeString(title(box)), stacks.Owner(box.Function), box.x, box.y, box.width, flameRow-1)
		if text := fit(stacks.Short(box.Function), box.width); text != "" {
			fmt.Fprintf(&b, `<text x="%.1f" y="%.0f">%s</text>`, box.x+3, box.y+12.5, html.EscapeString(text))
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>")
	return b.String()
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
