package telemetry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// mounted has muxes in muxes, by each way of mounting, with the patterns of
// the table below.
func mounted(t testing.TB, tel *Telemetry) http.Handler {
	t.Helper()
	ok := func(http.ResponseWriter, *http.Request) {}
	inner := tel.NewServeMux()
	inner.HandleFunc("GET /orders/{id}", ok)
	inner.HandleFunc("GET /inner/orders/{id}", ok)
	plain := http.NewServeMux()
	plain.HandleFunc("GET /plain/orders/{id}", ok)

	m := tel.NewServeMux()
	m.HandleFunc("GET /orders/{id}", ok)
	m.HandleFunc("POST /orders", ok)
	m.HandleFunc("GET\t/tab", ok)
	m.HandleFunc("/any", ok)
	m.HandleFunc("/{$}", ok)
	m.HandleFunc("/tree/", ok)
	m.HandleFunc("GET /files/{path...}", ok)
	m.HandleFunc("shop.example/orders", ok)
	m.HandleFunc("POST shop.example/orders/{id}", ok)
	m.Handle("/stripped/", http.StripPrefix("/stripped", inner))
	m.Handle("/inner/", inner)
	m.Handle("/plain/", plain)
	m.Handle("/copied", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { ok(w, r.WithContext(t.Context())) }))
	m.Handle("/named", tel.RouteHandler("/by-adapter", http.HandlerFunc(ok)))
	return m
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, target, endpoint, label string }{
		{"GET", "/orders/7", "/orders/{id}", "GET"},
		{"HEAD", "/orders/7", "/orders/{id}", "HEAD"},
		{"POST", "/orders", "/orders", "POST"},
		{"GET", "/tab", "/tab", "GET"},
		{"PATCH", "/any", "/any", "PATCH"},
		{"GET", "/", "/{$}", "GET"},
		{"GET", "/tree/", "/tree/", "GET"},
		{"GET", "/tree/a/b", "/tree/", "GET"},
		{"GET", "/files/a/b.txt", "/files/{path...}", "GET"},
		{"GET", "http://shop.example/orders", "shop.example/orders", "GET"},
		{"POST", "http://shop.example/orders/7", "shop.example/orders/{id}", "POST"},
		{"GET", "/stripped/orders/7", "/stripped/orders/{id}", "GET"}, // the outer prefix and the inner pattern
		{"GET", "/stripped/else", "/stripped/", "GET"},
		{"GET", "/inner/orders/7", "/inner/orders/{id}", "GET"},
		{"GET", "/plain/orders/7", "/plain/", "GET"}, // that mux is not ours
		{"GET", "/copied", "/copied", "GET"},
		{"GET", "/named", "/by-adapter", "GET"},

		{"GET", "/nothing", "unmatched", "GET"},
		{"DELETE", "/orders/7", "unmatched", "DELETE"}, // 405
		{"GET", "/tree", "/tree/", "GET"},              // a redirect
		{"GET", "/any/../tab", "/tab", "GET"},          // another one
		{"GET", "/stripped/x/../orders/7", "/stripped/", "GET"},
		{"GET", "/any/../nothing", "unmatched", "GET"}, // a redirect to nothing
		{"CONNECT", "/any", "/any", "CONNECT"},
		{"OPTIONS", "/any", "/any", "OPTIONS"},
		{"TRACE", "/any", "/any", "TRACE"},
		{"PUT", "/any", "/any", "PUT"},
		{"DELETE", "/any", "/any", "DELETE"},
		{"get", "/any", "/any", "_OTHER"}, // methods are case-sensitive
		{"PROPFIND", "/any", "/any", "_OTHER"},
	} {
		for name, tel := range map[string]*Telemetry{"": start(t), " without context": start(t, noRequestContext)} {
			t.Run(c.method+" "+c.target+name, func(t *testing.T) {
				w := httptest.NewRecorder()
				mounted(t, labelling(tel)).ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
				scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests(c.label, c.endpoint, w.Code): 1})
			})
		}
	}
}

// TestStrangers: what strangers make up, in masses, is one series.
func TestStrangers(t *testing.T) {
	t.Parallel()
	tel := start(t)
	m := mounted(t, tel)
	before := len(scrape(t, tel))
	for i := range 10_000 {
		r := httptest.NewRequest(fmt.Sprintf("GARB%d", i%100), fmt.Sprintf("/wp-%d/\xff", i), nil)
		r.Host, r.Header["User-Agent"] = fmt.Sprintf("host%d.example", i), []string{fmt.Sprint("agent", i)}
		m.ServeHTTP(httptest.NewRecorder(), r)
	}
	got := scrape(t, tel)
	got.of("tienda_requests_total").above0().wantOnly(t, series{requests("_OTHER", "unmatched", 404): 10_000})
	if added := len(got) - before; added != 22 { // statuses 200, 404 and 500, and a histogram's 19
		t.Errorf("%d series more, want 22", added)
	}
}

// TestRouteSeriesFromTheStart: increase() must see the first request, and the
// first error.
func TestRouteSeriesFromTheStart(t *testing.T) {
	t.Parallel()
	tel := start(t)
	mounted(t, tel)
	scrape(t, tel).want(t, series{
		requests("GET", "/orders/{id}", 200): 0, requests("GET", "/orders/{id}", 500): 0,
		requests("POST", "/orders", 200): 0, requests("GET", "/tab", 200): 0,
		requests("GET", "unmatched", 200):                                              0,
		`tienda_response_duration_seconds_count{endpoint="/orders/{id}",method="GET"}`: 0,
	})
}

// TestRoutesAreBounded: where paths are given for patterns, those beyond the bound
// are one.
func TestRoutesAreBounded(t *testing.T) {
	t.Parallel()
	tel := start(t)
	before := len(tel.routes.all())
	for i := range maxRoutes - before {
		tel.route(fmt.Sprint("/users/", i))
	}
	if r := tel.route("/users/0"); r.endpoint != "/users/0" || len(tel.routes.all()) != maxRoutes {
		t.Errorf("%d routes, want %d", len(tel.routes.all()), maxRoutes)
	}
	for _, endpoint := range []string{"/users/a", "/users/b"} {
		if r := tel.route(endpoint); r.endpoint != domain.Other {
			t.Errorf("%s counts as %s", endpoint, r.endpoint)
		}
	}
	if n := len(tel.routes.all()); n != maxRoutes+1 {
		t.Errorf("%d routes, want %d and %s", n, maxRoutes, domain.Other)
	}
	wantTold(t, journalOf(tel), "too many routes")
	scrape(t, tel).want(t, series{refused("route"): 2})
}

// TestPatternIsSeenOutside: middleware around a mux reads the pattern, as it
// does around http.ServeMux, whatever is in between.
func TestPatternIsSeenOutside(t *testing.T) {
	t.Parallel()
	traced, _ := startTraced(t)
	for name, tel := range map[string]*Telemetry{"plain": start(t), "without context": start(t, noRequestContext), "traced": traced} {
		for _, target := range []string{"/orders/7", "/inner/orders/7", "/plain/orders/7", "/nothing"} {
			ours := httptest.NewRequest(http.MethodGet, target, nil)
			mounted(t, labelling(tel)).ServeHTTP(httptest.NewRecorder(), ours)

			ok := func(http.ResponseWriter, *http.Request) {}
			inner, theirs := http.NewServeMux(), http.NewServeMux()
			inner.HandleFunc("GET /inner/orders/{id}", ok)
			inner.HandleFunc("GET /plain/orders/{id}", ok)
			theirs.HandleFunc("GET /orders/{id}", ok)
			theirs.Handle("/inner/", inner)
			theirs.Handle("/plain/", inner)
			want := httptest.NewRequest(http.MethodGet, target, nil)
			theirs.ServeHTTP(httptest.NewRecorder(), want)
			if ours.Pattern != want.Pattern {
				t.Errorf("%s: %s has the pattern %q outside, want %q", name, target, ours.Pattern, want.Pattern)
			}
		}
	}
}

// TestServeMuxIsADropIn compares with http.ServeMux: the same answers, panics
// and path values.
func TestServeMuxIsADropIn(t *testing.T) {
	t.Parallel()
	patterns := []string{
		"/", "GET /a", "POST /a", "/a/{id}", "GET /a/{id}", "/a/{id}/b", "/tree/", "/exact/{$}", "/files/{path...}", "example.com/", "example.com/a",
		"DELETE /c", "GET /d/{x}/{y}", "/%61bc", "HEAD /head",
	}
	answer := func(pattern string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintln(w, pattern, r.Pattern, r.PathValue("id"), r.PathValue("x"), r.PathValue("path"), r.URL.Path)
		}
	}
	for name, tel := range map[string]*Telemetry{"running": start(t), "nil": nil, "of a failed Init": {}} {
		ours, theirs := tel.NewServeMux(), http.NewServeMux()
		for _, p := range patterns {
			ours.HandleFunc(p, answer(p))
			theirs.Handle(p, answer(p))
		}
		for _, method := range []string{"GET", "POST", "HEAD", "DELETE", "CONNECT", "OPTIONS", "BREW"} {
			for _, target := range []string{
				"/", "/a", "/a/", "/a/7", "/a/7/b", "/a/7/c", "/a//7", "/a/./7", "/a/../a", "/tree", "/tree/x", "/exact/", "/exact/x", "/exact",
				"/files/a/b", "/c", "/d/1/2", "/d/1", "/abc", "/head", "http://example.com/", "http://example.com/a", "http://example.com:80/a", "/a/%2F",
			} {
				got, want := httptest.NewRecorder(), httptest.NewRecorder()
				ours.ServeHTTP(got, httptest.NewRequest(method, target, nil))
				theirs.ServeHTTP(want, httptest.NewRequest(method, target, nil))
				if g, w := fmt.Sprint(got.Code, got.Body, got.Header()), fmt.Sprint(want.Code, want.Body, want.Header()); g != w {
					t.Errorf("%s: %s %s answered\n%s, want\n%s", name, method, target, g, w)
				}
				_, g := ours.Handler(httptest.NewRequest(method, target, nil))
				_, w := theirs.Handler(httptest.NewRequest(method, target, nil))
				if g != w {
					t.Errorf("%s: Handler of %s %s is that of %q, want %q", name, method, target, g, w)
				}
			}
		}
		for _, p := range []string{"", "GET", "GET ", " /x", "GET x", "/{", "/{}", "/{a}{b}", "/{a}/{a}", "/{a...}/b", "/{$}/x", "G?T /x", "GET /a", "/a/{other}", "/{a}/7"} {
			place := regexp.MustCompile(`\(registered at [^)]*\)`)
			got := place.ReplaceAllString(panicOf(func() { ours.HandleFunc(p, answer(p)) }), "")
			want := place.ReplaceAllString(panicOf(func() { theirs.HandleFunc(p, answer(p)) }), "")
			if got != want {
				t.Errorf("%s: pattern %q panics with\n%s, want\n%s", name, p, got, want)
			}
		}
		for what, register := range map[string]func(handleFuncer){
			"nil function": func(m handleFuncer) { m.HandleFunc("/nil", nil) },
			"nil handler":  func(m handleFuncer) { m.(interface{ Handle(string, http.Handler) }).Handle("/nil", nil) },
		} {
			if got, want := panicOf(func() { register(ours) }), panicOf(func() { register(theirs) }); got != want {
				t.Errorf("%s: %s panics with %q, want %q", name, what, got, want)
			}
		}
	}
}

func panicOf(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

// TestWrappersInBetween: a request that two of ours meet counts once if the
// writers in between have Unwrap, and else as two, as it must where a handler
// is cut off.
func TestWrappersInBetween(t *testing.T) {
	t.Parallel()
	traced, _ := startTraced(t)
	for name, tel := range map[string]*Telemetry{"plain": start(t), "without context": start(t, noRequestContext), "traced": traced} {
		t.Run(name, func(t *testing.T) {
			inner := labelling(tel).NewServeMux()
			inner.HandleFunc("/orders/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) })
			for way, h := range map[string]http.Handler{
				"with Unwrap": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(unwrapping{unwrapping{w}}, r) }),
				"without":     http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(opaque{w}, r) }),
				"other request": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { // as in a batch
					inner.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/orders/7", nil))
				}),
			} {
				before := scrape(t, tel)
				outer := tel.RouteHandler("/outer/"+way, h)
				serve(t, 1, outer).get(t, "/orders/7")
				outer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/orders/7", nil))
				after := scrape(t, tel)
				counted := after[requests("GET", "/orders/{id}", 201)] - before[requests("GET", "/orders/{id}", 201)]
				outside := after[requests("GET", "/outer/"+way, 201)] + after[requests("GET", "/outer/"+way, 200)]
				if want := map[string]float64{"with Unwrap": 0, "without": 2, "other request": 2}[way]; counted != 2 || outside != want {
					t.Errorf("%s: counted %v times inside and %v outside, want 2 and %v", way, counted, outside, want)
				}
				after.want(t, series{"tienda_active_requests": 0})
			}
		})
	}
}

type unwrapping struct{ http.ResponseWriter }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type opaque struct{ http.ResponseWriter }

// TestTimeoutHandlerInBetween: the handler that is cut off goes on while the
// request is over, and must not touch what measures the next one.
func TestTimeoutHandlerInBetween(t *testing.T) {
	t.Parallel()
	for name, tel := range map[string]*Telemetry{"plain": start(t), "without context": start(t, noRequestContext)} {
		t.Run(name, func(t *testing.T) {
			late, ended := make(chan bool), make(chan bool)
			inner := labelling(tel).NewServeMux()
			inner.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) { <-late; w.WriteHeader(500) })
			outer := tel.RouteHandler("/outer", http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				inner.ServeHTTP(w, r)
			}), 1, "too slow")) // a nanosecond
			w := httptest.NewRecorder()
			outer.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/slow", nil))
			scrape(t, tel).want(t, series{requests("GET", "/outer", 503): 1})
			close(late)
			<-ended
			if w.Code != 503 || !strings.Contains(w.Body.String(), "too slow") {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			scrape(t, tel).want(t, series{requests("GET", "/slow", 503): 1, "tienda_active_requests": 0}) // the client did not get its 500
		})
	}
}
