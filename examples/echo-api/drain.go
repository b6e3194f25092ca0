package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"
)

// drainTime is how long requests are still taken after SIGTERM, by SHUTDOWN_DELAY
// in the environment. Behind a load balancer they come until it knows, which
// /readyz tells it at once.
func drainTime() (time.Duration, error) {
	text := os.Getenv("SHUTDOWN_DELAY")
	if text == "" {
		return 0, nil
	}
	drain, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("SHUTDOWN_DELAY is %q: write a duration, such as 5s", text)
	}
	return drain, nil
}

// closing has clients leave their connections once ctx is done: one that is closed
// while a request is on its way loses it.
func closing(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
