package cause

// diskFills: the disk has no space left, or less and less.
func diskFills(m *model) (list []Finding) {
	w := m.w
	used, known := m.f.gauge(m.family("disk_usage"), m.t)
	end := Range{m.t.After.To, m.t.After.To}
	now, _ := m.f.gauge(m.family("disk_usage"), Times{m.t.Before, end})
	if f, whose, ok := m.failingWith("disk_full"); ok {
		f.Kind = "disk"
		from := ""
		if f.Function != "" {
			from = w.Say(" in %s", " en %s", placeText(f))
		}
		level, grown := "", Folder{}
		if now.after > 95 { // else it is another disk
			level, grown = w.Say("; the disk is %s full", "; el disco está al %s", w.Percent(now.after/100)), m.in.Grown
		}
		f.Sentence = w.Say("No space is left on the disk: writes%s fail, %s%s%s%s.", "No queda espacio en el disco: fallan las escrituras%s, %s%s%s%s.",
			from, w.rateWas(m.errorsOf("disk_full")), level, whose, w.fills("; ", grown))
		f.Next = w.boundIt(grown)
		list = append(list, f)
	}
	if len(list) == 0 && m.reach[failures] > 0 && m.manyFail() && known && used.after > 97 && used.growth() > 0.5 {
		_, at := m.answering(m.anyBad)
		f := Finding{Kind: "disk", Score: m.reach[failures] * 0.8, Function: at.Function, File: at.File, Line: at.Line}
		from := ""
		if f.Function != "" {
			from = w.Say("; requests fail in %s", "; fallan peticiones en %s", placeText(f))
		}
		f.Sentence = w.Say("The disk is full: %s%s%s%s.", "El disco está lleno: %s%s%s%s.", w.Percent(used.after/100), w.wasPercent(used.before/100), from, w.fills("; ", m.in.Grown))
		f.Next = w.boundIt(m.in.Grown)
		list = append(list, f)
	}
	if m.reach[disk] > 0 && known && used.growth() > m.strict {
		list = append(list, Finding{
			Kind: "disk", Score: m.reach[disk] * 0.8,
			Sentence: w.Say("The disk went from %s to %s full in %s%s.", "El disco pasó del %s al %s en %s%s.", w.Percent(used.before/100), w.Percent(used.after/100),
				w.Seconds(m.t.After.To.Sub(m.t.Before.To).Seconds()), w.fills(": ", m.in.Grown)),
			Next: w.boundIt(m.in.Grown),
		})
	}
	return list
}

// fills says what fills the disk, after a colon or the like; "" where it is not known.
func (w words) fills(after string, g Folder) string {
	switch {
	case g.Path == "":
		return ""
	case g.PerSecond > 0:
		return after + w.Say("%s grows by %s a second", "%s crece %s por segundo", g.Path, w.Bytes(g.PerSecond))
	case g.Files == 1:
		return after + w.Say("%[1]s went to %[2]s", "a %[2]s fueron a parar %[1]s", w.Bytes(g.Bytes), g.Path)
	}
	return after + w.Say("%[1]s went to %[2]s, in %[3]d files", "a %[2]s fueron a parar %[1]s, en %[3]d archivos", w.Bytes(g.Bytes), g.Path, g.Files)
}

// boundIt is what to do about a full disk.
func (w words) boundIt(g Folder) string {
	if g.Path != "" {
		return w.Say("Delete or move what is in %s; then bound what is written there.", "Borrar o mover lo que hay en %s; después limitar lo que se escribe ahí.", g.Path)
	}
	return w.T("Find what grows (du -x, df) and delete or move it; then bound it.", "Buscar qué crece (du -x, df) y borrarlo o moverlo; después ponerle un límite.")
}
