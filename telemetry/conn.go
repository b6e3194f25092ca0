package telemetry

import (
	"net"
	"net/http"
)

// ConnState counts the service's TCP connections: set it as
// http.Server.ConnState, or call it from your own. A connection that a handler
// takes over (a WebSocket) is no longer the server's and leaves the count. It
// is safe for concurrent use.
func (t *Telemetry) ConnState(_ net.Conn, state http.ConnState) {
	if t == nil {
		return
	}
	switch state {
	case http.StateNew:
		t.activeConnections.Add(1)
	case http.StateClosed, http.StateHijacked:
		t.activeConnections.Add(-1)
	}
}
