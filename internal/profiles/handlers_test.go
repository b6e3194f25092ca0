package profiles

import (
	"fmt"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// TestBindings: what each function is a trace of, once all of them were bound.
func TestBindings(t *testing.T) {
	h := &Handlers{}
	for _, b := range [][3]string{
		{"GET", "/a", "main.a"},
		{"GET", "/b", "main.both"}, {"POST", "/b", "main.both"}, // two methods
		{"", "/c", "main.shared"}, {"", "/d", "main.shared"}, // two endpoints
		{"GET", "/legacy/", "net/http.(*ServeMux).ServeHTTP"},
		{"GET", "/traced", "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp.NewMiddleware.func1.1"},
		{"GET", "/inner", stacks.SDK + "telemetry.(*boundHandler).ServeHTTP"},
		{"GET", "/wrapped", "main.wrapped.func1"},
	} {
		h.Bind(b[0], b[1], b[2])
	}
	want := map[string]Binding{"main.a": {"/a", "GET"}, "main.both": {"/b", ""}, "main.wrapped.func1": {"/wrapped", "GET"}}
	if got := h.Endpoints().bound; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("bound %v, want %v", got, want)
	}

	// Seen under another endpoint: outside of its handler, as middleware around
	// all, it says nothing; inside, it is shared.
	labelled := func(endpoint string, functions ...string) *profile.Profile {
		of := &profile.Profile{}
		s := &profile.Sample{Value: []int64{1}, Label: map[string][]string{LabelEndpoint: {endpoint}}}
		for _, name := range functions {
			f := &profile.Function{ID: uint64(len(of.Function) + 1), Name: name}
			of.Function = append(of.Function, f)
			s.Location = append(s.Location, &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}})
		}
		of.Sample = append(of.Sample, s)
		return of
	}
	serving := stacks.SDK + "telemetry.(*boundHandler).ServeHTTP"
	h.Learn(labelled("/other", "main.other", serving, "main.wrapped.func1"))
	if got := h.Endpoints().bound; len(got) != len(want) {
		t.Errorf("bound %v: a function outside of the handler is taken for the handler", got)
	}
	h.Learn(labelled("/other", "main.other", "main.wrapped.func1", serving))
	if _, still := h.Endpoints().bound["main.wrapped.func1"]; still {
		t.Error("a function that runs for another endpoint is still a trace of one")
	}
}

// TestBindingsBounded: however many routes somebody binds, the map ends.
func TestBindingsBounded(t *testing.T) {
	h := &Handlers{}
	for i := range 3 * maxBound {
		h.Bind("GET", fmt.Sprint("/users/", i), fmt.Sprint("main.handler", i))
		h.Bind("GET", fmt.Sprint("/users/", i), "main.one")
	}
	if len(h.bound) > maxBound {
		t.Errorf("%d functions are bound, want at most %d", len(h.bound), maxBound)
	}
	if b := h.Endpoints().bound["main.one"]; b.Endpoint != "" {
		t.Errorf("a function of many endpoints is a trace of %v", b)
	}
}
