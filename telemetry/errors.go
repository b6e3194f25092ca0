package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/descriptors"
	"github.com/latido-dev/latido/internal/spelling"
)

// maxErrorTypes is how many Go types of errors are counted by name, beside the
// types that the domain lists. A program has few; a generated one may not.
const maxErrorTypes = 100

// APIError counts an error under its type: what an ErrorType() string method
// in its chain says; "canceled" or "timeout" for those of a context; "disk_full",
// "too_many_files" or "connection_refused" for those of the system; or else
// the Go type of the innermost error (*strconv.NumError). Errors without a
// type of their own, as errors.New makes them, count as "error". A nil error
// counts nothing.
//
// A type from ErrorType() that the domain's errors do not list, and that is not
// one of domain.BuiltinErrors, counts as domain.Other, is logged once and counted
// as refused. APIError is safe for concurrent use.
func (t *Telemetry) APIError(err error) {
	if t == nil || t.diagnostics == nil || err == nil {
		return
	}
	t.countError(t.errorName(err))
}

func (t *Telemetry) countError(name string) {
	t.apiErrors.get(name, func() *labelSet { return newLabels([]string{"error.type"}, []string{name}) }).n.Add(1)
}

// ErrorType is an error of a type by name, one that the domain's errors list or
// that domain.BuiltinErrors has. APIError(ErrorType("validation")) counts it.
type ErrorType string

// Error is the name.
func (e ErrorType) Error() string { return string(e) }

// ErrorType is the name: the type under which APIError counts it.
func (e ErrorType) ErrorType() string { return string(e) }

func (t *Telemetry) declaredErrorType(name string) string {
	if slices.Contains(t.errorTypes, name) || name == domain.Other {
		return name
	}
	t.diagnostics.refused(refusedErrorType).Add(1)
	t.diagnostics.once("error type", func(log *slog.Logger) {
		log.Warn("undeclared error type counts as "+domain.Other+"; add it to errors in the domain file",
			"type", cleanValue(name), "nearest", spelling.Nearest(cleanValue(name), t.errorTypes))
	})
	return domain.Other
}

// errorName is the type of an error, one of a bounded number.
func (t *Telemetry) errorName(err error) string {
	name, chosen := errorType(err)
	if chosen {
		return t.declaredErrorType(name)
	}
	name = cleanValue(name) // that of a generic type may be long
	if _, known := t.goErrors.Load(name); known {
		return name
	}
	if t.goErrorCount.Add(1) > maxErrorTypes {
		t.goErrorCount.Add(-1)
		t.diagnostics.refused(refusedErrorType).Add(1)
		return domain.Other
	}
	if _, known := t.goErrors.LoadOrStore(name, nil); known {
		t.goErrorCount.Add(-1)
	}
	return name
}

func isDNS(err error) bool {
	_, ok := errors.AsType[*net.DNSError](err)
	return ok
}

// errorType names an error. chosen says that somebody wrote the name, so that
// the domain must have it; others come from the program's types. A method of
// the error that panics, as many do for a nil pointer, leaves its type.
func errorType(err error) (name string, chosen bool) {
	defer func() {
		if recover() != nil {
			name, chosen = fmt.Sprintf("%T", err), false
		}
	}()
	if typed, ok := errors.AsType[interface {
		error
		ErrorType() string
	}](err); ok {
		return typed.ErrorType(), true
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled", true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout", true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "disk_full", true
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "too_many_files", true
	case isDNS(err) && descriptors.None():
		return "too_many_files", true
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused", true
	}
	name = "error"
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch kind := fmt.Sprintf("%T", e); kind {
		case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError":
		default:
			name = kind
		}
	}
	return name, false
}
