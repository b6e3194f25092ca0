package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latido-dev/latido/telemetry"
)

// line is that of its caller.
func line() int {
	_, _, n, _ := runtime.Caller(1)
	return n
}

func refuse(w http.ResponseWriter, status int) {
	http.Error(w, "no", status)
}

type orders struct{ at atomic.Int64 }

func (o *orders) create(w http.ResponseWriter, _ *http.Request) {
	o.at.Store(int64(line() + 1))
	w.WriteHeader(http.StatusConflict)
}

// returning is a handler that returns its error, for which ServeHTTP answers.
type returning func(*http.Request) error

func (h returning) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(r); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

func forward(*http.Request) error { return errors.New("the supplier does not answer") }

func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

var quotient int

func divide(by int) { quotient = 1 / by }

func get(h http.Handler, path string) (panicked any) {
	defer func() { panicked = recover() }()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	return nil
}

const failures = "tienda_failures_total"

// TestWhereFailuresComeFrom wants the function and line that answered, or that
// panicked, however the answer came about.
func TestWhereFailuresComeFrom(t *testing.T) {
	t.Parallel()
	o := &orders{}
	for name, c := range map[string]struct {
		handler http.Handler
		status  int
		site    string // a regular expression
	}{
		"a method writes the status": {http.HandlerFunc(o.create), 409, `telemetry_test\.\(\*orders\)\.create \(failure_test\.go:` + fmt.Sprint(createLine) + `\)`},
		"a function that writes errors": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, 422) }), 422,
			`telemetry_test\.refuse \(failure_test\.go:\d+\) < telemetry_test\.TestWhere\S+ \(failure_test\.go:\d+\)`},
		"net/http answers": {http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }), 404,
			`telemetry_test\.TestWhere\S+ \(failure_test\.go:\d+\)`},
		"a handler that returns its error": {returning(forward), 502,
			`telemetry_test\.returning\.ServeHTTP \(failure_test\.go:\d+\) < telemetry_test\.forward \(failure_test\.go:\d+\)`},
		"a panic":                {http.HandlerFunc(func(http.ResponseWriter, *http.Request) { divide(0) }), 500, `telemetry_test\.divide \(failure_test\.go:\d+\)( < .*)?`},
		"a panic after a status": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); divide(0) }), 500, `telemetry_test\.divide .*`},
		"a panic that is recovered": {recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { divide(0) })), 500,
			`telemetry_test\.divide .*`},
		"Go's middleware alone, inlined": {http.StripPrefix("/orders", http.NotFoundHandler()), 404, ``},
		"Go's library alone":             {http.RedirectHandler("/", 404), 404, ``},
	} {
		for _, style := range []string{"ServeMux", "ServeMux within another", "Middleware", "Middleware around a writer of another kind"} {
			t.Run(name+", "+style, func(t *testing.T) {
				t.Parallel()
				tel, site, path := telemetry.Started(t), c.site, "/orders"
				var h http.Handler
				if strings.HasPrefix(style, "ServeMux") {
					mux := tel.NewServeMux()
					mux.Handle("GET /orders", c.handler)
					h = mux
					if style != "ServeMux" {
						outer := tel.NewServeMux()
						outer.Handle("/v1/", http.StripPrefix("/v1", mux))
						h, path = outer, "/v1/orders"
					}
				} else {
					mux := http.NewServeMux()
					mux.Handle("GET /orders", c.handler)
					h = tel.Middleware(mux)
					if name == "a handler that returns its error" { // nobody said which handler it is
						site = `telemetry_test\.returning\.ServeHTTP \(failure_test\.go:\d+\)`
					}
				}
				if strings.HasSuffix(style, "kind") {
					next := h
					h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						next.ServeHTTP(struct {
							http.ResponseWriter
							http.Flusher
						}{w, w.(http.Flusher)}, r)
					})
				}
				get(h, path)
				want := regexp.MustCompile(fmt.Sprintf(`^%s\{endpoint="%s",site="%s",status="%d"\}$`, failures, path, site, c.status))
				got := telemetry.Scraped(t, tel, failures)
				for series, n := range got {
					if n != 1 || !want.MatchString(series) {
						t.Errorf("%s %v, want %s", series, n, want)
					}
				}
				if len(got) != 1 {
					t.Errorf("%d series, want 1: %v", len(got), got)
				}
			})
		}
	}
}

// createLine is where orders.create answers.
var createLine = func() int {
	o := &orders{}
	o.create(httptest.NewRecorder(), nil)
	return int(o.at.Load())
}()

// TestWhatIsNoFailure: an answer below 400, and a path that no route has.
func TestWhatIsNoFailure(t *testing.T) {
	t.Parallel()
	tel := telemetry.Started(t)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
	get(mux, "/orders")
	get(mux, "/nowhere")
	if got := telemetry.Scraped(t, tel, failures); len(got) != 0 {
		t.Errorf("failures: %v", got)
	}
}

// TestManyFailures: those whose stack is not read count all the same, for the
// place of the failure before, and an endpoint that fails for the first time in
// a flood of others has its place.
func TestManyFailures(t *testing.T) {
	t.Parallel()
	tel := telemetry.Started(t)
	mux := tel.NewServeMux()
	mux.HandleFunc("GET /flood", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusBadRequest) })
	mux.HandleFunc("GET /rare", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusInternalServerError) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				get(mux, "/flood")
			}
		})
	}
	wg.Wait()
	get(mux, "/rare")
	sums := map[string]float64{}
	for series, n := range telemetry.Scraped(t, tel, failures) {
		if !strings.Contains(series, "telemetry_test.refuse (failure_test.go:") {
			t.Errorf("without its place: %s", series)
		}
		sums[regexp.MustCompile(`endpoint="([^"]*)"`).FindStringSubmatch(series)[1]] += n
	}
	if sums["/flood"] != 4000 || sums["/rare"] != 1 {
		t.Errorf("failures by endpoint: %v", sums)
	}
}

// TestClientsThatLeft: the time after which they left is added up by endpoint,
// and is no failure of the service.
func TestClientsThatLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := telemetry.Started(t)
		mux := tel.NewServeMux()
		mux.HandleFunc("GET /orders", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for range 2 {
			ctx, leave := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, leave)
			mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil))
		}
		if got := telemetry.Scraped(t, tel, "tienda_requests_gone_time_seconds_total"); len(got) != 1 || got[`tienda_requests_gone_time_seconds_total{endpoint="/orders"}`] != 6 {
			t.Errorf("clients left after %v", got)
		}
		if got := telemetry.Scraped(t, tel, failures); len(got) != 0 {
			t.Errorf("failures: %v", got)
		}
	})
}

// TestSitesAreBounded: what more places answer than are kept counts all the same.
func TestSitesAreBounded(t *testing.T) {
	t.Parallel()
	for i, n := range telemetry.Sites(t, 500) {
		if want := map[bool]int{true: 1, false: 300}[i != "_other"]; n != want {
			t.Errorf("%s counts %d, want %d", i, n, want)
		}
	}
}
