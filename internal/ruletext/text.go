package ruletext

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// preamble is what Prometheus puts before each template of a rule.
const preamble = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// Text is the text of an annotation. It is safe for concurrent use.
type Text struct {
	text     string
	template *template.Template
	labels   []Label
	asks     bool // what only a server knows: its data, the time, its address
}

// Label is a label that a text shows, and the byte of the text where it does.
type Label struct {
	Name   string
	Offset int
}

// Error is what is wrong with a text, and the byte where.
type Error struct {
	Offset  int
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Parse reads a text. The error is an [Error].
func Parse(text string) (*Text, error) {
	t, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(preamble + text)
	if err != nil {
		return nil, located(text, err)
	}
	parsed := &Text{text: text, template: t}
	parsed.walk(t.Root)
	return parsed, nil
}

// Labels are the labels of the alert that the text shows or compares, in their
// order in the text.
func (t *Text) Labels() []Label { return slices.Clone(t.labels) }

// Asks tells whether the text depends on what only a server knows: the answer
// to a query, the time, the server's address.
func (t *Text) Asks() bool { return t.asks }

// Run is the text of an alert with these labels, without those of its rule, and
// this value. The error is an [Error]: Prometheus would send it in place of the
// text. A query answers with one sample of the value 1, without labels.
func (t *Text) Run(labels map[string]string, value float64) (text string, err error) {
	defer func() {
		if p := recover(); p != nil { // a regular expression that does not parse
			err = &Error{Message: fmt.Sprint(p)}
		}
	}()
	data := struct {
		Labels, ExternalLabels map[string]string
		ExternalURL            string
		Value                  any
	}{labels, map[string]string{}, "", value}
	var b strings.Builder
	if err := t.template.Execute(&b, data); err != nil {
		return "", located(t.text, err)
	}
	if m := wrongVerb.FindString(b.String()); m != "" && !strings.Contains(t.text, m) {
		return "", &Error{Message: m}
	}
	return b.String(), nil
}

// wrongVerb is what fmt writes in place of a value that a verb cannot show.
var wrongVerb = regexp.MustCompile(`%!.?\([^)]*\)`)

// Missing is a label that the text asks for in any way and that is not among
// these, as in {{ with $labels }}{{ .canal }}{{ end }}; "" for none. It would be
// empty.
func (t *Text) Missing(labels map[string]string, value float64) string {
	strict, err := t.template.Clone()
	if err != nil || strings.Contains(t.text, "xternalLabels") { // which nobody knows here
		return ""
	}
	strict.Option("missingkey=error")
	_, err = (&Text{text: t.text, template: strict}).Run(labels, value)
	if err == nil {
		return ""
	}
	if m := missingKey.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// missingKey is how text/template says that a map has no such key.
var missingKey = regexp.MustCompile(`map has no entry for key "([^"]*)"`)

// walk finds the labels that a template shows.
func (t *Text) walk(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, each := range n.Nodes {
				t.walk(each)
			}
		}
	case *parse.ActionNode:
		t.walk(n.Pipe)
	case *parse.IfNode:
		t.branch(&n.BranchNode)
	case *parse.RangeNode:
		t.branch(&n.BranchNode)
	case *parse.WithNode:
		t.branch(&n.BranchNode)
	case *parse.TemplateNode:
		t.walk(n.Pipe)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				t.command(c)
			}
		}
	case *parse.ChainNode:
		t.walk(n.Node)
	case *parse.VariableNode:
		t.field(n.Ident, "$labels", n.Pos)
	case *parse.FieldNode:
		t.field(n.Ident, "Labels", n.Pos)
	case *parse.IdentifierNode:
		t.asks = t.asks || slices.Contains([]string{"query", "now", "externalURL", "pathPrefix"}, n.Ident)
	}
}

func (t *Text) branch(n *parse.BranchNode) {
	t.walk(n.Pipe)
	t.walk(n.List)
	t.walk(n.ElseList)
}

// command has a label as a name after index too: index $labels "canal".
func (t *Text) command(c *parse.CommandNode) {
	for _, arg := range c.Args {
		t.walk(arg)
	}
	if f, ok := c.Args[0].(*parse.IdentifierNode); !ok || f.Ident != "index" || len(c.Args) < 3 {
		return
	}
	if name, ok := c.Args[2].(*parse.StringNode); ok && (c.Args[1].String() == "$labels" || c.Args[1].String() == ".Labels") {
		t.label(name.Text, name.Pos)
	}
}

func (t *Text) field(names []string, labels string, at parse.Pos) {
	if len(names) > 1 && names[0] == labels {
		t.label(names[1], at-parse.Pos(len("$labels"))) // at is behind it, and .Labels is as long
	}
}

func (t *Text) label(name string, at parse.Pos) {
	t.labels = append(t.labels, Label{name, max(0, int(at)-len(preamble))})
}

// place is how text/template begins an error: with the line, and the byte in it.
var place = regexp.MustCompile(`^template: :(\d+)(?::(\d+))?: (?:executing "" at )?`)

// located is an error of text/template with its place in the text alone.
func located(text string, err error) *Error {
	if wrong, ok := errors.AsType[*Error](err); ok {
		return wrong
	}
	e := &Error{Message: err.Error()}
	m := place.FindStringSubmatch(e.Message)
	if m == nil {
		return e
	}
	e.Message = e.Message[len(m[0]):]
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	for ; line > 1; line-- {
		i := strings.IndexByte(text[e.Offset:], '\n')
		if i < 0 {
			break
		}
		e.Offset += i + 1
	}
	if m[1] == "1" {
		column -= len(preamble)
	}
	e.Offset = min(e.Offset+max(0, column), len(text))
	return e
}
