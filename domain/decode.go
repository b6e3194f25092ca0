package domain

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/internal/spelling"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// No file that makes sense has as many values, unless aliases multiply them;
// maxDepth is far below what would trouble the stack.
const (
	maxValues = 100_000
	maxDepth  = 40
)

var (
	quantityType = reflect.TypeFor[Quantity]()
	durationType = reflect.TypeFor[Duration]()
)

// decode reads the node into v. Everything that does not fit is reported, and
// v keeps its zero value there.
func (l *loader) decode(n *yaml.Node, v reflect.Value, path string, depth int) {
	n = yamlpos.Target(n)
	if l.left--; l.left <= 0 || depth > maxDepth {
		if l.left >= 0 { // once: what follows is not read either
			l.left = -1
			outer := strings.SplitN(path, ".", 4) // an alias inside of itself makes endless paths
			l.reject(n, strings.Join(outer[:min(3, len(outer))], "."), "too many values, or too deep: is an alias used inside of itself?")
		}
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
		if strings.HasSuffix(path, "]") && v.Kind() == reflect.String {
			l.reject(n, path, "expected text, got nothing")
		}
		return // "events:" with all of its items commented out
	}
	switch v.Type() {
	case quantityType:
		l.scalar(n, v, path, "a number or quantity", func(text string) (any, error) {
			q, unit, err := parseQuantity(text)
			l.units[path] = unit
			return q, err
		})
		return
	case durationType:
		l.scalar(n, v, path, "a duration", func(text string) (any, error) { return parseDuration(text) })
		return
	}
	switch v.Kind() {
	case reflect.String:
		// Numbers as well, as they were written: {status: 500}, [36, 38].
		l.scalar(n, v, path, "text", func(text string) (any, error) { return text, nil })
	case reflect.Bool:
		l.scalar(n, v, path, "true or false", func(text string) (any, error) { return truth(n) })
	case reflect.Int:
		l.scalar(n, v, path, "a whole number", func(text string) (any, error) {
			i, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("%q is no whole number", text)
			}
			return i, nil
		})
	case reflect.Float64:
		l.scalar(n, v, path, "a number", func(text string) (any, error) { return finite(text) })
	case reflect.Pointer:
		if n.Tag == "!!null" && v.Type().Elem().Kind() != reflect.Struct {
			return // "above:" is no threshold; "log:" is a receiver
		}
		v.Set(reflect.New(v.Type().Elem()))
		l.decode(n, v.Elem(), path, depth+1)
	case reflect.Slice:
		l.list(n, v, path, depth)
	case reflect.Map:
		l.mapping(n, v, path, depth)
	case reflect.Struct:
		l.structure(n, v, path, depth)
	case reflect.Interface:
		l.open(n, v, path, depth)
	}
}

// finite reads a number that is one.
func finite(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return f, nil
	}
	if number, ok := strings.CutSuffix(text, "%"); ok {
		return 0, fmt.Errorf("%q is no number: write %s", text, strings.TrimSpace(number))
	}
	return 0, fmt.Errorf("%q is no number", text)
}

func truth(n *yaml.Node) (bool, error) {
	var b bool
	if n.Tag == "!!bool" && n.Decode(&b) == nil {
		return b, nil
	}
	return false, fmt.Errorf("expected true or false, got %s", noun(n))
}

// scalar reads a single value with parse, whose result has v's kind.
func (l *loader) scalar(n *yaml.Node, v reflect.Value, path, expected string, parse func(string) (any, error)) {
	if n.Kind != yaml.ScalarNode {
		l.reject(n, path, "expected %s, got %s", expected, noun(n))
		return
	}
	if !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge"}, n.Tag) {
		l.reject(n, path, "the tag %s has no meaning here: leave it out", n.Tag)
		return
	}
	value, err := parse(n.Value)
	if err != nil {
		l.reject(n, path, "%s", err)
		return
	}
	v.Set(reflect.ValueOf(value).Convert(v.Type()))
}

// list reads a sequence. An empty one is nil, as if the key were not there.
func (l *loader) list(n *yaml.Node, v reflect.Value, path string, depth int) {
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode && len(n.Value) < 40 {
			hint = fmt.Sprintf(": write [%s]", n.Value)
		}
		l.reject(n, path, "expected a list, got %s%s", noun(n), hint)
		return
	}
	if len(n.Content) == 0 {
		return
	}
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := index(path, i)
		l.at[at] = position{item.Line, item.Column}
		l.decode(item, items.Index(i), at, depth+1)
	}
	v.Set(items)
}

// mapping reads a map with keys of the user's choice.
func (l *loader) mapping(n *yaml.Node, v reflect.Value, path string, depth int) {
	entries := l.entries(n, path)
	if len(entries) == 0 {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(entries))
	for _, e := range entries {
		at := key(path, e.key)
		l.at[at] = e.at
		item := reflect.New(v.Type().Elem()).Elem()
		l.decode(e.value, item, at, depth+1)
		m.SetMapIndex(reflect.ValueOf(e.key), item)
	}
	v.Set(m)
}

// structure reads a map whose keys are the fields of a struct.
func (l *loader) structure(n *yaml.Node, v reflect.Value, path string, depth int) {
	fields, open := fieldsOf(v.Type())
	known := make([]string, 0, len(fields))
	for _, f := range fields {
		known = append(known, f.key)
	}
	if open >= 0 {
		known = append(known, integrations...)
	}
	if n.Kind == yaml.ScalarNode && slices.Contains(known, n.Value) {
		l.reject(n, path, "expected a map, got %s: write %s: {}", noun(n), n.Value)
		return
	}
	for _, e := range l.entries(n, path) {
		at := join(path, e.key)
		if i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key }); i >= 0 {
			l.at[at] = e.at
			l.decode(e.value, v.Field(fields[i].index), at, depth+1)
			continue
		}
		if open >= 0 && slices.Contains(integrations, e.key) {
			l.at[at] = e.at
			m := v.Field(open)
			if m.IsNil() {
				m.Set(reflect.MakeMap(m.Type()))
			}
			options := reflect.New(m.Type().Elem()).Elem()
			l.decode(e.value, options, at, depth+1)
			m.SetMapIndex(reflect.ValueOf(e.key), options)
			continue
		}
		if len(l.errs) >= maxErrors { // nobody will read a suggestion
			l.add(e.at, path, "unknown key %q", e.key)
			continue
		}
		// What was meant counts as given, or a second error says that it is missing.
		if near := spelling.Nearest(e.key, known); near != "" {
			l.spoil(join(path, near))
		}
		l.add(e.at, path, "unknown key %q%s", e.key, meantOr(e.key, known, "the keys here are"))
	}
}

// A field is a field of a struct with its key in the file.
type field struct {
	key   string
	index int
}

// fieldsOf lists the keys of a struct type, and gives the index of the inline
// map that takes further keys, or -1.
func fieldsOf(t reflect.Type) (fields []field, open int) {
	open = -1
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if options == "inline" {
			open = i
		} else {
			fields = append(fields, field{name, i})
		}
	}
	return fields, open
}

// An entry is a key of a map, and its value.
type entry struct {
	key   string
	at    position
	value *yaml.Node
}

// entries lists what a map has, each key once.
func (l *loader) entries(n *yaml.Node, path string) []entry {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.reject(n, path, "expected a map, got %s", noun(n))
		return nil
	}
	lines := map[string]int{}
	var entries []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := yamlpos.Target(n.Content[i])
		at := position{n.Content[i].Line, n.Content[i].Column}
		switch first, twice := lines[k.Value]; {
		case k.Kind != yaml.ScalarNode || k.Tag == "!!null":
			l.add(at, path, "expected text as the key, got %s", noun(k))
		case k.Tag == "!!merge":
			l.add(at, path, "maps cannot be merged with <<: write the keys out")
		case twice:
			l.add(at, path, "the key %q is there twice, first on line %d", k.Value, first)
		default:
			lines[k.Value] = at.line
			entries = append(entries, entry{k.Value, at, n.Content[i+1]})
		}
	}
	return entries
}

// open reads a value of any shape: an option of a receiver that Alertmanager
// knows, and we do not.
func (l *loader) open(n *yaml.Node, v reflect.Value, path string, depth int) {
	var value any
	switch {
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		l.mapping(n, reflect.ValueOf(&m).Elem(), path, depth)
		value = m
	case n.Kind == yaml.SequenceNode:
		s := []any{}
		l.list(n, reflect.ValueOf(&s).Elem(), path, depth)
		value = s
	case n.Tag == "!!null":
		return
	case n.Kind == yaml.ScalarNode && altered(n):
		value = &yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}
	case n.Tag == "!!bool":
		value, _ = truth(n)
	case n.Tag == "!!int" || n.Tag == "!!float":
		if err := n.Decode(&value); err != nil {
			l.reject(n, path, "%q is no number", n.Value)
			return
		}
		if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			l.reject(n, path, "%q is no finite number", n.Value)
			return
		}
	default: // text; a date too, since it goes to Alertmanager as it was written
		text := ""
		l.scalar(n, reflect.ValueOf(&text).Elem(), path, "text", func(s string) (any, error) { return s, nil })
		value = text
	}
	v.Set(reflect.ValueOf(value))
}

// altered tells whether a value without quotes would be another one if it were
// read and written again, as +34600123456 would be a number without its sign,
// and no a text. Alertmanager alone knows of which type the option is, so that
// such a value goes there as it stands.
func altered(n *yaml.Node) bool {
	if n.Style != 0 || strings.ContainsAny(n.Value, "\n") {
		return false
	}
	if !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, n.Tag) {
		return false
	}
	var value any = n.Value
	if n.Tag != "!!str" && n.Tag != "!!timestamp" {
		if n.Decode(&value) != nil {
			return false
		}
		if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			return false
		}
	}
	text, err := yaml.Marshal(value)
	return err == nil && strings.TrimSuffix(string(text), "\n") != n.Value
}

// noun says what a node is, in the words of someone who never heard of nodes.
func noun(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a map"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return n.Value
	}
	text := []rune(n.Value)
	if len(text) > 40 {
		text = append(text[:40], '…')
	}
	return fmt.Sprintf("text %q", string(text))
}

// join is the path of a field.
func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// index is the path of an item of a list.
func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// key is the path of an entry of a map whose keys are the user's: quoted,
// unless it looks like a field.
func key(path, k string) string {
	if attributeName.MatchString(k) && !strings.Contains(k, ".") {
		return join(path, k)
	}
	return fmt.Sprintf("%s[%q]", path, k)
}
