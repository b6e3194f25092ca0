package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/pprof"
	"time"

	"github.com/latido-dev/latido/domain"
)

// statusGone counts a request whose client left before the answer began, or
// whose handler then aborted it (nginx's 499, "client closed request"). It is
// outside of 5xx, so that it burns no error budget.
const statusGone = 499

// Middleware measures every request that next answers. The route is the
// request's Pattern, or what Config.Route says; without either the request
// counts as domain.Unmatched, and in the profile it has its method, and no endpoint. Where
// routes are known beforehand, prefer [Telemetry.NewServeMux] or
// [Telemetry.RouteHandler]. next must hand on the very request that it gets, or its
// Pattern is not seen.
//
// The status is the one that the client gets, as far as that can be known:
//   - 499 if the client left before the answer began. A context that ended for
//     another reason (Server.BaseContext, a deadline) leaves the status as it is.
//   - 503 if the handler runs in an http.TimeoutHandler that gave up on it. A
//     shorter deadline that is set between the two is taken for that handler's.
//   - 500 if the handler did not return: it panicked, or aborted the answer with
//     http.ErrAbortHandler while the client was there.
//
// What a writer of your own further out keeps back, replaces or throws away is
// not seen. Nor is a connection that breaks after the handler returned.
//
// A nil next is returned as it is. Middleware is safe for concurrent use.
func (t *Telemetry) Middleware(next http.Handler) http.Handler {
	if !t.recording() || isNil(next) {
		return next
	}
	measured := t.semconvMetrics(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := t.exchangeOf(w, r); x != nil { // measured further out
			defer x.nameByPattern(r, r.Pattern, x.named)
			next.ServeHTTP(w, r)
			return
		}
		x := t.begin(w, r)
		defer x.end()
		if name := t.routeOf(r); name != "" {
			r = x.bind(t.route(name), r, nil)
		} else {
			r = x.label(r)
		}
		x.ask = true
		w, x.out = x.writer(r)
		measured.ServeHTTP(w, x.out)
		x.returned = true
	})
}

// isNil reports whether net/http refuses a handler as nil.
func isNil(h http.Handler) bool {
	f, ok := h.(http.HandlerFunc)
	return h == nil || ok && f == nil
}

// routeOf is the route that a request's router, or the user, knows; "" if none.
func (t *Telemetry) routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return endpointOf(r.Pattern)
	}
	return t.resolve(r)
}

// resolve asks Config.Route. One that panics says nothing.
func (t *Telemetry) resolve(r *http.Request) (endpoint string) {
	if t.cfg.Route == nil {
		return ""
	}
	defer func() {
		if p := recover(); p != nil {
			endpoint = ""
			t.diagnostics.refused(refusedResolver).Add(1)
			t.diagnostics.once("resolver", func(log *slog.Logger) {
				log.Error("Config.Route panicked: its requests count as "+domain.Unmatched+"; it must answer for every request, before its handler too",
					"panic", fmt.Sprint(p))
			})
		}
	}()
	return t.cfg.Route(r)
}

// RouteHandler measures every request that next answers under one endpoint: the
// way in for router adapters, which know a handler's route. The status is
// recorded as [Telemetry.Middleware] says. Within a request that is being
// measured already, it only names the endpoint, and where a prefix of the path
// was stripped in between, the outer route's prefix stays in front: /v1/ and
// /users/{id} are /v1/users/{id}. A wrapper of the ResponseWriter in between
// needs Unwrap, as for http.ResponseController, or this is another request. A
// nil next is returned as it is. It is safe for concurrent use.
func (t *Telemetry) RouteHandler(endpoint string, next http.Handler) http.Handler {
	if !t.recording() || isNil(next) {
		return next
	}
	return &boundHandler{t: t, route: t.route(endpoint), next: next, measured: t.semconvMetrics(next)}
}

// boundHandler is a handler whose route is known.
type boundHandler struct {
	t     *Telemetry
	route *route
	next  http.Handler

	measured http.Handler // next, with otelhttp's metrics where they are asked for
}

func (h *boundHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.t.exchangeOf(w, r)
	if x != nil {
		out := x.bind(h.route, r, h.next)
		defer handBack(r, out)
		h.next.ServeHTTP(w, out)
		return
	}
	x = h.t.begin(w, r)
	defer x.end()
	w, x.out = x.writer(x.bind(h.route, r, h.next))
	h.measured.ServeHTTP(w, x.out)
	x.returned = true
}

// handBack gives a request what was found out on the copy that was handed on:
// middleware further out reads the pattern, and net/http removes the files of
// a form.
func handBack(r, out *http.Request) {
	if out == r {
		return
	}
	r.Pattern = out.Pattern
	if out.MultipartForm != nil {
		r.MultipartForm = out.MultipartForm
	}
}

// exchange is one request and its answer. It is at once the ResponseWriter
// that the handler gets (writer.go) and, unless Config says otherwise, the
// context that carries the endpoint, so that all of it is one allocation.
type exchange struct {
	t     *Telemetry
	rw    http.ResponseWriter
	r     *http.Request
	out   *http.Request // r as it was handed on
	path  string        // the request's, before a prefix is stripped from it
	named *route        // nil while it is not known
	route *routeMethod  // the same, with the request's method
	span  *requestSpan  // nil where none are made
	body  *watchedBody  // nil where nobody wants to know
	start time.Duration
	first time.Duration // from the start to the first flush, 0 for none
	ctx   requestContext

	sent     int64 // bytes of the body
	status   int32 // the first final one, 0 for none yet
	site     site  // who answered with a failure
	cut      bool  // the context had ended before it, as when a client leaves
	lost     bool  // a write failed, as when a client left
	late     bool  // a write was refused by http.TimeoutHandler
	hijacked bool
	inactive bool // it is no longer in the active requests
	notified bool // the handler listens for the client's leaving by itself
	returned bool // the handler did, rather than panic
	labelled bool // the goroutine carries the request's labels
	ask      bool // the route is asked for after the handler
}

// requestContext is the request's context with the route's profile labels,
// without the cost of merging label sets in each request.
type requestContext struct {
	context.Context
	labels context.Context
}

func (c *requestContext) Value(key any) any {
	if v := c.labels.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

func (t *Telemetry) begin(w http.ResponseWriter, r *http.Request) *exchange {
	var x *exchange
	if t.cfg.NoRequestContext {
		x = t.exchanges.Get().(*exchange)
	} else {
		x = new(exchange)
	}
	x.t, x.rw, x.r, x.out, x.start = t, w, r, r, monotonic()
	if r.URL != nil {
		x.path = r.URL.Path
	}
	t.activeRequests.Add(1)
	if t.tracing {
		x.startSpan()
	}
	return x
}

// bind names the route, labels the goroutine with it, and returns the request
// to hand on to a handler.
func (x *exchange) bind(route *route, r *http.Request, handler http.Handler) *http.Request {
	x.name(route, r, handler)
	return x.label(r)
}

// name gives the request the route of its innermost router. handler is what
// answers there, nil if that is not known.
func (x *exchange) name(inner *route, r *http.Request, handler http.Handler) {
	outer := x.named
	if x.ask && x.out.Pattern != "" {
		outer = x.t.route(endpointOf(x.out.Pattern))
	}
	if outer != nil && r.URL != nil && len(r.URL.Path) < len(x.path) {
		inner = x.t.mounted(outer, inner, strippedSegments(x.path, r.URL.Path), r.Method, handler)
	}
	x.named, x.ask = inner, false
	x.route = inner.method(methodIndex(x.r.Method))
}

// nameByPattern names the route by what a router found out, unless somebody
// has named it since. before is the request's pattern, and named its route,
// before that router.
func (x *exchange) nameByPattern(r *http.Request, before string, named *route) {
	if x.named != named {
		return
	}
	name := endpointOf(r.Pattern)
	if r.Pattern == before {
		name = x.t.resolve(r)
	}
	if name != "" {
		x.name(x.t.route(name), r, nil)
	}
}

// label labels the goroutine with what is known of the request, and returns the
// request to hand on.
func (x *exchange) label(r *http.Request) *http.Request {
	spanned, nested := x.spanContext(r), x.labelled
	ctx := spanned
	if ctx == nil {
		ctx = r.Context()
	}
	var labels context.Context
	if !x.t.cfg.Profiling.Disabled {
		labels = x.labels()
	}
	x.labelled = nested || labels != nil
	switch {
	case labels == nil || x.t.cfg.NoRequestContext:
		if labels != nil {
			pprof.SetGoroutineLabels(labels)
		}
		if spanned == nil {
			return r
		}
		return r.WithContext(spanned)
	case labelledContext(ctx):
		// The caller has labels of its own, which stay, or this is a router in a
		// router, where the inner one's name holds.
		labels = pprof.WithLabels(ctx, x.profileLabels())
		ctx = labels
	case nested: // with a context that somebody made anew
		ctx = &requestContext{ctx, labels}
	default:
		x.ctx = requestContext{ctx, labels}
		ctx = &x.ctx
	}
	pprof.SetGoroutineLabels(labels)
	return r.WithContext(ctx)
}

func labelledContext(ctx context.Context) (found bool) {
	pprof.ForLabels(ctx, func(string, string) bool {
		found = true
		return false
	})
	return found
}

// end records the request. It runs deferred, and lets a panic go on with the
// value that it had.
func (x *exchange) end() {
	took := monotonic() - x.start
	panicked := recover()
	t := x.t
	x.leave()
	switch { // the next request of this connection has labels of its own
	case x.ctx.labels != nil: // the caller was seen to have none
		pprof.SetGoroutineLabels(context.Background())
	case x.labelled:
		labels := x.r.Context()
		if outer := exchangeIn(x.rw); outer != nil && outer.labelled && outer.t.cfg.NoRequestContext {
			labels = outer.labels() // another Telemetry's, which are in no context
		}
		pprof.SetGoroutineLabels(labels)
	}
	handBack(x.r, x.out)
	// The pattern of a redirected CONNECT is no pattern but the path.
	if x.ask && (x.r.Method != http.MethodConnect || x.status != http.StatusTemporaryRedirect) {
		if name := t.routeOf(x.out); name != "" {
			x.route = t.route(name).method(methodIndex(x.r.Method))
		}
	}
	if x.route == nil {
		x.route = t.route(domain.Unmatched).method(methodIndex(x.r.Method))
	}
	if x.status == 0 && !x.hijacked { // the server answers, or somebody further out
		x.closeIfRefused(http.StatusOK)
	}
	status, failure := x.outcome(panicked)
	if failure != "" {
		t.countError(failure)
	}
	if t.tracing {
		x.endSpan(status, failure, panicked)
	}
	if status >= 400 {
		if status == statusGone {
			x.route.of.gone.Add(int64(took))
		}
		x.countFailure(status)
	}
	if x.first != 0 { // a stream: how long it lives is no latency
		took = x.first
	}
	x.route.observe(status, took)
	if t.exemplars && status != http.StatusSwitchingProtocols {
		x.route.duration.mark(x.span.SpanContext(), took.Seconds())
	}
	if t.cfg.NoRequestContext {
		*x = exchange{}
		t.exchanges.Put(x)
	}
	if panicked != nil {
		panic(panicked)
	}
}
