package scaffold

import (
	"bytes"
	"fmt"
	"go/format"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/domain"
)

// The model of a service's Go files.
type (
	serviceModel struct {
		App, Description string
		Prefix, Entity   string
		Events           string // the import path of the typed helpers
		Report           string // the route that computes
		Types            []*generate.ValueType
		Resources        []*resource // the entity's is the first
	}
	// resource is a path of the service, and what a POST to it records.
	resource struct {
		Path, Name, Var string // "/pedidos", Pedidos, pedidos
		Entity          string // that it is about; "" for another
		Body            []bodyField
		Records         []recording
		Open            []recording // up-down counters: of what a POST begins, and a DELETE ends
	}
	bodyField struct {
		Field, Key, Type string
		Comment          string
		Value            *generate.ValueType // of an attribute; nil for a number
		Var              string              // its typed value
		Sample           string              // how the demo makes one up
	}
	recording struct {
		Event, Func string
		Args        []string // after the context
		If          string   // the field that says whether, "" for always
	}
)

// Kept tells whether the service keeps what a POST brings.
func (r *resource) Kept() bool { return r.Entity != "" || len(r.Open) > 0 }

// Values are the fields whose value is one of a list.
func (r *resource) Values() []bodyField {
	return slices.DeleteFunc(slices.Clone(r.Body), func(f bodyField) bool { return f.Value == nil })
}

// Ended are the values that the end of what a POST began is counted with, and
// "_" in place of the others; none if there is none.
func (r *resource) Ended() []string {
	var vars []string
	any := false
	for _, f := range r.Values() {
		name := "_"
		if slices.ContainsFunc(r.Open, func(rec recording) bool { return slices.Contains(rec.Args[1:], f.Var) }) {
			name, any = f.Var, true
		}
		vars = append(vars, name)
	}
	if !any {
		return nil
	}
	return vars
}

// taken are the names that the files have anyway.
func taken(names ...string) generate.Identifiers {
	ids := generate.Identifiers{}
	for _, name := range names {
		ids[name] = true
	}
	return ids
}

// serviceBuilder makes the model of a domain.
type serviceBuilder struct {
	d      domain.Domain
	m      serviceModel
	names  generate.Identifiers // of resources
	vars   generate.Identifiers
	locals map[*resource]generate.Identifiers
	fields map[*resource]generate.Identifiers
	mux    *http.ServeMux // that takes the patterns that can stand together
}

// newServiceModel plans the routes of a service: one of the entity, and for
// each event the one that its endpoint names, or else one of its own. A
// histogram is measured where the counter before it is counted, and the good
// events of an objective where all of them are.
func newServiceModel(d domain.Domain, events string) serviceModel {
	b := serviceBuilder{
		d: d, names: taken("Forecast"), vars: taken("tel", "started", "handler", "fail"),
		locals: map[*resource]generate.Identifiers{}, fields: map[*resource]generate.Identifiers{}, mux: http.NewServeMux(),
		m: serviceModel{App: d.Service(), Description: generate.OneLine(d.Description), Prefix: d.Prefix, Entity: d.Entity, Events: events, Report: "/reports/forecast"},
	}
	if d.Language == "es" {
		b.m.Report = "/reportes/pronostico"
	}
	model := generate.NewEventsModel(d, "events")
	b.m.Types = model.Types
	entity := b.resource("/" + strings.ReplaceAll(plural(d.Entity, d.Language), "_", "-"))
	entity.Entity = d.Entity
	counted, at := entity, map[string]*resource{}
	for i, e := range d.Events {
		if e.Kind != "" && e.Kind != domain.KindCounter || b.total(e.Name) != "" {
			continue
		}
		at[e.Name] = b.resource(b.pathOf(e, i == 0))
	}
	for i, e := range d.Events {
		switch {
		case e.Kind == domain.KindUpDown:
			r := b.resource(b.pathOf(e, false))
			r.Open = append(r.Open, b.recording(r, model.Events[i], "delta"))
		case e.Kind == domain.KindHistogram || e.Kind == domain.KindGauge:
			field := b.number(counted, model.Events[i], e)
			counted.Records = append(counted.Records, b.recording(counted, model.Events[i], "in."+field))
		case b.total(e.Name) != "":
			r := at[b.total(e.Name)]
			field := b.fields[r].Exported(e.Name)
			r.Body = append(r.Body, bodyField{Field: field, Key: e.Name, Type: "bool", Sample: "likely()"})
			good := b.recording(r, counter(model.Events[i]))
			good.If = "in." + field
			r.Records = append(r.Records, good)
		default:
			counted = at[e.Name]
			counted.Records = append(counted.Records, b.recording(counted, counter(model.Events[i])))
		}
	}
	return b.m
}

// counter has the recording be that of the function that adds 1.
func counter(e generate.EventModel) generate.EventModel {
	e.Func = e.One
	return e
}

// total is the event that counts all of which the objective's good ones are
// counted by this one; "" if there is none.
func (b *serviceBuilder) total(good string) string {
	for _, s := range b.d.SLOs {
		if s.Good.Event != good || s.Total == "" {
			continue
		}
		isGood := func(o domain.SLO) bool { return o.Good.Event == s.Total }
		if !slices.ContainsFunc(b.d.SLOs, isGood) { // no chain of objectives
			return s.Total
		}
	}
	return ""
}

// states end the name of what goes up and down: carritos_activos are carritos.
var states = regexp.MustCompile(`_(activ[oa]s?|abiert[oa]s?|active|open)$`)

// pathOf is the route that an event comes from.
func (b *serviceBuilder) pathOf(e domain.Event, first bool) string {
	own := "/" + strings.ReplaceAll(states.ReplaceAllString(e.Name, ""), "_", "-")
	method, route := e.Route()
	switch {
	case route == "" && first:
		return b.m.Resources[0].Path
	case method != "" && method != http.MethodPost: // the handlers that are written take POST
	case route != "" && b.can(route):
		return route
	}
	return own
}

// can tells whether a route can stand beside the others: its pattern may be
// one of another router's.
func (b *serviceBuilder) can(route string) (ok bool) {
	if b.find(route) != nil {
		return true
	}
	if !strings.HasPrefix(route, "/") || path.Clean(route) != route {
		return false
	}
	defer func() { ok = recover() == nil }()
	b.mux.Handle("POST "+route, http.NotFoundHandler())
	return true
}

func (b *serviceBuilder) find(route string) *resource {
	i := slices.IndexFunc(b.m.Resources, func(r *resource) bool { return r.Path == route })
	if i < 0 {
		return nil
	}
	return b.m.Resources[i]
}

// resource is the one of a path; there is one of each.
func (b *serviceBuilder) resource(route string) *resource {
	if r := b.find(route); r != nil {
		return r
	}
	r := &resource{Path: route, Name: b.names.Exported(route), Var: b.vars.Unexported(route)}
	b.m.Resources = append(b.m.Resources, r)
	b.locals[r] = taken("in", "err", "id", "w", "r", "s", "delta", "context", "events", "http", "answer", "read", "created", "nil", "error", "string")
	for _, t := range b.m.Types {
		b.locals[r][reader(t)] = true
	}
	b.fields[r] = generate.Identifiers{}
	return r
}

// reader is the function that reads a value of a type.
func reader(t *generate.ValueType) string { return generate.Identifiers{}.Unexported(t.Name) + "Of" }

// recording calls the helper of an event, and has the body bring its attributes.
func (b *serviceBuilder) recording(r *resource, e generate.EventModel, amount ...string) recording {
	rec := recording{Event: e.Name, Func: e.Func, Args: amount}
	for _, p := range e.Parameters {
		i := slices.IndexFunc(r.Body, func(f bodyField) bool { return f.Value == p.Type })
		if i < 0 {
			key := p.Attribute
			if slices.ContainsFunc(r.Body, func(f bodyField) bool { return f.Key == key }) {
				key = e.Name + "_" + p.Attribute // of other values than the attribute of this name
			}
			i = len(r.Body)
			r.Body = append(r.Body, bodyField{
				Field: b.fields[r].Exported(key), Key: key, Type: "string", Value: p.Type, Var: b.locals[r].Unexported(key), Sample: usual(p.Type),
			})
		}
		rec.Args = append(rec.Args, r.Body[i].Var)
	}
	return rec
}

// usual has the demo choose a value, of the first ones if there are many.
func usual(t *generate.ValueType) string {
	var values []string
	for _, c := range t.Constants[:min(len(t.Constants), 20)] {
		values = append(values, strconv.Quote(c.Value))
	}
	return "usual(" + strings.Join(values, ", ") + ")"
}

// number is the body's field of what a histogram measures, or a gauge shows. The demo stays in
// the lower half of the buckets, where no threshold is.
func (b *serviceBuilder) number(r *resource, e generate.EventModel, declared domain.Event) string {
	m, _ := b.d.Metric(declared.Name)
	low, high := 0.0, 1.0
	if n := len(m.Buckets); n > 0 {
		low, high = m.Buckets[0], m.Buckets[n/2]
		if n == 1 {
			low = high / 2
		}
	}
	text := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	field := bodyField{
		Field: b.fields[r].Exported(e.Name), Key: e.Name, Type: "float64", Comment: declared.Unit,
		Sample: fmt.Sprintf("between(%s, %s)", text(low), text(high)),
	}
	r.Body = append(r.Body, field)
	return field.Field
}

// serviceTemplates are the Go files of a service, as templates.
var serviceTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"reader": reader,
	"quote":  strconv.Quote,
	"args":   func(r recording) string { return strings.Join(append([]string{"r.Context()"}, r.Args...), ", ") },
	"opened": opened,
	"names":  names,
	// A route's parameters, as the demo fills them in.
	"plain": func(route string) string {
		return regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(strings.ReplaceAll(route, "{$}", ""), "1")
	},
}).ParseFS(templateFiles, "templates/service/*.go.tmpl"))

// opened are the arguments of an up-down counter that goes by delta.
func opened(r recording, delta string) string {
	args := slices.Clone(r.Args)
	args[0] = delta
	return strings.Join(args, ", ")
}

// names lists what a POST records.
func names(r *resource) string {
	var all []string
	for _, rec := range slices.Concat(r.Open, r.Records) {
		all = append(all, rec.Event)
	}
	if r.Entity != "" {
		all = append(all, "one more "+r.Entity)
	}
	if last := len(all) - 1; last > 0 {
		return strings.Join(all[:last], ", ") + " and " + all[last]
	}
	return strings.Join(all, "")
}

// serviceFiles are the Go files of a service, by their names.
func serviceFiles(m serviceModel) (map[string][]byte, error) {
	names, err := fs.Glob(templateFiles, "templates/service/*.go.tmpl")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		var b bytes.Buffer
		if err := serviceTemplates.ExecuteTemplate(&b, path.Base(name), m); err != nil {
			return nil, err
		}
		text, err := format.Source(b.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s is no Go, which is a mistake of this program: %w", name, err)
		}
		files[strings.TrimSuffix(path.Base(name), ".tmpl")] = text
	}
	return files, nil
}
