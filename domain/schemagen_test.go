package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"
)

// The schema's descriptions are the comments of the fields, so that the types stay
// the only place that says what a key means.

// jsonObject is a JSON object that keeps the order of its members.
type jsonObject []jsonMember

// jsonMember is one key of a jsonObject.
type jsonMember struct {
	Key   string
	Value any
}

// MarshalJSON writes the members in their order.
func (o jsonObject) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := encode(m.Value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", m.Key, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// encode leaves < and > as they are, which json.Marshal would escape.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}

// schemaInput is what a schema is made from.
type schemaInput struct {
	// ID and Title are the schema's.
	ID, Title string
	// Root is the struct type of the whole file.
	Root reflect.Type
	// Source is the Go source with the types, for their comments.
	Source []byte
	// Hints are keywords that the Go types do not tell, by the name of a type
	// ("Kind") or a field ("Event.Name"). A hint for a type that is not a
	// struct is all that there is of its schema.
	Hints map[string]jsonObject
	// Keys are the names that an inline map may have, by field ("Receiver.Other").
	Keys map[string][]string
}

// writeSchema writes the schema, indented and with a line end.
func writeSchema(in schemaInput) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", in.Source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	g := &generator{in: in, comments: comments(file), defs: make(map[string]bool)}
	root := g.structure(in.Root)
	schema := append(jsonObject{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"$id", in.ID}, {"title", in.Title},
	}, root...)
	schema = append(schema, jsonMember{"$defs", g.order})
	if g.err != nil {
		return nil, g.err
	}
	data, err := encode(schema)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

type generator struct {
	in       schemaInput
	comments map[string]string
	defs     map[string]bool
	order    jsonObject
	err      error
}

// structure is the schema of a struct.
func (g *generator) structure(t reflect.Type) jsonObject {
	var properties jsonObject
	var required []string
	for i := range t.NumField() {
		f := t.Field(i)
		name := t.Name() + "." + f.Name
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, k := range g.in.Keys[name] {
				properties = append(properties, jsonMember{k, append(jsonObject{{"description", g.comments[name]}}, g.schema(f.Type.Elem())...)})
			}
			continue
		}
		if g.comments[name] == "" {
			g.err = fmt.Errorf("%s has no comment, so its key would have no description", name)
		}
		schema := append(jsonObject{{"description", g.comments[name]}}, g.schema(f.Type)...)
		properties = append(properties, jsonMember{key, append(schema, g.in.Hints[name]...)})
		if options == "" {
			required = append(required, key)
		}
	}
	o := jsonObject{{"description", g.comments[t.Name()]}, {"type", "object"}, {"additionalProperties", false}}
	if len(properties) > 0 {
		o = append(o, jsonMember{"properties", properties})
	}
	if len(required) > 0 {
		o = append(o, jsonMember{"required", required})
	}
	return append(o, g.in.Hints[t.Name()]...)
}

// schema is the schema of a value of any type.
func (g *generator) schema(t reflect.Type) jsonObject {
	if hint, ok := g.in.Hints[t.Name()]; ok && t.Kind() != reflect.Struct {
		return hint
	}
	switch t.Kind() {
	case reflect.String:
		return jsonObject{{"type", "string"}}
	case reflect.Bool:
		return jsonObject{{"type", "boolean"}}
	case reflect.Int:
		return jsonObject{{"type", "integer"}}
	case reflect.Float64:
		return jsonObject{{"type", "number"}}
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Struct { // "log:" stands for "log: {}"
			return jsonObject{{"anyOf", []jsonObject{g.schema(t.Elem()), {{"type", "null"}}}}}
		}
		return g.schema(t.Elem())
	case reflect.Slice:
		return jsonObject{{"type", "array"}, {"items", g.item(t.Elem())}}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return jsonObject{{"type", "object"}}
		}
		return jsonObject{{"type", "object"}, {"additionalProperties", g.item(t.Elem())}}
	case reflect.Struct:
		if !g.defs[t.Name()] {
			g.defs[t.Name()] = true
			g.order = append(g.order, jsonMember{t.Name(), nil}) // its place comes before those that it needs
			i := len(g.order) - 1
			def := g.structure(t)
			g.order[i].Value = def
		}
		return jsonObject{{"$ref", "#/$defs/" + t.Name()}}
	}
	g.err = fmt.Errorf("no schema for a %s", t)
	return nil
}

// item is the schema of a value in a list or map: where text stands, a
// number does as well, and is read as it was written.
func (g *generator) item(t reflect.Type) jsonObject {
	if t.Kind() == reflect.String && t.Name() == "string" {
		return jsonObject{{"type", []string{"string", "number", "boolean"}}}
	}
	return g.schema(t)
}

var (
	reference = regexp.MustCompile(` See \[[A-Za-z.]+\]\.`) // for readers of the Go documentation
	docLink   = regexp.MustCompile(`\[([A-Za-z.]+)\]`)
)

// comments are the comments of the struct types and fields of a file, in one line.
func comments(file *ast.File) map[string]string {
	all := make(map[string]string)
	text := func(group *ast.CommentGroup) string {
		line := strings.Join(strings.Fields(group.Text()), " ")
		return docLink.ReplaceAllString(reference.ReplaceAllString(line, ""), "$1")
	}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		for _, spec := range types.Specs {
			spec := spec.(*ast.TypeSpec)
			body, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			all[spec.Name.Name] = text(types.Doc)
			for _, f := range body.Fields.List {
				for _, name := range f.Names {
					all[spec.Name.Name+"."+name.Name] = text(f.Doc)
				}
			}
		}
	}
	return all
}
