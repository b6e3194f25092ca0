package evidence

import (
	"math"
	"testing"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
)

// TestLeads: the section that the graph is of is open, and the others are closed; of a
// leak it is that of the goroutines.
func TestLeads(t *testing.T) {
	sections := []string{"cpu", "alloc_space", "inuse_space", "mutex", "goroutine"}
	leak := []cause.Finding{{Kind: "leak"}}
	for _, c := range []struct {
		flame    string
		findings []cause.Finding
		open     string
	}{
		{"cpu", nil, "cpu"}, {"alloc_space", nil, "alloc_space"}, {"delay", nil, "mutex"}, {"delay", []cause.Finding{{Kind: "lock"}}, "mutex"}, {"cpu", leak, "goroutine"}, {"delay", leak, "goroutine"},
	} {
		v := view{Incident: &Incident{Flame: c.flame, Findings: c.findings}}
		for _, of := range sections {
			if got := v.Leads(of); got != (of == c.open) {
				t.Errorf("a graph of %s, %+v: %s is open: %v", c.flame, c.findings, of, got)
			}
		}
	}
}

// TestBars: the bars of a diff are drawn against its largest figure, before or after.
func TestBars(t *testing.T) {
	v := view{Incident: &Incident{}}
	s := Section{Diff: []profiles.Change{{Before: 1, After: 2}, {Before: 4, After: 0}, {Before: 1, After: 3}}}
	if got := v.Scale(s); got != 4 {
		t.Errorf("the scale is %v", got)
	}
	for want, got := range map[string]string{
		"25.0":  v.Bar(v.Part(1, 4)),
		"100.0": v.Bar(v.Part(9, 4)),
		"0.0":   v.Bar(v.Part(1, 0)),
		"0":     v.Bar(v.Part(math.NaN(), 4))[:1],
	} {
		if got != want {
			t.Errorf("a bar of %s, want %s", got, want)
		}
	}
}

// TestFirstFinding: what stands beside a cause is of the first finding, and the others
// follow it.
func TestFirstFinding(t *testing.T) {
	v := view{Incident: &Incident{}}
	if v.Next() != "" || v.Rests() != nil || len(v.Also()) != 0 {
		t.Errorf("without a finding: %q, %q, %v", v.Next(), v.Rests(), v.Also())
	}
	v.Findings = []cause.Finding{{Next: "Look.", Rests: []string{"1 s"}}, {Sentence: "b"}, {Sentence: "c"}}
	if v.Next() != "Look." || len(v.Rests()) != 1 || len(v.Also()) != 2 || v.Also()[0].Sentence != "b" {
		t.Errorf("%q, %q, %v", v.Next(), v.Rests(), v.Also())
	}
}
