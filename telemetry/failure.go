package telemetry

import (
	"net/http"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// What the series of failures are bounded by. A stack is read in some ten
// microseconds: a flood of failures must not cost more than to answer them.
const (
	maxSites    = 200  // places by name
	maxFailures = 1000 // series
	maxWalks    = 100  // stacks read a second
)

// failures are what the requests that failed have in common: the places that
// answered them so.
type failures struct {
	series atomic.Int64
	walks  atomic.Int64 // in this second
	second atomic.Int64 // since epoch

	mu      sync.Mutex
	numbers map[string]site
	names   []string // by number, from 1 on
}

// site is the number of a place; 0 where nobody looked. A request has room for
// that without growing.
type site int32

// failedWith are the failures of one endpoint and status, by site.
type failedWith struct {
	sites counters[string]
	last  atomic.Pointer[counterOf[string]] // of the last stack that was read
}

// failingStatuses has a place for each status from 400 to 599, and one more.
type failingStatuses [201]atomic.Pointer[failedWith]

// failedAs finds the failures of a status, or makes them. A route that never
// failed has none.
func (r *route) failedAs(status int) *failedWith {
	all := r.failed.Load()
	if all == nil {
		r.failed.CompareAndSwap(nil, new(failingStatuses))
		all = r.failed.Load()
	}
	one := &all[failingIndex(status)]
	if f := one.Load(); f != nil {
		return f
	}
	one.CompareAndSwap(nil, new(failedWith))
	return one.Load()
}

func failingIndex(status int) int { return min(max(status-400, 0), len(failingStatuses{})-1) }

// eachFailure yields the failures of a route.
func (r *route) eachFailure(yield func(point) bool) bool {
	all := r.failed.Load()
	if all == nil {
		return true
	}
	for i := range all {
		if f := all[i].Load(); f != nil && !f.sites.yield(yield) {
			return false
		}
	}
	return true
}

// mayWalk tells whether a stack may be read now.
func (fs *failures) mayWalk() bool {
	second := int64(monotonic() / time.Second)
	if old := fs.second.Load(); old != second && fs.second.CompareAndSwap(old, second) {
		fs.walks.Store(0)
	}
	return fs.walks.Load() < maxWalks && fs.walks.Add(1) <= maxWalks
}

// numberOf is the number of a place, or that of domain.Other where there are too
// many.
func (fs *failures) numberOf(place string) site {
	place = cleanValue(place)
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.numbers == nil {
		fs.numbers, fs.names = map[string]site{domain.Other: 1}, []string{domain.Other}
	}
	n, known := fs.numbers[place]
	switch {
	case known:
		return n
	case len(fs.names) > maxSites:
		return fs.numbers[domain.Other]
	}
	fs.names = append(fs.names, place)
	fs.numbers[place] = site(len(fs.names))
	return fs.numbers[place]
}

// name is the place of a number, "" for that of nobody.
func (fs *failures) name(n site) string {
	if n == 0 {
		return ""
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.names[n-1]
}

// locate notes who answers with a status that is a failure. It runs within the
// handler's WriteHeader, whose callers are on the stack.
func (x *exchange) locate(status int) {
	if x.t.failures.mayWalk() || x.route != nil && x.route.of.failedAs(status).last.Load() == nil {
		x.site = x.t.failures.numberOf(x.readSite())
	}
}

// countFailure counts a request that failed under the place that answered it, or
// panicked. It runs deferred, while a panicking function is on the stack. Beyond
// the stacks that may be read, the place is that of the failure before.
func (x *exchange) countFailure(status int) {
	route := x.route.of
	if status < 400 || status == statusGone || status == http.StatusNotFound && route.endpoint == domain.Unmatched {
		return
	}
	t, f := x.t, route.failedAs(status)
	place, looked := t.failures.name(x.site), x.site != 0
	switch {
	case !x.returned:
		if looked = t.failures.mayWalk() || f.last.Load() == nil; looked {
			place = x.readSite()
		}
	case status != int(x.status): // answered by somebody further out, whom nobody saw
		place, looked = "", true
	}
	counter := f.last.Load()
	if looked || counter == nil {
		if place == "" {
			place = route.handlerOf(x.route.method).text
		}
		counter = t.failureOf(route.endpoint, status, t.failures.name(t.failures.numberOf(place)), f)
		f.last.Store(counter)
	}
	counter.n.Add(1)
}

// failureOf finds the counter of a site, or makes it.
func (t *Telemetry) failureOf(endpoint string, status int, site string, f *failedWith) *counterOf[string] {
	if one := f.sites.find(site); one != nil {
		return one
	}
	if t.failures.series.Add(1) > maxFailures {
		t.failures.series.Add(-1)
		site = domain.Other
	}
	return f.sites.get(site, func() *labelSet {
		return newLabels([]string{"endpoint", "status", "site"}, []string{endpoint, statusText(status), site})
	})
}

// statusText is the label of a status; those outside of HTTP's are MethodOther.
func statusText(code int) string {
	if code < 100 || code > 599 {
		return domain.MethodOther
	}
	return strconv.Itoa(code)
}

// registered is what answers a route: a function by its name, and how a person
// reads it, "" where it is not the service's own code.
type registered struct {
	function, text string
	certain        bool // it runs in each request: nothing stands before it
}

func (r *route) handlerOf(method string) registered {
	if h := r.handlers[methodIndex(method)].Load(); h != nil {
		return *h
	}
	return registered{}
}

// readSite reads the stack: the innermost function of the service's own code,
// with its line; where own code called that (a function that writes errors), the
// outermost of the callers too. While a function panics it is that function,
// whoever recovers. A handler that has returned its error is named behind who
// answered for it. Without own code on the stack it is the route's handler, or
// else the innermost function outside of Go's library.
func (x *exchange) readSite() string {
	var handler registered
	if x.route != nil {
		handler = x.route.of.handlerOf(x.route.method)
	}
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	var seen, inside answerer // inside is what was seen up to where the request came in
	served := false
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		f.Function = stacks.Named(f.Function, f.File)
		switch {
		case f.Function == "runtime.gopanic": // what is inside of it deals with the panic
			seen = answerer{}
		case profiles.Serves(f.Function):
			inside, served, seen.adjacent = seen, true, false
		case isPlumbing(f.Function):
			seen.adjacent = false
		default:
			seen.add(f, handler.function)
		}
	}
	if !served { // a goroutine of the handler's
		inside = seen
	}
	return inside.site(handler)
}

// answerer is what a stack tells of who answers.
type answerer struct {
	inner, outer, foreign runtime.Frame
	adjacent              bool // every frame since inner is own code
	handling              bool // the handler is on the stack
}

func (a *answerer) add(f runtime.Frame, handler string) {
	a.handling = a.handling || f.Function == handler
	switch stacks.Owner(f.Function) {
	case stacks.Own:
		if a.inner.Function == "" {
			a.inner, a.adjacent = f, true
		} else if a.adjacent {
			a.outer = f
		}
		return
	case stacks.Dependency:
		if a.foreign.Function == "" {
			a.foreign = f
		}
	}
	a.adjacent = false
}

func (a *answerer) site(handler registered) string {
	switch {
	case a.inner.Function == "" && handler.text != "":
		return handler.text
	case a.inner.Function == "":
		return siteOf(a.foreign)
	case a.outer.Function != "":
		return siteOf(a.inner) + " < " + siteOf(a.outer)
	case handler.certain && !a.handling:
		return siteOf(a.inner) + " < " + handler.text
	}
	return siteOf(a.inner)
}

// plumbing starts the functions that stand between a handler and net/http in
// every stack.
var plumbing = []string{stacks.SDK + "telemetry.", stacks.SDK + "examples/echo-api/latidoecho.", "github.com/felixge/httpsnoop."}

func isPlumbing(function string) bool {
	return slices.ContainsFunc(plumbing, func(p string) bool { return strings.HasPrefix(function, p) })
}

// siteOf is how a person reads a frame: shop.(*API).create (orders.go:88).
func siteOf(f runtime.Frame) string {
	if f.Function == "" {
		return ""
	}
	return stacks.Short(f.Function) + " (" + path.Base(f.File) + ":" + strconv.Itoa(f.Line) + ")"
}

// registeredAs says what a handler is, as far as that is known. A method's value
// has a wrapper, which has no line.
func registeredAs(handler any, certain bool) registered {
	name := functionName(handler)
	if stacks.Owner(name) != stacks.Own || isPlumbing(name) {
		return registered{}
	}
	r := registered{name, stacks.Short(name), certain}
	if f := functionPC(handler); f != nil && f.Name() == name {
		file, line := f.FileLine(f.Entry())
		if stacks.Named(name, file) != name { // a library's middleware, made in own code
			return registered{}
		}
		r.text = siteOf(runtime.Frame{Function: name, File: file, Line: line})
	}
	return r
}
