package evidence

import (
	"fmt"
	"math"
	"path"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// The annotations that the evidence adds to an alert. cause is the sentence of
// the best finding and next what to do; also_1 and also_2 are the sentences of
// those after it. Rows have columns, which " | " separates: hot_1 to hot_5 are share, change, function and file:line;
// waits_1 to waits_3 are share, reason, function and file:line.
const (
	AnnotationCause    = "cause"
	AnnotationNext     = "next"
	AnnotationAlso     = "also_"
	AnnotationHot      = "hot_"
	AnnotationWaits    = "waits_"
	AnnotationChanged  = "changed"
	AnnotationIncident = "incident"
	AnnotationEvidence = "evidence"
)

const (
	maxAlso  = 2
	maxHot   = 5
	maxWaits = 3
)

// row is one of the annotations' tables.
type row struct{ share, change, function, place string }

func (r row) String() string {
	columns := []string{r.share, r.change, r.function, r.place}
	for i, c := range columns {
		columns[i] = strings.ReplaceAll(clean(c), "|", "/")
	}
	return strings.Join(columns, " | ")
}

// annotations are an incident in short. They follow from it alone, so that they
// are the same after a restart.
func (r *Recorder) annotations(in *Incident) map[string]string {
	out := map[string]string{AnnotationIncident: r.link(in.ID)}
	if in.None != "" {
		out[AnnotationEvidence] = clean(in.None)
	}
	if in.Cause != "" {
		out[AnnotationCause] = clean(in.Cause)
	}
	for i, f := range in.Findings[:min(1+maxAlso, len(in.Findings))] {
		switch {
		case i > 0:
			out[fmt.Sprint(AnnotationAlso, i)] = clean(f.Sentence)
		case f.Next != "":
			out[AnnotationNext] = clean(f.Next)
		}
	}
	for i, row := range r.words.hotRows(in) {
		out[fmt.Sprint(AnnotationHot, i+1)] = row.String()
	}
	for i, row := range r.words.waitRows(in) {
		out[fmt.Sprint(AnnotationWaits, i+1)] = row.String()
	}
	if changed := r.words.changed(in); changed != "" {
		out[AnnotationChanged] = clean(changed)
	}
	return out
}

// link is where a person sees an incident.
func (r *Recorder) link(id string) string {
	return strings.TrimSuffix(r.cfg.URL(), "/") + "/incidents/" + id
}

// hotRows are the functions that matter, the worst first: of a leak, where there
// are more goroutines than before.
func (w words) hotRows(in *Incident) []row {
	var rows []row
	if g := in.Goroutines; g != nil && in.leaks() {
		for _, group := range g.Groups {
			if group.After > group.Before && len(rows) < maxHot {
				rows = append(rows, row{percent(float64(group.After) / float64(max(g.After, 1))), fmt.Sprintf("+%d", group.After-group.Before),
					stacks.Short(group.Function), place(group.File, group.Line)})
			}
		}
		return rows
	}
	if len(in.Profiles) == 0 {
		return nil
	}
	s := in.Profiles[0]
	list := s.Hot.Own
	if len(list) == 0 { // nothing but the runtime and libraries
		list = s.Hot.Self
	}
	for _, f := range list[:min(maxHot, len(list))] {
		rows = append(rows, row{percent(f.Share), w.change(s, f.Function), stacks.Short(f.Function), place(f.File, f.Line)})
	}
	return rows
}

func (w words) waitRows(in *Incident) []row {
	if in.Waits == nil {
		return nil
	}
	var rows []row
	for _, p := range in.Waits.Places[:min(maxWaits, len(in.Waits.Places))] {
		rows = append(rows, row{percent(p.Share), w.Wait(p.Reason), stacks.Short(p.Function), place(p.File, p.Line)})
	}
	return rows
}

// change says how a function's cost changed since the time before.
func (w words) change(s Section, function string) string {
	for _, c := range s.Diff {
		if c.Function == function {
			return w.times(c.Before, c.After)
		}
	}
	if len(s.Diff) == 0 {
		return w.T("no baseline", "sin referencia")
	}
	return "="
}

// times compares two figures: "new", "×8.2", "+40 %", "-30 %" or "=".
func (w words) times(before, after float64) string {
	switch {
	case before <= 0 && after <= 0:
		return "="
	case before <= 0:
		return w.T("new", "nuevo")
	case after <= 0:
		return "-100 %"
	}
	switch ratio := after / before; {
	case ratio >= 2:
		return "×" + w.Number(ratio)
	case math.Abs(ratio-1) < 0.05:
		return "="
	default:
		return fmt.Sprintf("%+.0f %%", (ratio-1)*100)
	}
}

// place is where a function is: break.go:41.
func place(file string, line int64) string { return fmt.Sprintf("%s:%d", path.Base(file), line) }

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }
