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

// The bound is met where each function has its share: 400 functions, ten calls deep.
func TestFlameOfMany(t *testing.T) {
	var lines []string
	for i := range 400 {
		lines = append(lines, strings.Repeat(fmt.Sprintf(" main.f%d", i), 10))
	}
	if f := FlameOf(cpuProfile(lines...), "cpu"); len(f.boxes) != maxFlame {
		t.Errorf("%d boxes, want %d", len(f.boxes), maxFlame)
	}
}

// What nobody can point at is left out, and the others stand beside each other,
// the widest first, each as wide as its share.
func TestFlameShares(t *testing.T) {
	p := cpuProfile("main.rare", "main.narrow", "main.second", "main.first")
	for i, value := range []int64{1, 2, 397, 600} {
		p.Sample[i].Value[0] = value
	}
	var got []string
	for _, b := range FlameOf(p, "cpu").boxes {
		got = append(got, fmt.Sprintf("%s %.3f of %.1f at %.1f", b.Function, b.Share, b.width, b.x))
	}
	const want = "main.first 0.600 of 720.0 at 0.0, main.second 0.397 of 476.4 at 720.0, main.narrow 0.002 of 2.4 at 1196.4"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
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
