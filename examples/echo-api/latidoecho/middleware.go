package latidoecho

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/telemetry"
)

// Use installs Middleware, and binds each route as it is registered: its series
// exist before its first request, and what its handler allocates is given to
// its endpoint. Call it before the routes are registered. A callback that is
// set as Echo.OnAddRoute already is called first.
func Use(e *echo.Echo, tel *telemetry.Telemetry) {
	before := e.OnAddRoute
	e.OnAddRoute = func(r echo.Route) error {
		if before != nil {
			if err := before(r); err != nil {
				return err
			}
		}
		switch r.Method {
		case echo.RouteNotFound: // echo's own, for the rest of a group
		case echo.RouteAny:
			tel.BindRoute("", endpoint(r.Path), r.Handler)
		default:
			tel.BindRoute(r.Method, endpoint(r.Path), r.Handler)
		}
		return nil
	}
	e.Use(Middleware(tel))
}

// Middleware measures every request under the route that echo found for it.
// Install it with Echo.Use, before other middleware; with Echo.Pre there is no
// route yet, and every request would count as unmatched.
//
// An error that a handler returns is turned into the response by echo's error
// handler before the request is recorded, so that its status is the one that
// the client gets; behind a status of 500 or more it is counted by
// [telemetry.Telemetry.APIError]. It is returned as well, for middleware
// further out, as echo's own request logger does: an error handler of yours
// must leave a committed response alone. A panic is counted and goes on.
func Middleware(tel *telemetry.Telemetry) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return (&adapter{tel: tel, next: next}).serve
	}
}

// adapter stands between echo, which knows the route of a request, and
// telemetry, which wants to know it before the first one.
type adapter struct {
	tel  *telemetry.Telemetry
	next echo.HandlerFunc

	mu     sync.Mutex // held while a route is added
	routes atomic.Pointer[map[string]*route]
}

// route is one pattern of echo's, or all that has none.
type route struct {
	endpoint string
	calls    sync.Pool // of *call
}

func (a *adapter) serve(c *echo.Context) error {
	route := a.route(pattern(c))
	call := route.calls.Get().(*call)
	defer func() {
		call.c, call.response, call.err = nil, nil, nil
		route.calls.Put(call)
	}()

	// The measuring writer goes under echo's Response, where it sees what is
	// really sent, and where it is net/http's own that is wrapped.
	response, err := echo.UnwrapResponse(c.Response())
	if err != nil { // middleware further out has put a writer there that hides it
		outer := c.Response()
		response = echo.NewResponse(outer, c.Logger())
		c.SetResponse(response)
		defer c.SetResponse(outer)
	}
	inner := response.ResponseWriter
	defer func() { response.ResponseWriter = inner }()

	// What else reads Pattern, a span's http.route for one, says the same.
	r := c.Request()
	r.Pattern = route.endpoint
	call.c, call.response = c, response
	call.measured.ServeHTTP(inner, r)
	return call.err
}

// pattern is echo's pattern of a request, "" if no route matched.
func pattern(c *echo.Context) string {
	switch found := c.RouteInfo(); {
	case found.Name == echo.NotFoundRouteName, found.Name == echo.MethodNotAllowedRouteName, found.Method == echo.RouteNotFound:
		return "" // although Path may be that of a neighbour
	default:
		return found.Path
	}
}

// route finds the state of a pattern, or makes it. Patterns come from the
// program, so that there are few.
func (a *adapter) route(pattern string) *route {
	if known := a.routes.Load(); known != nil {
		if r := (*known)[pattern]; r != nil {
			return r
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	routes := map[string]*route{}
	if known := a.routes.Load(); known != nil {
		routes = maps.Clone(*known)
	}
	if r := routes[pattern]; r != nil {
		return r
	}
	r := &route{endpoint: endpoint(pattern)}
	r.calls.New = func() any {
		call := &call{tel: a.tel, next: a.next}
		call.measured = a.tel.RouteHandler(r.endpoint, call)
		return call
	}
	routes[pattern] = r
	a.routes.Store(&routes)
	return r
}

// call is one request on its way through telemetry. It is the http.Handler
// that telemetry measures, so that the handler of a route can be made before
// its requests, with no closure for each of them.
type call struct {
	tel      *telemetry.Telemetry
	next     echo.HandlerFunc
	measured http.Handler // this call, measured under its route

	c        *echo.Context
	response *echo.Response
	err      error
}

// ServeHTTP runs echo's handler with the writer and the request that
// telemetry gives.
func (call *call) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call.response.ResponseWriter = w
	call.c.SetRequest(r)
	call.err = call.next(call.c)
	if call.err == nil {
		return
	}
	call.c.Echo().HTTPErrorHandler(call.c, call.err)
	if _, status := echo.ResolveResponseStatus(call.response, call.err); status >= http.StatusInternalServerError {
		call.tel.APIError(call.err)
	}
}
