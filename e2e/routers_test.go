package e2e

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// TestRouters sends requests through chi and gorilla/mux as docs/routers.md has
// them, and wants the pattern as the endpoint.
func TestRouters(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
	for name, router := range map[string]struct {
		route func(*http.Request) string
		build func(*telemetry.Telemetry) http.Handler
	}{
		"chi": {
			route: func(r *http.Request) string {
				if c := chi.RouteContext(r.Context()); c != nil {
					return c.RoutePattern()
				}
				return ""
			},
			build: func(tel *telemetry.Telemetry) http.Handler {
				router := chi.NewRouter()
				router.Use(tel.Middleware)
				router.Get("/orders/{id}", answer)
				router.Route("/stores", func(r chi.Router) { r.Get("/{store}/orders/{id}", answer) })
				return router
			},
		},
		"gorilla": {
			route: func(r *http.Request) string {
				if route := mux.CurrentRoute(r); route != nil {
					pattern, _ := route.GetPathTemplate()
					return pattern
				}
				return ""
			},
			build: func(tel *telemetry.Telemetry) http.Handler {
				router := mux.NewRouter()
				router.Use(tel.Middleware)
				router.NotFoundHandler = tel.Middleware(http.NotFoundHandler())
				router.HandleFunc("/orders/{id}", answer)
				router.PathPrefix("/stores").Subrouter().HandleFunc("/{store}/orders/{id}", answer)
				return router
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tel, err := telemetry.Init(t.Context(), telemetry.Config{
				Domain: domain.Domain{Prefix: "tienda", Entity: "pedido"}, Route: router.route, KeepGlobals: true,
				Logger: slog.New(slog.DiscardHandler), Admin: telemetry.AdminConfig{Disabled: true}, Profiling: continuous.Config{Disabled: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tel.Shutdown(context.Background()) }()
			handler := router.build(tel)
			for _, path := range []string{"/orders/1", "/orders/2", "/stores/a/orders/3", "/nowhere"} {
				handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
			}
			w := httptest.NewRecorder()
			tel.Admin().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/metrics", nil))
			text, err := io.ReadAll(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{
				`{endpoint="/orders/{id}",method="GET",status="202"} 2`,
				`{endpoint="/stores/{store}/orders/{id}",method="GET",status="202"} 1`,
				`{endpoint="unmatched",method="GET",status="404"} 1`,
			} {
				if !strings.Contains(string(text), "tienda_requests_total"+want+"\n") {
					t.Errorf("no series %s in\n%s", want, text)
				}
			}
		})
	}
}
