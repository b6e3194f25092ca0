package profiles

import (
	"slices"
	"strings"
	"sync"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// maxBound is how many functions may be bound to endpoints: ten methods of the
// thousand routes that telemetry keeps. What is bound beyond it is forgotten:
// its allocations are told apart by the functions that only it runs.
const maxBound = 10_000

// Binding is what a function answers.
type Binding struct {
	Endpoint string // "" for one that answers several: no trace of any
	Method   string // "" for any, or several
}

// Handlers are the functions that answer endpoints. The zero value has none. It
// is safe for concurrent use.
type Handlers struct {
	mu    sync.Mutex
	bound map[string]Binding // by the function's symbol
}

// Bind says which function answers an endpoint, and for which method: see
// continuous.Profiler.BindEndpoint.
func (h *Handlers) Bind(method, endpoint, function string) {
	if endpoint == "" || function == "" || stacks.Owner(function) != stacks.Own {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	b, known := h.bound[function]
	switch {
	case !known && len(h.bound) >= maxBound:
		return
	case !known:
		b = Binding{endpoint, method}
	case b.Endpoint != endpoint:
		b = Binding{}
	case b.Method != method:
		b.Method = ""
	}
	if h.bound == nil {
		h.bound = map[string]Binding{}
	}
	h.bound[function] = b
}

// Learn looks in a labelled profile for functions that run for another endpoint
// than the one that they are bound to: they are bound to none from now on.
func (h *Handlers) Learn(labelled *profile.Profile) {
	if labelled == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	bound := map[*profile.Function]Binding{}
	for _, f := range labelled.Function {
		if b, ok := h.bound[f.Name]; ok && b.Endpoint != "" {
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
		for _, f := range handled(stacks.Of(s), CPUDepth) {
			if b, ok := h.bound[f.Symbol]; ok && b.Endpoint != stacks.Label(s, LabelEndpoint) {
				h.bound[f.Symbol] = Binding{}
			}
		}
	}
}

// runsAnother reports whether a function of another endpoint is on the stack:
// hardly ever, so that it is looked at closely only then.
func runsAnother(s *profile.Sample, endpoint string, bound map[*profile.Function]Binding) bool {
	for _, location := range s.Location {
		for _, line := range location.Line {
			if b, ok := bound[line.Function]; ok && b.Endpoint != endpoint {
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

// Endpoints tells which endpoint a sample belongs to. It is of the moment in
// which it was made, and for one goroutine.
type Endpoints struct {
	bound    map[string]Binding
	inferred map[string]Binding // by functions that only this endpoint's labelled stacks have
}

// Endpoints are those of the functions that are bound to one endpoint only.
func (h *Handlers) Endpoints() Endpoints {
	e := Endpoints{bound: map[string]Binding{}, inferred: map[string]Binding{}}
	h.mu.Lock()
	defer h.mu.Unlock()
	for function, b := range h.bound {
		if b.Endpoint != "" {
			e.bound[function] = b
		}
	}
	return e
}

// OfStack looks from the root of a stack, where the handler is, and believes
// what was bound before what was inferred.
func (e Endpoints) OfStack(frames []stacks.Frame) (b Binding, inferred bool) {
	if len(e.bound)+len(e.inferred) == 0 {
		return Binding{}, false
	}
	frames = handled(frames, GoroutineDepth)
	for i, m := range []map[string]Binding{e.bound, e.inferred} {
		for _, f := range slices.Backward(frames) {
			if b, ok := m[f.Symbol]; ok {
				return b, i == 1
			}
		}
	}
	return Binding{}, false
}

// Infer finds, for endpoints that nobody bound to a function, the own functions
// that occur under this endpoint's label and under no other's.
func (e Endpoints) Infer(labelled []*profile.Profile) {
	bound := map[Binding]bool{}
	for _, b := range e.bound {
		bound[b] = true
	}
	owners := map[string]Binding{} // without an endpoint: several have it
	for _, p := range labelled {
		for _, s := range p.Sample {
			b := Binding{stacks.Label(s, LabelEndpoint), stacks.Label(s, LabelMethod)}
			if b.Endpoint == "" {
				continue
			}
			for _, f := range stacks.Of(s) {
				if stacks.Owner(f.Symbol) != stacks.Own {
					continue
				}
				other, seen := owners[f.Symbol]
				switch {
				case !seen:
					owners[f.Symbol] = b
				case other.Endpoint != b.Endpoint:
					owners[f.Symbol] = Binding{}
				case other.Method != b.Method:
					owners[f.Symbol] = Binding{Endpoint: b.Endpoint}
				}
			}
		}
	}
	for function, b := range owners {
		if b.Endpoint != "" && !bound[b] && !bound[Binding{Endpoint: b.Endpoint}] {
			e.inferred[function] = b
		}
	}
}

// Name is an endpoint with its method, as the label started_by has it:
// "POST /orders", or "/orders" where the method is not known.
func (b Binding) Name() string { return strings.TrimSpace(b.Method + " " + b.Endpoint) }

// Samples returns the samples of one endpoint: those with its label, or, in
// a heap profile, which has none, those on whose stack its handler is (see
// Handlers.Bind). The original is left as it is; the two share what they have in
// common, so that neither may be changed afterwards. It is never nil.
func (e Endpoints) Samples(all *profile.Profile, endpoint string) *profile.Profile {
	if all == nil {
		return &profile.Profile{}
	}
	of := e.Of(all)
	part := &profile.Profile{
		SampleType: all.SampleType, DefaultSampleType: all.DefaultSampleType, Comments: all.Comments,
		Mapping: all.Mapping, Location: all.Location, Function: all.Function, PeriodType: all.PeriodType, Period: all.Period,
		TimeNanos: all.TimeNanos, DurationNanos: all.DurationNanos,
	}
	for _, s := range all.Sample {
		if of(s).Endpoint == endpoint {
			part.Sample = append(part.Sample, s)
		}
	}
	return part
}

// Sums adds up a profile's values of one sample type by endpoint, as
// Samples has it: CPU seconds, bytes, or goroutines seen. What belongs to
// no endpoint is under "". It is never nil.
func (e Endpoints) Sums(sampleType string, all *profile.Profile) map[string]float64 {
	sums := map[string]float64{}
	if all == nil {
		return sums
	}
	i := stacks.Index(all, sampleType)
	if i < 0 {
		return sums
	}
	of, unit := e.Of(all), unitOf(all.SampleType[i])
	for _, s := range all.Sample {
		sums[of(s).Endpoint] += float64(s.Value[i]) * unit
	}
	return sums
}

// Of tells which endpoint and method a sample belongs to, by its labels
// or else by a handler that is bound to one endpoint only. Goroutines are told
// by their labels alone: without any they count for nobody.
func (e Endpoints) Of(all *profile.Profile) func(*profile.Sample) Binding {
	goroutines := stacks.Index(all, "goroutine") >= 0
	return func(s *profile.Sample) Binding {
		if endpoint := stacks.Label(s, LabelEndpoint); endpoint != "" {
			return Binding{endpoint, stacks.Label(s, LabelMethod)}
		}
		if stacks.Label(s, LabelStartedBy) != "" || goroutines && Unlabelled(s) {
			return Binding{}
		}
		by, _ := e.OfStack(stacks.Of(s))
		return by
	}
}
