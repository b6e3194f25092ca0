package am

import (
	"time"

	"github.com/prometheus/alertmanager/silence"
)

// ReceiverStatus is how a receiver fares.
type ReceiverStatus struct {
	// Name is the receiver's, Kind says what it is: webhook, email, log, action.
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Outcome is that of the last attempt: success, failed, timeout, panic or
	// dropped; "" before the first one.
	Outcome string `json:"outcome,omitempty"`
	// Error says why the last attempt failed, without secrets.
	Error       string    `json:"error,omitempty"`
	LastSuccess time.Time `json:"lastSuccess,omitzero"`
	LastFailure time.Time `json:"lastFailure,omitzero"`
	// Delivered and Failed count attempts. Waiting are the groups of alerts that
	// wait for their turn.
	Delivered int64 `json:"delivered"`
	Failed    int64 `json:"failed"`
	Waiting   int   `json:"waiting"`
}

// Status says how the server fares.
type Status struct {
	Receivers []ReceiverStatus `json:"receivers"`
	// Forwards are the Alertmanager servers that get the alerts.
	Forwards []ReceiverStatus `json:"forwards,omitempty"`
	// Alerts is how many alerts there are, those just resolved included.
	Alerts int `json:"alerts"`
	// Silences is how many silences hold now.
	Silences int `json:"silences"`
	// Persistent tells whether silences and the notification log outlive the
	// process.
	Persistent bool `json:"persistent"`
}

// Status says how the receivers fare.
func (s *Server) Status() Status {
	if s == nil {
		return Status{}
	}
	status := Status{Persistent: s.store.persistent()}
	for _, g := range s.receivers {
		g.mu.Lock()
		one := g.status
		one.Waiting = g.waiting
		g.mu.Unlock()
		status.Receivers = append(status.Receivers, one)
	}
	for _, f := range s.forwards {
		status.Forwards = append(status.Forwards, f.Status())
	}
	s.known.mu.Lock()
	status.Alerts = s.known.count
	s.known.mu.Unlock()
	if n, err := s.parts.silences.CountState(s.base, silence.SilenceStateActive); err == nil {
		status.Silences = n
	}
	return status
}
