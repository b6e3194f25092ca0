package am

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	common "github.com/prometheus/common/config"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// attemptTimeout and mailTimeout end one attempt at a delivery. Mail servers
	// are let take longer: some wait on purpose.
	attemptTimeout = 10 * time.Second
	mailTimeout    = 30 * time.Second
	// maxAtOnce is how many deliveries of one receiver are under way, maxWaiting
	// how many groups wait for their turn. A group has one at most, and delivers
	// its newest state when its turn comes.
	maxAtOnce  = 4
	maxWaiting = 100
	// maxAnswer is how much of a server's answer is read, in bytes.
	maxAnswer = 1 << 20
)

// The outcomes of an attempt.
const (
	outcomeSuccess = "success"
	outcomeFailed  = "failed"
	outcomeTimeout = "timeout"
	outcomePanic   = "panic"
	outcomeDropped = "dropped" // it was not tried: too much is waiting
)

// deliveries counts attempts.
type deliveries struct{ counter metric.Int64Counter }

func newDeliveries(meter metric.Meter) (deliveries, error) {
	counter, err := meter.Int64Counter("telemetry.alert.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Tries to deliver alerts, by receiver and outcome."))
	return deliveries{counter}, err
}

// everyReceiver stands for the receiver where an alert did not come so far.
const everyReceiver = "*"

func (d deliveries) add(receiver, outcome string) {
	d.counter.Add(context.Background(), 1, metric.WithAttributes(attribute.String("receiver", receiver), attribute.String("outcome", outcome)))
}

// record counts what comes of the attempts of a receiver, and logs when it begins
// to fail and when it works again, of one that does now this, now that, once a
// minute.
type record struct {
	receiver, kind string
	deliveries     deliveries
	secrets        *redactor
	log            *slog.Logger

	mu     sync.Mutex
	down   time.Time // since when it fails; zero while it works
	warned time.Time // when that was logged last
}

// settle is told of an attempt, and returns its error without secrets.
func (r *record) settle(outcome string, err error) error {
	defer r.deliveries.add(r.receiver, outcome) // at the end: whoever sees the count finds the line in the log
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if err == nil {
		if !r.down.IsZero() && !r.warned.Before(r.down) {
			r.log.Info("alerts are delivered again", "receiver", r.receiver, "kind", r.kind, "after", now.Sub(r.down).Round(time.Second))
		}
		r.down = time.Time{}
		return nil
	}
	err = errors.New(r.secrets.text(err.Error()))
	if r.down.IsZero() {
		r.down = now
	}
	if r.warned.Before(r.down) && (r.warned.IsZero() || now.Sub(r.warned) > time.Minute) {
		r.warned = now
		r.log.Warn("alerts cannot be delivered, and wait", "receiver", r.receiver, "kind", r.kind, "error", err)
	}
	return err
}

// guard stands before an integration, so that what is behind it cannot take
// more time, memory or turns than its share, nor say a secret.
type guard struct {
	*record
	inner   *notify.Integration
	spare   *spare
	base    context.Context // done when the server stops
	timeout time.Duration   // of an attempt; 0 for one that ends by itself
	turns   chan struct{}
	waiting atomic.Int64
}

func newGuard(base context.Context, inner *notify.Integration, files *spare, r *record) *guard {
	g := &guard{record: r, base: base, inner: inner, spare: files, timeout: attemptTimeout, turns: make(chan struct{}, maxAtOnce)}
	switch inner.Name() {
	case "email":
		g.timeout = mailTimeout
	case "action":
		g.timeout = 0 // each call has ten seconds of its own
	}
	return g
}

var (
	errWaiting = fmt.Errorf("more than %d deliveries wait for this receiver", maxWaiting)
	errStopped = errors.New("stopped during the delivery")
)

// Notify implements notify.Notifier.
func (g *guard) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	if g.waiting.Add(1) > maxWaiting {
		g.waiting.Add(-1)
		_ = g.settle(outcomeDropped, errWaiting)
		return false, errWaiting // the group tries again at its next interval
	}
	select {
	case g.turns <- struct{}{}:
		g.waiting.Add(-1)
		defer func() { <-g.turns }()
	case <-ctx.Done():
		g.waiting.Add(-1)
		return true, fmt.Errorf("waiting for its turn: %w", context.Cause(ctx))
	}
	if stale, ok := ctx.Value(staleKey{}).(func() bool); ok && stale() {
		return false, errStale
	}
	outcome, retry, err := g.attempt(ctx, alerts)
	if err != nil && g.base.Err() != nil {
		return retry, errStopped
	}
	return retry, g.settle(outcome, err)
}

func (g *guard) attempt(ctx context.Context, alerts []*amalert.Alert) (outcome string, retry bool, err error) {
	if g.timeout > 0 {
		// The end of the group's interval does not cut an attempt short: the
		// receiver may have taken the message, and would get it again.
		detached, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), g.timeout, fmt.Errorf("no answer within %v", g.timeout))
		defer cancel()
		defer context.AfterFunc(g.base, cancel)()
		ctx = detached
	}
	defer func() {
		if p := recover(); p != nil {
			outcome, retry, err = outcomePanic, false, fmt.Errorf("panic: %v", p)
		}
	}()
	retry, err = g.spare.lend(func() (bool, error) { return g.inner.Notify(ctx, alerts...) })
	if err == nil {
		return outcomeSuccess, false, nil
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return outcomeTimeout, true, err
	}
	if reason, ok := errors.AsType[*notify.ErrorWithReason](err); ok && reason.Reason == notify.RateLimitedReason {
		retry = true // Alertmanager's webhook gives up at 429
	}
	return outcomeFailed, retry, err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// httpOptions bound what an HTTP receiver costs: no connection outlives its
// request, and no answer is read to its end if that is far.
func httpOptions() []common.HTTPClientOption {
	return []common.HTTPClientOption{common.WithDialContextFunc(dialBounded), common.WithKeepAlivesDisabled()}
}

func dialBounded(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: conn, left: maxAnswer}, nil
}

// boundedConn reads so much and no more. http.Transport reads it on one
// goroutine.
type boundedConn struct {
	net.Conn
	left int
}

// Read implements net.Conn.
func (c *boundedConn) Read(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes: %w", maxAnswer, io.ErrShortBuffer)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}
