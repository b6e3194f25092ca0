package faults

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// notification is an alert as Alertmanager's webhook tells of it.
type notification struct {
	Status      string            `json:"status"` // firing or resolved
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`

	at time.Time // it came
}

// hook is the receiver that the service notifies.
type hook struct {
	*httptest.Server

	mu   sync.Mutex
	told []notification
}

func startHook(t testing.TB) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []notification `json:"alerts"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 4<<20)).Decode(&message); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, n := range message.Alerts {
			n.at = time.Now()
			h.told = append(h.told, n)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

// firing are the alerts that were notified since a time, in their order.
func (h *hook) firing(since time.Time) []notification {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []notification
	for _, n := range h.told {
		if n.Status == "firing" && n.at.After(since) && !n.StartsAt.Before(since.Add(-time.Second)) {
			list = append(list, n)
		}
	}
	return list
}
