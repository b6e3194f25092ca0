package telemetry

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHijack: a connection that is taken over is a 101, and how long it lasts
// is no latency, however its handler ends.
func TestHijack(t *testing.T) {
	t.Parallel()
	upgrade := func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = buf.Flush()
		return conn, buf
	}
	closed := func(w http.ResponseWriter) {
		conn, _ := upgrade(w)
		_ = conn.Close()
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		kind    string
	}{
		"returns": {func(w http.ResponseWriter, _ *http.Request) {
			conn, buf := upgrade(w)
			line, _ := buf.ReadString('\n')
			_, _ = io.WriteString(conn, line)
			_ = conn.Close()
		}, ""},
		"panics": {func(w http.ResponseWriter, _ *http.Request) { closed(w); panic("late") }, "panic"},
		"aborts": {func(w http.ResponseWriter, _ *http.Request) { closed(w); panic(http.ErrAbortHandler) }, "aborted"},
	} {
		for front, make := range fronts {
			t.Run(name+"/"+front, func(t *testing.T) {
				t.Parallel()
				tel, handler := make(t, c.handler)
				s := serve(t, 1, handler)
				conn, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, "GET /orders/7 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n")
				all, err := io.ReadAll(conn)
				if err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 101") || c.kind == "" && !strings.HasSuffix(string(all), "hello\n") {
					t.Errorf("the client got %q (%v)", all, err)
				}
				s.wait(t)
				got := scrape(t, tel)
				got.of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/orders/{id}", 101): 1})
				got.want(t, series{`tienda_response_duration_seconds_count{endpoint="/orders/{id}",method="GET"}`: 0, "tienda_active_requests": 0})
				if c.kind != "" {
					got.want(t, series{`tienda_api_errors_total{error_type="` + c.kind + `"}`: 1})
				}
			})
		}
	}
}

// TestHijackRefused: a Hijack that fails leaves an ordinary request.
func TestHijackRefused(t *testing.T) {
	t.Parallel()
	tel := start(t)
	m := tel.NewServeMux()
	m.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
			t.Error("the hijack went through")
		}
		w.WriteHeader(500)
	})
	m.ServeHTTP(refusingHijack{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	scrape(t, tel).want(t, series{requests("GET", "/", 500): 1})
}

type refusingHijack struct{ *httptest.ResponseRecorder }

func (refusingHijack) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, errBoom }
