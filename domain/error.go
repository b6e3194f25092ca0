package domain

import (
	"fmt"
	"strings"
)

// Error is one mistake of a domain.
type Error struct {
	// File, Line and Column say where, counted from 1. Line is 0 for a domain
	// that was built in code.
	File         string
	Line, Column int
	// Path is the field: thresholds[0].metric.
	Path string
	// Message says what is wrong and what to write instead.
	Message string

	offset int // the byte of the text at Path, 0 for its start
}

// Error writes the mistake as file:line:column: path: message, without the
// parts that it does not have.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	} else if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Errors are all the mistakes of a domain, in the order of the file.
type Errors []*Error

// Error writes one mistake a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives errors.As each mistake.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}

// brief cuts the middle out of a message that repeats a very long value: its
// end says what to do.
func brief(message string) string {
	const most = 600
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most/2], "") + "…" + strings.ToValidUTF8(message[len(message)-most/2:], "")
}
