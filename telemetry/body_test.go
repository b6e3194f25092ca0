package telemetry

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestBodyTooLarge: behind http.MaxBytesReader the answer comes at once, and the
// connection ends, as with a mux that nobody measures. The client is a slow one:
// the rest of its body never comes.
func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	all := func(body io.Reader) error { _, err := io.ReadAll(body); return err }
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int
	}{
		"413": {func(w http.ResponseWriter, r *http.Request) {
			if all(http.MaxBytesReader(w, r.Body, 1000)) != nil {
				http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			}
		}, 413},
		"400 by a decoder": {func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1000)
			if err := json.NewDecoder(r.Body).Decode(new(any)); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
			}
		}, 400},
		"422 of a form": {func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 1000)
			if err := r.ParseForm(); err != nil {
				http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			}
		}, 422},
		"200 all the same": {func(w http.ResponseWriter, r *http.Request) {
			_ = all(http.MaxBytesReader(w, r.Body, 1000))
			_, _ = io.WriteString(w, "enough")
		}, 200},
		"no word": {func(w http.ResponseWriter, r *http.Request) { _ = all(http.MaxBytesReader(w, r.Body, 1000)) }, 200},
		"copy": {func(w http.ResponseWriter, r *http.Request) {
			_ = all(http.MaxBytesReader(w, r.Body, 1000))
			_, _ = io.Copy(w, strings.NewReader("enough"))
		}, 200},
		"buffered": {func(w http.ResponseWriter, r *http.Request) {
			if all(http.MaxBytesReader(w, struct {
				io.Reader
				io.Closer
			}{bufio.NewReaderSize(r.Body, 16), r.Body}, 1000)) != nil {
				w.WriteHeader(413)
			}
		}, 413},
		"MaxBytesHandler": {http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if all(r.Body) != nil {
				w.WriteHeader(413)
			}
		}), 1000).ServeHTTP, 413},
		"MaxBytesHandler around": {nil, 413},
	} {
		for front, begin := range fronts {
			t.Run(name+"/"+front, func(t *testing.T) {
				t.Parallel()
				handler := c.handler
				if handler == nil {
					handler = func(w http.ResponseWriter, r *http.Request) {
						if all(r.Body) != nil {
							w.WriteHeader(413)
						}
					}
				}
				tel, h := begin(t, handler)
				if c.handler == nil {
					h = http.MaxBytesHandler(h, 1000)
				}
				s := serve(t, 1, h)
				conn, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(3 * time.Minute))
				_, _ = fmt.Fprint(conn, "POST /orders/7 HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 200000\r\n\r\n",
					`"`, strings.Repeat("x", 2000))
				answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("no answer while the body is not through: %v", err)
				}
				_ = answer.Body.Close()
				if answer.StatusCode != c.status || !answer.Close {
					t.Errorf("the client got %d, the connection ends: %v; want %d and the end", answer.StatusCode, answer.Close, c.status)
				}
				s.wait(t)
				scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("POST", "/orders/{id}", c.status): 1})
			})
		}
	}
}

// TestBodyAsUnmeasured: what a handler leaves of a body has the consequences
// that it has without us, and what it reads is what was sent.
func TestBodyAsUnmeasured(t *testing.T) {
	t.Parallel()
	handlers := map[string]http.HandlerFunc{
		"not read":   writes(401),
		"413 unread": writes(413),
		"read":       func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) },
		"partly":     func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(w, r.Body, 100); w.WriteHeader(400) },
		"partly, error": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 100)
			w.WriteHeader(400)
		},
		"within limits":  func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, http.MaxBytesReader(w, r.Body, 1<<20)) },
		"exactly":        func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, http.MaxBytesReader(w, r.Body, 5000)) },
		"closed":         func(w http.ResponseWriter, r *http.Request) { _ = r.Body.Close(); w.WriteHeader(400) },
		"limit not read": func(w http.ResponseWriter, r *http.Request) { http.MaxBytesReader(w, r.Body, 10); w.WriteHeader(400) },
	}
	for name, handler := range handlers {
		for front, begin := range fronts {
			t.Run(name+"/"+front, func(t *testing.T) {
				t.Parallel()
				_, h := begin(t, handler)
				send := func(h http.Handler, size int) string {
					answer, err := serve(t, 1, h).Client().Post(serve(t, 1, h).URL+"/orders/7", "text/plain", bytes.NewReader(make([]byte, size)))
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(answer.Body)
					_ = answer.Body.Close()
					return fmt.Sprint(answer.StatusCode, answer.Close, answer.Header["Connection"], len(body))
				}
				for _, size := range []int{1, 5000, 200_000} {
					if got, want := send(h, size), send(muxed(http.NewServeMux(), handler), size); got != want {
						t.Errorf("%d bytes are answered with %s, want %s", size, got, want)
					}
				}
			})
		}
	}
}

// TestLimitedBodyStays: a form knows a body that is limited further out by its
// type.
func TestLimitedBodyStays(t *testing.T) {
	t.Parallel()
	tel := start(t)
	h := http.MaxBytesHandler(muxed(tel.NewServeMux(), func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || len(r.PostForm.Get("x")) != 11<<20 {
			t.Errorf("a form of 11 MiB: %v", err)
		}
	}), 1<<30)
	r := httptest.NewRequest(http.MethodPost, "/orders/7", strings.NewReader("x="+strings.Repeat("x", 11<<20)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h.ServeHTTP(httptest.NewRecorder(), r)
}
