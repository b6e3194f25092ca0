package continuous

import "github.com/latido-dev/latido/internal/profiles"

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
	if p != nil {
		p.handlers.Bind(method, endpoint, function)
	}
}

// endpoints tells which endpoint a sample belongs to, by what is bound now.
func (p *Profiler) endpoints() profiles.Endpoints {
	if p == nil {
		return new(profiles.Handlers).Endpoints()
	}
	return p.handlers.Endpoints()
}
