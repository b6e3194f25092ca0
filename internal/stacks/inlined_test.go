package stacks

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/pprof/profile"
)

// TestNamed: a closure of a library's function that is inlined is the library's, as
// it is compiled with and without -trimpath; own closures keep their names.
func TestNamed(t *testing.T) {
	t.Parallel()
	Learn(&profile.Profile{Function: []*profile.Function{
		{Name: "runtime.main", Filename: "/opt/learned/go/src/runtime/proc.go"}, {Name: "main.main", Filename: "botica-api/main.go"},
	}})
	Learn(&profile.Profile{Function: []*profile.Function{{Name: "main.main", Filename: "botica/main.go"}}})
	const oncefunc = "/opt/learned/go/src/sync/oncefunc.go"
	for _, c := range []struct{ function, file, want string }{
		{"main.main.StripPrefix.func1", "net/http/server.go", "net/http.StripPrefix"},
		{"main.main.func6.StripPrefix.2", "/opt/learned/go/src/net/http/server.go", "net/http.StripPrefix"},
		{"main.T.M.StripPrefix.func11", "net/http/server.go", "net/http.StripPrefix"},
		{"main.(*API).Routes.(*Group).Go.func2", "golang.org/x/sync@v0.17.0/errgroup/errgroup.go", "golang.org/x/sync/errgroup.(*Group).Go"},
		{"main.(*API).Routes.(*Group).Go.gowrap1", "/root/go/pkg/mod/golang.org/x/sync@v0.17.0/errgroup/errgroup.go", "golang.org/x/sync/errgroup.(*Group).Go"},
		{"main.main.Timeout.func3", "/src/clinic/vendor/github.com/go-chi/chi/v5/middleware/timeout.go", "github.com/go-chi/chi/v5/middleware.Timeout"},
		{"main.main.New.func3", "/root/go/pkg/mod/github.com/acme/one@v1.0.0/one.go", "github.com/acme/one.New"},
		{"main.init.OnceValue[...].func3.1", oncefunc, "sync.OnceValue"},
		{"main.main.main.func3.main.main.func3.OnceValues[...].func13.func14", oncefunc, "sync.OnceValues"},
		{"main.list.Keys[go.shape.map[string]github.com/acme/shop.Order].func8", "maps/iter.go", "maps.Keys"},

		{"main.main.New.deferwrap1", "a/b.go", "a.New"}, {"main.main.func12.New.func1.deferwrap2.3", "a/b.go", "a.New"},
		{"main.main.step1", "a/b.go", "main.main.step1"}, {"main.main.New.step1.func1", "a/b.go", "a.step1"}, {"main.main.New.func1x", "a/b.go", "main.main.New.func1x"},

		{"main.list", "net/http/server.go", "main.list"},
		{"main.main.func1", "net/http/server.go", "main.main.func1"},
		{"main.(*API).Routes.func1", "/opt/learned/go/src/net/http/server.go", "main.(*API).Routes.func1"},
		{"main.T.M.func1", "/src/clinic/main.go", "main.T.M.func1"},
		{"main.T.M.func1", "botica/main.go", "main.T.M.func1"},
		{"main.T.M.func1", "botica-api/main.go", "main.T.M.func1"},
		{"main.T.M.func1", "github.com/acme/shop/main.go", "main.T.M.func1"},
		{"main.T.M.func1", "main.go", "main.T.M.func1"},
		{"main.T.M.func1", "/opt/learned/gopher/src/main.go", "main.T.M.func1"},
		{"main.main.main.func3.func7", "/src/clinic/main.go", "main.main.main.func3.func7"},
		{"main.main.New.func3", "github.com/latido-dev/latido@v0.1.0/internal/stacks/x.go", "main.main.New.func3"}, // of this module
		{"net/http.StripPrefix.func1", "net/http/server.go", "net/http.StripPrefix.func1"},
		{"golang.org/x/a.F.G.func1", "golang.org/x/b@v1.0.0/g.go", "golang.org/x/a.F.G.func1"},
		{"", "", ""}, {"main.", "a/b.go", "main."}, {"main.1.1", "a/b.go", "main.1.1"}, {"main..func1", "a/b.go", "main..func1"},
	} {
		if got := Named(c.function, c.file); got != c.want {
			t.Errorf("%s in %s is %s, want %s", c.function, c.file, got, c.want)
		}
	}
}

// TestInlinedByTheCompiler has this compiler inline library functions: none of their
// closures is own code, and the own code around them is found.
func TestInlinedByTheCompiler(t *testing.T) {
	var inner []Frame
	note := func() {
		var p bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&p, 0); err != nil {
			t.Fatal(err)
		}
		parsed, err := profile.Parse(&p)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range parsed.Sample {
			if frames := Of(s); slices.ContainsFunc(frames, func(f Frame) bool { return strings.HasPrefix(f.Function, "runtime/pprof.") }) {
				inner = frames
			}
		}
	}
	value := sync.OnceValue(func() int { note(); return 1 })
	stripped := http.StripPrefix("/a", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { value() }))
	stripped.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/a/b", nil))
	_, here, _, _ := runtime.Caller(0)
	foreign := 0
	for _, f := range inner {
		switch {
		case Owner(f.Function) == Own && f.File != here:
			t.Errorf("%s in %s counts as own", f.Function, f.File)
		case f.Symbol != f.Function && (f.Function == "net/http.StripPrefix" || f.Function == "sync.OnceValue"):
			foreign++
		}
	}
	if foreign == 0 { // with the race detector it inlines one of them
		t.Errorf("not inlined any more, or not seen: %v", inner)
	}
}
