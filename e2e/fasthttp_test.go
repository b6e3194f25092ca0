package e2e

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

// TestAdminHandlerOnFasthttp has the admin pages on a server that is not
// net/http's, under the names that a stranger may choose: what shows the inside
// is shown behind authentication only.
func TestAdminHandlerOnFasthttp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		guarded bool
		inside  int
	}{{false, http.StatusForbidden}, {true, http.StatusOK}} {
		tel, err := telemetry.Init(t.Context(), telemetry.Config{
			Domain: domain.Domain{Prefix: "tienda", Entity: "pedido"}, KeepGlobals: true, Logger: slog.New(slog.DiscardHandler),
			Admin: telemetry.AdminConfig{Disabled: true, Guarded: c.guarded}, Profiling: continuous.Config{Disabled: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &fasthttp.Server{Handler: fasthttpadaptor.NewFastHTTPHandler(tel.Admin().Handler()), DisableKeepalive: true}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = server.Serve(listener) }()
		// Its Shutdown writes what the contexts of requests that ended still read.
		t.Cleanup(func() { _ = listener.Close(); <-ended })
		for _, host := range []string{"", "localhost", "127.0.0.1", "shop.example"} {
			for path, want := range map[string]int{
				"/metrics": 200, "/healthz": 200, "/readyz": 200,
				"/": c.inside, "/metrics-dashboard": c.inside, "/debug/pprof/": c.inside, "/debug/pprof/goroutine?debug=1": c.inside,
			} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Host = host
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("guarded %v, host %q, %s: status %d, want %d", c.guarded, host, path, response.StatusCode, want)
				}
			}
		}
	}
}
