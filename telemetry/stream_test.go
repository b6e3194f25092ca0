package telemetry

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// longer is beyond the bucket of a quarter of a second.
const longer = 300 * time.Millisecond

// TestStreamIsNoLatency: an answer that is flushed while its handler runs counts
// with the time to its first flush, whichever way it is flushed.
func TestStreamIsNoLatency(t *testing.T) {
	t.Parallel()
	event := func(w http.ResponseWriter) { _, _ = io.WriteString(w, "data: 1\n\n") }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		fast    float64 // how many are within a quarter of a second
	}{
		"Flush": {func(w http.ResponseWriter, _ *http.Request) { event(w); w.(http.Flusher).Flush(); time.Sleep(longer) }, 1},
		"ResponseController": {func(w http.ResponseWriter, _ *http.Request) {
			event(w)
			_ = http.NewResponseController(w).Flush()
			time.Sleep(longer)
		}, 1},
		"header only": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); time.Sleep(longer); event(w) }, 1},
		"early hints": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); time.Sleep(longer) }, 0},
		"late flush":  {func(w http.ResponseWriter, _ *http.Request) { time.Sleep(longer); event(w); w.(http.Flusher).Flush() }, 0},
		"no flush":    {func(w http.ResponseWriter, _ *http.Request) { event(w); time.Sleep(longer) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFront(t, c.handler, func(t *testing.T, tel *Telemetry, s *served) {
				s.get(t, "/orders/7")
				scrape(t, tel).want(t, series{
					`tienda_response_duration_seconds_bucket{endpoint="/orders/{id}",method="GET",le="0.25"}`: c.fast,
					`tienda_response_duration_seconds_count{endpoint="/orders/{id}",method="GET"}`:            1,
				})
			})
		})
	}
}

// TestProxiedStream: as above where an upstream streams, and the proxy hands on
// at once what it gets.
func TestProxiedStream(t *testing.T) {
	t.Parallel()
	upstream := serve(t, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 4 {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
			time.Sleep(longer / 3)
		}
	}))
	for protocol, number := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			m := tel.NewServeMux()
			proxy := proxyTo(t, upstream.URL)
			proxy.FlushInterval = -1
			m.Handle("/", proxy)
			serve(t, number, m).get(t, "/events")
			scrape(t, tel).want(t, series{
				`tienda_response_duration_seconds_bucket{endpoint="/",method="GET",le="0.25"}`: 1,
				requests("GET", "/", 200): 1,
			})
		})
	}
}
