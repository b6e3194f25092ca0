package telemetry

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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
	_, ok = w.(interface{ CloseNotify() <-chan bool }) // deprecated, and still offered by net/http
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
	pushes      struct{}
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
func (pushes) Push(string, *http.PushOptions) error { return nil }
func (f flusher) Flush()                            { f.note("Flush") }
func (f flushError) FlushError() error              { f.note("FlushError"); return nil }
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
	var pu pushes
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
			pushes
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
			pushes
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
			pushes
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
			pushes
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
			pushes
			flushError
			stringer
			closeNotify
			deadlines
			duplex
		}{b, pu, fe, sw, cn, de, du},
		"HTTP/2 without WriteString": struct {
			base
			pushes
			flusher
			flushError
			closeNotify
			deadlines
			duplex
		}{b, pu, fl, fe, cn, de, du},
		"HTTP/2 without deadlines": struct {
			base
			pushes
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
			pushes
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
