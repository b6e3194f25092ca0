package parcel

import (
	"log/slog"
	"net/http"
	"time"
)

// logRequest writes a line of the access log.
func (s *Service) logRequest(r *http.Request, route string, status int, took time.Duration) {
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.log.LogAttrs(r.Context(), level, "request",
		slog.String("route", route), slog.String("path", r.URL.Path), slog.Int("status", status),
		slog.Duration("took", took), slog.String("remote", r.RemoteAddr), slog.String("agent", r.UserAgent()))
}
