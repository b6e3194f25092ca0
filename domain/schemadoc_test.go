package domain

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keyDoc is what a document says of a key beside the schema.
type keyDoc struct {
	Unit, Default, Limits, Example string
	ES                             string `yaml:"es"` // its description in Spanish
}

// schemaObject is as much of a schema's object as a document shows.
type schemaObject struct {
	Description string
	Type        any
	Ref         string `json:"$ref"`
	Enum        []string
	Pattern     string
	Items       *schemaObject
	AnyOf       []*schemaObject
	Properties  properties
	Required    []string
	Defs        defs `json:"$defs"`
}

// properties keep their order, and so do the definitions.
type (
	properties []property
	defs       = properties
	property   struct {
		name string
		schemaObject
	}
)

// UnmarshalJSON reads the members in the order of the text.
func (p *properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		one := property{name: fmt.Sprint(name)}
		if err := d.Decode(&one.schemaObject); err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}

// writeDocument writes a schema as a page of Markdown: every key once, below the
// struct that has it. keys has what the schema does not tell, by struct and key;
// "es" of a struct is its description. spanish chooses the language. Keys with
// one description, which are those of one inline map, are one line.
func writeDocument(schema []byte, keys map[string]map[string]keyDoc, about map[string]string, spanish bool) ([]byte, error) {
	var root schemaObject
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, err
	}
	p := page{keys: keys, about: about, es: spanish}
	p.section("Domain", root)
	for _, def := range root.Defs {
		if len(def.Properties) > 0 {
			p.section(def.name, def.schemaObject)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		for _, key := range slices.Sorted(maps.Keys(keys[name])) {
			if !slices.Contains(p.seen, name+"."+key) {
				p.errs = append(p.errs, fmt.Errorf("%s.%s is described and no key of the schema", name, key))
			}
		}
	}
	return []byte(p.b.String()), errors.Join(p.errs...)
}

type page struct {
	b     strings.Builder
	keys  map[string]map[string]keyDoc
	about map[string]string
	es    bool
	seen  []string
	errs  []error
}

func (p *page) of(en, es string) string {
	if p.es {
		return es
	}
	return en
}

func (p *page) section(name string, o schemaObject) {
	title, about := "`"+name+"`", o.Description
	if p.es {
		about = p.about[name]
	}
	if about == "" {
		p.errs = append(p.errs, fmt.Errorf("%s has no description", name))
	}
	fmt.Fprintf(&p.b, "\n## %s\n\n%s\n\n| %s |\n|---|---|---|---|---|---|---|\n", title, about,
		p.of("key | what | type | unit | default | limits | example", "clave | qué | tipo | unidad | por defecto | límites | ejemplo"))
	inline := map[string]bool{}
	for _, key := range o.Properties {
		names := []string{"`" + key.name + "`"}
		if inline[key.Description] {
			continue
		}
		for _, other := range o.Properties {
			if other.name != key.name && other.Description == key.Description {
				inline[key.Description] = true
				names = append(names, "`"+other.name+"`")
			}
		}
		k, ok := p.keys[name][key.name]
		if p.seen = append(p.seen, name+"."+key.name); !ok || k.ES == "" || !strings.HasPrefix(k.Example, key.name+":") {
			p.errs = append(p.errs, fmt.Errorf("%s.%s needs es and an example that begins with it", name, key.name))
		}
		what, usual := key.Description, k.Default
		if p.es {
			what = k.ES
		}
		if slices.Contains(o.Required, key.name) {
			usual = p.of("required", "obligatoria")
		}
		cells := []string{strings.Join(names, ", "), what, p.kind(key.schemaObject), k.Unit, usual, k.Limits, "`" + k.Example + "`"}
		for i, cell := range cells {
			cells[i] = strings.ReplaceAll(cell, "|", "\\|")
		}
		fmt.Fprintf(&p.b, "| %s |\n", strings.Join(cells, " | "))
	}
}

// kind names the type of a value.
func (p *page) kind(o schemaObject) string {
	several, _ := o.Type.([]any)
	switch {
	case len(o.AnyOf) > 0:
		return p.kind(*o.AnyOf[0])
	case o.Ref != "":
		name := strings.TrimPrefix(o.Ref, "#/$defs/")
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case len(o.Enum) > 0:
		words := make([]string, len(o.Enum))
		for i, word := range o.Enum {
			words[i] = "`" + word + "`"
		}
		return strings.Join(words, " ")
	case o.Type == "array" && o.Items != nil:
		return p.of("list: ", "lista: ") + p.kind(*o.Items)
	case strings.Contains(o.Pattern, "y|w|d|h|m|s|ms"):
		return p.of("duration", "duración")
	case len(several) == 2 || o.Pattern != "" && len(several) > 0:
		return p.of("quantity", "cantidad")
	case o.Type == "object":
		return p.of("map", "mapa")
	case o.Type == "boolean":
		return p.of("true or false", "true o false")
	case o.Type == "integer":
		return p.of("whole number", "número entero")
	case o.Type == "number":
		return p.of("number", "número")
	}
	return p.of("text", "texto")
}
