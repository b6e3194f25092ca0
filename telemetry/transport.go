package telemetry

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime/pprof"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/latido-dev/latido/domain"
)

// Transport measures the requests that a client sends through base, which is
// http.DefaultTransport when nil: client.requests counts them by host and class
// of status, client.duration is the time until the answer's header, or until
// there is none. The host counts by its name, without the port; hosts that
// Domain.Peers does not list, or without that list those after the first
// domain.MaxPeers, count as domain.Other.
//
// While a request waits for its answer, its goroutine has the profile label
// peer beside the labels that the request's context carries, and afterwards
// those of the context, as with pprof.Do. A context without labels, which is not
// that of a measured request, a region or a monitored function, changes none.
// Where tracing is on, the request has a span, which ends with the header, and
// takes the trace and its baggage along. The answer and its body are base's own.
// Errors and panics of base go on unchanged.
//
// On a nil Telemetry it returns base. It is safe for concurrent use if base is.
func (t *Telemetry) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	if !t.recording() {
		return base
	}
	switch b := base.(type) { // once is enough
	case *transport:
		if b.t == t {
			return b
		}
	case cancelingTransport:
		if b.t == t {
			return b
		}
	}
	c := &transport{t: t, base: base}
	if canceler, ok := base.(requestCanceler); ok {
		c.canceler = canceler
		return cancelingTransport{c}
	}
	return c
}

type transport struct {
	t        *Telemetry
	base     http.RoundTripper
	canceler requestCanceler // base, where it is one
	copies   sync.Map        // of requests under way, by those that came in
}

// requestCanceler is deprecated, and http.Transport still is one.
type requestCanceler interface{ CancelRequest(*http.Request) }

type cancelingTransport struct{ *transport }

// CancelRequest cancels a request under way.
func (c cancelingTransport) CancelRequest(r *http.Request) {
	if sent, ok := c.copies.Load(r); ok {
		r = sent.(*http.Request)
	}
	c.canceler.CancelRequest(r)
}

// CloseIdleConnections closes those of base.
func (c *transport) CloseIdleConnections() {
	if closer, ok := c.base.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// RoundTrip sends a request, as http.RoundTripper.
func (c *transport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	peer, sent := c.t.peerOf(r), r
	var span trace.Span
	if c.t.tracing {
		sent, span = c.t.startClientSpan(r)
		if c.canceler != nil {
			c.copies.Store(r, sent)
			defer c.copies.Delete(r)
		}
	}
	start, returned := monotonic(), false
	// Without labels in ctx nothing is done: pprof cannot tell those that the
	// goroutine has, and the peer would end them.
	if ctx := r.Context(); !c.t.cfg.Profiling.Disabled && labelledContext(ctx) {
		pprof.SetGoroutineLabels(pprof.WithLabels(ctx, peer.labels))
		defer pprof.SetGoroutineLabels(ctx)
	}
	defer func() {
		status := clientError
		if returned {
			status = clientStatus(r.Context(), answer, err)
		}
		peer.requests[status].Add(1)
		peer.duration.observe(monotonic() - start)
		if span != nil {
			endClientSpan(span, status, answer, err, returned)
		}
	}()
	answer, err = c.base.RoundTrip(sent)
	returned = true
	return answer, err
}

// clientStatuses are the values of the label status of client.requests.
var clientStatuses = domain.ClientStatuses()

// The values of the label status of client.requests that are no class of
// answers, as places in clientStatuses.
const (
	clientTimeout  = 5 + iota // no answer in time
	clientCanceled            // who asked no longer wants to know
	clientDial                // no connection
	clientTLS                 // no handshake: mostly a certificate that is not trusted
	clientError               // any other error, a panic, an answer that is none
	clientRefused             // the first of the answers that have a status of their own
)

// refusals are those, as what they ask of the service differs: credentials,
// rights, an address, fewer calls.
var refusals = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests}

// clientStatus says how a request ended.
func clientStatus(ctx context.Context, answer *http.Response, err error) int {
	var timeout net.Error
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case err == nil && answer != nil && answer.StatusCode >= 100 && answer.StatusCode < 600:
		if i := slices.Index(refusals, answer.StatusCode); i >= 0 {
			return clientRefused + i
		}
		return answer.StatusCode/100 - 1
	case err == nil:
		return clientError
	case errors.Is(err, context.Canceled) || errors.Is(ctx.Err(), context.Canceled):
		return clientCanceled
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() || late(ctx):
		return clientTimeout
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return clientDial
	// As an operation crypto/tls names an alert: it ended the handshake.
	case errors.As(err, &certificate) || errors.As(err, &header) || op != nil && (op.Op == "remote error" || op.Op == "local error"):
		return clientTLS
	}
	return clientError
}

// late tells whether ctx's deadline has passed: http.Client also cancels what is
// late in ways that predate contexts, whose error does not say so.
func late(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

var clientSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

// startClientSpan begins the span of a request that is sent, and returns the copy
// of it that takes the trace along. It says what the semantic conventions have
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span).
func (t *Telemetry) startClientSpan(r *http.Request) (*http.Request, trace.Span) {
	method := cmp.Or(r.Method, http.MethodGet)
	ctx, span := t.tracer.Start(r.Context(), spanName(method, ""), clientSpan...)
	sent := r.WithContext(ctx)
	sent.Header = r.Header.Clone()
	if sent.Header == nil {
		sent.Header = http.Header{}
	}
	t.propagator.Inject(ctx, propagation.HeaderCarrier(sent.Header))
	if !span.IsRecording() || r.URL == nil {
		return sent, span
	}
	address := *r.URL
	address.User = nil // a password may be in it
	host, port := splitHost(r.URL.Host)
	attributes := make([]attribute.KeyValue, 0, 10)
	attributes = append(attributes, semconv.URLFull(address.String()), semconv.ServerAddress(host))
	attributes = appendMethod(attributes, method)
	usual := 80
	if r.URL.Scheme == "https" {
		usual = 443
	}
	if port > 0 && port != usual {
		attributes = append(attributes, semconv.ServerPort(port))
	}
	span.SetAttributes(attributes...)
	return sent, span
}

// endClientSpan says what came of a request that was sent, and ends its span.
func endClientSpan(span trace.Span, status int, answer *http.Response, err error, returned bool) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	switch {
	case !returned:
		span.SetStatus(codes.Error, "panic")
		span.SetAttributes(semconv.ErrorTypeKey.String("panic"))
	case err != nil:
		reason := semconv.ErrorType(err)
		if status != clientError {
			reason = semconv.ErrorTypeKey.String(clientStatuses[status])
		}
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(reason)
	case answer != nil:
		attributes := appendProtocol(make([]attribute.KeyValue, 0, 4), answer.Proto)
		attributes = append(attributes, semconv.HTTPResponseStatusCode(answer.StatusCode))
		if answer.StatusCode < 100 || answer.StatusCode >= 400 {
			attributes = append(attributes, semconv.ErrorTypeKey.String(strconv.Itoa(answer.StatusCode)))
			span.SetStatus(codes.Error, "")
		}
		span.SetAttributes(attributes...)
	}
}
