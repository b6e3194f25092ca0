package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// adminServer is the listener for metrics, health and the debug pages.
type adminServer struct {
	server *http.Server
	url    string
	done   chan struct{}
}

func (t *Telemetry) startAdmin(address string) *adminServer {
	if t.cfg.Admin.Disabled {
		return nil
	}
	if t.cfg.Admin.Address != "" {
		address = t.cfg.Admin.Address
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.self.log.Warn("the admin listener cannot be started, so /metrics is not served: set OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT, or Config.Admin.Address",
			slog.String("address", address), slog.Any("error", err))
		return nil
	}
	a := &adminServer{done: make(chan struct{}), url: "http://" + listener.Addr().String(), server: &http.Server{
		Handler: t.AdminHandler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
	}}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(listener)
	}()
	return a
}

func (a *adminServer) shutdown(ctx context.Context) error {
	err := a.server.Shutdown(ctx)
	if err != nil {
		_ = a.server.Close()
	}
	<-a.done
	return err
}

// AdminURL is where the admin listener is reached: http://127.0.0.1:9464. It
// is "" without one.
func (t *Telemetry) AdminURL() string {
	if !t.recording() || t.admin == nil {
		return ""
	}
	return t.admin.url
}

// AdminHandler serves the pages of the admin listener, for those who have a
// listener of their own.
func (t *Telemetry) AdminHandler() http.Handler {
	if !t.recording() {
		return http.NotFoundHandler()
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.metricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.Handle("GET /debug/", t.profiler.Handler())
	return mux
}
