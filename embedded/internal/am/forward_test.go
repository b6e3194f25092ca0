package am

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/latido-dev/latido/embedded/alert"
)

// Alerts reach another Alertmanager's API, resolved ones too, and wait while it
// is down.
func TestForward(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	there := start(t, Config{File: file([2]string{"hook", webhookTo(h.URL)})})
	var (
		mu    sync.Mutex
		down  = true
		tries int
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		tries++
		refuse := down
		mu.Unlock()
		if refuse {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		there.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	lines := &logs{}
	here := start(t, Config{File: file(), Forward: []string{server.URL + "/"}, Logger: lines.logger()})
	slow, over := firing("Slow"), firing("Over")
	here.Put(slow, over)
	wait(t, "two tries", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return tries >= 2
	})
	if status := here.Status().Forwards[0]; status.Name != server.URL || status.Outcome != outcomeFailed {
		t.Errorf("status: %+v", status)
	}
	here.Put(resolved(over))
	mu.Lock()
	down = false
	mu.Unlock()
	wait(t, "the message", func() bool { return len(h.got()) > 0 })
	if got := h.states(); got[0] != "Slow firing" { // Over came and went: there, nobody was told of it
		t.Errorf("messages: %v", got)
	}
	here.Put(resolved(slow))
	wait(t, "the end", func() bool { return len(h.got()) > 1 })
	if got := h.states(); len(got) != 2 || got[1] != "Slow resolved" {
		t.Errorf("messages: %v", got)
	}
	wait(t, "the status", func() bool { return here.Status().Forwards[0].Outcome == outcomeSuccess })
}

// What waits for a server is bounded, and of an alert its newest state.
func TestForwardBound(t *testing.T) {
	t.Parallel()
	meterless, err := newDeliveries(noop.NewMeterProvider().Meter(""))
	if err != nil {
		t.Fatal(err)
	}
	f, err := newForward("http://localhost:9093", time.Minute, meterless, discard)
	if err != nil {
		t.Fatal(err)
	}
	var first []alert.Alert
	for i := range maxForward + 10 {
		a := firing("A", "endpoint", string(rune('a'+i%26))+time.Duration(i).String())
		first = append(first, a)
		f.put(a)
	}
	f.put(resolved(first[20]))
	if f.Status().Waiting != maxForward {
		t.Errorf("%d wait", f.Status().Waiting)
	}
	batch := f.next()
	if len(batch) != maxBatch || batch[0].Labels["endpoint"] != first[10].Labels["endpoint"] || !batch[10].Resolved() {
		t.Errorf("a batch of %d that begins with %v", len(batch), batch[0].Labels)
	}
	f.put(resolved(first[11])) // newer than what failed
	f.again(batch)
	again := f.next()
	if len(again) != maxBatch || again[0].Labels["endpoint"] != first[10].Labels["endpoint"] || again[1].Labels["endpoint"] != first[12].Labels["endpoint"] {
		t.Errorf("again: %v, %v", again[0].Labels, again[1].Labels)
	}
}
