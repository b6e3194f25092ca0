package telemetry

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestDurations: what takes three seconds is recorded as that, be it a request, one
// of another router, or a monitored function that fails.
func TestDurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tel := start(t)
		takes := func(w http.ResponseWriter, _ *http.Request) { time.Sleep(3 * time.Second) }
		time.Sleep(time.Hour) // a duration is none since the start
		mux := tel.NewServeMux()
		mux.HandleFunc("GET /takes", takes)
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/takes", nil))
		tel.Middleware(tel.RouteHandler("/other", http.HandlerFunc(takes))).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/other", nil))
		_ = tel.Monitor("cobrar", func(context.Context) error { time.Sleep(3 * time.Second); return http.ErrServerClosed })(t.Context())
		scrape(t, tel).want(t, series{
			`tienda_response_duration_seconds_sum{endpoint="/takes",method="GET"}`: 3,
			`tienda_response_duration_seconds_sum{endpoint="/other",method="GET"}`: 3,
			`tienda_function_duration_seconds_sum{function="cobrar"}`:              3,
		})
	})
}
