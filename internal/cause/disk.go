package cause

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
		list = append(list, Finding{
			Kind: "disk", Score: m.reach[disk] * 0.8,
			Sentence: w.Say("The disk went from %s to %s full in %s.", "El disco pasó del %s al %s en %s.", w.Percent(used.before/100), w.Percent(used.after/100),
				w.Seconds(m.t.After.To.Sub(m.t.Before.To).Seconds())),
			Next: w.T("Find what grows (du -x, df) and delete or move it; then bound it.", "Buscar qué crece (du -x, df) y borrarlo o moverlo; después ponerle un límite."),
		})
	}
	return list
}
