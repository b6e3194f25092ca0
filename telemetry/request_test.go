package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
)

// front are the two ways in front of a handler, each with its variants. The
// handler is at POST and GET /orders/{id}.
var fronts = map[string]func(testing.TB, http.HandlerFunc) (*Telemetry, http.Handler){
	"mux": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel := labelling(start(t))
		return tel, muxed(tel.NewServeMux(), h)
	},
	"mux without context": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel := labelling(start(t, noRequestContext))
		return tel, muxed(tel.NewServeMux(), h)
	},
	"middleware": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel := labelling(start(t))
		return tel, tel.Middleware(muxed(http.NewServeMux(), h))
	},
	"middleware without context": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel := labelling(start(t, noRequestContext))
		return tel, tel.Middleware(muxed(http.NewServeMux(), h))
	},
	"traced": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel, _ := startTraced(t)
		return tel, muxed(labelling(tel).NewServeMux(), h)
	},
	"semconv metrics": func(t testing.TB, h http.HandlerFunc) (*Telemetry, http.Handler) {
		tel := start(t, func(c *Config) { c.SemconvMetrics = true })
		return tel, muxed(labelling(tel).NewServeMux(), h)
	},
}

type handleFuncer interface {
	http.Handler
	HandleFunc(string, func(http.ResponseWriter, *http.Request))
}

func muxed(m handleFuncer, h http.HandlerFunc) http.Handler {
	m.HandleFunc("/orders/{id}", h)
	return m
}

// eachFront runs a test for each front and protocol.
func eachFront(t *testing.T, h http.HandlerFunc, test func(t *testing.T, tel *Telemetry, s *served)) {
	for name, front := range fronts {
		for _, protocol := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s/http%d", name, protocol), func(t *testing.T) {
				tel, handler := front(t, h)
				test(t, tel, serve(t, protocol, handler))
			})
		}
	}
}

// TestStatus: the first final status counts, whatever the handler says later.
func TestStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		client  int // what the client gets
		label   string
	}{
		"nothing":        {func(http.ResponseWriter, *http.Request) {}, 200, "200"},
		"201":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, 201, "201"},
		"body only":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hi")) }, 200, "200"},
		"string only":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hi") }, 200, "200"},
		"404":            {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) }, 404, "404"},
		"103 then 201":   {writes(103, 201), 201, "201"},
		"201 then 500":   {writes(201, 500), 201, "201"},
		"body then 500":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hi")); w.WriteHeader(500) }, 200, "200"},
		"flush then 500": {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, 200, "200"},
		"999":            {writes(999), 999, "_OTHER"},
		"600":            {writes(600), 600, "_OTHER"},
		"599":            {writes(599), 599, "599"},
		"copy then 404": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{strings.NewReader("hi")})
			w.WriteHeader(404)
		}, 200, "200"},
		"empty copy then 404": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, onlyReader{strings.NewReader("")})
			w.WriteHeader(404)
		}, 404, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFront(t, c.handler, func(t *testing.T, tel *Telemetry, s *served) {
				status, _, panicked := s.get(t, "/orders/7")
				if status != c.client || panicked != nil {
					t.Errorf("the client got %d (panic %v), want %d", status, panicked, c.client)
				}
				scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/orders/{id}", c.label): 1})
				scrape(t, tel).want(t, series{`tienda_response_duration_seconds_count{endpoint="/orders/{id}",method="GET"}`: 1})
			})
		})
	}
}

// onlyReader keeps io.Copy from a shorter way than ReadFrom.
type onlyReader struct{ io.Reader }

func writes(codes ...int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, code := range codes {
			w.WriteHeader(code)
		}
	}
}

var errBoom = errors.New("boom")

// broken are handlers that do not return, with what is to be counted.
var broken = map[string]struct {
	handler  http.HandlerFunc
	panicked any
	status   int
	kind     string
}{
	"panic":             {func(http.ResponseWriter, *http.Request) { panic(errBoom) }, errBoom, 500, "panic"},
	"panic after 202":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); panic("late") }, "late", 500, "panic"},
	"abort":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, http.ErrAbortHandler, 500, "aborted"},
	"abort after 200":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); panic(http.ErrAbortHandler) }, http.ErrAbortHandler, 500, "aborted"},
	"Goexit":            {func(http.ResponseWriter, *http.Request) { runtime.Goexit() }, nil, 500, "panic"},
	"status 0":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(0) }, "invalid WriteHeader code 0", 500, "panic"},
	"body that panics":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, panicReader{}) }, "read", 500, "panic"},
	"nil map, as usual": {func(http.ResponseWriter, *http.Request) { nilMap()["a"] = 1 }, nil, 500, "panic"},
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("read") }

func TestHandlerThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, c := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachFront(t, c.handler, func(t *testing.T, tel *Telemetry, s *served) {
				_, _, panicked := s.get(t, "/orders/7")
				switch {
				case c.panicked == nil && name != "Goexit":
					if _, ok := panicked.(runtime.Error); !ok {
						t.Errorf("panicked with %v, want the runtime's own error", panicked)
					}
				case panicked != c.panicked:
					t.Errorf("panicked with %v, want the same value %v", panicked, c.panicked)
				}
				got := scrape(t, tel)
				got.of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/orders/{id}", c.status): 1})
				got.of("tienda_api_errors_total").above0().wantOnly(t, series{`tienda_api_errors_total{error_type="` + c.kind + `"}`: 1})
				got.want(t, series{
					"tienda_active_requests": 0,
					`tienda_response_duration_seconds_count{endpoint="/orders/{id}",method="GET"}`: 1,
				})
			})
		})
	}
}

// TestSpanOfAHandlerThatDoesNotReturn: the span says what the metrics say.
func TestSpanOfAHandlerThatDoesNotReturn(t *testing.T) {
	t.Parallel()
	for name, c := range broken {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tel, spans := startTraced(t)
			s := serve(t, 1, muxed(tel.NewServeMux(), c.handler))
			s.get(t, "/orders/7")
			if n := len(spans.Ended()); n != 1 {
				t.Fatalf("%d spans, want 1", n)
			}
			span := spans.Ended()[0]
			if span.Status().Code != codes.Error {
				t.Errorf("status %v, want Error", span.Status())
			}
			got := attribute.NewSet(span.Attributes()...)
			if v, _ := got.Value("http.response.status_code"); v.AsInt64() != int64(c.status) {
				t.Errorf("http.response.status_code = %v, want %d", v.String(), c.status)
			}
			if v, _ := got.Value("error.type"); v.AsString() != c.kind {
				t.Errorf("error.type = %q, want %q", v.AsString(), c.kind)
			}
			if name == "Goexit" || c.kind == "aborted" {
				return
			}
			if len(span.Events()) != 1 || span.Events()[0].Name != "exception" {
				t.Errorf("events %v, want one exception", span.Events())
			}
		})
	}
}

func TestActiveRequests(t *testing.T) {
	t.Parallel()
	arrived, leave := make(chan bool), make(chan bool)
	eachFront(t, func(http.ResponseWriter, *http.Request) { arrived <- true; <-leave }, func(t *testing.T, tel *Telemetry, s *served) {
		got := make(chan error, 2)
		for range 2 {
			go func() {
				answer, err := s.Client().Get(s.URL + "/orders/7")
				if err == nil {
					err = answer.Body.Close()
				}
				got <- err
			}()
			<-arrived
		}
		scrape(t, tel).want(t, series{"tienda_active_requests": 2})
		for range 2 {
			leave <- true
			s.wait(t)
			if err := <-got; err != nil {
				t.Error(err)
			}
		}
		scrape(t, tel).want(t, series{"tienda_active_requests": 0})
	})
}

// TestStreamsAreNotActive: what stays open after its answer began, a stream or a
// connection that was taken over, is no request in flight, neither while it
// lasts nor after it.
func TestStreamsAreNotActive(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(http.ResponseWriter) error{
		"flushed twice": func(w http.ResponseWriter) error {
			c := http.NewResponseController(w)
			return errors.Join(c.Flush(), c.Flush())
		},
		"taken over": func(w http.ResponseWriter) error {
			c := http.NewResponseController(w)
			conn, _, err := c.Hijack()
			if errors.Is(err, http.ErrNotSupported) { // HTTP/2 has streams only
				return c.Flush()
			}
			if err == nil {
				_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
				err = errors.Join(err, conn.Close())
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began, leave := make(chan error), make(chan bool)
			eachFront(t, func(w http.ResponseWriter, _ *http.Request) { began <- begin(w); <-leave }, func(t *testing.T, tel *Telemetry, s *served) {
				got := make(chan error, 1)
				go func() {
					answer, err := s.Client().Get(s.URL + "/orders/7")
					if err == nil {
						err = answer.Body.Close()
					}
					got <- err
				}()
				if err := <-began; err != nil {
					t.Error(err)
				}
				scrape(t, tel).want(t, series{"tienda_active_requests": 0})
				leave <- true
				s.wait(t)
				if err := <-got; err != nil {
					t.Error(err)
				}
				scrape(t, tel).want(t, series{"tienda_active_requests": 0})
			})
		})
	}
}

// TestClientGone: a client that leaves before the answer begins is no error of
// the service, whatever the handler then writes for nobody; one that leaves
// later has its status.
func TestClientGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after func(w http.ResponseWriter) // the client left
		status        int
	}{
		"nothing":         {nil, nil, 499},
		"500":             {nil, func(w http.ResponseWriter) { http.Error(w, "query cancelled", 500) }, 499},
		"body":            {nil, func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }, 499},
		"copy":            {nil, func(w http.ResponseWriter) { _, _ = io.Copy(w, onlyReader{strings.NewReader("x")}) }, 499},
		"after 201":       {func(w http.ResponseWriter) { w.WriteHeader(201); w.(http.Flusher).Flush() }, func(w http.ResponseWriter) { _, _ = w.Write([]byte("x")) }, 201},
		"after a copy":    {func(w http.ResponseWriter) { _, _ = io.Copy(w, onlyReader{strings.NewReader("x")}) }, nil, 200},
		"while copying":   {nil, nil, 200}, // see below
		"error in a copy": {nil, func(w http.ResponseWriter) { _, _ = io.Copy(w, iotest.ErrReader(errBoom)) }, 499},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan bool)
			handler := func(w http.ResponseWriter, r *http.Request) {
				if c.before != nil {
					c.before(w)
				}
				if name == "while copying" {
					_, _ = io.Copy(w, &slowBody{first: strings.Repeat("x", 4096), then: func() { arrived <- true; <-r.Context().Done() }})
					return
				}
				arrived <- true
				<-r.Context().Done()
				if c.after != nil {
					c.after(w)
				}
			}
			eachFront(t, handler, func(t *testing.T, tel *Telemetry, s *served) {
				ctx, leave := context.WithCancel(t.Context())
				go func() {
					<-arrived
					leave()
				}()
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/orders/7", nil)
				if err != nil {
					t.Fatal(err)
				}
				if answer, err := s.Client().Do(r); err == nil {
					_, _ = io.Copy(io.Discard, answer.Body)
					_ = answer.Body.Close()
				}
				s.wait(t)
				scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/orders/{id}", c.status): 1})
			})
		})
	}
}

// slowBody is a body of two reads, with something between them.
type slowBody struct {
	first string
	then  func()
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.first == "" {
		b.then()
		return 0, io.EOF
	}
	n := copy(p, b.first)
	b.first = b.first[n:]
	return n, nil
}

// TestDeadlineIsNoGoneClient: a server that gives up is not a client that left.
func TestDeadlineIsNoGoneClient(t *testing.T) {
	t.Parallel()
	tel := start(t)
	m := tel.NewServeMux()
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	scrape(t, tel).want(t, series{requests("GET", "/", 503): 1})
}

func nilMap() map[string]int { return nil }
