package generate

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// imports are what a generated file imports, as far as it uses it.
var imports = map[string]string{
	"context": `package context; type Context interface{ Done() <-chan struct{} }`,
	"sync/atomic": `package atomic
type Pointer[T any] struct{ p *T }
func (p *Pointer[T]) Load() *T   { return p.p }
func (p *Pointer[T]) Store(v *T) { p.p = v }`,
	"github.com/latido-dev/latido/telemetry": `package telemetry
import "context"
type (
	Telemetry struct{}
	Counter struct{}
	UpDown struct{}
	Histogram struct{}
	Gauge struct{}
	BoundCounter struct{}
	BoundUpDown struct{}
	BoundHistogram struct{}
	BoundGauge struct{}
)
func (*Telemetry) Counter(string) *Counter { return nil }
func (*Telemetry) UpDown(string) *UpDown { return nil }
func (*Telemetry) Histogram(string) *Histogram { return nil }
func (*Telemetry) Gauge(string) *Gauge { return nil }
func (*Gauge) With(...string) (b BoundGauge) { return }
func (BoundGauge) Set(float64) {}
func (*Counter) With(...string) (b BoundCounter) { return }
func (*UpDown) With(...string) (b BoundUpDown) { return }
func (*Histogram) With(...string) (b BoundHistogram) { return }
func (BoundCounter) Add(int64) {}
func (BoundUpDown) Add(int64) {}
func (BoundHistogram) Record(context.Context, float64) {}`,
}

// stub imports what imports has.
type stub struct{}

func (s stub) Import(path string) (*types.Package, error) {
	source, ok := imports[path]
	if !ok {
		return nil, fmt.Errorf("a generated file imports %s", path)
	}
	return compiles(path, []byte(source))
}

// compiles type-checks a file.
func compiles(path string, source []byte) (*types.Package, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return (&types.Config{Importer: stub{}}).Check(path, set, []*ast.File{file}, nil)
}

func TestEventsFile(t *testing.T) { // names that the generated code has itself, each as all that it can be
	words := []string{
		"current", "nil", "b", "n", "ctx", "value", "delta", "bound", "bind", "event", "series", "v", "index", "string",
		"telemetry", "context", "atomic", "int64", "func", "type", "init", "main", "len", "true", "add", "tel", "i0", "v0",
	}
	for _, kind := range []domain.Kind{domain.KindCounter, domain.KindUpDown, domain.KindHistogram, domain.KindGauge} {
		for _, word := range words {
			d := domain.Domain{Prefix: "rara", Entity: "cosa", Events: []domain.Event{
				{Name: word, Kind: kind, Attributes: map[string][]string{word: {"one"}, "other": {word}}},
				{Name: "again", Kind: kind, Attributes: map[string][]string{word: {"one", "two"}}},
			}}
			if err := d.Validate(); err != nil {
				t.Errorf("%s: %v", word, err)
			} else if err := eventsCompile(d); err != nil {
				t.Errorf("%s %s: %v", kind, word, err)
			}
		}
	}
}

// eventsCompile checks that what is generated is Go, and the same again.
func eventsCompile(d domain.Domain) error {
	source, err := eventsFile(d, "domain.yaml", "events")
	if err != nil {
		return err
	}
	if again, err := eventsFile(d, "domain.yaml", "events"); err != nil || !bytes.Equal(source, again) {
		return fmt.Errorf("generated again, it differs (error %w):\n%s", err, again)
	}
	pkg, err := compiles("events", source)
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, source)
	}
	for _, e := range d.Events {
		name := Identifiers{"Bind": true}.Exported(e.Name)
		if _, isFunc := pkg.Scope().Lookup(name).(*types.Func); !isFunc && len(d.Events) == 1 {
			return fmt.Errorf("the event %s has no function %s", e.Name, name)
		}
	}
	return nil
}

// FuzzEventsFile generates from any domain that is valid: it compiles.
func FuzzEventsFile(f *testing.F) {
	f.Add("ventas", "canal", "web", "tienda 24h", "Sales", uint8(0))
	f.Add("nil", "current", "é", "e\u0301", "a\ufeffb\u202e", uint8(1))
	f.Add("add_ventas", "b", "日本", "`\"\\", "Deprecated:\n\n//go:embed x", uint8(2))
	f.Add("nivel", "value", "set", "bits", "x", uint8(3))
	f.Fuzz(func(t *testing.T, name, attribute, one, two, description string, kind uint8) {
		kinds := []domain.Kind{domain.KindCounter, domain.KindUpDown, domain.KindHistogram, domain.KindGauge}
		d := domain.Domain{Prefix: "rara", Entity: "cosa", Events: []domain.Event{
			{Name: name, Kind: kinds[int(kind)%len(kinds)], Description: description, Attributes: map[string][]string{attribute: {one, two}, "zona": {two}}},
			{Name: "ventas_b", Attributes: map[string][]string{attribute: {two}}},
		}}
		if d.Validate() != nil {
			return
		}
		if err := eventsCompile(d); err != nil {
			t.Error(err)
		}
	})
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"two\n lines":           "two lines",
		"a\ufeffb\u202e":        "ab",
		"no \xff UTF-8":         "no UTF-8",
		strings.Repeat(" ", 3):  "",
		"ñandú, 日本 and \t tabs": "ñandú, 日本 and tabs",
	} {
		if got := OneLine(text); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", text, got, want)
		}
	}
}
