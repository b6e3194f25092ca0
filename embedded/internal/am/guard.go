package am

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
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

// everyReceiver stands for the receiver where an alert did not come so far.
const everyReceiver = "*"

// deliveries counts attempts.
type deliveries struct{ counter metric.Int64Counter }

func newDeliveries(meter metric.Meter) (deliveries, error) {
	counter, err := meter.Int64Counter("telemetry.alert.deliveries", metric.WithUnit("{delivery}"),
		metric.WithDescription("Tries to deliver alerts, by receiver and outcome."))
	return deliveries{counter}, err
}

func (d deliveries) add(receiver, outcome string) {
	d.counter.Add(context.Background(), 1, metric.WithAttributes(
		attribute.String("receiver", receiver), attribute.String("outcome", outcome)))
}

// guard stands before an integration, so that what is behind it cannot take
// more time, memory or turns than its share, nor say a secret.
type guard struct {
	inner      *notify.Integration
	receiver   string
	base       context.Context // done when the server stops
	timeout    time.Duration   // of an attempt; 0 for one that ends by itself
	deliveries deliveries
	secrets    *redactor
	log        *slog.Logger
	turns      chan struct{}

	mu      sync.Mutex
	status  ReceiverStatus
	waiting int
	down    time.Time // since when it fails; zero while it works
	warned  time.Time // when that was logged last
}

func newGuard(base context.Context, inner *notify.Integration, receiver string, d deliveries, secrets *redactor, log *slog.Logger) *guard {
	g := &guard{base: base, inner: inner, receiver: receiver, timeout: attemptTimeout, deliveries: d, secrets: secrets, log: log,
		turns: make(chan struct{}, maxAtOnce), status: ReceiverStatus{Name: receiver, Kind: inner.Name()}}
	switch inner.Name() {
	case "email":
		g.timeout = mailTimeout
	case "action":
		g.timeout = 0 // each call has ten seconds of its own
	}
	return g
}

// Notify implements notify.Notifier.
func (g *guard) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	if !g.wait(1) {
		g.settle(outcomeDropped, errWaiting)
		return false, errWaiting // the group tries again at its next interval
	}
	select {
	case g.turns <- struct{}{}:
		g.wait(-1)
		defer func() { <-g.turns }()
	case <-ctx.Done():
		g.wait(-1)
		return true, fmt.Errorf("waiting for its turn: %w", context.Cause(ctx))
	}
	if stale, ok := ctx.Value(staleKey{}).(func() bool); ok && stale() {
		return false, errStale
	}
	outcome, retry, err := g.attempt(ctx, alerts)
	if err == nil {
		g.settle(outcomeSuccess, nil)
		return false, nil
	}
	if g.base.Err() != nil {
		return retry, errStopped
	}
	err = errors.New(g.secrets.text(err.Error()))
	g.settle(outcome, err)
	return retry, err
}

var (
	errWaiting = fmt.Errorf("more than %d deliveries wait for this receiver", maxWaiting)
	errStopped = errors.New("stopped during the delivery")
)

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
	retry, err = g.inner.Notify(ctx, alerts...)
	if err == nil {
		return outcomeSuccess, false, nil
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		return outcomeTimeout, true, err
	}
	var reason *notify.ErrorWithReason
	if errors.As(err, &reason) && reason.Reason == notify.RateLimitedReason {
		retry = true // Alertmanager's webhook gives up at 429
	}
	return outcomeFailed, retry, err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// wait counts who waits, and says whether one more may.
func (g *guard) wait(n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n > 0 && g.waiting >= maxWaiting {
		return false
	}
	g.waiting += n
	return true
}

// settle counts an attempt, and logs when the receiver begins to fail and when
// it works again, of one that does now this, now that, once a minute.
func (g *guard) settle(outcome string, err error) {
	g.deliveries.add(g.receiver, outcome)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.status.Outcome = outcome
	if err == nil {
		g.status.Delivered++
		g.status.LastSuccess, g.status.Error = now, ""
		if !g.down.IsZero() && !g.warned.Before(g.down) {
			g.log.Info("alerts are delivered again", "receiver", g.receiver, "kind", g.status.Kind, "after", now.Sub(g.down).Round(time.Second))
		}
		g.down = time.Time{}
		return
	}
	g.status.Failed++
	g.status.LastFailure, g.status.Error = now, err.Error()
	if g.down.IsZero() {
		g.down = now
	}
	if g.warned.Before(g.down) && (g.warned.IsZero() || now.Sub(g.warned) > time.Minute) {
		g.warned = now
		g.log.Warn("alerts cannot be delivered, and wait", "receiver", g.receiver, "kind", g.status.Kind, "error", err)
	}
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

// boundedClient is an HTTP client for the servers that alerts are forwarded to.
func boundedClient() *http.Client {
	return &http.Client{
		Timeout:       attemptTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialBounded, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
