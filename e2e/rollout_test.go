package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// balancer has the addresses that a Service leads to, which clients take in turn.
type balancer struct {
	mu   sync.Mutex
	urls []string
	next int
}

func (e *balancer) set(urls ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.urls = urls
}

func (e *balancer) take() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next++
	return e.urls[e.next%len(e.urls)]
}

// TestRolloutLosesNoRequest replaces the example's binary by another one under
// load, as the kubelet does at its worst: SIGTERM comes at once, and the nodes go
// on sending requests until they hear that the pod ends. /readyz says so at once,
// the port stays open, and no request is lost, on kept connections neither.
func TestRolloutLosesNoRequest(t *testing.T) {
	t.Parallel()
	// Until it is over the old one takes requests.
	const delay = 20 * time.Second
	start := func() shop {
		return startShop(t, []string{"SHUTDOWN_DELAY=" + delay.String()})
	}
	old, fresh := start(), start()
	var service balancer
	service.set(old.API(), fresh.API())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 2 * time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	done := make(chan struct{})
	stop := sync.OnceFunc(func() { close(done) })
	var sent atomic.Int64
	var mu sync.Mutex
	var lost []error
	var load sync.WaitGroup
	for range 8 {
		load.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				// A POST is not sent again by the client, whatever its connection does.
				response, err := client.Post(service.take()+"/pedidos", "application/json", strings.NewReader("{}"))
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					err = errors.Join(err, response.Body.Close())
				}
				sent.Add(1)
				if err != nil {
					mu.Lock()
					lost = append(lost, err)
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); load.Wait() }) // also where the test ends early
	more := func(n int64) {
		t.Helper()
		until := sent.Load() + n
		servers.WaitFor(t, servers.Patience, "requests", func() error {
			if got := sent.Load(); got < until {
				return fmt.Errorf("%d of %d", got, until)
			}
			return nil
		})
	}
	more(50)
	heard := time.Now().Add(delay / 2) // by the last node
	old.Signal(t, syscall.SIGTERM)
	servers.WaitFor(t, delay-time.Second, "/readyz to say that it ends", func() error {
		response, err := http.Get(old.URL() + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusServiceUnavailable {
			return fmt.Errorf("/readyz is %s", response.Status)
		}
		return nil
	})
	for time.Now().Before(heard) { // half of them go to the one that ends
		more(50)
	}
	service.set(fresh.API())
	if err := old.Wait(t, servers.Patience); err != nil {
		t.Errorf("the old one ends with %v", err)
	}
	more(20)
	stop()
	load.Wait()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests are lost: %v", len(lost), sent.Load(), lost[0])
	}
}
