package stacks

import (
	"testing"

	"github.com/google/pprof/profile"
)

// Type arguments hold paths, dots and brackets, and are nobody's name.
func TestNamesOfGenericFunctions(t *testing.T) {
	for function, want := range map[string][2]string{
		"main.main": {"main", "main.main"},
		"slices.SortFunc[go.shape.[]github.com/acme/shop.Order,go.shape.struct { ID [4]int }]": {"slices", "slices.SortFunc"},
		"slices.SortFunc[...].func1":                                     {"slices", "slices.SortFunc.func1"},
		"crypto/pbkdf2.Key[go.shape.interface { Sum([]uint8) []uint8 }]": {"crypto/pbkdf2", "pbkdf2.Key"},
		"github.com/jackc/puddle/v2.(*Pool[go.shape.*uint8]).acquire":    {"github.com/jackc/puddle/v2", "v2.(*Pool).acquire"},
		"github.com/acme/shop.Map[int,string]":                           {"github.com/acme/shop", "shop.Map"},
	} {
		if got := [2]string{Package(function), Short(function)}; got != want {
			t.Errorf("%s: %q, want %q", function, got, want)
		}
	}
}

// TestLearn: own code of another program is what no module's cache and no vendor
// folder has the source of.
func TestLearn(t *testing.T) {
	p := &profile.Profile{}
	for name, file := range map[string]string{
		"example.com/learned/clinic/store.(*Store).List":   "/src/clinic/store/store.go",
		"example.org/trimmed/api.(*API).Get":               "example.org/trimmed/api/api.go",
		"github.com/learned/pgx/v5.(*Conn).Query":          "/root/go/pkg/mod/github.com/learned/pgx/v5@v5.7.0/conn.go",
		"github.com/learned/vendored.Do":                   "/src/clinic/vendor/github.com/learned/vendored/do.go",
		"github.com/inlining/whole.List.Keys[...].func1":   "/usr/local/go/src/maps/iter.go", // Go's closure, within a library's function
		"github.com/inlining/trimmed.List.Keys[...].func1": "maps/iter.go",
		"runtime.goexit":         "/usr/local/go/src/runtime/asm_amd64.s",
		"net/http.(*conn).serve": "/usr/local/go/src/net/http/server.go",
		SDK + "examples/echo-api/shop.(*Supplier).awaitMore": "/src/latido/examples/echo-api/shop/supplier.go",
	} {
		p.Function = append(p.Function, &profile.Function{Name: name, Filename: file})
	}
	Learn(p)
	for name, want := range map[string]string{
		"example.com/learned/clinic/store.(*Store).Other": Own, "example.org/trimmed/api.New": Own,
		"github.com/learned/pgx/v5.(*Conn).Query": Dependency, "github.com/learned/vendored.Do": Dependency,
		"github.com/inlining/whole.List": Dependency, "github.com/inlining/trimmed.List": Dependency,
		"net/http.(*conn).serve":           Runtime,
		SDK + "examples/echo-api/shop.New": Own, SDK + "telemetry.Init": Dependency,
	} {
		if got := Owner(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// TestLearnModuleWithoutDot: a module that latido init made has the name of its
// folder, as none of a host, and so have Go's own packages.
func TestLearnModuleWithoutDot(t *testing.T) {
	for name, c := range map[string]struct{ runtime, main, store, http string }{
		"trimmed": {"runtime/proc.go", "floreria-api/cmd/api/main.go", "floreria-api/store/store.go", "net/http/server.go"},
		"whole":   {"/usr/local/go/src/runtime/proc.go", "/src/panaderia-api/main.go", "/src/panaderia-api/store/store.go", "/usr/local/go/src/net/http/server.go"},
		"beside":  {"/usr/local/go/src/runtime/proc.go", "/usr/local/gomeria-api/main.go", "/usr/local/gomeria-api/store/store.go", "/usr/local/go/src/net/http/server.go"},
	} {
		t.Run(name, func(t *testing.T) {
			module := map[string]string{"trimmed": "floreria-api", "whole": "panaderia-api", "beside": "gomeria-api"}[name]
			Learn(&profile.Profile{Function: []*profile.Function{
				{Name: "net/http.(*conn).serve", Filename: c.http}, {Name: module + "/store.(*Store).List", Filename: c.store},
				{Name: "runtime.main", Filename: c.runtime}, {Name: "main.main", Filename: c.main}, {Name: "main.main.StripPrefix.func1", Filename: c.http},
			}})
			if got := Owner(module + "/store.New"); got != Own {
				t.Errorf("its own code is %s", got)
			}
			if got := Owner("net/http.Serve"); got != Runtime {
				t.Errorf("Go's is %s", got)
			}
		})
	}
}
