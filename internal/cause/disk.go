package cause

import (
	"slices"
	"strings"

	"github.com/latido-dev/latido/internal/stacks"
)

// diskFills: the disk has no space left, or less and less.
func diskFills(m *model) (list []Finding) {
	w := m.w
	used, known := m.f.gauge(m.family("disk_usage"), m.t)
	if f, whose, ok := m.failingWith("disk_full"); ok {
		f.Kind = "disk"
		from := ""
		if f.Function != "" {
			from = w.Say(" in %s", " en %s", placeText(f))
		}
		level := ""
		if known && used.after > 95 { // else it is another disk
			level = w.Say("; the disk is %s full", "; el disco está al %s", w.Percent(used.after/100))
		}
		f.Sentence = w.Say("No space is left on the disk: writes%s fail, %s%s%s.", "No queda espacio en el disco: fallan las escrituras%s, %s%s%s.",
			from, w.rateWas(m.errorsOf("disk_full")), level, whose)
		f.Next = w.T("Find what grows (du -x, df) and delete or move it; then bound it.", "Buscar qué crece (du -x, df) y borrarlo o moverlo; después ponerle un límite.")
		list = append(list, f)
	}
	if len(list) == 0 && m.reach[failures] > 0 && m.manyFail() && known && used.after > 97 && used.growth() > 0.5 {
		f := Finding{Kind: "disk", Score: m.reach[failures] * 0.8}
		f.Function, f.File, f.Line = m.siteOf(m.bad)
		from := ""
		if f.Function != "" {
			from = w.Say("; requests fail in %s", "; fallan peticiones en %s", placeText(f))
		}
		f.Sentence = w.Say("The disk is full: %s%s%s.", "El disco está lleno: %s%s%s.", w.Percent(used.after/100), w.wasPercent(used.before/100), from)
		f.Next = w.T("Find what grows (du -x, df) and delete or move it; then bound it.", "Buscar qué crece (du -x, df) y borrarlo o moverlo; después ponerle un límite.")
		list = append(list, f)
	}
	if m.reach[disk] > 0 && known && used.growth() > m.strict {
		by, writer := "", m.writer()
		if writer.Function != "" {
			by = w.Say("; %s spends the most time in writing files", "; quien más tiempo pasa escribiendo archivos es %s", where(writer))
		}
		list = append(list, Finding{
			Kind: "disk", Score: m.reach[disk] * 0.8, Function: writer.Function, File: writer.File, Line: writer.Line,
			Sentence: w.Say("The disk went from %s to %s full in %s%s.", "El disco pasó del %s al %s en %s%s.", w.Percent(used.before/100), w.Percent(used.after/100),
				w.Seconds(m.t.After.To.Sub(m.t.Before.To).Seconds()), by),
			Next: w.T("Find what grows (du -x, df) and delete or move it; then bound it.", "Buscar qué crece (du -x, df) y borrarlo o moverlo; después ponerle un límite."),
		})
	}
	return list
}

// writesFile tells whether a function writes to a file.
func writesFile(f stacks.Frame) bool {
	for _, prefix := range []string{"os.(*File).Write", "os.(*File).ReadFrom", "os.(*File).Sync"} {
		if strings.HasPrefix(f.Function, prefix) {
			return true
		}
	}
	return false
}

// writer is the own function that spends the most time in writing files, other
// than the log and a database's, if it is most of all such time.
func (m *model) writer() (at stacks.Frame) {
	sums, most, whole := map[string]float64{}, map[string]stacks.Frame{}, 0.0
	add := func(frames []stacks.Frame, spent float64) {
		own := stacks.DeepestOwn(frames)
		if own < 0 || !slices.ContainsFunc(frames[:own], writesFile) || slices.ContainsFunc(frames[:own], func(f stacks.Frame) bool { return strings.HasPrefix(stacks.Package(f.Function), "log") }) {
			return
		}
		sums[frames[own].Function] += spent
		most[frames[own].Function] = frames[own]
		whole += spent
	}
	for s, value := range m.in.Profiles.CPU.samples("cpu") {
		add(s.frames, value.after)
	}
	for _, s := range m.seen {
		if s.wait.Kind != "" { // else its CPU time is known
			add(s.frames, s.after)
		}
	}
	for name, spent := range sums {
		if spent > 0.5*whole {
			at = most[name]
		}
	}
	return at
}
