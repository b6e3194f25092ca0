package telemetry

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/felixge/httpsnoop"
)

// What a ResponseWriter can do beyond its three methods is found out by type
// assertion, so a wrapper must offer exactly what it wraps: no more, or a
// WebSocket fails late; no less, or sendfile is lost. The writers of net/http
// have two combinations, which are wrapped here without an allocation: they
// are the exchange under another type. httpsnoop wraps all others.
type (
	http1Writer exchange // what net/http gives for HTTP/1
	http2Writer exchange // and for HTTP/2
	plainWriter exchange // nothing beyond the three methods
)

type (
	deadliner interface {
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
	}
	duplexer     interface{ EnableFullDuplex() error }
	flushErrorer interface{ FlushError() error }
)

type writerKind int

const (
	kindForeign writerKind = iota
	kindHTTP1
	kindHTTP2
	kindPlain
)

// writerKinds remembers the kind of each type of writer. A program has few, so
// that a scan is the fastest look-up; after maxWriterKinds it stops learning.
var (
	writerKinds   atomic.Pointer[[]knownWriter]
	writerKindsMu sync.Mutex // held while one is added
)

type knownWriter struct {
	writer reflect.Type
	kind   writerKind
}

const maxWriterKinds = 32

func kindOf(w http.ResponseWriter) writerKind {
	t := reflect.TypeOf(w)
	known := writerKinds.Load()
	if known != nil {
		for i := range *known {
			if (*known)[i].writer == t {
				return (*known)[i].kind
			}
		}
	}
	kind := classify(w)
	writerKindsMu.Lock()
	defer writerKindsMu.Unlock()
	var list []knownWriter
	if known := writerKinds.Load(); known != nil {
		list = *known
	}
	if len(list) < maxWriterKinds {
		list = append(slices.Clone(list), knownWriter{t, kind})
		writerKinds.Store(&list)
	}
	return kind
}

func classify(w http.ResponseWriter) writerKind {
	switch w.(type) { // of another Telemetry
	case *http1Writer:
		return kindHTTP1
	case *http2Writer:
		return kindHTTP2
	case *plainWriter:
		return kindPlain
	}
	can := func(ok ...bool) (n int) {
		for i, is := range ok {
			if is {
				n |= 1 << i
			}
		}
		return n
	}
	_, hijack := w.(http.Hijacker)
	_, readFrom := w.(io.ReaderFrom)
	_, push := w.(http.Pusher)
	_, flush := w.(http.Flusher)
	_, flushError := w.(flushErrorer)
	_, writeString := w.(io.StringWriter)
	_, closeNotify := w.(http.CloseNotifier) //nolint:staticcheck // deprecated, and still offered by net/http
	_, deadlines := w.(deadliner)
	_, duplex := w.(duplexer)
	kind := kindForeign
	switch can(hijack, readFrom, push, flush, flushError, writeString, closeNotify, deadlines, duplex) {
	case can(true, true, false, true, true, true, true, true, true):
		kind = kindHTTP1
	case can(false, false, true, true, true, true, true, true, true):
		kind = kindHTTP2
	case 0:
		kind = kindPlain
	}
	if _, unwraps := w.(interface{ Unwrap() http.ResponseWriter }); unwraps {
		kind = kindForeign // somebody's wrapper: it may have methods that we don't know
	}
	return kind
}

// exchangeKey finds a Telemetry's exchange in the context of a request whose
// writer httpsnoop wrapped.
type exchangeKey struct{ t *Telemetry }

// writer is what the handler gets for x.rw, with the request to hand on.
func (x *exchange) writer(r *http.Request) (http.ResponseWriter, *http.Request) {
	r = x.watchBody(r)
	switch kindOf(x.rw) {
	case kindHTTP1:
		return (*http1Writer)(x), r
	case kindHTTP2:
		return (*http2Writer)(x), r
	case kindPlain:
		return (*plainWriter)(x), r
	}
	r = x.inSpan(r)
	return httpsnoop.Wrap(x.rw, x.hooks()), r.WithContext(context.WithValue(r.Context(), exchangeKey{x.t}, x))
}

// maxWrappers is how many writers around ours are looked through.
const maxWrappers = 16

// exchangeOf is the exchange by which t measures a request already; nil if it
// does not. Another Telemetry that measures it too has an exchange of its own.
// It is known by its writer, which others may be around if they have Unwrap,
// as http.ResponseController wants it. The request's context alone does not
// do: a handler may send other requests with it, and who is cut off from the
// writer (inside of http.TimeoutHandler) may outlive the exchange.
func (t *Telemetry) exchangeOf(w http.ResponseWriter, r *http.Request) *exchange {
	var named *exchange
	for i := range maxWrappers {
		x := exchangeIn(w)
		switch {
		case x != nil && x.t == t:
			return x
		case i == 0:
			if x == nil && kindOf(w) != kindForeign {
				return nil
			}
			named, _ = r.Context().Value(exchangeKey{t}).(*exchange)
		case named != nil && reflect.ValueOf(w).Comparable() && w == named.rw:
			return named
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = wrapper.Unwrap()
	}
	return nil
}

// exchangeIn is the exchange that a writer of ours is.
func exchangeIn(w http.ResponseWriter) *exchange {
	switch w := w.(type) {
	case *http1Writer:
		return (*exchange)(w)
	case *http2Writer:
		return (*exchange)(w)
	case *plainWriter:
		return (*exchange)(w)
	}
	return nil
}

// wrote notes the first final status. 1xx answers come before it, except 101,
// which ends HTTP on the connection. net/http panics for codes outside
// 100-999, so those are never sent.
func (x *exchange) wrote(code int) {
	if x.status != 0 || code < 100 || code > 999 || code < 200 && code != http.StatusSwitchingProtocols {
		return
	}
	x.status = int32(code)
	x.cut = cancelled(x.r.Context())
	if code >= 400 {
		x.locate(code)
	}
	x.closeIfRefused(code)
}

func (x *exchange) hooks() httpsnoop.Hooks {
	return httpsnoop.Hooks{
		WriteHeader: func(next httpsnoop.WriteHeaderFunc) httpsnoop.WriteHeaderFunc {
			return func(code int) { x.wrote(code); next(code) }
		},
		Write: func(next httpsnoop.WriteFunc) httpsnoop.WriteFunc {
			return func(b []byte) (int, error) { x.wrote(http.StatusOK); return x.count(next(b)) }
		},
		WriteString: func(next httpsnoop.WriteStringFunc) httpsnoop.WriteStringFunc {
			return func(s string) (int, error) { x.wrote(http.StatusOK); return x.count(next(s)) }
		},
		ReadFrom: func(next httpsnoop.ReadFromFunc) httpsnoop.ReadFromFunc {
			return func(src io.Reader) (int64, error) { return x.readFrom(src, next) }
		},
		Flush: func(next httpsnoop.FlushFunc) httpsnoop.FlushFunc {
			return func() { x.flushed(); next() }
		},
		FlushError: func(next httpsnoop.FlushErrorFunc) httpsnoop.FlushErrorFunc {
			return func() error { x.flushed(); return x.noted(next()) }
		},
		CloseNotify: func(next httpsnoop.CloseNotifyFunc) httpsnoop.CloseNotifyFunc {
			return func() <-chan bool { x.notified = true; return next() }
		},
		Hijack: func(next httpsnoop.HijackFunc) httpsnoop.HijackFunc {
			return func() (net.Conn, *bufio.ReadWriter, error) {
				conn, buf, err := next()
				x.tookOver(err)
				return conn, buf, err
			}
		},
	}
}

// noted hands the error of a write on.
func (x *exchange) noted(err error) error {
	if err != nil {
		x.failed(err)
	}
	return err
}

func (x *exchange) write(b []byte) (int, error) {
	x.wrote(http.StatusOK)
	return x.count(x.rw.Write(b))
}

// count counts what was written of the body.
func (x *exchange) count(n int, err error) (int, error) {
	x.sent += int64(n)
	return n, x.noted(err)
}

func (x *exchange) writeHeader(code int) {
	x.wrote(code)
	x.rw.WriteHeader(code)
}

func (x *exchange) writeString(s string) (int, error) {
	x.wrote(http.StatusOK)
	return x.count(x.rw.(io.StringWriter).WriteString(s))
}

// readFrom notes the status once something was sent: src may be empty, or panic.
// Whether the client was there is asked beforehand.
func (x *exchange) readFrom(src io.Reader, next func(io.Reader) (int64, error)) (int64, error) {
	cut := x.status == 0 && cancelled(x.r.Context())
	if x.status == 0 {
		x.closeIfRefused(http.StatusOK)
	}
	n, err := next(src)
	x.sent += n
	if n > 0 && x.status == 0 {
		x.status, x.cut = http.StatusOK, cut
	}
	return n, x.noted(err)
}

// flushed notes that an answer goes out while its handler runs.
func (x *exchange) flushed() {
	x.wrote(http.StatusOK)
	if x.first == 0 {
		x.first = max(1, monotonic()-x.start)
		x.leave()
	}
}

// tookOver notes that the handler took the connection over, unless that failed.
func (x *exchange) tookOver(err error) {
	if err == nil {
		x.hijacked = true
		x.leave()
	}
}

// leave takes the request out of the active ones, once. A stream is in them
// until its first flush, as its duration is: requests in flight over requests a
// second are then how long one takes, however long streams stay open.
func (x *exchange) leave() {
	if !x.inactive {
		x.inactive = true
		x.t.activeRequests.Add(-1)
	}
}

func (x *exchange) flush() {
	x.flushed()
	x.rw.(http.Flusher).Flush()
}

func (x *exchange) flushError() error {
	x.flushed()
	return x.noted(x.rw.(flushErrorer).FlushError())
}

func (x *exchange) closeNotify() <-chan bool {
	x.notified = true
	return x.rw.(http.CloseNotifier).CloseNotify() //nolint:staticcheck // see kindOf
}

func (w *http1Writer) Header() http.Header               { return w.rw.Header() }
func (w *http1Writer) Write(b []byte) (int, error)       { return (*exchange)(w).write(b) }
func (w *http1Writer) WriteHeader(code int)              { (*exchange)(w).writeHeader(code) }
func (w *http1Writer) WriteString(s string) (int, error) { return (*exchange)(w).writeString(s) }
func (w *http1Writer) Flush()                            { (*exchange)(w).flush() }
func (w *http1Writer) FlushError() error                 { return (*exchange)(w).flushError() }
func (w *http1Writer) Unwrap() http.ResponseWriter       { return w.rw }
func (w *http1Writer) EnableFullDuplex() error           { return w.rw.(duplexer).EnableFullDuplex() }
func (w *http1Writer) SetReadDeadline(d time.Time) error { return w.rw.(deadliner).SetReadDeadline(d) }
func (w *http1Writer) SetWriteDeadline(d time.Time) error {
	return w.rw.(deadliner).SetWriteDeadline(d)
}

func (w *http1Writer) CloseNotify() <-chan bool { return (*exchange)(w).closeNotify() }

func (w *http1Writer) ReadFrom(src io.Reader) (int64, error) {
	return (*exchange)(w).readFrom(src, w.rw.(io.ReaderFrom).ReadFrom)
}

func (w *http1Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := w.rw.(http.Hijacker).Hijack()
	(*exchange)(w).tookOver(err)
	return conn, buf, err
}

func (w *http2Writer) Header() http.Header               { return w.rw.Header() }
func (w *http2Writer) Write(b []byte) (int, error)       { return (*exchange)(w).write(b) }
func (w *http2Writer) WriteHeader(code int)              { (*exchange)(w).writeHeader(code) }
func (w *http2Writer) WriteString(s string) (int, error) { return (*exchange)(w).writeString(s) }
func (w *http2Writer) Flush()                            { (*exchange)(w).flush() }
func (w *http2Writer) FlushError() error                 { return (*exchange)(w).flushError() }
func (w *http2Writer) Unwrap() http.ResponseWriter       { return w.rw }
func (w *http2Writer) EnableFullDuplex() error           { return w.rw.(duplexer).EnableFullDuplex() }
func (w *http2Writer) SetReadDeadline(d time.Time) error { return w.rw.(deadliner).SetReadDeadline(d) }
func (w *http2Writer) SetWriteDeadline(d time.Time) error {
	return w.rw.(deadliner).SetWriteDeadline(d)
}

func (w *http2Writer) CloseNotify() <-chan bool { return (*exchange)(w).closeNotify() }

func (w *http2Writer) Push(target string, opts *http.PushOptions) error {
	return w.rw.(http.Pusher).Push(target, opts)
}

func (w *plainWriter) Header() http.Header         { return w.rw.Header() }
func (w *plainWriter) Write(b []byte) (int, error) { return (*exchange)(w).write(b) }
func (w *plainWriter) WriteHeader(code int)        { (*exchange)(w).writeHeader(code) }
func (w *plainWriter) Unwrap() http.ResponseWriter { return w.rw }
