package continuous

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// maxBound is how many functions may be bound to endpoints: ten methods of the
// thousand routes that telemetry keeps. What is bound beyond it is forgotten:
// its allocations are told apart by the functions that only it runs.
const maxBound = 10_000

// binding is what a function answers.
type binding struct {
	endpoint string // "" for one that answers several: no trace of any
	method   string // "" for any, or several
}

// BindEndpoint says which function answers an endpoint, as profiles name it,
// and for which method; "" is any. Heap profiles carry no labels: allocations
// are given to the endpoint by this frame.
//
// A function of another module or of the standard library, a mounted
// http.ServeMux or a wrapper, is the same for everybody who uses it, and is not
// bound. Nor is one that answers several endpoints, or that is seen to run for
// another one. At most 10,000 functions are bound. It is safe for concurrent
// use.
func (p *Profiler) BindEndpoint(method, endpoint, function string) {
	if p == nil || endpoint == "" || function == "" || stacks.Owner(function) != Own {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b, known := p.bound[function]
	switch {
	case !known && len(p.bound) >= maxBound:
		return
	case !known:
		b = binding{endpoint, method}
	case b.endpoint != endpoint:
		b = binding{}
	case b.method != method:
		b.method = ""
	}
	if p.bound == nil {
		p.bound = map[string]binding{}
	}
	p.bound[function] = b
}

// learn looks in a labelled profile for functions that run for another endpoint
// than the one that they are bound to: they are bound to none from now on.
func (p *Profiler) learn(labelled *profile.Profile) {
	if labelled == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	bound := map[*profile.Function]binding{}
	for _, f := range labelled.Function {
		if b, ok := p.bound[f.Name]; ok && b.endpoint != "" {
			bound[f] = b
		}
	}
	if len(bound) == 0 {
		return
	}
	for _, s := range labelled.Sample {
		if endpoint := stacks.Label(s, LabelEndpoint); endpoint == "" || !runsAnother(s, endpoint, bound) {
			continue
		}
		for _, f := range handled(stacks.Of(s), cpuDepth) {
			if b, ok := p.bound[f.Function]; ok && b.endpoint != stacks.Label(s, LabelEndpoint) {
				p.bound[f.Function] = binding{}
			}
		}
	}
}

// runsAnother reports whether a function of another endpoint is on the stack:
// hardly ever, so that it is looked at closely only then.
func runsAnother(s *profile.Sample, endpoint string, bound map[*profile.Function]binding) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if b, ok := bound[line.Function]; ok && b.endpoint != endpoint {
				return true
			}
		}
	}
	return false
}

// handled are the frames of a stack below the function that has called the
// request's handler: the innermost of them, where one mux is mounted in
// another. There are none on a stack that serves no request. Of one that the
// runtime has cut it is all that is left.
func handled(frames []stacks.Frame, depth int) []stacks.Frame {
	outermost := -1
	for i, f := range frames {
		switch placeOf(f.Function) {
		case boundaryPlace:
			return frames[:i]
		case labelPlace:
			outermost = i
		}
	}
	if outermost >= 0 {
		return frames[:outermost]
	}
	if len(frames) >= depth {
		return frames
	}
	return nil
}

// handlers tells which endpoint a stack without labels belongs to.
type handlers struct {
	bound    map[string]binding
	inferred map[string]binding // by functions that only this endpoint's labelled stacks have
}

// handlers are the functions that are bound to one endpoint only.
func (p *Profiler) handlers() handlers {
	h := handlers{bound: map[string]binding{}, inferred: map[string]binding{}}
	if p == nil {
		return h
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for function, b := range p.bound {
		if b.endpoint != "" {
			h.bound[function] = b
		}
	}
	return h
}

// endpoint looks from the root of a stack, where the handler is, and believes
// what was bound before what was inferred.
func (h handlers) endpoint(frames []stacks.Frame) (b binding, inferred bool) {
	if len(h.bound)+len(h.inferred) == 0 {
		return binding{}, false
	}
	frames = handled(frames, goroutineDepth)
	for i, m := range []map[string]binding{h.bound, h.inferred} {
		for _, f := range slices.Backward(frames) {
			if b, ok := m[f.Function]; ok {
				return b, i == 1
			}
		}
	}
	return binding{}, false
}

// infer finds, for endpoints that nobody bound to a function, the own functions
// that occur under this endpoint's label and under no other's.
func (h handlers) infer(labelled []*profile.Profile) {
	bound := map[binding]bool{}
	for _, b := range h.bound {
		bound[b] = true
	}
	owners := map[string]binding{} // without an endpoint: several have it
	for _, p := range labelled {
		for _, s := range p.Sample {
			b := binding{stacks.Label(s, LabelEndpoint), stacks.Label(s, LabelMethod)}
			if b.endpoint == "" {
				continue
			}
			for _, f := range stacks.Of(s) {
				if stacks.Owner(f.Function) != Own {
					continue
				}
				other, seen := owners[f.Function]
				switch {
				case !seen:
					owners[f.Function] = b
				case other.endpoint != b.endpoint:
					owners[f.Function] = binding{}
				case other.method != b.method:
					owners[f.Function] = binding{endpoint: b.endpoint}
				}
			}
		}
	}
	for function, b := range owners {
		if b.endpoint != "" && !bound[b] && !bound[binding{endpoint: b.endpoint}] {
			h.inferred[function] = b
		}
	}
}

// name is an endpoint with its method, as the label started_by has it:
// "POST /orders", or "/orders" where the method is not known.
func (b binding) name() string { return strings.TrimSpace(b.method + " " + b.endpoint) }
