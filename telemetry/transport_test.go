package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/profiles"
)

// tripper is a RoundTripper of a function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answering(status int) tripper {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Proto: "HTTP/2.0", Body: http.NoBody, Request: r}, nil
	}
}

func failing(err error) tripper {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func clientRequests(peer, status string) string {
	return fmt.Sprintf(`tienda_client_requests_total{peer="%s",status="%s"}`, peer, status)
}

func outgoingRequest(t *testing.T, ctx context.Context, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	must(t, err)
	return r
}

// TestOutgoingStatus: a request counts for its host under the class of its
// answer, or under why there was none.
func TestOutgoingStatus(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		ctx  context.Context
		base http.RoundTripper
		want string
	}{
		"100":            {t.Context(), answering(100), "1xx"},
		"204":            {t.Context(), answering(204), "2xx"},
		"304":            {t.Context(), answering(304), "3xx"},
		"429":            {t.Context(), answering(429), "429"},
		"422":            {t.Context(), answering(422), "4xx"},
		"599":            {t.Context(), answering(599), "5xx"},
		"600":            {t.Context(), answering(600), "error"},
		"0":              {t.Context(), answering(0), "error"},
		"no answer":      {t.Context(), failing(nil), "error"},
		"error":          {t.Context(), failing(io.ErrUnexpectedEOF), "error"},
		"dial":           {t.Context(), failing(dial), "dial"},
		"name":           {t.Context(), failing(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}), "dial"},
		"proxy":          {t.Context(), failing(&net.OpError{Op: "proxyconnect", Err: errors.New("refused")}), "dial"},
		"certificate":    {t.Context(), failing(fmt.Errorf("handshake: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})), "tls"},
		"no tls":         {t.Context(), failing(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), "tls"},
		"alert":          {t.Context(), failing(&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}), "tls"},
		"reset":          {t.Context(), failing(&net.OpError{Op: "read", Err: errors.New("connection reset")}), "error"},
		"dial timeout":   {t.Context(), failing(&net.OpError{Op: "dial", Err: context.DeadlineExceeded}), "timeout"},
		"deadline":       {t.Context(), failing(fmt.Errorf("wait: %w", context.DeadlineExceeded)), "timeout"},
		"canceled":       {t.Context(), failing(fmt.Errorf("wait: %w", context.Canceled)), "canceled"},
		"canceled, dial": {gone, failing(dial), "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, traced := range []bool{false, true} {
				tel, spans := start(t), (*tracetest.SpanRecorder)(nil)
				if traced {
					tel, spans = startTraced(t)
				}
				want, wantErr := c.base.RoundTrip(nil)
				answer, err := tel.Transport(c.base).RoundTrip(outgoingRequest(t, c.ctx, "http://shop.example:8080/x"))
				if (answer == nil) != (want == nil) || err != wantErr { //nolint:errorlint // the very same
					t.Errorf("got %v and %v, want %v and %v", answer, err, want, wantErr)
				}
				s := scrape(t, tel)
				s.of("tienda_client_requests_total").above0().wantOnly(t, series{clientRequests("shop.example", c.want): 1})
				s.want(t, series{`tienda_client_duration_seconds_count{peer="shop.example"}`: 1})
				if n := len(s.of("tienda_client_requests_total")); n != len(domain.ClientStatuses()) {
					t.Errorf("%d series, want one of each status from the first request on", n)
				}
				if traced && len(spans.Ended()) != 1 {
					t.Errorf("%d spans, want 1", len(spans.Ended()))
				}
			}
		})
	}
}

// TestOutgoingThroughNet is the same with net/http's transport and a real
// server: what its errors are like.
func TestOutgoingThroughNet(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-release
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		}
	}))
	defer s.Close()
	defer close(release)
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	for name, c := range map[string]struct {
		url  string
		want map[string]float64
	}{
		"answered":  {s.URL, map[string]float64{"2xx": 1}},
		"redirects": {s.URL + "/moved", map[string]float64{"3xx": 1, "2xx": 1}},
		"cut":       {s.URL + "/cut", map[string]float64{"error": 1}},
		"slow":      {s.URL + "/slow", map[string]float64{"timeout": 1}},
		"untrusted": {untrusted.URL, map[string]float64{"tls": 1}},
		"no TLS":    {"https" + strings.TrimPrefix(s.URL, "http"), map[string]float64{"tls": 1}},
		"refused":   {closed.URL, map[string]float64{"dial": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			tel, _ := startTraced(t)
			timeout := time.Minute
			if name == "slow" {
				timeout = 500 * time.Millisecond // of which the way there takes hardly any
			}
			client := &http.Client{Transport: tel.Transport(&http.Transport{}), Timeout: timeout}
			defer client.CloseIdleConnections()
			if answer, err := client.Get(c.url); err == nil {
				must(t, answer.Body.Close())
			}
			want := series{}
			for status, n := range c.want {
				want[clientRequests("127.0.0.1", status)] = n
			}
			scrape(t, tel).of("tienda_client_requests_total").above0().wantOnly(t, want)
		})
	}
}

// TestPeers are few, whatever hosts there are: the declared ones, or the first.
func TestPeers(t *testing.T) {
	t.Parallel()
	send := func(tel *Telemetry, urls ...string) {
		c := tel.Transport(answering(200))
		for _, u := range urls {
			_, err := c.RoundTrip(outgoingRequest(t, t.Context(), u))
			must(t, err)
		}
	}
	t.Run("declared", func(t *testing.T) {
		t.Parallel()
		tel := start(t, func(c *Config) { c.Domain.Peers = []string{"pagos.interno", "::1"} })
		scrape(t, tel).want(t, series{clientRequests("pagos.interno", "5xx"): 0, `tienda_client_duration_seconds_count{peer="::1"}`: 0})
		send(tel, "http://pagos.interno", "https://PAGOS.interno.:8443/v1?x=1", "http://[::1]:80/", "http://stranger.example", "http://another.example")
		s := scrape(t, tel)
		s.of("tienda_client_requests_total").above0().wantOnly(t, series{
			clientRequests("pagos.interno", "2xx"): 2, clientRequests("::1", "2xx"): 1, clientRequests("_other", "2xx"): 2,
		})
		s.want(t, series{refused("value"): 2})
	})
	t.Run("met", func(t *testing.T) {
		t.Parallel()
		tel := start(t)
		var urls []string
		for i := range 3 * domain.MaxPeers {
			urls = append(urls, fmt.Sprintf("http://host%d.example", i))
		}
		send(tel, append(urls, "http://host0.example", "http:///nowhere")...)
		s := scrape(t, tel)
		s.want(t, series{clientRequests("host0.example", "2xx"): 2, clientRequests("_other", "2xx"): 2*domain.MaxPeers + 1, refused("route"): 2 * domain.MaxPeers})
		if n := len(s.of("tienda_client_duration_seconds_count")); n != domain.MaxPeers+1 {
			t.Errorf("%d peers, want %d and _other", n, domain.MaxPeers)
		}
		wantTold(t, journalOf(tel), "too many hosts")
	})
	t.Run("no host", func(t *testing.T) {
		t.Parallel()
		tel, _ := startTraced(t)
		for _, r := range []*http.Request{{}, {URL: &url.URL{}}, {URL: &url.URL{Host: "\xff\xfe[::"}, Method: "a b"}} {
			_, err := tel.Transport(answering(200)).RoundTrip(r)
			must(t, err)
		}
		scrape(t, tel)
	})
}

// TestOutgoingLabels: while a request waits its goroutine says for whom, beside
// what it said before, which it says again afterwards.
func TestOutgoingLabels(t *testing.T) {
	peer := map[string]string{profiles.LabelPeer: "shop.example"}
	both := maps.Clone(orderLabels)
	maps.Copy(both, peer)
	for name, c := range map[string]struct {
		base http.RoundTripper // after it has looked at the labels
		run  func(send func(context.Context), check func(where string))
		want map[string]string
	}{
		"a request's context": {answering(200), func(send func(context.Context), check func(string)) {
			pprof.Do(context.Background(), labelSetOf(orderLabels), func(ctx context.Context) { send(ctx); check("after") })
		}, both},
		"another context": {answering(200), func(send func(context.Context), check func(string)) {
			pprof.Do(context.Background(), labelSetOf(orderLabels), func(context.Context) { send(context.Background()); check("after") })
		}, orderLabels},
		"no labels": {answering(200), func(send func(context.Context), check func(string)) { send(context.Background()) }, noLabels},
		"panic": {tripper(func(*http.Request) (*http.Response, error) { panic("base") }), func(send func(context.Context), check func(string)) {
			pprof.Do(context.Background(), labelSetOf(orderLabels), func(ctx context.Context) {
				defer check("after")
				defer func() {
					if p := recover(); p != "base" {
						t.Errorf("the panic is %v", p)
					}
				}()
				send(ctx)
			})
		}, both},
	} {
		t.Run(name, func(t *testing.T) {
			tel := labelling(start(t))
			client := tel.Transport(tripper(func(r *http.Request) (*http.Response, error) {
				wantLabels(t, "while it waits", c.want)
				return c.base.RoundTrip(r)
			}))
			c.run(func(ctx context.Context) {
				_, _ = client.RoundTrip(outgoingRequest(t, ctx, "http://shop.example"))
			}, func(where string) { wantLabels(t, where, orderLabels) })
			wantLabels(t, "at the end", noLabels)
		})
	}
	t.Run("not profiled", func(t *testing.T) {
		_, _ = start(t).Transport(tripper(func(*http.Request) (*http.Response, error) {
			wantLabels(t, "while it waits", noLabels)
			return nil, nil
		})).RoundTrip(outgoingRequest(t, t.Context(), "http://shop.example"))
	})
}

func labelSetOf(labels map[string]string) pprof.LabelSet {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, name, labels[name])
	}
	return pprof.Labels(pairs...)
}

// upgraded is the body of a 101, which is written to as well.
type upgraded struct{ io.ReadWriteCloser }

// TestTransportIsTransparent: what base answers, its body, its panics and what
// else it can do are its own.
func TestTransportIsTransparent(t *testing.T) {
	t.Parallel()
	tel, spans := startTraced(t)
	body := upgraded{}
	answer, err := tel.Transport(tripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 101, Body: body}, nil
	})).RoundTrip(outgoingRequest(t, t.Context(), "http://shop.example"))
	must(t, err)
	if answer.Body != body {
		t.Errorf("the body is a %T", answer.Body)
	}
	if n := len(spans.Ended()); n != 1 {
		t.Errorf("%d spans have ended with the header, want 1", n)
	}
	spans.Reset()

	done := make(chan any)
	for name, end := range map[string]func(){"panic": func() { panic("base") }, "Goexit": runtime.Goexit} {
		go func() {
			defer func() { done <- recover() }()
			_, _ = tel.Transport(tripper(func(*http.Request) (*http.Response, error) { end(); return nil, nil })).
				RoundTrip(outgoingRequest(t, t.Context(), "http://shop.example"))
		}()
		if p := <-done; (p == "base") != (name == "panic") {
			t.Errorf("%s: it ends with %v", name, p)
		}
		if ended := spans.Ended(); len(ended) != 1 || ended[0].Status().Code != codes.Error {
			t.Errorf("%s: spans %v, want one that failed", name, ended)
		}
		spans.Reset()
	}
	scrape(t, tel).of("tienda_client_requests_total").above0().wantOnly(t,
		series{clientRequests("shop.example", "1xx"): 1, clientRequests("shop.example", "error"): 2})

	base := &full{}
	if c := tel.Transport(tel.Transport(base)); c != tel.Transport(c) {
		t.Error("a request is measured twice")
	}
	r := outgoingRequest(t, t.Context(), "http://shop.example")
	c := tel.Transport(base)
	base.during = func() { c.(requestCanceler).CancelRequest(r) }
	_, _ = c.RoundTrip(r)
	(&http.Client{Transport: c}).CloseIdleConnections()
	if base.canceled == nil || base.canceled != base.got || !base.closed {
		t.Errorf("canceled %p of %p, closed %v", base.canceled, base.got, base.closed)
	}
	if _, ok := tel.Transport(answering(200)).(requestCanceler); ok {
		t.Error("it claims to cancel requests, which base does not")
	}
	for name, tel := range map[string]*Telemetry{"nil": nil, "zero": {}} {
		if tel.Transport(base) != base || tel.Transport(nil) != http.DefaultTransport {
			t.Errorf("a %s Telemetry measures", name)
		}
	}
	if d := tel.Transport(nil).(cancelingTransport); d.base != http.DefaultTransport {
		t.Errorf("without a base it is %T", d.base)
	}
}

// full is a RoundTripper that can do all that http.Transport can.
type full struct {
	during        func()
	got, canceled *http.Request
	closed        bool
}

func (f *full) RoundTrip(r *http.Request) (*http.Response, error) {
	f.got = r
	if f.during != nil {
		f.during()
	}
	return nil, errors.New("canceled")
}
func (f *full) CancelRequest(r *http.Request) { f.canceled = r }
func (f *full) CloseIdleConnections()         { f.closed = true }
