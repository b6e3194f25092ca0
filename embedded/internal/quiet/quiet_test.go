package quiet

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		log := Logger(slog.New(slog.NewTextHandler(&b, nil)), Options{
			Every: time.Minute, Prefix: "store: ", Drop: map[string]bool{"routine": true},
			Clean: func(s string) string { return strings.ReplaceAll(s, "hunter22", "<secret>") },
		}).With("who", "hunter22")
		for range 3 {
			log.Info("for nobody")
			log.Error("routine")
			log.Warn("it fails", "n", 3, "err", errors.New("password hunter22"), slog.Group("g", "k", "hunter22"))
		}
		if n := strings.Count(b.String(), "\n"); n != 1 || strings.Contains(b.String(), "hunter22") ||
			!strings.Contains(b.String(), `msg="store: it fails" who=<secret> n=3 err="password <secret>" g.k=<secret>`) {
			t.Errorf("%d lines:\n%s", n, b.String())
		}
		time.Sleep(time.Minute)
		log.Warn("it fails")
		if n := strings.Count(b.String(), "\n"); n != 2 {
			t.Errorf("%d lines after a minute", n)
		}
	})
}
