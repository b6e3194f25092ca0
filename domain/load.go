package domain

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/yamlpos"
)

// MaxFileSize is how many bytes a domain file may have. The longest that
// makes sense, hundreds of events, has a tenth of it.
const MaxFileSize = 1 << 20

// maxErrors is how many mistakes of a file are told one by one.
const maxErrors = 100

// Load reads the domain file at path, and validates it. Mistakes in the file
// come together as [Errors]; a file that cannot be read gives the error of
// the operating system. With an error the Domain is empty.
func Load(path string) (Domain, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Domain{}, fmt.Errorf("%w: write one with: latido init", err)
	}
	if err != nil {
		return Domain{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	// One byte more than allowed, so that Parse sees that it is too long.
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return Domain{}, err
	}
	return Parse(path, data)
}

// Parse reads a domain file's content, and validates it; name stands in
// errors. All mistakes come together as [Errors], in the order of the file.
// With an error the Domain is empty.
//
// It takes any input: what is too long, too deep or not YAML at all is an
// error like others.
func Parse(name string, data []byte) (Domain, error) {
	l := &loader{
		file: name, left: maxValues,
		at: make(map[string]position), units: make(map[string]string), bad: make(map[string]bool), aboveBad: make(map[string]bool),
	}
	root := l.root(data)
	if root == nil {
		return Domain{}, l.errs
	}
	var d Domain
	l.decode(root, reflect.ValueOf(&d).Elem(), "", 0)
	v := &validator{d: d, unread: l.unread, unit: func(path string) string { return l.units[path] }}
	v.run()
	for _, e := range v.errs {
		if !l.covers(e.Path) { // what could not be read has its error already
			at := l.position(e.Path)
			if e.offset > 0 {
				at.line, at.column = yamlpos.Of(data, e.Path, e.offset)
			}
			l.add(at, e.Path, "%s", e.Message)
		}
	}
	if len(l.errs) > 0 {
		slices.SortStableFunc(l.errs, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		if more := len(l.errs) - maxErrors; more > 0 {
			l.errs = append(l.errs[:maxErrors], &Error{File: name, Message: fmt.Sprintf("and %d more mistakes", more)})
		}
		return Domain{}, l.errs
	}
	return d, nil
}

// A position is a place in the file, counted from 1.
type position struct{ line, column int }

// loader turns one file into a Domain, and knows where everything stood.
type loader struct {
	file string
	// at is the position of every path that the file has: of the key, or of
	// the item of a list.
	at map[string]position
	// bad are the paths whose value could not be read, aboveBad all that
	// contain one.
	bad, aboveBad map[string]bool
	// units are the units with which the quantities were written, by path.
	units map[string]string
	errs  Errors
	// left is how many more values are read: aliases can make many of few.
	left int
}

func (l *loader) add(at position, path, format string, args ...any) {
	l.errs = append(l.errs, &Error{File: l.file, Line: at.line, Column: at.column, Path: path, Message: brief(fmt.Sprintf(format, args...))})
}

// reject reports a value that could not be read.
func (l *loader) reject(n *yaml.Node, path, format string, args ...any) {
	at, ok := l.at[path]
	if !ok {
		at = position{n.Line, n.Column}
	}
	l.spoil(path)
	l.add(at, path, format, args...)
}

// spoil notes that the value of a path could not be read.
func (l *loader) spoil(path string) {
	l.bad[path] = true
	for outer := path; outer != ""; {
		outer = parent(outer)
		l.aboveBad[outer] = true
	}
}

// parent is the path that contains this one.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// position is where a path stands. A key that is missing points at what it is
// missing from.
func (l *loader) position(path string) position {
	for ; path != ""; path = parent(path) {
		if at, ok := l.at[path]; ok {
			return at
		}
	}
	return l.at[""]
}

// unread reports whether something at, below or above the path could not be
// read, so that a check that needs it would only mislead.
func (l *loader) unread(path string) bool { return l.aboveBad[path] || l.covers(path) }

// covers reports whether the path, or something above it, could not be read.
func (l *loader) covers(path string) bool {
	for ; path != ""; path = parent(path) {
		if l.bad[path] {
			return true
		}
	}
	return l.bad[""]
}

// root parses the text to its one document's value. Nil means that there are
// errors, of which the text itself is the reason.
func (l *loader) root(data []byte) *yaml.Node {
	if len(data) > MaxFileSize {
		l.add(position{1, 1}, "", "the file is larger than %d bytes, too large for a domain file", MaxFileSize)
		return nil
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte order mark, as some editors on Windows write it
	if at, problem := unreadable(data); problem != "" {
		l.add(at, "", "%s", problem)
		return nil
	}
	docs, err := yamlpos.Documents(data)
	switch {
	case err != nil:
		l.syntax(err, data)
	case len(docs) == 0 || docs[0].Tag == "!!null":
		l.add(position{1, 1}, "", "the file is empty: write at least prefix and entity")
	case len(docs) > 1:
		l.add(position{docs[1].Line, docs[1].Column}, "", "a second document: a domain file has only one")
	default:
		l.at[""] = position{docs[0].Line, docs[0].Column}
		return docs[0]
	}
	return nil
}

// unreadable finds the first byte that no text file has.
func unreadable(data []byte) (at position, problem string) {
	at = position{1, 1}
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return at, "not UTF-8: save the file with this encoding"
		case r == '\n':
			at = position{at.line + 1, 0}
		case r < ' ' && r != '\t' && r != '\r', r == 0x7f:
			return at, fmt.Sprintf("the control character %U cannot stand in a text file", r)
		}
		at.column++
		data = data[size:]
	}
	return at, ""
}

var yamlLine = regexp.MustCompile(`^line (\d+): `)

// syntax reports what the YAML parser says. It knows only the line.
func (l *loader) syntax(err error, data []byte) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	at := position{1, 1}
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	hint := ""
	if lines := bytes.Split(data, []byte("\n")); at.line <= len(lines) {
		line := lines[at.line-1]
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		at.column = len(indent) + 1
		if bytes.ContainsRune(indent, '\t') {
			hint = ": a tab cannot indent, write spaces"
		}
	}
	l.add(at, "", "not YAML: %s%s", message, hint)
}
