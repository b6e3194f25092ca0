package latidoecho

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
	"go.uber.org/goleak"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/telemetry"
	"github.com/latido-dev/latido/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var prueba = domain.Domain{Prefix: "prueba", Entity: "cosa", Errors: []string{"roto"}}

// start makes an Echo that is measured, and what reads its figures.
func start(t testing.TB, cfg telemetry.Config) (*telemetrytest.Recorder, *echo.Echo) {
	t.Helper()
	cfg.Domain = prueba
	rec := telemetrytest.New(t, cfg)
	e := echo.New()
	e.Use(Middleware(rec.Telemetry))
	return rec, e
}

// startProfiled makes an Echo that is measured and profiled.
func startProfiled(t testing.TB, profiling continuous.Config) (*telemetry.Telemetry, *echo.Echo) {
	t.Helper()
	tel, err := telemetry.Init(t.Context(), telemetry.Config{
		Domain: prueba, Profiling: profiling, KeepGlobals: true, Admin: telemetry.AdminConfig{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	e := echo.New()
	e.Use(Middleware(tel))
	return tel, e
}

// check wants so many requests of each kind, "GET /pedidos/{id} 204", and no others.
func check(t testing.TB, rec *telemetrytest.Recorder, want map[string]int) {
	t.Helper()
	all := 0
	for request, n := range want {
		var method, endpoint string
		var status int
		if _, err := fmt.Sscan(request, &method, &endpoint, &status); err != nil {
			t.Fatal(err)
		}
		if got := rec.Requests(method, endpoint, status); got != n {
			t.Errorf("%d requests %s, want %d", got, request, n)
		}
		all += n
	}
	if got := rec.Requests("", "", 0); got != all {
		t.Errorf("%d requests in all, want %d", got, all)
	}
}

// checkErrors wants so many errors of a type, and no others.
func checkErrors(t testing.TB, rec *telemetrytest.Recorder, kind string, want float64) {
	t.Helper()
	if got, all := rec.Value("api_errors", "error.type", kind), rec.Value("api_errors"); got != want || all != want {
		t.Errorf("%v errors of type %s, %v in all, want %v", got, kind, all, want)
	}
}

func do(e http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestEndpoint(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                    "unmatched",
		"/":                                   "/",
		"/pedidos":                            "/pedidos",
		"/pedidos/:id":                        "/pedidos/{id}",
		"/pedidos/:id/lineas/:linea":          "/pedidos/{id}/lineas/{linea}",
		`/pedidos/:id\:cancelar`:              "/pedidos/{id}:cancelar",
		`/v1/pedidos\:todos`:                  "/v1/pedidos:todos",
		"/static/*":                           "/static/{path...}",
		"/static*":                            "/static{path...}",
		"/tiendas/:tienda/fotos-:foto.jpg/ya": "/tiendas/{tienda}/fotos-{foto.jpg}/ya",
		`/a\b`:                                `/a\b`,
	} {
		if got := endpoint(pattern); got != want {
			t.Errorf("%s is %s, want %s", pattern, got, want)
		}
	}
}

func TestRoutes(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	ok := func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) }
	e.GET("/pedidos/:id", ok)
	e.GET("/static/*", ok)
	e.HEAD("/pedidos", ok)
	group := e.Group("/admin", func(next echo.HandlerFunc) echo.HandlerFunc { return next })
	group.GET("/todo", ok) // echo adds a RouteNotFound for the rest of the group

	do(e, "GET", "/pedidos/1")
	do(e, "GET", "/pedidos/2")
	do(e, "DELETE", "/pedidos/3") // 405
	do(e, "OPTIONS", "/pedidos/3")
	do(e, "GET", "/static/a/b.css")
	do(e, "HEAD", "/pedidos")
	do(e, "GET", "/admin/todo")
	do(e, "GET", "/admin/nada") // 404 in the group
	do(e, "GET", "/nada")
	do(e, "GET", "/nada/mas")
	do(e, "BREW", "/nada")

	check(t, rec, map[string]int{
		"GET /pedidos/{id} 204":     2,
		"GET /static/{path...} 204": 1,
		"HEAD /pedidos 204":         1,
		"GET /admin/todo 204":       1,
		"DELETE unmatched 405":      1,
		"OPTIONS unmatched 204":     1,
		"GET unmatched 404":         3,
		"_OTHER unmatched 404":      1,
	})
}

// TestUse wants the series of a route before its first request, and none for
// the routes that echo adds.
func TestUse(t *testing.T) {
	rec, _ := start(t, telemetry.Config{})
	e := echo.New()
	called := 0
	e.OnAddRoute = func(echo.Route) error { called++; return nil }
	Use(e, rec.Telemetry)
	ok := func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) }
	e.GET("/pedidos/:id", ok)
	e.Any("/todo", ok)
	e.Group("/admin", func(next echo.HandlerFunc) echo.HandlerFunc { return next }).POST("/x", ok)
	text := do(rec.Telemetry.Admin().Handler(), "GET", "http://localhost/metrics").Body.String()
	for _, want := range []string{
		`prueba_requests_total{endpoint="/pedidos/{id}",method="GET",status="500"} 0`,
		`prueba_requests_total{endpoint="/admin/x",method="POST",status="200"} 0`,
		`prueba_requests_total{endpoint="/todo",method="GET",status="500"} 0`, // of any method: the two that matter
		`prueba_requests_total{endpoint="/todo",method="POST",status="500"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no series %s before the first request", want)
		}
	}
	if strings.Contains(text, `endpoint="/admin/{path...}"`) || strings.Contains(text, `endpoint="/todo",method="PUT"`) {
		t.Errorf("series for what nobody asked for:\n%s", text)
	}
	if called < 3 {
		t.Errorf("the user's own callback was called %d times", called)
	}
	do(e, "PUT", "/todo")
	check(t, rec, map[string]int{"PUT /todo 204": 1})
}

type brokenError struct{}

func (brokenError) Error() string     { return "broken" }
func (brokenError) ErrorType() string { return "roto" }

func TestHandlerErrors(t *testing.T) {
	rec, _ := start(t, telemetry.Config{})
	var seen error // by middleware further out
	outer := func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			seen = next(c)
			return seen
		}
	}
	e := echo.New()
	e.Use(outer, Middleware(rec.Telemetry))
	e.GET("/tetera", func(*echo.Context) error { return echo.NewHTTPError(http.StatusTeapot, "soy una tetera") })
	e.GET("/roto", func(*echo.Context) error { return fmt.Errorf("pedido: %w", brokenError{}) })
	e.GET("/tarde", func(c *echo.Context) error { // the answer has begun: its status stands
		return errors.Join(c.String(http.StatusOK, "ya"), brokenError{})
	})

	if w := do(e, "GET", "/tetera"); w.Code != http.StatusTeapot || strings.Count(w.Body.String(), "tetera") != 1 {
		t.Errorf("answer %d %s, want one 418", w.Code, w.Body)
	}
	if w := do(e, "GET", "/roto"); w.Code != http.StatusInternalServerError || !errors.Is(seen, brokenError{}) {
		t.Errorf("answer %d, and middleware further out saw %v; want 500 and the error", w.Code, seen)
	}
	if w := do(e, "GET", "/tarde"); w.Code != http.StatusOK || w.Body.String() != "ya" {
		t.Errorf("answer %d %s, want the one that was sent", w.Code, w.Body)
	}
	check(t, rec, map[string]int{
		"GET /tetera 418": 1,
		"GET /roto 500":   1,
		"GET /tarde 200":  1,
	})
	checkErrors(t, rec, "roto", 1)
}

func TestPanic(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	e.GET("/panico", func(*echo.Context) error { panic("no") })
	func() {
		defer func() {
			if p := recover(); p != "no" {
				t.Errorf("the panic arrived as %v, want it as it was", p)
			}
		}()
		do(e, "GET", "/panico")
	}()

	// With echo's Recover further out, the client gets an answer.
	outer := echo.New()
	outer.Use(middleware.Recover(), Middleware(rec.Telemetry))
	outer.GET("/panico", func(*echo.Context) error { panic("no") })
	if w := do(outer, "GET", "/panico"); w.Code != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", w.Code)
	}
	check(t, rec, map[string]int{"GET /panico 500": 2})
	checkErrors(t, rec, "panic", 2)
}

// blindWriter hides the writer below it, as careless middleware does.
type blindWriter struct{ w http.ResponseWriter }

func (b blindWriter) Header() http.Header         { return b.w.Header() }
func (b blindWriter) Write(p []byte) (int, error) { return b.w.Write(p) }
func (b blindWriter) WriteHeader(status int)      { b.w.WriteHeader(status) }

func TestOtherMiddleware(t *testing.T) {
	rec, _ := start(t, telemetry.Config{})
	e := echo.New()
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			outer := c.Response()
			blind := blindWriter{outer}
			c.SetResponse(blind)
			err := next(c)
			if c.Response() != http.ResponseWriter(blind) {
				t.Error("the response is not put back")
			}
			c.SetResponse(outer)
			return err
		}
	}, Middleware(rec.Telemetry), middleware.Gzip())
	e.GET("/largo", func(c *echo.Context) error { return c.String(http.StatusAccepted, strings.Repeat("a", 10_000)) })
	r := httptest.NewRequest("GET", "/largo", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if w.Code != http.StatusAccepted || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("answer %d %v, want 202 and gzip", w.Code, w.Header())
	}
	check(t, rec, map[string]int{"GET /largo 202": 1})
}

// Whoever measures further out and names the route by Pattern agrees.
func TestNested(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	e.GET("/pedidos/:id", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
	measured := rec.Telemetry.Middleware(e)
	do(measured, "GET", "/pedidos/1")
	do(measured, "PUT", "/pedidos/1")
	check(t, rec, map[string]int{
		"GET /pedidos/{id} 204": 1,
		"PUT unmatched 405":     1,
	})
}

func TestProfileLabels(t *testing.T) {
	_, e := startProfiled(t, continuous.Config{})
	labels := map[string]string{}
	e.GET("/pedidos/:id", func(c *echo.Context) error {
		pprof.ForLabels(c.Request().Context(), func(key, value string) bool {
			labels[key] = value
			return true
		})
		return nil
	})
	do(e, "GET", "/pedidos/1")
	if labels[profiles.LabelEndpoint] != "/pedidos/{id}" || labels[profiles.LabelMethod] != "GET" {
		t.Errorf("labels %v", labels)
	}
}

func TestParallel(t *testing.T) {
	rec, e := start(t, telemetry.Config{})
	e.GET("/pedidos/:id", func(c *echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	e.GET("/roto", func(*echo.Context) error { return brokenError{} })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				id := fmt.Sprint(1000*i + j)
				if w := do(e, "GET", "/pedidos/"+id); w.Body.String() != id {
					t.Errorf("the answer to %s is %s", id, w.Body)
				}
				do(e, "GET", "/roto")
				do(e, "GET", "/nada/"+id)
			}
		})
	}
	wg.Wait()
	check(t, rec, map[string]int{
		"GET /pedidos/{id} 200": 1600,
		"GET /roto 500":         1600,
		"GET unmatched 404":     1600,
	})
}

// A Telemetry that records nothing changes nothing.
func TestWithoutTelemetry(t *testing.T) {
	for name, tel := range map[string]*telemetry.Telemetry{"nil": nil, "not started": {}} {
		t.Run(name, func(t *testing.T) {
			e := echo.New()
			e.Use(Middleware(tel))
			e.GET("/roto", func(*echo.Context) error { return brokenError{} })
			if w := do(e, "GET", "/roto"); w.Code != http.StatusInternalServerError {
				t.Errorf("status %d, want 500", w.Code)
			}
		})
	}
}

// TestServingFrame: a request through echo is known by telemetry's function on
// its stack, and a goroutine that it starts is not it.
func TestServingFrame(t *testing.T) {
	tel, e := startProfiled(t, continuous.Config{Interval: time.Hour})
	end, started := make(chan struct{}), make(chan struct{})
	e.GET("/cosas/:id", func(*echo.Context) error {
		go func() {
			close(started)
			<-end
		}()
		<-started
		seen, err := tel.Profiler().Look(t.Context(), 1, time.Millisecond)
		if err != nil {
			return err
		}
		by := tel.Profiler().ByEndpoint(seen.SampleType[0].Type, seen)
		if by["/cosas/{id}"] != 1 || by[""] < 1 { // beside workers of others
			t.Errorf("goroutines by endpoint %v, want one of the request, and one that it has started", by)
		}
		return nil
	})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/cosas/7", nil))
	close(end)
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}
