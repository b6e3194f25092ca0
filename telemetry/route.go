package telemetry

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
)

// maxRoutes is how many routes have series of their own. Routes come from the
// program, but a resolver or a router adapter may make a mistake.
const maxRoutes = 1000

// methods are the values of the label method: those of RFC 9110 and RFC 5789,
// and MethodOther last.
var methods = [...]string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodHead, http.MethodOptions, http.MethodConnect, http.MethodTrace, domain.MethodOther,
}

const otherMethod = len(methods) - 1

func methodIndex(method string) int {
	switch method { // the compiler's switch beats a map
	case http.MethodGet:
		return 0
	case http.MethodPost:
		return 1
	case http.MethodPut:
		return 2
	case http.MethodPatch:
		return 3
	case http.MethodDelete:
		return 4
	case http.MethodHead:
		return 5
	case http.MethodOptions:
		return 6
	case http.MethodConnect:
		return 7
	case http.MethodTrace:
		return 8
	}
	return otherMethod
}

// route is one endpoint, with the state of each of its methods.
type route struct {
	endpoint string
	bounds   durationBounds
	segments int // of its path
	methods  [len(methods)]atomic.Pointer[routeMethod]
	mounts   atomic.Pointer[map[mount]*route] // what is reached through it
	handlers [len(methods)]atomic.Pointer[registered]
	failed   atomic.Pointer[failingStatuses] // nil for one that never did
	gone     atomic.Int64                    // nanoseconds after which clients left
	labels   *labelSet                       // the endpoint alone
}

// answeredBy notes the handler of a method, "" for any.
func (r *route) answeredBy(method string, h registered) {
	for i := range r.handlers {
		if method == "" || i == methodIndex(method) {
			r.handlers[i].Store(&h)
		}
	}
}

// routeMethod is all that a request of one endpoint and method needs: its
// series, and a context with its profile labels, made once.
type routeMethod struct {
	of               *route
	endpoint, method string
	span             string // how its spans are called
	labels           context.Context
	duration         *histogram
	statuses         counters[int]
}

func (r *route) method(i int) *routeMethod {
	if m := r.methods[i].Load(); m != nil {
		return m
	}
	m := &routeMethod{
		of: r, endpoint: r.endpoint, method: methods[i], span: spanName(methods[i], r.endpoint),
		duration: r.bounds.histogram(newLabels([]string{"method", "endpoint"}, []string{methods[i], r.endpoint})),
	}
	m.labels = pprof.WithLabels(context.Background(), m.profileLabels())
	// These two exist from the start, or increase() would lose the first error.
	m.status(http.StatusOK)
	m.status(http.StatusInternalServerError)
	r.methods[i].CompareAndSwap(nil, m)
	return r.methods[i].Load()
}

func (m *routeMethod) profileLabels() pprof.LabelSet {
	return pprof.Labels(profiles.LabelEndpoint, m.endpoint, profiles.LabelMethod, m.method)
}

// status is the counter of one status; those outside of HTTP's count as
// MethodOther.
func (m *routeMethod) status(code int) *counterOf[int] {
	if code < 100 || code > 599 {
		code = 0
	}
	return m.statuses.get(code, func() *labelSet {
		return newLabels([]string{"method", "endpoint", "status"}, []string{m.method, m.endpoint, statusText(code)})
	})
}

// observe records one request.
func (m *routeMethod) observe(code int, d time.Duration) {
	m.status(code).n.Add(1)
	if code != http.StatusSwitchingProtocols { // the life of a WebSocket is no latency
		m.duration.observe(d)
	}
}

// routes are all the endpoints of the service.
type routes struct {
	bounds     durationBounds
	byEndpoint sync.Map // string to *route
	mu         sync.Mutex
	list       atomic.Pointer[[]*route]
}

func (rs *routes) all() []*route {
	if p := rs.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (rs *routes) each(yield func(*routeMethod) bool) {
	for _, r := range rs.all() {
		for i := range r.methods {
			if m := r.methods[i].Load(); m != nil && !yield(m) {
				return
			}
		}
	}
}

// route finds an endpoint, or makes it.
func (t *Telemetry) route(endpoint string) *route {
	endpoint = cmp.Or(endpoint, domain.Unmatched)
	rs := &t.routes
	if r, ok := rs.byEndpoint.Load(endpoint); ok {
		return r.(*route)
	}
	endpoint = cleanValue(endpoint) // two that a label cannot tell apart are one
	if r := rs.add(endpoint); r != nil {
		return r
	}
	t.diagnostics.refused(refusedRoute).Add(1)
	t.diagnostics.once("routes", func(log *slog.Logger) {
		log.Warn("too many routes: further ones count as "+domain.Other+"; is a path given where a pattern should be?",
			"limit", maxRoutes, "endpoint", endpoint)
	})
	return rs.add(domain.Other)
}

// add makes an endpoint, if it is not there; nil when there are too many.
func (rs *routes) add(endpoint string) *route {
	find := func() (r *route, full bool) {
		if r, ok := rs.byEndpoint.Load(endpoint); ok {
			return r.(*route), false
		}
		return nil, endpoint != domain.Other && len(rs.all()) >= maxRoutes
	}
	if r, full := find(); r != nil || full {
		return r // without the lock: once there are too many, this is every request
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r, full := find(); r != nil || full {
		return r
	}
	r := &route{endpoint: endpoint, bounds: rs.bounds, labels: newLabels([]string{"endpoint"}, []string{endpoint})}
	if _, path := cutHost(endpoint); path != "" {
		r.segments = len(segments(path))
	}
	rs.byEndpoint.Store(endpoint, r)
	next := append(slices.Clone(rs.all()), r)
	rs.list.Store(&next)
	return r
}
