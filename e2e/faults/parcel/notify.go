package parcel

import (
	"context"
	"log/slog"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// Notifier tells customers what happened to their shipments.
type Notifier struct {
	log   *slog.Logger
	queue chan string
	seen  chan string
}

// NewNotifier tells nobody before Run.
func NewNotifier(log *slog.Logger) *Notifier {
	return &Notifier{log: log, queue: make(chan string, 100), seen: make(chan string)}
}

// Booked has the customer told of a booking. A full queue drops it.
func (n *Notifier) Booked(code string) {
	select {
	case n.queue <- code:
	default:
		n.log.Warn("notification dropped", "code", code)
	}
}

// Tracked has it counted that a shipment was looked at.
func (n *Notifier) Tracked(code string) {
	if fault.On("nobody_receives") {
		for range 8 {
			go func() { n.seen <- code }()
		}
	}
}

// Run works on the queue until ctx is done.
func (n *Notifier) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case code := <-n.queue:
			n.log.Debug("customer notified", "code", code)
		}
	}
}
