// Package yamlpos says where a value stands in a YAML file.
package yamlpos

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Of is where a byte of a text stands in a YAML file: data is the file's
// content, path the text's as domain.Error has it, offset the byte's in the
// text as it was loaded. Line and column are counted from 1. So a mistake that
// another parser finds in a value is shown where it was written, whichever of
// YAML's ways of writing text was taken.
//
// Of a path that the file does not have it is the nearest place above, and of
// a byte that cannot be found, because of an escape in quotes, the text's start.
func Of(data []byte, path string, offset int) (line, column int) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	docs, err := Documents(data)
	if err != nil || len(docs) == 0 {
		return 1, 1
	}
	n := docs[0]
	for _, step := range PathStep.FindAllString(path, -1) {
		next := Child(n, step)
		if next == nil {
			return n.Line, n.Column
		}
		n = next
	}
	if line, column, ok := within(n, data, offset); ok {
		return line, column
	}
	return n.Line, n.Column
}

// PathStep finds the steps of a path: a field, an index, or a quoted key.
var PathStep = regexp.MustCompile(`[A-Za-z0-9_]+|"(?:[^"\\]|\\.)*"`)

// Child is the value of a field or the item of an index, nil if there is none.
// Of a document it is that of its value.
func Child(n *yaml.Node, step string) *yaml.Node {
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		n = n.Content[0]
	}
	n = Target(n)
	if n.Kind == yaml.SequenceNode {
		if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
		return nil
	}
	if unquoted, err := strconv.Unquote(step); err == nil {
		step = unquoted
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if Target(n.Content[i]).Value == step {
			return n.Content[i+1]
		}
	}
	return nil
}

// within finds a byte of a text's value in the source. YAML folds lines and
// strips indents, but leaves all that is no space in its order: so the source
// is followed letter by letter, and spaces count for nothing.
func within(n *yaml.Node, data []byte, offset int) (line, column int, ok bool) {
	n = Target(n)
	if n.Kind != yaml.ScalarNode || offset < 0 || offset > len(n.Value) {
		return 0, 0, false
	}
	c := cursor{rest: string(data), at: place{1, 1}}
	for c.at != (place{n.Line, n.Column}) {
		if !c.step() {
			return 0, 0, false
		}
	}
	for strings.HasPrefix(c.rest, "&") || strings.HasPrefix(c.rest, "!") { // an anchor or a tag
		for c.rest != "" && !strings.ContainsRune(" \t\r\n", rune(c.rest[0])) {
			c.step()
		}
		c.spaces()
	}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 { // text begins on the line after the | or >
		for line := c.at.line; c.at.line == line; {
			if !c.step() {
				return 0, 0, false
			}
		}
	}
	quoted := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
	if quoted {
		c.step()
	}
	for i, r := range n.Value {
		if i >= offset {
			if !unicode.IsSpace(r) {
				c.spaces()
			}
			break
		}
		if unicode.IsSpace(r) {
			continue
		}
		c.spaces()
		if quoted && strings.HasPrefix(c.rest, `\`+string(r)) || n.Style&yaml.SingleQuotedStyle != 0 && strings.HasPrefix(c.rest, "''") {
			c.step()
		}
		if got, _ := utf8.DecodeRuneInString(c.rest); got != r {
			return 0, 0, false
		}
		c.step()
	}
	return c.at.line, c.at.column, true
}

// cursor goes through a text and knows where it is.
type cursor struct {
	rest string
	at   place
}

// step goes one letter further, and reports whether there was one.
func (c *cursor) step() bool {
	if c.rest == "" {
		return false
	}
	r, size := utf8.DecodeRuneInString(c.rest)
	c.rest = c.rest[size:]
	c.at.column++
	if r == '\n' {
		c.at = place{c.at.line + 1, 1}
	}
	return true
}

func (c *cursor) spaces() {
	for {
		r, _ := utf8.DecodeRuneInString(c.rest)
		if c.rest == "" || !unicode.IsSpace(r) || !c.step() {
			return
		}
	}
}

// place is a line and a column, counted from 1.
type place struct{ line, column int }

// Documents parses the text; the second of several documents is enough to
// know that there are too many.
func Documents(data []byte) (values []*yaml.Node, err error) {
	// The parser gives most of its failures back as errors; some it has let
	// through as panics in the past. The service must start nevertheless.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: cannot be read: %v", p)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for len(values) < 2 {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return nil, err
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
			values = append(values, doc.Content[0])
		}
	}
	return values, nil
}

// Target follows an alias to what it stands for.
func Target(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}
