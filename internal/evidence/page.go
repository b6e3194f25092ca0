package evidence

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

//go:embed page.css
var style string

//go:embed incident.html.tmpl
var incidentTemplate string

// contentPolicy lets a page have its own style, and nothing else: what is in a
// label value is never run or fetched.
var contentPolicy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var pages = template.Must(template.New("incident").Parse(incidentTemplate))

// page is the incident's page: one file that needs no other.
func page(in *Incident, after *profile.Profile) ([]byte, error) {
	v := view{Incident: in, words: wordsOf(in.Language), graph: profiles.FlameOf(after, in.Flame)}
	var buf bytes.Buffer
	if err := pages.ExecuteTemplate(&buf, "incident", v); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// view is what the templates see.
type view struct {
	*Incident
	words
	graph *profiles.Flame
}

// Style is the page's, as it stands.
func (v view) Style() template.CSS { return template.CSS(style) } //nolint:gosec // embedded

// Title names the incident.
func (v view) Title() string {
	if v.Kind == KindRelease {
		return v.Say("Release %s", "Versión %s", Release{v.Version, v.Revision})
	}
	return v.Name
}

// Running is what ran, "" if its version is not known.
func (v view) Running() string { return Release{v.Version, v.Revision}.String() }

// State says whether it is over.
func (v view) State() string {
	switch {
	case v.Kind == KindRelease:
		return ""
	case v.EndsAt != nil:
		return v.Say("resolved after %s", "resuelta después de %s", v.duration(v.EndsAt.Sub(v.StartsAt).Round(time.Second)))
	}
	return v.T("firing", "activa")
}

// Time writes a time in full.
func (v view) Time(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }

// Also are the findings after the first one.
func (v view) Also() []cause.Finding { return v.Findings[min(1, len(v.Findings)):] }

// Without says why there is no cause, as one sentence.
func (v view) Without() string { return strings.TrimSuffix(v.None, ".") + "." }

// Next is what to do about the first finding.
func (v view) Next() string {
	if len(v.Findings) == 0 {
		return ""
	}
	return v.Findings[0].Next
}

// Rests are the figures that the first finding rests on.
func (v view) Rests() []string {
	if len(v.Findings) == 0 {
		return nil
	}
	return v.Findings[0].Rests
}

// Text is one of the alert's annotations.
func (v view) Text(name string) string { return v.Annotations[name] }

// Short, Place, Percent and Bar write the cells of tables.
func (v view) Short(function string) string { return stacks.Short(function) }

// Place is a file and a line.
func (v view) Place(file string, line int64) string { return place(file, line) }

// Percent writes a share.
func (v view) Percent(share float64) string { return percent(share) }

// Bar is a share's length, of 100.
func (v view) Bar(share float64) string { return fmt.Sprintf("%.1f", min(max(share, 0), 1)*100) }

// Whole writes a count.
func (v view) Whole(n float64) string { return v.whole(n) }

// Quantity writes a rate of a section's type.
func (v view) Quantity(s Section, n float64) string { return v.quantity(s.Type, n) }

// Amount writes a sum of a section's type.
func (v view) Amount(s Section, n float64) string { return v.amount(s.Type, n) }

// Change compares a function with the time before.
func (v view) Change(s Section, function string) string { return v.change(s, function) }

// Times compares two figures.
func (v view) Times(before, after float64) string { return v.times(before, after) }

// Subject names a section.
func (v view) Subject(s Section) string { return v.subject(s.Type) }

// Leads tells whether a section is what the first finding is about: it is open, and
// the others are one line each until somebody opens them.
func (v view) Leads(of string) bool {
	if len(v.Findings) > 0 && v.Findings[0].Kind == "leak" {
		return of == "goroutine"
	}
	return of == v.Flame || of == "mutex" && v.Flame == "delay"
}

// Scale is what the bars of a diff are drawn against.
func (v view) Scale(s Section) float64 {
	most := 0.0
	for _, c := range s.Diff {
		most = max(most, c.Before, c.After)
	}
	return most
}

// Part is a value's share of a scale.
func (v view) Part(value, scale float64) float64 {
	if scale <= 0 || math.IsNaN(value) {
		return 0
	}
	return value / scale
}

// Changes is the line of what moved at the same time.
func (v view) Changes() string { return v.changed(v.Incident) }

// Has tells whether the incident has a file.
func (v view) Has(name string) bool { return slices.Contains(v.Files, name) }

// Labels lists the alert's labels.
func (v view) LabelList() []string {
	var list []string
	for name, value := range v.Labels {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// FlameSubject names what the graph is of.
func (v view) FlameSubject() string {
	switch v.Flame {
	case "cpu", "alloc_space", "inuse_space", "delay":
		return strings.TrimPrefix(v.subject(v.Flame), "El ")
	}
	return "Goroutines"
}

// Graph is the flame graph, "" for none.
func (v view) Graph() template.HTML {
	if v.graph == nil {
		return ""
	}
	return template.HTML(v.graph.SVG(v.boxTitle)) //nolint:gosec // SVG escapes every text
}

// boxTitle says what a box of the flame graph is.
func (v view) boxTitle(b profiles.FlameBox) string {
	value := v.whole(b.Value)
	switch v.Flame {
	case "cpu", "delay":
		value = v.amount("cpu", b.Value*1e-9)
	case "alloc_space", "inuse_space":
		value = v.Bytes(b.Value)
	}
	return fmt.Sprintf("%s: %s, %s", stacks.Short(b.Function), percent(b.Share), value)
}
