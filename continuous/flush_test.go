package continuous_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
)

// TestFlush: what was profiled until now is with the server when Flush returns,
// and a server that fails or hangs holds nobody for longer than it has to.
func TestFlush(t *testing.T) {
	var got atomic.Int64
	var status atomic.Int64
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch code := int(status.Load()); code {
		case 0:
			got.Add(1)
		case 1:
			select {
			case <-release:
			case <-r.Context().Done():
			}
		default:
			w.WriteHeader(code)
		}
	}))
	defer server.Close()
	defer close(release)
	p, err := continuous.Start(continuous.Config{ServerAddress: server.URL, Interval: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Stop(ctx) // what the server refused is still there
		if err := p.Flush(context.Background()); err != nil {
			t.Errorf("Flush after Stop: %v", err)
		}
	}()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := p.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got.Load() == 0 {
		t.Error("nothing is with the server")
	}
	status.Store(http.StatusServiceUnavailable)
	if err := p.Flush(nil); err == nil { //nolint:staticcheck // which people write
		t.Error("Flush says that all arrived, of a server that refused it")
	}
	status.Store(1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Flush(ctx); err == nil {
		t.Error("Flush says that all arrived, of a server that hangs")
	}
	var none *continuous.Profiler
	if err := none.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}
