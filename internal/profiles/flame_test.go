package profiles

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/stacks"
)

// cpuProfile builds a CPU profile of stacks, each written from the outermost function.
func cpuProfile(lines ...string) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}
	for _, line := range lines {
		s := &profile.Sample{Value: []int64{1e7}}
		for _, name := range strings.Fields(line) {
			f := &profile.Function{Name: name, Filename: "/src/shop/shop.go"}
			s.Location = append([]*profile.Location{{Line: []profile.Line{{Function: f, Line: 7}}}}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// A flame graph has a bound, however many stacks there are and how deep.
func TestFlameBounded(t *testing.T) {
	var lines []string
	for i := range 5000 {
		line := ""
		for depth := range 1 + i%100 {
			line += fmt.Sprintf(" main.f%d_%d", i%7, depth)
		}
		lines = append(lines, line)
	}
	f := FlameOf(cpuProfile(lines...), "cpu")
	if len(f.boxes) > maxFlame || f.height > maxDepth*flameRow {
		t.Errorf("%d boxes, %v high", len(f.boxes), f.height)
	}
	for _, b := range f.boxes {
		if text := fit(b.Function, b.width); b.x < -0.01 || b.x+b.width > flameWidth+0.01 || len([]rune(text)) > int(b.width/letterWidth)+1 {
			t.Errorf("box %+v with %s", b, text)
		}
	}
	if FlameOf(nil, "cpu") != nil || FlameOf(&profile.Profile{}, "cpu") != nil || FlameOf(cpuProfile(), "cpu") != nil {
		t.Error("a graph of nothing")
	}
}

// A request's stack begins at its handler. What the SDK itself costs stays.
func TestFlameBeginsAtTheHandler(t *testing.T) {
	const outer, inner = stacks.SDK + "telemetry.(*ServeMux).serve", stacks.SDK + "telemetry.(*boundHandler).ServeHTTP"
	f := FlameOf(cpuProfile("net/http.serve "+outer+" "+inner+" main.list", "net/http.serve "+inner, "runtime.gc"), "cpu")
	var names []string
	for _, b := range f.boxes {
		names = append(names, fmt.Sprintf("%s %s at %v", stacks.Short(b.Function), b.Place, b.y))
	}
	const want = "main.list shop.go:7 at 0, http.serve shop.go:7 at 0, telemetry.(*boundHandler).ServeHTTP shop.go:7 at 18, runtime.gc shop.go:7 at 0"
	if got := strings.Join(names, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
