// Package peer is what the parcel service depends on, as programs of their
// own: two HTTP services, and the DNS server that knows their names.
package peer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// capacity is how many requests a peer works on at a time; the others queue.
const capacity = 64

// Handler is the peer of a name: "rates" or "geo".
func Handler(name string) http.Handler {
	mux := http.NewServeMux()
	slots := make(chan struct{}, capacity)
	handle := func(pattern string, takes time.Duration, answer func(*http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-r.Context().Done():
				return
			}
			if fault.On("close") { // as one that is being replaced
				w.Header().Set("Connection", "close")
			}
			wait := time.NewTimer(fault.Duration("latency", takes))
			defer wait.Stop()
			select {
			case <-wait.C:
			case <-r.Context().Done():
				return
			}
			if fault.On("fail") || fault.On("flaky") && rand.Float64() < 0.9 {
				http.Error(w, "try later", http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Cents", "450")
			_ = json.NewEncoder(w).Encode(answer(r))
		})
	}
	switch name {
	case "rates":
		handle("GET /rate", 20*time.Millisecond, func(r *http.Request) any {
			return map[string]any{"cents": 400 + 25*len(r.FormValue("to"))}
		})
		handle("POST /confirm", 120*time.Millisecond, func(*http.Request) any {
			return map[string]any{"carrier": fmt.Sprintf("C%06d", rand.IntN(1e6))}
		})
		handle("GET /tariffs", 800*time.Millisecond, func(*http.Request) any {
			tariffs := map[string]int{}
			for zone := range 40 {
				tariffs[fmt.Sprintf("zone-%02d", zone)] = 300 + 10*zone
			}
			return tariffs
		})
	case "geo":
		handle("GET /place", 60*time.Millisecond, func(r *http.Request) any {
			return map[string]any{"name": "Depot " + r.FormValue("depot"), "lat": 4.6, "lon": -74.1}
		})
	}
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	return mux
}
