package telemetry

import (
	"io"
	"net/http"
	"reflect"
	"runtime"
	"sync/atomic"
)

// watchedBody is the body of a request. It counts for the request's span, and
// sees http.MaxBytesReader give up. net/http's own writer is told of that by an
// unexported method, which a wrapper of it cannot have: the answer would wait
// until the rest of the body has come, for as long as a slow client likes.
//
// Somebody may still read it after the handler has returned, or in another
// goroutine than the handler writes in.
type watchedBody struct {
	io.ReadCloser
	n     atomic.Int64 // bytes read
	state atomic.Int32
}

const (
	bodyUnread  = iota
	bodyPartly  // read, not to its end
	bodyRefused // read beyond the limit of http.MaxBytesReader
	bodyEnded
)

// limitedType is what http.MaxBytesReader returns.
var limitedType = reflect.TypeOf(http.MaxBytesReader(nil, nil, 0))

// watchBody returns the request to hand on. Only HTTP/1 keeps an answer back
// for the body's sake. A body that is limited further out stays, as
// http.Request.ParseForm looks for its type, and tells a writer further out.
func (x *exchange) watchBody(r *http.Request) *http.Request {
	wanted := r.ProtoMajor == 1 || x.span != nil && x.span.IsRecording()
	if !wanted || r.Body == nil || r.Body == http.NoBody || reflect.TypeOf(r.Body) == limitedType {
		return r
	}
	x.body = &watchedBody{ReadCloser: r.Body}
	if r == x.r { // net/http has a look at its own
		r = new(http.Request)
		*r = *x.r
		x.out = r
	}
	r.Body = x.body
	return r
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	switch {
	case err != nil:
		b.state.Store(bodyEnded)
	case n == len(p) && n > 0 && limited(): // one byte more than the limit was asked for, and came
		b.state.Store(bodyRefused)
	default:
		b.state.Store(bodyPartly)
	}
	return n, err
}

// limited reports whether http.MaxBytesReader is reading.
func limited() bool {
	var callers [8]uintptr
	for _, pc := range callers[:runtime.Callers(3, callers[:])] {
		if f := runtime.FuncForPC(pc - 1); f != nil && f.Name() == "net/http.(*maxBytesReader).Read" {
			return true
		}
	}
	return false
}

// closeIfRefused ends the connection with an answer that does not wait for the
// rest of the body. That the body is too large is also what a 413 says whose
// reader was not recognized.
func (x *exchange) closeIfRefused(code int) {
	if x.body == nil {
		return
	}
	if state := x.body.state.Load(); state == bodyRefused || state == bodyPartly && code == http.StatusRequestEntityTooLarge {
		x.rw.Header().Set("Connection", "close")
	}
}
