package generate

import (
	"bytes"
	"fmt"
	"go/format"
	"go/token"
	"slices"
	"strings"
	"text/template"
	"unicode"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// EventsModel is what a file of typed events is written from.
type (
	EventsModel struct {
		Prefix, Package, Service string
		Types                    []*ValueType
		Events                   []EventModel
	}
	// ValueType is the Go type of an attribute's values.
	ValueType struct {
		Name, Values, Attribute string // Values is the variable with the texts
		Constants               []constant
	}
	constant struct{ Name, Value string }

	// EventModel is an event, and what is declared for it.
	EventModel struct {
		Func, Field        string // the function, and its state
		Name, Family, Doc  string
		Constructor, Bound string // of telemetry
		Parameters         []parameter
		Argument, Call     string // "delta int64", "Add(delta)"
		One                string // of a counter: the function that adds 1
		// Table says that each combination is bound beforehand. To bind a series
		// makes it exist, so that Bind may bind no event whose series telemetry
		// leaves out until they are counted.
		Table bool
	}
	parameter struct {
		Name      string
		Attribute string
		Type      *ValueType
	}
)

// eventsFile is the Go source of the typed helpers.
func eventsFile(d domain.Domain, source, pkg string) ([]byte, error) {
	if !token.IsIdentifier(pkg) {
		return nil, cli.UsageError(fmt.Sprintf("-package %q is no package name", pkg))
	}
	if len(d.Events) == 0 {
		return nil, fmt.Errorf("%s declares no events: %w", source, errNothing)
	}
	var b bytes.Buffer
	if err := eventsTemplate.Execute(&b, NewEventsModel(d, pkg)); err != nil {
		return nil, err
	}
	formatted, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the generated file is no Go, which is a mistake of this program: %w", err)
	}
	return formatted, nil
}

// NewEventsModel makes it of a domain, for a package.
func NewEventsModel(d domain.Domain, pkg string) EventsModel {
	m := EventsModel{Prefix: d.Prefix, Package: pkg, Service: d.Service()}
	names := Identifiers{"Bind": true, "context": true, "atomic": true, "telemetry": true, "bound": true, "current": true}
	fields := Identifiers{}
	metrics := map[string]domain.Metric{}
	for _, metric := range d.Metrics() {
		metrics[metric.Key] = metric
	}
	plain := make([]string, len(d.Events))
	for i, e := range d.Events { // before all others: an event's own name is the one that people write
		plain[i] = names.Exported(e.Name)
	}
	for i, e := range d.Events {
		metric := metrics[e.Name]
		em := EventModel{Func: plain[i], Field: fields.Unexported(e.Name), Name: e.Name, Family: metric.Family, Doc: OneLine(metric.Description), Table: e.Combinations() <= domain.InitialSeries}
		switch metric.Kind {
		case domain.KindUpDown:
			em.Constructor, em.Bound, em.Argument, em.Call = "UpDown", "BoundUpDown", "delta int64", "Add(delta)"
		case domain.KindGauge:
			em.Constructor, em.Bound, em.Argument, em.Call = "Gauge", "BoundGauge", "value float64", "Set(value)"
		case domain.KindHistogram:
			em.Constructor, em.Bound, em.Argument, em.Call = "Histogram", "BoundHistogram", "value float64", "Record(ctx, value)"
		default:
			em.Constructor, em.Bound, em.Argument, em.Call = "Counter", "BoundCounter", "n int64", "Add(n)"
			em.One = em.Func
			em.Func = names.Exported("Add_" + e.Name)
		}
		m.Events = append(m.Events, em)
	}
	types := map[string]*ValueType{}
	for i, e := range d.Events {
		// What a function's body says, a parameter of that name would hide.
		locals := Identifiers{"ctx": true, "n": true, "delta": true, "value": true, "b": true, "current": true, "nil": true}
		for _, attribute := range e.AttributeNames() {
			key := attribute + "\x00" + strings.Join(e.Attributes[attribute], "\x00")
			t := types[key]
			if t == nil {
				name := attribute
				if !oneSet(d, attribute) {
					name = e.Name + "_" + attribute
				}
				t = &ValueType{Name: names.Exported(name), Attribute: attribute}
				t.Values = names.Unexported(t.Name + "_values")
				for _, value := range e.Attributes[attribute] {
					t.Constants = append(t.Constants, constant{names.Exported(t.Name + "_" + value), value})
				}
				types[key] = t
				m.Types = append(m.Types, t)
			}
			m.Events[i].Parameters = append(m.Events[i].Parameters, parameter{locals.Unexported(attribute), attribute, t})
		}
	}
	return m
}

// oneSet tells whether an attribute has the same values wherever it is used.
func oneSet(d domain.Domain, attribute string) bool {
	var first []string
	for _, e := range d.Events {
		if values, ok := e.Attributes[attribute]; ok {
			if first != nil && !slices.Equal(first, values) {
				return false
			}
			first = values
		}
	}
	return true
}

// OneLine makes a text fit into a line comment. It leaves out what nobody
// sees: Go refuses a byte order mark inside a file, and letters that turn the
// direction of writing make code look like what it is not.
func OneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	return strings.Join(strings.Fields(text), " ")
}

var eventsTemplate = template.Must(template.New("").Funcs(template.FuncMap{"oneLine": OneLine}).Parse(
	`// Code generated by "latido generate events" from the domain file of {{.Prefix}}; DO NOT EDIT.

// Package {{.Package}} records the business events of {{.Service}}. Call Bind once, after
// telemetry.Init; before it, nothing is recorded. All functions are safe for
// concurrent use.
package {{.Package}}

import (
	"context"
	"sync/atomic"

	"github.com/latido-dev/latido/telemetry"
)
{{range .Types}}
// {{.Name}} is a value of the attribute {{.Attribute}}. Its zero value, and any that is not
// listed here, is recorded as "_other".
type {{.Name}} uint16

// The values of {{.Name}}.
const (
{{range $i, $c := .Constants}}	{{$c.Name}}{{if eq $i 0}} {{$.TypeOf $c.Name}} = iota + 1{{end}} // {{oneLine $c.Value}}
{{end}})

var {{.Values}} = [...]string{"_other"{{range .Constants}}, {{printf "%q" .Value}}{{end}}}

func (v {{.Name}}) index() int {
	if int(v) >= len({{.Values}}) {
		return 0
	}
	return int(v)
}

// String is the value as the domain file has it.
func (v {{.Name}}) String() string { return {{.Values}}[v.index()] }
{{end}}
// bound are the series of one Telemetry.
type bound struct {
{{range .Events}}	{{.Field}} struct {
		event  *telemetry.{{.Constructor}}
{{- if .Table}}
		series {{range .Parameters}}[{{len .Type.Constants}}]{{end}}telemetry.{{.Bound}}
{{- end}}
	}
{{end}}}

var current atomic.Pointer[bound]

// Bind makes tel record the events. A nil tel records nothing.
func Bind(tel *telemetry.Telemetry) {
	b := &bound{}
{{range $e := .Events}}	b.{{.Field}}.event = tel.{{.Constructor}}({{printf "%q" .Name}})
{{if .Table}}{{range $i, $p := .Parameters}}	for i{{$i}}, v{{$i}} := range {{$p.Type.Values}}[1:] {
{{end}}	b.{{.Field}}.series{{range $i, $p := .Parameters}}[i{{$i}}]{{end}} = b.{{.Field}}.event.With({{range $i, $p := .Parameters}}{{if $i}}, {{end}}{{printf "%q" $p.Attribute}}, v{{$i}}{{end}})
{{range .Parameters}}	}
{{end}}{{end}}{{end}}	current.Store(b)
}
{{range .Events}}{{if .One}}
// {{.One}} adds 1 to {{.Family}}: {{.Doc}}
func {{.One}}(ctx context.Context{{range .Parameters}}, {{.Name}} {{.Type.Name}}{{end}}) {
	{{.Func}}(ctx, 1{{range .Parameters}}, {{.Name}}{{end}})
}
{{end}}
// {{.Func}} records {{if .One}}several at once{{else}}{{.Family}}{{end}}: {{.Doc}}
func {{.Func}}(ctx context.Context, {{.Argument}}{{range .Parameters}}, {{.Name}} {{.Type.Name}}{{end}}) {
	b := current.Load()
	if b == nil {
		return
	}
{{if and .Table .Parameters}}	if {{range $i, $p := .Parameters}}{{if $i}} && {{end}}{{$p.Name}}.index() > 0{{end}} {
		b.{{.Field}}.series{{range .Parameters}}[{{.Name}}.index()-1]{{end}}.{{.Call}}
		return
	}
{{end}}{{if .Parameters}}	b.{{.Field}}.event.With({{range $i, $p := .Parameters}}{{if $i}}, {{end}}{{printf "%q" $p.Attribute}}, {{$p.Name}}.String(){{end}}).{{.Call}}
{{else}}	b.{{.Field}}.series.{{.Call}}
{{end}}}
{{end}}`))

// TypeOf finds the type of a constant, for the first one of its block.
func (m EventsModel) TypeOf(name string) string {
	for _, t := range m.Types {
		for _, c := range t.Constants {
			if c.Name == name {
				return t.Name
			}
		}
	}
	return ""
}
