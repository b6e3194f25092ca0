package telemetry

import (
	"context"
	"net/http"
)

// adminServer is the listener for metrics, health and the debug pages.
type adminServer struct {
	server *http.Server
}

func (t *Telemetry) startAdmin(address string) *adminServer { return nil }

func (a *adminServer) shutdown(ctx context.Context) error { return a.server.Shutdown(ctx) }
