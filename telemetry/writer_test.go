package telemetry

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// capabilities are the names of what a writer offers beyond its three methods.
func capabilities(w http.ResponseWriter) []string {
	var all []string
	is := func(name string, ok bool) {
		if ok {
			all = append(all, name)
		}
	}
	_, ok := w.(http.Hijacker)
	is("Hijack", ok)
	_, ok = w.(io.ReaderFrom)
	is("ReadFrom", ok)
	_, ok = w.(http.Pusher)
	is("Push", ok)
	_, ok = w.(http.Flusher)
	is("Flush", ok)
	_, ok = w.(flushErrorer)
	is("FlushError", ok)
	_, ok = w.(io.StringWriter)
	is("WriteString", ok)
	_, ok = w.(http.CloseNotifier) //nolint:staticcheck // deprecated, and still offered by net/http
	is("CloseNotify", ok)
	_, ok = w.(deadliner)
	is("deadlines", ok)
	_, ok = w.(duplexer)
	is("EnableFullDuplex", ok)
	return all
}

// The parts of which writers of any kind are put together.
type (
	base        struct{ *record }
	hijacker    struct{ *record }
	readerFrom  struct{ *record }
	pusher_     struct{}
	flusher     struct{ *record }
	flushError  struct{ *record }
	stringer    struct{ *record }
	closeNotify struct{}
	deadlines   struct{}
	duplex      struct{}
	unwrapper   struct{}
)

// record is what the innermost writer was told.
type record struct {
	header http.Header
	calls  []string
}

func (r *record) note(format string, a ...any) { r.calls = append(r.calls, fmt.Sprintf(format, a...)) }

func (b base) Header() http.Header         { return b.header }
func (b base) Write(p []byte) (int, error) { b.note("Write %s", p); return len(p), nil }
func (b base) WriteHeader(code int)        { b.note("WriteHeader %d", code) }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.note("Hijack")
	return nil, nil, nil
}
func (pusher_) Push(string, *http.PushOptions) error { return nil }
func (f flusher) Flush()                             { f.note("Flush") }
func (f flushError) FlushError() error               { f.note("FlushError"); return nil }
func (s stringer) WriteString(text string) (int, error) {
	s.note("WriteString %s", text)
	return len(text), nil
}
func (closeNotify) CloseNotify() <-chan bool       { return nil }
func (deadlines) SetReadDeadline(time.Time) error  { return nil }
func (deadlines) SetWriteDeadline(time.Time) error { return nil }
func (duplex) EnableFullDuplex() error             { return nil }
func (unwrapper) Unwrap() http.ResponseWriter      { return nil }

func (r readerFrom) ReadFrom(src io.Reader) (int64, error) {
	r.note("ReadFrom %T", src)
	return io.Copy(io.Discard, src)
}

// writers are those of net/http, each of them with one part more or less, each
// part alone, and somebody's wrapper.
func writers(r *record) map[string]http.ResponseWriter {
	b, hi, rf, fl, fe, sw := base{r}, hijacker{r}, readerFrom{r}, flusher{r}, flushError{r}, stringer{r}
	var pu pusher_
	var cn closeNotify
	var de deadlines
	var du duplex
	return map[string]http.ResponseWriter{
		"plain": b,
		"HTTP/1": struct {
			base
			hijacker
			readerFrom
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, rf, fl, fe, sw, cn, de, du},
		"HTTP/2": struct {
			base
			pusher_
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, pu, fl, fe, sw, cn, de, du},

		"HTTP/1 and Push": struct {
			base
			hijacker
			readerFrom
			pusher_
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, rf, pu, fl, fe, sw, cn, de, du},
		"HTTP/2 and ReadFrom": struct {
			base
			readerFrom
			pusher_
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, rf, pu, fl, fe, sw, cn, de, du},
		"HTTP/2 and Hijack": struct {
			base
			hijacker
			pusher_
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, pu, fl, fe, sw, cn, de, du},
		"neither Push nor Hijack": struct {
			base
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, fl, fe, sw, cn, de, du},
		"HTTP/1 without Hijack": struct {
			base
			readerFrom
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, rf, fl, fe, sw, cn, de, du},
		"HTTP/1 without ReadFrom": struct {
			base
			hijacker
			flusher
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, fl, fe, sw, cn, de, du},
		"HTTP/1 without Flush": struct {
			base
			hijacker
			readerFrom
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, rf, fe, sw, cn, de, du},
		"HTTP/1 without FlushError": struct {
			base
			hijacker
			readerFrom
			flusher
			stringer
			closeNotify
			deadlines
			duplex
		}{b, hi, rf, fl, sw, cn, de, du},
		"HTTP/1 without WriteString": struct {
			base
			hijacker
			readerFrom
			flusher
			flushError
			closeNotify
			deadlines
			duplex
		}{b, hi, rf, fl, fe, cn, de, du},
		"HTTP/1 without CloseNotify": struct {
			base
			hijacker
			readerFrom
			flusher
			flushError
			stringer
			deadlines
			duplex
		}{b, hi, rf, fl, fe, sw, de, du},
		"HTTP/1 without deadlines": struct {
			base
			hijacker
			readerFrom
			flusher
			flushError
			stringer
			closeNotify
			duplex
		}{b, hi, rf, fl, fe, sw, cn, du},
		"HTTP/1 without EnableFullDuplex": struct {
			base
			hijacker
			readerFrom
			flusher
			flushError
			stringer
			closeNotify
			deadlines
		}{b, hi, rf, fl, fe, sw, cn, de},
		"HTTP/2 without Flush": struct {
			base
			pusher_
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, pu, fe, sw, cn, de, du},
		"HTTP/2 without WriteString": struct {
			base
			pusher_
			flusher
			flushError
			closeNotify
			deadlines
			duplex
		}{b, pu, fl, fe, cn, de, du},
		"HTTP/2 without deadlines": struct {
			base
			pusher_
			flusher
			flushError
			stringer
			closeNotify
			duplex
		}{b, pu, fl, fe, sw, cn, du},

		"Hijack": struct {
			base
			hijacker
		}{b, hi},
		"ReadFrom": struct {
			base
			readerFrom
		}{b, rf},
		"Push": struct {
			base
			pusher_
		}{b, pu},
		"Flush": struct {
			base
			flusher
		}{b, fl},
		"FlushError": struct {
			base
			flushError
		}{b, fe},
		"WriteString": struct {
			base
			stringer
		}{b, sw},
		"CloseNotify": struct {
			base
			closeNotify
		}{b, cn},
		"deadlines": struct {
			base
			deadlines
		}{b, de},
		"EnableFullDuplex": struct {
			base
			duplex
		}{b, du},
		"recorder": httptest.NewRecorder(),
		"a wrapper": struct {
			base
			unwrapper
		}{b, unwrapper{}},
		"not comparable": struct {
			base
			_ func()
		}{b, nil},
	}
}

// TestWriterOffersWhatItWraps: no more and no less.
func TestWriterOffersWhatItWraps(t *testing.T) {
	t.Parallel()
	tel := start(t)
	for name, inner := range writers(&record{}) {
		t.Run(name, func(t *testing.T) {
			tel.Handler("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
				tel.Handler("/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
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
	start(t).Handler("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })).
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
		answer, err := s.Client().Get(s.URL + "/orders/7") //nolint:noctx // ended by the handler
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
		answer, err := s.Client().Post(s.URL+"/orders/7", form.FormDataContentType(), &body) //nolint:noctx // ended by the handler
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
