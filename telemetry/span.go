package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/latido-dev/latido/domain"
)

// The span of a request is made here and not by otelhttp, which describes a
// request before it knows whether anybody will see that, names it twice, and
// wraps a writer that is wrapped already. What a span says is the same: the
// semantic conventions of HTTP servers, version 1.43
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span).

// requestSpan is the span of one request.
type requestSpan struct {
	trace.Span
	profile string          // its id where it has a profile, "" for none
	pending context.Context // the request's with the span, until that is handed on
}

// Options are made once: they are the same for every request.
var (
	serverSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	rootSpan   = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot()}
)

// startSpan begins the request's span. The sampler is asked with nothing but the
// trace: what a span says of its request is put together for those that are kept.
func (x *exchange) startSpan() {
	ctx, options := x.r.Context(), serverSpan
	trusted := x.t.cfg.TrustTraceParent
	if trusted {
		ctx = x.t.propagator.extract(ctx, x.r.Header)
	} else if trace.SpanContextFromContext(ctx).IsValid() {
		options = rootSpan
	}
	s := &requestSpan{}
	s.pending, s.Span = x.t.tracer.Start(ctx, spanName(x.r.Method, ""), options...)
	x.span = s
	if !s.IsRecording() {
		return
	}
	if !trusted {
		if caller := x.t.propagator.callerOf(x.r.Header); caller.IsValid() {
			s.AddLink(trace.Link{SpanContext: caller})
		}
	}
	attributes := requestAttributes(x.r)
	if !x.t.cfg.Profiling.Disabled {
		if s.profile = spanProfile(s.Span); s.profile != "" {
			attributes = append(attributes, profileID.String(s.profile))
		}
	}
	s.SetAttributes(attributes...)
}

// inSpan is r in the context of the request's span, where r is still the request
// that came in: the one copy that the span costs.
func (x *exchange) inSpan(r *http.Request) *http.Request {
	if ctx := x.spanContext(r); ctx != nil {
		return r.WithContext(ctx)
	}
	return r
}

// spanContext is the context with the span, if it has not been handed on.
func (x *exchange) spanContext(r *http.Request) context.Context {
	if x.span == nil || r != x.r && r != x.out {
		return nil
	}
	ctx := x.span.pending
	x.span.pending = nil
	return ctx
}

// endSpan says what came of the request, and ends its span.
func (x *exchange) endSpan(status int, failure string, panicked any) {
	s := x.span
	if !s.IsRecording() {
		return
	}
	attributes := make([]attribute.KeyValue, 0, 5)
	if x.route.endpoint != domain.Unmatched {
		s.SetName(x.route.span)
		attributes = append(attributes, semconv.HTTPRoute(x.route.endpoint))
	}
	attributes = append(attributes, semconv.HTTPResponseStatusCode(status))
	if x.body != nil {
		if n := x.body.n.Load(); n > 0 {
			attributes = append(attributes, semconv.HTTPRequestBodySize(int(n)))
		}
	}
	if x.sent > 0 {
		attributes = append(attributes, semconv.HTTPResponseBodySize(int(x.sent)))
	}
	switch {
	case failure != "":
		attributes = append(attributes, semconv.ErrorTypeKey.String(failure))
		s.SetStatus(codes.Error, failure)
	case status < 100 || status > 599:
		s.SetStatus(codes.Error, "Invalid HTTP status code "+strconv.Itoa(status))
	case status >= 500:
		s.SetStatus(codes.Error, "")
	}
	s.SetAttributes(attributes...)
	if panicked != nil { // as the SDK notes a panic in End, which cannot see this one
		s.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(
			semconv.ExceptionType(fmt.Sprintf("%T", panicked)), semconv.ExceptionMessage(fmt.Sprint(panicked))))
	}
	s.End()
}

// requestAttributes are what is known of a request when it arrives.
func requestAttributes(r *http.Request) []attribute.KeyValue {
	scheme, defaultPort := "http", 80
	if r.TLS != nil {
		scheme, defaultPort = "https", 443
	}
	host, port := splitHost(r.Host)
	attributes := make([]attribute.KeyValue, 0, 14) // those of an answer have no room of their own
	attributes = append(attributes, semconv.ServerAddress(host), semconv.URLScheme(scheme))
	attributes = appendMethod(attributes, r.Method)
	if port > 0 && port != defaultPort {
		attributes = append(attributes, semconv.ServerPort(port))
	}
	client := r.Header.Get("X-Forwarded-For")
	client, _, _ = strings.Cut(client, ",")
	if peer, port := splitHost(r.RemoteAddr); peer != "" {
		attributes = append(attributes, semconv.NetworkPeerAddress(peer))
		if port > 0 {
			attributes = append(attributes, semconv.NetworkPeerPort(port))
		}
		client = cmp.Or(client, peer)
	}
	if client != "" {
		attributes = append(attributes, semconv.ClientAddress(client))
	}
	if agent := r.UserAgent(); agent != "" {
		attributes = append(attributes, semconv.UserAgentOriginal(agent))
	}
	if r.URL != nil && r.URL.Path != "" {
		attributes = append(attributes, semconv.URLPath(r.URL.Path))
	}
	return appendProtocol(attributes, r.Proto)
}

// appendMethod adds a request's method. One that is not of HTTP's is "_OTHER".
func appendMethod(attributes []attribute.KeyValue, method string) []attribute.KeyValue {
	if methodIndex(method) != otherMethod {
		return append(attributes, semconv.HTTPRequestMethodKey.String(method))
	}
	attributes = append(attributes, semconv.HTTPRequestMethodKey.String(methods[methodIndex(strings.ToUpper(method))]))
	if method == "" {
		return attributes
	}
	return append(attributes, semconv.HTTPRequestMethodOriginal(method))
}

// appendProtocol adds a version, and a name that is not HTTP's.
func appendProtocol(attributes []attribute.KeyValue, proto string) []attribute.KeyValue {
	name, version, _ := strings.Cut(proto, "/")
	if name != "" && !strings.EqualFold(name, "http") {
		attributes = append(attributes, semconv.NetworkProtocolName(strings.ToLower(name)))
	}
	if version != "" {
		attributes = append(attributes, semconv.NetworkProtocolVersion(version))
	}
	return attributes
}

// splitHost takes an address apart. The host is "" where it makes no sense, and
// the port 0 where there is none.
func splitHost(address string) (host string, port int) {
	if strings.HasPrefix(address, "[") { // an IPv6 address
		end := strings.LastIndexByte(address, ']')
		if end < 0 {
			return "", 0
		}
		if !strings.Contains(address[end:], ":") {
			return address[1:end], 0
		}
	} else if !strings.Contains(address, ":") {
		return address, 0
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return host, 0
	}
	return host, int(n)
}

// spanName is what the semantic conventions call a span of HTTP.
func spanName(method, endpoint string) string {
	i := methodIndex(method)
	method = methods[i]
	if i == otherMethod {
		method = "HTTP"
	}
	if endpoint == "" {
		return method
	}
	return method + " " + endpoint
}

// semconvMetrics puts otelhttp into a handler of a request that is measured,
// where Config asks for its metrics. Their exemplars are of the request's span.
func (t *Telemetry) semconvMetrics(next http.Handler) http.Handler {
	if !t.cfg.SemconvMetrics {
		return next
	}
	metrics := otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := t.exchangeOf(w, r); x != nil {
			defer handBack(x.out, r)
		}
		next.ServeHTTP(w, r)
	}), "", otelhttp.WithMeterProvider(t.meters), otelhttp.WithTracerProvider(noSpans{}),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if x := t.exchangeOf(w, r); x != nil {
			x.out = x.inSpan(r)
			r = x.out
		}
		metrics.ServeHTTP(w, r)
	})
}

// noSpans makes no span, and leaves the one in the context where it is: the noop
// package's would take its place.
type noSpans struct{ noop.TracerProvider }

type noTracer struct{ noop.Tracer }

func (noSpans) Tracer(string, ...trace.TracerOption) trace.Tracer { return noTracer{} }

func (noTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	return ctx, noop.Span{}
}
