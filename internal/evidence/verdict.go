package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// Verdict compares a release with the one before.
type Verdict struct {
	Before Release `json:"before"`
	After  Release `json:"after"`
	// Worse tells whether a figure is, by more than chance.
	Worse bool `json:"worse"`
	// Figures are what was compared, the worse ones first.
	Figures []Figure `json:"figures"`
}

// Figure is one figure of both releases.
type Figure struct {
	Name     string  `json:"name"` // cpu_per_request, rate, error_ratio, p95, event_cpu or event_allocated
	Endpoint string  `json:"endpoint,omitempty"`
	Event    string  `json:"event,omitempty"`
	Before   float64 `json:"before"`
	After    float64 `json:"after"`
	Worse    bool    `json:"worse"`
	// Text, BeforeText and AfterText are for people.
	Text       string `json:"text"`
	BeforeText string `json:"before_text"`
	AfterText  string `json:"after_text"`
}

// What makes a figure worse than chance would.
const (
	worseCost   = 1.2  // times the CPU time or memory
	worseP95    = 1.25 // times as long, and
	leastP95    = 0.01 // seconds at least
	worseErrors = 2.0  // times as often, and
	leastErrors = 0.01 // of the requests more
)

// judge compares two releases. A rate that changed is nobody's fault, and is
// only shown.
func (r *Recorder) judge(before, after measure) *Incident {
	w := r.words
	v := &Verdict{Before: before.Release, After: after.Release}
	add := func(f Figure, format func(float64) string) {
		f.BeforeText, f.AfterText = format(f.Before), format(f.After)
		v.Figures = append(v.Figures, f)
		v.Worse = v.Worse || f.Worse
	}
	dearer := func(before, after float64) bool { return before > 0 && after > worseCost*before }
	add(Figure{Name: "cpu_per_request", Before: before.CPU, After: after.CPU, Worse: dearer(before.CPU, after.CPU),
		Text: w.T("CPU time of a request", "tiempo de CPU de una petición")}, w.Seconds)
	for name, now := range after.Events {
		old, ok := before.Events[name]
		if !ok {
			continue
		}
		add(Figure{Name: "event_cpu", Event: name, Before: old.CPU, After: now.CPU, Worse: dearer(old.CPU, now.CPU),
			Text: w.Say("CPU time of one %s", "tiempo de CPU de un %s", name)}, w.Seconds)
		add(Figure{Name: "event_allocated", Event: name, Before: old.Allocated, After: now.Allocated, Worse: dearer(old.Allocated, now.Allocated),
			Text: w.Say("memory allocated for one %s", "memoria asignada para un %s", name)}, w.Bytes)
	}
	for endpoint, now := range after.Endpoints {
		old, ok := before.Endpoints[endpoint]
		if !ok {
			continue
		}
		add(Figure{Name: "p95", Endpoint: endpoint, Before: old.P95, After: now.P95, Worse: now.P95 > worseP95*old.P95 && now.P95-old.P95 >= leastP95,
			Text: w.Say("p95 of %s", "p95 de %s", endpoint)}, w.Seconds)
		add(Figure{Name: "error_ratio", Endpoint: endpoint, Before: old.ErrorRatio, After: now.ErrorRatio,
			Worse: now.ErrorRatio > worseErrors*old.ErrorRatio && now.ErrorRatio-old.ErrorRatio >= leastErrors,
			Text:  w.Say("server errors of %s", "errores del servidor de %s", endpoint)}, func(v float64) string { return w.Number(v*100) + " %" })
		add(Figure{Name: "rate", Endpoint: endpoint, Before: old.Rate, After: now.Rate,
			Text: w.Say("requests a second to %s", "peticiones por segundo a %s", endpoint)}, w.Number)
	}
	slices.SortFunc(v.Figures, func(a, b Figure) int {
		return cmp.Or(boolFirst(a.Worse, b.Worse), cmp.Compare(order[a.Name], order[b.Name]), cmp.Compare(b.ratio(), a.ratio()), strings.Compare(a.Text, b.Text))
	})
	in := &Incident{
		ID: newID(after.To, "release"), Kind: KindRelease, Name: "release", Severity: "info", Service: r.cfg.Domain.Service(), Language: w.Lang(),
		StartsAt: after.To, Version: after.Version, Revision: after.Revision, Verdict: v,
		Window:   Range{after.From, after.To, after.Profiled},
		Baseline: Range{before.From, before.To, before.Profiled},
	}
	if after.profile != nil {
		both := cause.Pair{Before: before.profile, After: after.profile, BeforeFor: time.Duration(before.Profiled * 1e9), AfterFor: time.Duration(after.Profiled * 1e9)}
		in.Profiles, in.Flame = []Section{sectionOf(both, "cpu", "cpu")}, "cpu"
	}
	in.Cause = w.verdict(in, before, after)
	return in
}

// order is that of figures which are as bad.
var order = map[string]int{"event_cpu": 0, "event_allocated": 1, "p95": 2, "error_ratio": 3, "cpu_per_request": 4, "rate": 5}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func (f Figure) ratio() float64 {
	if f.Before <= 0 {
		return 0
	}
	return f.After / f.Before
}

// verdict is the sentence about a release.
func (w words) verdict(in *Incident, before, after measure) string {
	v := in.Verdict
	var worse []string
	for _, f := range v.Figures {
		switch {
		case !f.Worse || len(worse) == 3: // three say enough
		case f.Event != "":
			what := w.T("CPU time", "tiempo de CPU")
			if f.Name == "event_allocated" {
				what = w.T("memory", "memoria")
			}
			worse = append(worse, w.Say("one %s costs %s more %s (%s → %s)", "un %s cuesta %s más %s (%s → %s)", f.Event, percent(f.ratio()-1), what, f.BeforeText, f.AfterText))
		default:
			worse = append(worse, fmt.Sprintf("%s %s → %s", f.Text, f.BeforeText, f.AfterText))
		}
	}
	if len(worse) == 0 {
		return w.Say("Release %s is no worse than %s: no duration, error ratio or cost rose by more than chance.",
			"La versión %s no es peor que %s: ninguna duración, proporción de errores ni costo subió más de lo casual.", v.After, v.Before)
	}
	text := w.Say("Since %s (before: %s): %s", "Desde %s (antes: %s): %s", v.After, v.Before, strings.Join(worse, "; "))
	// What a request costs in a function, so that more traffic is no growth.
	requests := func(m measure) float64 { return m.Requests * m.Profiled / max(m.To.Sub(m.From).Seconds(), 1) }
	if before.profile != nil && after.profile != nil && requests(before) > 0 && requests(after) > 0 {
		for _, c := range profiles.Diff("cpu", before.profile, requests(before), after.profile, requests(after)) {
			if c.Growth > 0.1*max(after.CPU-before.CPU, 0) {
				text += w.Say("; %s (%s) grew the most, from %s to %s a request", "; lo que más creció es %s (%s), de %s a %s por petición",
					stacks.Short(c.Function), place(c.File, c.Line), w.Seconds(c.Before), w.Seconds(c.After))
				break
			}
		}
	}
	return text + "."
}
