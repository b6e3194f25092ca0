package telemetry

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// TestStrippedPrefix: where a prefix was stripped between two routers, the
// endpoint has it in front, whatever the routers are and however it was stripped.
func TestStrippedPrefix(t *testing.T) {
	t.Parallel()
	tel := start(t)
	type router interface {
		handleFuncer
		Handle(string, http.Handler)
	}
	inner := func(mux router, patterns ...string) http.Handler {
		for _, p := range patterns {
			mux.HandleFunc(p, writes(204))
		}
		return mux
	}
	ours := func(patterns ...string) http.Handler { return inner(tel.NewServeMux(), patterns...) }
	in := func(mux router, pattern string, h http.Handler) http.Handler { mux.Handle(pattern, h); return mux }
	shift := func(h http.Handler) http.Handler { // in place, as hand-made routers do
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, rest, _ := strings.Cut(r.URL.Path[1:], "/")
			r.URL.Path = "/" + rest
			h.ServeHTTP(w, r)
		})
	}
	users := ours("GET /users/{id}", "/{$}", "/tree/")
	v1 := http.StripPrefix("/v1", users)
	for name, c := range map[string]struct {
		h        http.Handler
		path     string
		endpoint string
	}{
		"subtree":                    {in(tel.NewServeMux(), "/v1/", v1), "/v1/users/7", "/v1/users/{id}"},
		"root of it":                 {in(tel.NewServeMux(), "/v1/", v1), "/v1/", "/v1/{$}"},
		"redirect":                   {in(tel.NewServeMux(), "/v1/", v1), "/v1/tree", "/v1/tree/"},
		"not found":                  {in(tel.NewServeMux(), "/v1/", v1), "/v1/nothing", "/v1/"},
		"the rest of a path":         {in(tel.NewServeMux(), "/v2/{rest...}", http.StripPrefix("/v2", users)), "/v2/users/7", "/v2/users/{id}"},
		"method and host":            {in(tel.NewServeMux(), "GET example.com/v3/", http.StripPrefix("/v3", users)), "/v3/users/7", "example.com/v3/users/{id}"},
		"inner host":                 {in(tel.NewServeMux(), "/v4/", http.StripPrefix("/v4", ours("example.com/x"))), "/v4/x", "example.com/v4/x"},
		"a part of the pattern":      {in(tel.NewServeMux(), "/api/v5/", http.StripPrefix("/api", ours("/v5/users/{id}"))), "/api/v5/users/7", "/api/v5/users/{id}"},
		"not stripped":               {in(tel.NewServeMux(), "/in/", ours("/in/users/{id}")), "/in/users/7", "/in/users/{id}"},
		"wildcard, in place":         {in(tel.NewServeMux(), "/{tenant}/", shift(users)), "/acme/users/7", "/{tenant}/users/{id}"},
		"below no pattern":           {in(tel.NewServeMux(), "/", shift(users)), "/es/users/7", "/users/{id}"},
		"three routers":              {in(tel.NewServeMux(), "/a/", http.StripPrefix("/a", in(tel.NewServeMux(), "/b/", http.StripPrefix("/b", users)))), "/a/b/users/7", "/a/b/users/{id}"},
		"three, stripped once":       {in(tel.NewServeMux(), "/c/", http.StripPrefix("/c", in(tel.NewServeMux(), "/d/", ours("/d/users/{id}")))), "/c/d/users/7", "/c/d/users/{id}"},
		"Handler":                    {tel.RouteHandler("/v6/{path...}", http.StripPrefix("/v6", users)), "/v6/users/7", "/v6/users/{id}"},
		"Handler without a path":     {tel.RouteHandler("shop", http.StripPrefix("/v7", users)), "/v7/users/7", "/users/{id}"},
		"bare mux in ours":           {in(tel.NewServeMux(), "/legacy/", inner(http.NewServeMux(), "/legacy/users/{id}")), "/legacy/users/7", "/legacy/"},
		"bare mux in ours, stripped": {in(tel.NewServeMux(), "/legacy/", http.StripPrefix("/legacy", inner(http.NewServeMux(), "/users/{id}"))), "/legacy/users/7", "/legacy/"},
		"measured bare mux in ours":  {in(tel.NewServeMux(), "/v8/", http.StripPrefix("/v8", tel.Middleware(inner(http.NewServeMux(), "/users/{id}")))), "/v8/users/7", "/v8/users/{id}"},
		"ours in a measured one":     {tel.Middleware(in(http.NewServeMux(), "/v9/", http.StripPrefix("/v9", users))), "/v9/users/7", "/v9/users/{id}"},
		"measured in measured":       {tel.Middleware(http.StripPrefix("/m", tel.Middleware(inner(http.NewServeMux(), "/m1/{id}")))), "/m/m1/7", "/m1/{id}"},
	} {
		t.Run(name, func(t *testing.T) {
			before := scrape(t, tel).of("tienda_requests_total").above0()
			for range 2 {
				r := httptest.NewRequest(http.MethodGet, c.path, nil)
				c.h.ServeHTTP(httptest.NewRecorder(), r)
			}
			var moved []string
			after := scrape(t, tel).of("tienda_requests_total").above0()
			for one := range after {
				if after[one] != before[one] {
					moved = append(moved, one)
				}
			}
			if len(moved) != 1 || !strings.Contains(moved[0], `endpoint="`+c.endpoint+`"`) || after[moved[0]]-before[moved[0]] != 2 {
				t.Errorf("counted as %v, want twice as %s", moved, c.endpoint)
			}
		})
	}
}

// TestVersionsApart: one version fails always, the other one never.
func TestVersionsApart(t *testing.T) {
	t.Parallel()
	for name, tel := range map[string]*Telemetry{"": labelling(start(t)), " without context": labelling(start(t, noRequestContext))} {
		root := tel.NewServeMux()
		for version, status := range map[string]int{"/v1": 200, "/v2": 500} {
			m := tel.NewServeMux()
			m.HandleFunc("GET /users/{id}", writes(status))
			root.Handle(version+"/", http.StripPrefix(version, m))
		}
		for i := range 20 {
			root.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/v%d/users/%d", i%2+1, i), nil))
		}
		t.Run(name, func(t *testing.T) {
			scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{
				requests("GET", "/v1/users/{id}", 200): 10,
				requests("GET", "/v2/users/{id}", 500): 10,
			})
		})
	}
}

// TestStrippedPathsAreBounded: an endpoint is made of patterns, whatever is
// stripped of a path.
func TestStrippedPathsAreBounded(t *testing.T) {
	t.Parallel()
	tel := start(t)
	inner, outer := tel.NewServeMux(), tel.NewServeMux()
	inner.HandleFunc("/users", writes(204))
	outer.Handle("/{tenant}/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r2 := r.Clone(r.Context())
		r2.URL.Path = "/users"
		inner.ServeHTTP(w, r2)
	}))
	for i := range 2000 {
		outer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/t%d%s/users", i, strings.Repeat("/x", i%50)), nil))
	}
	scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/{tenant}/users", 204): 2000})
}

// TestRedirectedConnect: a stranger's path, which net/http calls the pattern of
// such a redirect, is no endpoint.
func TestRedirectedConnect(t *testing.T) {
	t.Parallel()
	for name, measure := range map[string]func(*Telemetry) http.Handler{
		"mux": func(tel *Telemetry) http.Handler {
			m := tel.NewServeMux()
			m.HandleFunc("/{any}/", writes(204))
			return m
		},
		"middleware": func(tel *Telemetry) http.Handler {
			m := http.NewServeMux()
			m.HandleFunc("/{any}/", writes(204))
			return tel.Middleware(m)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tel := start(t)
			h := measure(tel)
			for i := range 20 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodConnect, fmt.Sprint("/stranger", i), nil))
			}
			scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("CONNECT", "unmatched", 307): 20})
		})
	}
}

// TestTwoDomains: where a mux of one Telemetry is mounted in another's, each
// counts what its own mux serves, all of it.
func TestTwoDomains(t *testing.T) {
	t.Parallel()
	type domains struct{ shop, warehouse *Telemetry }
	for name, change := range map[string][]func(*Config){"plain": nil, "without context": {noRequestContext}, "semconv": {func(c *Config) { c.SemconvMetrics = true }}} {
		for protocol, number := range protocols {
			for mount, mounted := range map[string]func(domains, http.Handler) http.Handler{
				"mux": func(d domains, h http.Handler) http.Handler {
					m := d.shop.NewServeMux()
					m.Handle("/stock/", h)
					return m
				},
				"handler": func(d domains, h http.Handler) http.Handler { return d.shop.RouteHandler("/stock/", h) },
				"middleware": func(d domains, h http.Handler) http.Handler {
					m := http.NewServeMux()
					m.Handle("/stock/", h)
					return d.shop.Middleware(m)
				},
				"other's writer": func(d domains, h http.Handler) http.Handler {
					return d.shop.RouteHandler("/stock/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrapping{w}, r) }))
				},
			} {
				t.Run(name+"/"+mount+"/"+protocol, func(t *testing.T) {
					t.Parallel()
					d := domains{labelling(start(t, change...)), labelling(start(t, change...))}
					inner := d.warehouse.NewServeMux()
					inner.HandleFunc("/stock/{id}", func(w http.ResponseWriter, r *http.Request) {
						if r.PathValue("id") == "broken" {
							panic("broken")
						}
						for _, tel := range []*Telemetry{d.shop, d.warehouse} {
							scrape(t, tel).want(t, series{"tienda_active_requests": 1})
						}
						w.WriteHeader(201)
					})
					s := serve(t, number, mounted(d, inner))
					for range 4 { // before a connection is kept, on which the client would send one twice
						s.get(t, "/stock/broken")
					}
					s.get(t, "/stock/7")
					outside := "/stock/"
					if mount == "middleware" { // which sees the innermost pattern, as around http.ServeMux
						outside = "/stock/{id}"
					}
					for tel, endpoint := range map[*Telemetry]string{d.shop: outside, d.warehouse: "/stock/{id}"} {
						got := scrape(t, tel)
						got.of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", endpoint, 201): 1, requests("GET", endpoint, 500): 4})
						got.want(t, series{`tienda_api_errors_total{error_type="panic"}`: 4, "tienda_active_requests": 0})
					}
				})
			}
		}
	}
}

// TestLabelsAfterAnotherDomain: the outer handler goes on with its own labels.
func TestLabelsAfterAnotherDomain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]func(*Config){"plain": nil, "without context": {noRequestContext}} {
		t.Run(name, func(t *testing.T) {
			shop, warehouse := labelling(start(t, change...)), labelling(start(t, change...))
			inner := warehouse.RouteHandler("/inner", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			var before, after map[string]string
			shop.RouteHandler("/outer", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				before = goroutineLabels(t)
				inner.ServeHTTP(w, r)
				after = goroutineLabels(t)
			})).ServeHTTP(base{&record{}}, httptest.NewRequest(http.MethodGet, "/x", nil))
			if before["endpoint"] != "/outer" || !maps.Equal(before, after) {
				t.Errorf("labels %v, then %v, want those of /outer", before, after)
			}
		})
	}
}

// TestResolverThatPanics: Config.Route never costs a request.
func TestResolverThatPanics(t *testing.T) {
	t.Parallel()
	type key struct{}
	for name, c := range map[string]struct {
		route    func(*http.Request) string
		endpoint string
		panics   float64
	}{
		"always": {func(r *http.Request) string { return *r.Context().Value(key{}).(*string) }, "unmatched", 2},
		"before routing": {func(r *http.Request) string {
			return map[bool]string{true: "/x/{id}"}[r.Context().Value(key{}) != nil || mustBe(r.Header.Get("Routed"))]
		}, "/x/{id}", 1},
	} {
		t.Run(name, func(t *testing.T) {
			tel := start(t, func(cfg *Config) { cfg.Route = c.route })
			s := serve(t, 1, tel.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Routed", "yes")
				w.WriteHeader(201)
			})))
			if got, _, panicked := s.get(t, "/x/7"); got != 201 || panicked != nil {
				t.Errorf("the client got %d, panic %v", got, panicked)
			}
			counted(t, tel, c.endpoint, 201)
			scrape(t, tel).want(t, series{refused("resolver"): c.panics})
			wantTold(t, journalOf(tel), "Config.Route panicked")
		})
	}
	t.Run("in a handler that panics", func(t *testing.T) {
		tel := start(t, func(cfg *Config) { cfg.Route = func(*http.Request) string { panic("route") } })
		s := serve(t, 1, tel.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("handler") })))
		if _, _, panicked := s.get(t, "/x"); panicked != "handler" {
			t.Errorf("panicked with %v", panicked)
		}
		counted(t, tel, "unmatched", 500, "panic")
	})
}

func mustBe(text string) bool {
	if text == "" {
		panic("no route yet")
	}
	return true
}

// TestNilHandlers: a nil handler is refused where net/http refuses it, when it
// is registered, and never answers a request.
func TestNilHandlers(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for name, register := range map[string]func(m interface{ Handle(string, http.Handler) }){
		"nil":          func(m interface{ Handle(string, http.Handler) }) { m.Handle("/x", nil) },
		"nil function": func(m interface{ Handle(string, http.Handler) }) { m.Handle("/x", http.HandlerFunc(nil)) },
		"measured":     func(m interface{ Handle(string, http.Handler) }) { m.Handle("/x", tel.RouteHandler("/x", nil)) },
		"measured function": func(m interface{ Handle(string, http.Handler) }) {
			m.Handle("/x", tel.RouteHandler("/x", http.HandlerFunc(nil)))
		},
		"behind middleware": func(m interface{ Handle(string, http.Handler) }) { m.Handle("/x", tel.Middleware(nil)) },
		"function, middleware": func(m interface{ Handle(string, http.Handler) }) {
			m.Handle("/x", tel.Middleware(http.HandlerFunc(nil)))
		},
	} {
		for whose, m := range map[string]interface{ Handle(string, http.Handler) }{"ours": tel.NewServeMux(), "theirs": http.NewServeMux()} {
			if got := panicOf(func() { register(m) }); got != "http: nil handler" {
				t.Errorf("%s, %s: panics with %q", name, whose, got)
			}
		}
	}
	tel.BindRoute("GET", "/x", http.HandlerFunc(nil))
	tel.BindRoute("", "/y", (*ServeMux)(nil))
}

// TestPatternWithoutMethod: its series are there before its first request, so
// that increase() sees the first error.
func TestPatternWithoutMethod(t *testing.T) {
	t.Parallel()
	tel := start(t)
	tel.NewServeMux().HandleFunc("/pay", writes(500))
	tel.BindRoute("", "/by-adapter", nil)
	got := scrape(t, tel).of("tienda_requests_total")
	for _, endpoint := range []string{"/pay", "/by-adapter"} {
		for _, method := range []string{"GET", "POST"} {
			got.want(t, series{requests(method, endpoint, 200): 0, requests(method, endpoint, 500): 0})
		}
	}
	var pay []string
	for one := range got {
		if strings.Contains(one, `"/pay"`) {
			pay = append(pay, one)
		}
	}
	if slices.Sort(pay); len(pay) != 4 {
		t.Errorf("series of a route that nobody asked for: %v, want 4", pay)
	}
}

// TestMountedRouteCostsNothing: the name of a mounted route is made once.
func TestMountedRouteCostsNothing(t *testing.T) {
	cost := func(inner, outer handleFuncer) float64 {
		inner.HandleFunc("/users", func(http.ResponseWriter, *http.Request) {})
		outer.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = "/users"
			inner.ServeHTTP(w, r)
		})
		r := httptest.NewRequest(http.MethodGet, "/v1/users", nil)
		w := base{&record{header: http.Header{}}}
		return testing.AllocsPerRun(200, func() {
			r.URL.Path, r.Pattern = "/v1/users", ""
			outer.ServeHTTP(w, r)
		})
	}
	tel := labelling(start(t, noRequestContext))
	if ours, theirs := cost(tel.NewServeMux(), tel.NewServeMux()), cost(http.NewServeMux(), http.NewServeMux()); ours > theirs {
		t.Errorf("%v allocations a request, %v with http.ServeMux", ours, theirs)
	}
}
