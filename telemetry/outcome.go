package telemetry

import (
	"context"
	"errors"
	"net/http"
	"os"
	"reflect"
	"time"
)

// outcome is the status that the client got, and the type of error of a handler
// that did not return: it panicked, or ended its goroutine.
func (x *exchange) outcome(panicked any) (status int, failure string) {
	if !x.returned {
		failure = "panic"
		if isAbort(panicked) {
			failure = "aborted"
		}
	}
	switch {
	case x.hijacked:
		return http.StatusSwitchingProtocols, failure
	case x.late:
		return http.StatusServiceUnavailable, failure
	case x.r.Context().Err() != nil && inTimeoutHandler(x.rw):
		// It has answered for the handler, of which nothing was sent.
		if x.left() {
			return statusGone, ""
		}
		return http.StatusServiceUnavailable, failure
	case failure == "aborted" && x.left():
		return statusGone, ""
	case failure != "": // whatever it had begun with, the client got no whole answer
		return http.StatusInternalServerError, failure
	case (x.cut || x.status == 0) && x.left():
		return statusGone, ""
	case x.status == 0:
		return http.StatusOK, ""
	}
	return int(x.status), ""
}

func isAbort(panicked any) bool {
	err, ok := panicked.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// cancelled reports whether a context ended in the way in which net/http ends
// a request's when the client leaves: without a cause of its own.
func cancelled(ctx context.Context) bool {
	return ctx.Err() != nil && context.Cause(ctx) == context.Canceled //nolint:errorlint // one that wraps it is somebody's own
}

// noticeTime is how long it may take from the end of a request's context to
// net/http's word that the client has left. It says the one right after the
// other, but a busy machine was seen to take 10 ms. A request whose context was
// cancelled while its client is there ends this much later.
const noticeTime = 50 * time.Millisecond

// left reports whether the client has left. A context that was cancelled does
// not say so much: the one that it comes from (Server.BaseContext) may have
// been, when the process is told to end. CloseNotify hears of the connection
// alone. A writer that does not have it, which is not net/http's, is not asked.
func (x *exchange) left() (left bool) {
	if x.lost {
		return true
	}
	if !cancelled(x.r.Context()) {
		return false
	}
	connection, ok := innermost(x.rw).(http.CloseNotifier) //nolint:staticcheck // nothing else tells the two apart
	if !ok || x.notified {                                 // who listens has had the only word
		return true
	}
	defer func() {
		if recover() != nil { // the server is through with the request, and a handler in a goroutine is not
			left = true
		}
	}()
	late := time.NewTimer(noticeTime)
	defer late.Stop()
	select {
	case <-connection.CloseNotify():
		return true
	case <-late.C:
		return false
	}
}

// failed notes what a failed write says of the client.
func (x *exchange) failed(err error) {
	switch {
	case errors.Is(err, http.ErrHandlerTimeout):
		x.late = true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, http.ErrBodyNotAllowed), errors.Is(err, http.ErrContentLength), errors.Is(err, http.ErrHijacked):
		// The server gave up, or the handler was wrong.
	case cancelled(x.r.Context()):
		x.lost = true
	}
}

// innermost is the writer that all others are around.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for range maxWrappers {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		inner := wrapper.Unwrap()
		if inner == nil {
			return w
		}
		w = inner
	}
	return w
}

// inTimeoutHandler reports whether a writer is that of http.TimeoutHandler,
// which throws the answer away once the request's context has ended.
func inTimeoutHandler(w http.ResponseWriter) bool {
	t := reflect.TypeOf(innermost(w))
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "timeoutWriter"
}
