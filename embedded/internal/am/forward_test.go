package am

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Alerts reach another Alertmanager's API, resolved ones too. One that came while
// it was down is handed over when the rules say it again.
func TestForward(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	there := start(t, Config{File: file([2]string{"hook", webhookTo(h.URL)})})
	var down atomic.Bool
	down.Store(true)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		there.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	here := observe(t, Config{File: file(), Forward: []string{server.URL + "/"}})
	slow, over := firing("Slow"), firing("Over")
	here.Put(slow, over)
	wait(t, "a failure", func() bool { return here.outcomes(t)[server.URL+" failed"] > 0 })
	down.Store(false)
	here.Put(slow, resolved(over))
	wait(t, "the message", func() bool { return len(h.got()) > 0 })
	if got := h.states(); got[0] != "Slow firing" { // Over came and went: there, nobody was told of it
		t.Errorf("messages: %v", got)
	}
	here.Put(resolved(slow))
	wait(t, "the end", func() bool { return len(h.got()) > 1 })
	if got := h.states(); len(got) != 2 || got[1] != "Slow resolved" {
		t.Errorf("messages: %v", got)
	}
	if here.outcomes(t)[server.URL+" success"] == 0 {
		t.Errorf("%v", here.outcomes(t))
	}
}

// A server that hangs holds up nobody, not even the end.
func TestForwardHangs(t *testing.T) {
	t.Parallel()
	asked, released := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-released:
		}
	}))
	defer server.Close()
	defer close(released)
	h := newHook(t)
	s := start(t, Config{File: file([2]string{"hook", webhookTo(h.URL)}), Forward: []string{server.URL}})
	s.Put(firing("Slow"))
	<-asked
	for range 2 * maxForward {
		s.Put(firing("Slow"))
	}
	wait(t, "the receiver beside", func() bool { return len(h.got()) == 1 })
	stop(t, s)
}
