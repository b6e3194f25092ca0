package telemetry

import (
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"sync"

	"github.com/latido-dev/latido/domain"
)

// ServeMux is an http.ServeMux whose requests are measured: with the same
// patterns, precedence and answers. A request that no pattern matches counts
// as domain.Unmatched.
type ServeMux struct {
	t       *Telemetry
	mux     http.ServeMux
	handler http.Handler // mux, measured
	routes  sync.Map     // pattern to *route

	measured http.Handler // mux within a request that is measured
}

// NewServeMux returns a drop-in for http.NewServeMux. Each pattern is bound as
// it is registered: its series and profile labels exist before its first
// request. A pattern without a method has them for GET and POST; those of
// other methods begin with their first request. The label endpoint is the
// pattern without its method. A redirect that the mux sends by itself counts
// under the pattern that it leads to, a 404 or 405 as domain.Unmatched.
//
// Where one mux is mounted in another, the inner pattern is the endpoint. If a
// prefix of the path was stripped in between, the outer pattern's prefix stays
// in front of it: /v1/ and /users/{id} are /v1/users/{id}. A mux of another
// Telemetry counts what it serves for itself; the outer one counts it too,
// under the pattern at which that mux is mounted.
func (t *Telemetry) NewServeMux() *ServeMux {
	m := &ServeMux{t: t}
	m.handler = &m.mux
	if t.recording() {
		m.measured = t.semconvMetrics(&m.mux)
		m.handler = http.HandlerFunc(m.serve)
	}
	return m
}

// Handle registers a handler, as http.ServeMux.Handle: it panics if the pattern
// is wrong or clashes with one that is registered.
func (m *ServeMux) Handle(pattern string, handler http.Handler) {
	if isNil(handler) || !m.t.recording() {
		m.mux.Handle(pattern, handler) // which panics for nil, as everybody expects
		return
	}
	endpoint, method := endpointOf(pattern), ""
	if i := strings.IndexAny(pattern, " \t"); i > 0 {
		method = pattern[:i]
	}
	bound := &boundHandler{t: m.t, route: m.t.route(endpoint), next: handler, measured: handler}
	m.mux.Handle(pattern, bound)
	m.routes.Store(pattern, bound.route)
	m.t.bindRoute(method, endpoint, handler, true)
}

// HandleFunc registers a function, as http.ServeMux.HandleFunc.
func (m *ServeMux) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	if handler == nil {
		panic("http: nil handler") // as http.ServeMux does
	}
	m.Handle(pattern, http.HandlerFunc(handler))
}

// Handler returns the handler and pattern for a request, as
// http.ServeMux.Handler.
func (m *ServeMux) Handler(r *http.Request) (http.Handler, string) { return m.mux.Handler(r) }

// ServeHTTP answers a request with the handler whose pattern matches best.
func (m *ServeMux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.handler == nil { // not made by NewServeMux: nothing is measured
		m.mux.ServeHTTP(w, r)
		return
	}
	m.handler.ServeHTTP(w, r)
}

func (m *ServeMux) serve(w http.ResponseWriter, r *http.Request) {
	if x := m.t.exchangeOf(w, r); x != nil { // mounted in one that is measured
		outer := x.named
		m.mux.ServeHTTP(w, r)
		m.nameRedirect(x, outer, r)
		return
	}
	x := m.t.begin(w, r)
	defer x.end()
	w, x.out = x.writer(r)
	m.measured.ServeHTTP(w, x.out)
	m.nameRedirect(x, nil, x.out)
	x.returned = true
}

// nameRedirect names the route of what the mux answered by itself, where outer
// is still the route's name: a redirect has a pattern. One that is not
// registered is none: that of a redirected CONNECT is the path.
func (m *ServeMux) nameRedirect(x *exchange, outer *route, r *http.Request) {
	if x.named != outer || r.Pattern == "" {
		return
	}
	if found, ok := m.routes.Load(r.Pattern); ok && found != outer {
		x.name(found.(*route), r, nil)
	}
}

// BindRoute declares a route before its first request, as ServeMux does by
// itself: its series exist from now on, and what its handler allocates is given
// to the endpoint. Router adapters call it where a route is registered. method
// may be "" for any: the series of GET and POST exist then, those of other
// methods begin with their first request. handler is a function, an
// http.Handler or nil. It is safe for concurrent use.
func (t *Telemetry) BindRoute(method, endpoint string, handler any) {
	if t.recording() {
		t.bindRoute(method, endpoint, handler, false)
	}
}

// bindRoute declares a route. certain says that nothing stands before handler.
func (t *Telemetry) bindRoute(method, endpoint string, handler any, certain bool) {
	route := t.route(endpoint)
	if method != "" {
		route.method(methodIndex(method))
	} else { // each method is some twenty series
		route.method(methodIndex(http.MethodGet))
		route.method(methodIndex(http.MethodPost))
	}
	if handler != nil && route.endpoint != domain.Other { // that of too many routes
		if h := registeredAs(handler, certain); h.function != "" {
			route.answeredBy(method, h)
		}
		t.profiler.BindEndpoint(method, route.endpoint, functionName(handler))
	}
}

// endpointOf is the label of a pattern: without its method.
func endpointOf(pattern string) string {
	if i := strings.IndexAny(pattern, " \t"); i >= 0 {
		return strings.TrimLeft(pattern[i+1:], " \t")
	}
	return pattern
}

// functionName names the function that a handler runs, as profiles have it:
// the only trace of an endpoint in a heap profile, which has no labels. Methods
// that a type has from a field are named as its own, and are not found there.
func functionName(h any) string {
	t := reflect.TypeOf(h)
	if t.Kind() == reflect.Func {
		return functionOf(h)
	}
	if t.Kind() == reflect.Pointer {
		return t.Elem().PkgPath() + ".(*" + t.Elem().Name() + ").ServeHTTP"
	}
	return t.PkgPath() + "." + t.Name() + ".ServeHTTP"
}

// functionOf names a function value. That of a method has a wrapper, whose name
// ends in -fm; stacks have the method itself.
func functionOf(fn any) string {
	if f := functionPC(fn); f != nil {
		return strings.TrimSuffix(f.Name(), "-fm")
	}
	return ""
}

// functionPC is the function of a function value, nil for what is none.
func functionPC(fn any) *runtime.Func {
	if v := reflect.ValueOf(fn); v.Kind() == reflect.Func {
		return runtime.FuncForPC(v.Pointer())
	}
	return nil
}
