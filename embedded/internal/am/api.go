package am

import (
	"net/http"
	"time"

	apiv2 "github.com/prometheus/alertmanager/api/v2"
)

const (
	// maxRequest is the largest body that the API reads, maxRequests how many
	// requests it answers at once, requestTimeout how long it takes for one.
	maxRequest     = 4 << 20
	maxRequests    = 8
	requestTimeout = 30 * time.Second
)

// newHandler bounds the API, and keeps other web pages out of it.
func newHandler(api *apiv2.API) http.Handler {
	turns := make(chan struct{}, maxRequests)
	bounded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		default:
			http.Error(w, "too many requests at once: try again", http.StatusServiceUnavailable)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		// The API lets every web page read it (Access-Control-Allow-Origin: *).
		// Without an Origin it says nothing, and browsers keep it to this one.
		r.Header.Del("Origin")
		api.Handler.ServeHTTP(w, r)
	})
	return http.TimeoutHandler(bounded, requestTimeout, "the answer took too long")
}
