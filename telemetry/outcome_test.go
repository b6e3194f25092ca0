package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

var protocols = map[string]int{"http1": 1, "http2": 2, "h2c": h2c}

// counted wants one request under one endpoint with this status, none in
// flight, and these errors.
func counted(t testing.TB, tel *Telemetry, endpoint string, status int, failures ...string) {
	t.Helper()
	got := scrape(t, tel)
	got.of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", endpoint, status): 1})
	failed := series{}
	for _, kind := range failures {
		failed[`tienda_api_errors_total{error_type="`+kind+`"}`] = 1
	}
	got.of("tienda_api_errors_total").above0().wantOnly(t, failed)
	got.want(t, series{"tienda_active_requests": 0})
}

// TestTimeoutHandlerAround: the client gets 503 from http.TimeoutHandler,
// whatever a handler does that is late, and what it says if it is not.
func TestTimeoutHandlerAround(t *testing.T) {
	t.Parallel()
	over := func(r *http.Request) { <-r.Context().Done() }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		late    bool
		status  int
		failure []string
	}{
		"in time":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, false, 201, nil},
		"in time, no word":    {func(http.ResponseWriter, *http.Request) {}, false, 200, nil},
		"waits, says nothing": {func(_ http.ResponseWriter, r *http.Request) { over(r) }, true, 503, nil},
		"waits, then 200":     {func(w http.ResponseWriter, r *http.Request) { over(r); _, _ = io.WriteString(w, "late") }, true, 503, nil},
		"waits, then 504":     {func(w http.ResponseWriter, r *http.Request) { over(r); w.WriteHeader(504) }, true, 503, nil},
		"201, then waits":     {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(201); over(r) }, true, 503, nil},
		"body, then waits":    {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hi"); over(r) }, true, 503, nil},
		"waits, then panics":  {func(_ http.ResponseWriter, r *http.Request) { over(r); panic("late") }, true, 503, []string{"panic"}},
		"deaf, writes on": {func(w http.ResponseWriter, _ *http.Request) {
			for _, err := w.Write([]byte("x")); err == nil; _, err = w.Write([]byte("x")) {
				time.Sleep(time.Millisecond)
			}
		}, true, 503, nil},
		"a deadline of its own": {func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), 1)
			defer cancel()
			<-ctx.Done()
			w.WriteHeader(504)
		}, false, 504, nil},
	} {
		for front, begin := range fronts {
			for protocol, number := range protocols {
				t.Run(name+"/"+front+"/"+protocol, func(t *testing.T) {
					t.Parallel()
					limit := time.Minute
					if c.late {
						limit = 20 * time.Millisecond
					}
					ended := make(chan bool)
					tel, h := begin(t, c.handler)
					measured := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						defer close(ended)
						h.ServeHTTP(w, r)
					})
					s := serve(t, number, http.TimeoutHandler(measured, limit, "late"))
					got, _, _ := s.get(t, "/orders/7")
					<-ended
					if got != c.status {
						t.Errorf("the client got %d, want %d", got, c.status)
					}
					counted(t, tel, "/orders/{id}", c.status, c.failure...)
				})
			}
		}
	}
}

// TestDeployment: the process is told to end, and with it the context that all
// requests come from. Their clients are there, and get what is answered.
func TestDeployment(t *testing.T) {
	t.Parallel()
	for cause, because := range map[string]error{
		"cancelled": nil, "by a signal": errors.New("terminated signal received"), "late": context.DeadlineExceeded,
	} {
		for _, status := range []int{0, 200, 201, 503} {
			for front, begin := range fronts {
				for protocol, number := range protocols {
					t.Run(fmt.Sprintf("%s/%d/%s/%s", cause, status, front, protocol), func(t *testing.T) {
						t.Parallel()
						ctx, cancel := context.WithCancelCause(context.Background())
						arrived := make(chan bool)
						tel, h := begin(t, func(w http.ResponseWriter, r *http.Request) {
							close(arrived)
							<-r.Context().Done()
							if status != 0 {
								w.WriteHeader(status)
								_, _ = io.WriteString(w, "done")
							}
						})
						s := serve(t, number, h, func(s *http.Server) {
							s.BaseContext = func(net.Listener) context.Context { return ctx }
						})
						go func() { <-arrived; cancel(because) }()
						got, _, _ := s.get(t, "/orders/7")
						if want := max(200, status); got != want {
							t.Errorf("the client got %d, want %d", got, want)
						}
						counted(t, tel, "/orders/{id}", got)
					})
				}
			}
		}
	}
}

// TestContextInBetween: middleware that ends the request's context is no client
// that left.
func TestContextInBetween(t *testing.T) {
	t.Parallel()
	for protocol, number := range protocols {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			tel := start(t)
			h := muxed(tel.NewServeMux(), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
			s := serve(t, number, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ctx, cancel := context.WithCancel(r.Context())
				cancel()
				h.ServeHTTP(w, r.WithContext(ctx))
			}))
			if got, _, _ := s.get(t, "/orders/7"); got != 204 {
				t.Errorf("the client got %d", got)
			}
			counted(t, tel, "/orders/{id}", 204)
		})
	}
}

// TestProxy: a ReverseProxy is judged by what its client got.
func TestProxy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		upstream http.HandlerFunc
		client   int
		status   int
		failures []string
		leaves   bool // the client, once the upstream has the request
	}{
		"whole": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(203); _, _ = io.WriteString(w, "hi") }, 203, 203, nil, false},
		"cut in mid-body": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(make([]byte, 50_000))
			panic(http.ErrAbortHandler)
		}, 200, 500, []string{"aborted"}, false},
		"cut in mid-stream": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "data: 1\n\n")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 200, 500, []string{"aborted"}, false},
		"no answer":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, 502, nil, false},
		"client leaves":     {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, 499, nil, true},
		"client leaves mid": {func(w http.ResponseWriter, r *http.Request) { w.(http.Flusher).Flush(); <-r.Context().Done() }, 200, 499, nil, true},
	} {
		for protocol, number := range protocols {
			t.Run(name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				arrived := make(chan bool)
				upstream := serve(t, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					close(arrived)
					c.upstream(w, r)
				}))
				tel := start(t)
				m := tel.NewServeMux()
				m.Handle("/", proxyTo(t, upstream.URL))
				s := serve(t, number, m)
				got := 0
				if c.leaves {
					leave(t, s, "/x", func() { <-arrived })
				} else {
					got, _, _ = s.get(t, "/x")
				}
				if !c.leaves && got != c.client {
					t.Errorf("the client got %d, want %d", got, c.client)
				}
				counted(t, tel, "/", c.status, c.failures...)
			})
		}
	}
}

func proxyTo(t testing.TB, address string) *httputil.ReverseProxy {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{
		Transport: transport, ErrorLog: serverLog,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
	}
}

// leave sends a request whose client leaves once when has returned, and waits
// until its handler is through.
func leave(t testing.TB, s *served, path string, when func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { when(); cancel() }()
	if answer, err := s.Client().Do(r); err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
	s.wait(t)
}

// TestBehindProxy: the server behind a proxy counts what the proxy got.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	for protocol, number := range protocols {
		for status, handler := range map[int]http.HandlerFunc{
			201: writes(201),
			503: writes(503),
			499: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		} {
			t.Run(fmt.Sprint(protocol, "/", status), func(t *testing.T) {
				t.Parallel()
				arrived := make(chan bool)
				tel := start(t)
				behind := serve(t, 1, muxed(tel.NewServeMux(), func(w http.ResponseWriter, r *http.Request) {
					close(arrived)
					handler(w, r)
				}))
				s := serve(t, number, proxyTo(t, behind.URL))
				if status == 499 {
					leave(t, s, "/orders/7", func() { <-arrived })
				} else if got, _, _ := s.get(t, "/orders/7"); got != status {
					t.Errorf("the client got %d, want %d", got, status)
				}
				behind.wait(t)
				counted(t, tel, "/orders/{id}", status)
			})
		}
	}
}

// TestHandlerThatListensForTheClient: CloseNotify has one word, which the
// handler may have had.
func TestHandlerThatListensForTheClient(t *testing.T) {
	t.Parallel()
	arrived := make(chan bool)
	eachFront(t, func(w http.ResponseWriter, _ *http.Request) {
		left := w.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // old code calls it
		arrived <- true
		<-left
	}, func(t *testing.T, tel *Telemetry, s *served) {
		leave(t, s, "/orders/7", func() { <-arrived })
		counted(t, tel, "/orders/{id}", 499)
	})
}

// TestWriterThatIsNotAsked: what has no CloseNotify, or one that panics, says
// nothing of the client, and the context has the only word.
func TestWriterThatIsNotAsked(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, w := range map[string]http.ResponseWriter{"none": httptest.NewRecorder(), "panics": tooLate{httptest.NewRecorder()}} {
		t.Run(name, func(t *testing.T) {
			tel := start(t)
			muxed(tel.NewServeMux(), writes(500)).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders/7", nil))
			counted(t, tel, "/orders/{id}", 499)
		})
	}
}

type tooLate struct{ *httptest.ResponseRecorder }

func (tooLate) CloseNotify() <-chan bool { panic("CloseNotify called after Handler finished") }
