package telemetry

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestWriterOffersWhatItWraps: no more and no less.
func TestWriterOffersWhatItWraps(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for name, inner := range writers(&record{}) {
		t.Run(name, func(t *testing.T) {
			tel.RouteHandler("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if got, want := capabilities(w), capabilities(inner); !slices.Equal(got, want) {
					t.Errorf("offers %v, want %v", got, want)
				}
				outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
				if !ok {
					t.Fatal("no Unwrap, which ResponseController needs")
				}
				if name != "not comparable" && outer.Unwrap() != inner {
					t.Errorf("unwraps to %T", outer.Unwrap())
				}
			})).ServeHTTP(inner, httptest.NewRequest(http.MethodGet, "/", nil))
		})
	}
}

// TestWriterOfEveryKindCounts: each way to begin an answer is seen, for each
// kind of writer, and reaches it.
func TestWriterOfEveryKindCounts(t *testing.T) {
	t.Parallel()
	for name := range writers(&record{}) {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				call string // as the inner writer sees it, and the capability that it needs
				do   func(w http.ResponseWriter)
				code int
			}{
				{"Write hi", func(w http.ResponseWriter) { _, _ = w.Write([]byte("hi")) }, 200},
				{"WriteHeader 201", func(w http.ResponseWriter) { w.WriteHeader(201) }, 201},
				{"WriteString hi", func(w http.ResponseWriter) { _, _ = w.(io.StringWriter).WriteString("hi") }, 200},
				{"ReadFrom *bytes.Buffer", func(w http.ResponseWriter) { _, _ = w.(io.ReaderFrom).ReadFrom(bytes.NewBufferString("hi")) }, 200},
				{"Flush", func(w http.ResponseWriter) { w.(http.Flusher).Flush() }, 200},
				{"FlushError", func(w http.ResponseWriter) { _ = w.(flushErrorer).FlushError() }, 200},
				{"Hijack", func(w http.ResponseWriter) { _, _, _ = w.(http.Hijacker).Hijack() }, 101},
			} {
				r := &record{header: http.Header{}}
				inner := writers(r)[name]
				need, _, _ := strings.Cut(c.call, " ")
				if _, ok := inner.(*httptest.ResponseRecorder); ok || need != "Write" && need != "WriteHeader" && !slices.Contains(capabilities(inner), need) {
					continue
				}
				tel := start(t)
				tel.RouteHandler("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					c.do(w)
					if c.code != 101 {
						w.WriteHeader(500) // too late
					}
				})).ServeHTTP(inner, httptest.NewRequest(http.MethodGet, "/", nil))
				if len(r.calls) == 0 || r.calls[0] != c.call {
					t.Errorf("%s: the inner writer was told %q", c.call, r.calls)
				}
				scrape(t, tel).of("tienda_requests_total").above0().wantOnly(t, series{requests("GET", "/", c.code): 1})
			}
		})
	}
}

// TestWriterOfNetHTTP: what a real server's writer offers, a handler gets.
func TestWriterOfNetHTTP(t *testing.T) {
	t.Parallel()
	for front, make := range fronts {
		for protocol, want := range map[int][]string{
			1: {"Hijack", "ReadFrom", "Flush", "FlushError", "WriteString", "CloseNotify", "deadlines", "EnableFullDuplex"},
			2: {"Push", "Flush", "FlushError", "WriteString", "CloseNotify", "deadlines", "EnableFullDuplex"},
		} {
			t.Run(fmt.Sprintf("%s/http%d", front, protocol), func(t *testing.T) {
				t.Parallel()
				_, handler := make(t, func(w http.ResponseWriter, r *http.Request) {
					if got := capabilities(w); !slices.Equal(got, want) {
						t.Errorf("offers %v, want %v", got, want)
					}
					c, soon := http.NewResponseController(w), time.Now().Add(time.Minute)
					if err := errors.Join(c.EnableFullDuplex(), c.SetReadDeadline(soon), c.SetWriteDeadline(soon), c.Flush()); err != nil {
						t.Error(err)
					}
					if protocol == 1 && r.Body != http.NoBody {
						t.Errorf("the body is a %T, want http.NoBody", r.Body)
					}
				})
				serve(t, protocol, handler).get(t, "/orders/7")
			})
		}
	}
}

func TestNilBodyStaysNil(t *testing.T) {
	t.Parallel()
	for name, front := range fronts {
		t.Run(name, func(t *testing.T) {
			_, handler := front(t, func(_ http.ResponseWriter, r *http.Request) {
				if r.Body != nil {
					t.Errorf("the body is a %T, want nil", r.Body)
				}
			})
			r := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
			r.Body = nil
			handler.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

// TestServeFile: a file still goes the short way (sendfile), and is counted.
func TestServeFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(file, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	eachFront(t, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }, func(t *testing.T, tel *Telemetry, s *served) {
		if status, body, _ := s.get(t, "/orders/7"); status != 200 || len(body) != 5<<20 {
			t.Errorf("status %d with %d bytes", status, len(body))
		}
		scrape(t, tel).want(t, series{requests("GET", "/orders/{id}", 200): 1})
	})
	r := &record{header: http.Header{}}
	start(t).RouteHandler("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })).
		ServeHTTP(writers(r)["HTTP/1"], httptest.NewRequest(http.MethodGet, "/", nil))
	if want := "ReadFrom *io.LimitedReader"; len(r.calls) != 2 || r.calls[1] != want { // of an *os.File, which net/http knows
		t.Errorf("the inner writer was told %q, want %q", r.calls, want)
	}
}

// TestServerSentEvents: what a handler flushes arrives while it runs.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	next := make(chan bool)
	eachFront(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: %d\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}, func(t *testing.T, tel *Telemetry, s *served) {
		answer, err := s.Client().Get(s.URL + "/orders/7")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		lines := bufio.NewReader(answer.Body)
		for i := range 3 {
			if line, err := lines.ReadString('\n'); line != fmt.Sprintf("data: %d\n", i) {
				t.Fatalf("got %q (%v)", line, err)
			}
			next <- true
		}
		s.wait(t)
		scrape(t, tel).want(t, series{requests("GET", "/orders/{id}", 200): 1})
	})
}

// TestFormFilesAreRemoved: net/http removes the temporary files of a form by
// the request that it made, and a handler gets a copy.
func TestFormFilesAreRemoved(t *testing.T) {
	t.Parallel()
	files := make(chan string, 1)
	eachFront(t, func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		file, _, err := r.FormFile("photo")
		if err != nil {
			t.Error(err)
			files <- ""
			return
		}
		files <- file.(*os.File).Name()
		_ = file.Close()
	}, func(t *testing.T, _ *Telemetry, s *served) {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, _ := form.CreateFormFile("photo", "photo.jpg")
		_, _ = part.Write(make([]byte, 11<<20)) // what is kept in memory is 10 MiB more than asked for
		_ = form.Close()
		answer, err := s.Client().Post(s.URL+"/orders/7", form.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		s.wait(t)
		file := <-files
		eventually(t, "the temporary file is removed", func() bool { // by the server, a moment later
			_, err := os.Stat(file)
			return errors.Is(err, os.ErrNotExist)
		})
	})
}
