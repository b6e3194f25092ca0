package telemetry

import (
	"context"
	"errors"
	"net/http"
	"runtime/pprof"
	"time"

	"github.com/latido-dev/latido/domain"
)

// statusGone counts a request whose client left before the answer began, or
// whose handler aborted it (nginx's 499, "client closed request"). It is
// outside of 5xx, so that it burns no error budget.
const statusGone = 499

// Middleware measures every request that next answers. The route is the
// request's Pattern, or what Config.Route says; without either the request
// counts as domain.Unmatched, and in the profile it has no endpoint. Where
// routes are known beforehand, prefer [Telemetry.NewServeMux] or
// [Telemetry.Handler]. next must hand on the very request that it gets, or its
// Pattern is not seen. It is safe for concurrent use.
func (t *Telemetry) Middleware(next http.Handler) http.Handler {
	if !t.recording() {
		return next
	}
	measured := t.semconvMetrics(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if exchangeOf(w, r) != nil { // measured further out
			next.ServeHTTP(w, r)
			return
		}
		x := t.begin(w, r)
		defer x.end()
		x.ask = true
		if name := t.routeOf(r); name != "" {
			r = x.bind(t.route(name), r)
		} else {
			r = x.label(r) // its span has a profile even without an endpoint
		}
		w, x.out = x.writer(r)
		measured.ServeHTTP(w, x.out)
		x.returned = true
	})
}

// routeOf is the route that a request's router, or the user, knows; "" if none.
func (t *Telemetry) routeOf(r *http.Request) string {
	if r.Pattern != "" {
		return endpointOf(r.Pattern)
	}
	if t.cfg.Route != nil {
		return t.cfg.Route(r)
	}
	return ""
}

// Handler measures every request that next answers under one endpoint: the way
// in for router adapters, which know a handler's route. Within a request that
// is being measured already, it only names the endpoint; a wrapper of the
// ResponseWriter in between needs Unwrap, as for http.ResponseController, or
// this is another request. It is safe for concurrent use.
func (t *Telemetry) Handler(endpoint string, next http.Handler) http.Handler {
	if !t.recording() {
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
	x := exchangeOf(w, r)
	if x != nil {
		x.ask = false
		out := x.bind(h.route, r)
		defer handBack(r, out)
		h.next.ServeHTTP(w, out)
		return
	}
	x = h.t.begin(w, r)
	defer x.end()
	w, x.out = x.writer(x.bind(h.route, r))
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
	route *routeMethod  // nil while it is not known
	span  *requestSpan  // nil where none are made
	start time.Duration
	ctx   requestContext

	sent     int64 // bytes of the body
	status   int   // the first final one, 0 for none yet
	gone     bool  // the client had left before it
	hijacked bool
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
	t.activeRequests.Add(1)
	if t.tracing {
		x.startSpan()
	}
	return x
}

// bind names the route, labels the goroutine with it, and returns the request
// to hand on.
func (x *exchange) bind(route *route, r *http.Request) *http.Request {
	x.route = route.method(methodIndex(r.Method))
	return x.label(r)
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
		return x.handOn(r, spanned)
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
	return x.handOn(r, ctx)
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
	t.activeRequests.Add(-1)
	switch { // the next request of this connection has labels of its own
	case x.ctx.labels != nil: // the caller was seen to have none
		pprof.SetGoroutineLabels(context.Background())
	case x.labelled:
		pprof.SetGoroutineLabels(x.r.Context())
	}
	handBack(x.r, x.out)
	if x.ask {
		if name := t.routeOf(x.out); name != "" {
			x.route = t.route(name).method(methodIndex(x.r.Method))
		}
	}
	if x.route == nil {
		x.route = t.route(domain.Unmatched).method(methodIndex(x.r.Method))
	}
	status, failure := x.outcome(panicked)
	if failure != "" {
		t.countError(failure)
	}
	if t.tracing {
		x.endSpan(status, failure, panicked)
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

// outcome is the status to record, and the type of error of a handler that did
// not return: it panicked, or ended its goroutine.
func (x *exchange) outcome(panicked any) (status int, failure string) {
	if !x.returned {
		failure = "panic"
		if isAbort(panicked) {
			failure = "aborted"
		}
	}
	switch {
	case x.hijacked:
		return http.StatusSwitchingProtocols, failure
	case failure == "aborted":
		return statusGone, failure
	case failure != "" && x.status == 0:
		return http.StatusInternalServerError, failure
	case failure == "" && (x.gone || x.status == 0 && errors.Is(x.r.Context().Err(), context.Canceled)):
		return statusGone, ""
	case x.status == 0:
		return http.StatusOK, ""
	}
	return x.status, failure
}

func isAbort(panicked any) bool {
	err, ok := panicked.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
