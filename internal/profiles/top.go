package profiles

import (
	"cmp"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// Function is what a function costs. Seconds and bytes depend on the list that
// it is in.
type Function struct {
	Function string  `json:"function"`         // with its package's path
	File     string  `json:"file"`             // full path, as compiled
	Line     int64   `json:"line"`             // the line that costs the most
	Owner    string  `json:"owner"`            // Own, Dependency or Runtime
	Self     float64 `json:"self"`             // in the function itself
	Cum      float64 `json:"cum"`              // in it and in what it calls
	Share    float64 `json:"share"`            // of the list's total, by what the list is sorted by, 0 to 1
	Mostly   string  `json:"mostly,omitempty"` // for own code: the function in which most of its cost ends
}

// Line is what one line of own code costs, with all that it calls.
type Line struct {
	Function string  `json:"function"`
	File     string  `json:"file"`
	Line     int64   `json:"line"`
	Value    float64 `json:"value"`
	Share    float64 `json:"share"`
}

// Top says where a cost goes: CPU seconds or allocated bytes.
type Top struct {
	// Own are functions of own code by what they cost without the own
	// functions that they call: the first one is the bottleneck. Self is that
	// figure, Cum includes the own functions that it calls.
	Own []Function `json:"own"`
	// Lines are the hottest lines of own code.
	Lines []Line `json:"lines"`
	// Self and Cum list all functions, by what they cost themselves and
	// together with what they call. The server's and router's functions, which
	// are on every stack, are left out of an endpoint's Cum.
	Self []Function `json:"self"`
	Cum  []Function `json:"cum"`
}

// byFunction adds up the samples of one endpoint, region or process.
type byFunction struct {
	total float64
	self  map[string]*functionCost // by function
	own   map[string]*functionCost // by the innermost own function
	lines map[stacks.Frame]float64
}

// functionCost is what one function costs, by line for the one to point at, and for
// own code by the function in which it ended.
type functionCost struct {
	file      string
	self, cum float64
	byLine    map[int64]float64
	leaf      map[string]float64
}

func newByFunction() *byFunction {
	return &byFunction{self: map[string]*functionCost{}, own: map[string]*functionCost{}, lines: map[stacks.Frame]float64{}}
}

func at(m map[string]*functionCost, f stacks.Frame) *functionCost {
	c := m[f.Function]
	if c == nil {
		c = &functionCost{file: f.File, byLine: map[int64]float64{}, leaf: map[string]float64{}}
		m[f.Function] = c
	}
	return c
}

// add counts one stack.
func (t *byFunction) add(frames []stacks.Frame, value float64) {
	if len(frames) == 0 || value == 0 {
		return
	}
	t.total += value
	leaf := at(t.self, frames[0])
	leaf.self += value
	seen := make(map[string]bool, len(frames))
	for _, f := range frames {
		if seen[f.Function] { // recursion counts once
			continue
		}
		seen[f.Function] = true
		c := at(t.self, f)
		c.cum += value
		c.byLine[f.Line] += value
	}
	i := stacks.DeepestOwn(frames)
	if i < 0 {
		return
	}
	own := at(t.own, frames[i])
	own.self += value
	own.byLine[frames[i].Line] += value
	own.leaf[frames[0].Function] += value
	t.lines[frames[i]] += value
}

// top lists the top of each kind. Functions in everywhere are left out of Cum.
func (t *byFunction) top(top int, everywhere map[string]bool) Top {
	h := Top{
		Own:  t.functions(t.own, func(c *functionCost) float64 { return c.self }, top, nil),
		Self: t.functions(t.self, func(c *functionCost) float64 { return c.self }, top, nil),
		Cum:  t.functions(t.self, func(c *functionCost) float64 { return c.cum }, top, everywhere),
	}
	for i := range h.Own {
		h.Own[i].Cum = t.self[h.Own[i].Function].cum
	}
	for f, value := range t.lines {
		h.Lines = append(h.Lines, Line{f.Function, f.File, f.Line, value, value / t.total})
	}
	slices.SortFunc(h.Lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	h.Lines = h.Lines[:min(top, len(h.Lines))]
	return h
}

func (t *byFunction) functions(costs map[string]*functionCost, by func(*functionCost) float64, top int, without map[string]bool) []Function {
	list := make([]Function, 0, len(costs))
	for name, c := range costs {
		if by(c) <= 0 || without[name] {
			continue
		}
		f := Function{Function: name, File: c.file, Owner: stacks.Owner(name), Self: c.self, Cum: c.cum, Share: by(c) / t.total}
		f.Line = heaviest(c.byLine)
		if leaf := heaviest(c.leaf); leaf != name {
			f.Mostly = leaf
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Function) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Function, b.Function))
	})
	return list[:min(top, len(list))]
}

// onEveryStack are the functions under which nearly all of the cost of several
// endpoints lies: the server, the router, middleware.
func onEveryStack(endpoints map[string]*Usage) map[string]bool {
	const nearlyAll = 0.95
	seen, several := map[string]bool{}, map[string]bool{}
	for _, u := range endpoints {
		for name, c := range u.cpu.self {
			if c.cum >= nearlyAll*u.cpu.total {
				several[name] = several[name] || seen[name]
				seen[name] = true
			}
		}
	}
	return several
}

// heaviest is the key with the largest value, the smallest one of several.
func heaviest[K cmp.Ordered](m map[K]float64) (key K) {
	best := 0.0
	for k, v := range m {
		if v > best || v == best && k < key {
			key, best = k, v
		}
	}
	return key
}

// unitOf turns a sample's value into seconds where it is nanoseconds.
func unitOf(t *profile.ValueType) float64 {
	if t.Unit == "nanoseconds" {
		return 1e-9
	}
	return 1
}

// TopOf lists the functions and lines that cost the most in a profile, of one
// sample type: top of each kind. It is a pure function.
func TopOf(sampleType string, p *profile.Profile, top int) Top {
	return byFunctionOf(sampleType, p).top(top, nil)
}

// Total is the sum of a profile's values of one sample type: CPU seconds, or
// bytes. It is a pure function.
func Total(sampleType string, p *profile.Profile) float64 {
	return byFunctionOf(sampleType, p).total
}

func byFunctionOf(sampleType string, p *profile.Profile) *byFunction {
	t := newByFunction()
	if p == nil {
		return t
	}
	i := stacks.Index(p, sampleType)
	if i < 0 {
		return t
	}
	unit := unitOf(p.SampleType[i])
	for _, s := range p.Sample {
		t.add(stacks.Of(s), float64(s.Value[i])*unit)
	}
	return t
}
