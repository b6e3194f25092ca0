package cause

import "math"

// limit is what the process may use of something, and what it uses.
type limit struct {
	symptom   symptom
	most, use string // the keys of the metrics
	en, es    string // what it is a limit of
	text      func(words, float64) string
}

var limits = []limit{
	{files, "process_max_fds", "process_open_fds", "open files and connections", "archivos y conexiones abiertos", words.count},
	{memory, "go_memory_limit", "go_memory_used", "Go's memory (GOMEMLIMIT)", "la memoria de Go (GOMEMLIMIT)", words.Bytes},
	{memory, "container_memory_limit", "process_memory_usage", "the container's memory", "la memoria del contenedor", words.Bytes},
}

// limitFalls: the process may use less of something than it could, and uses what
// it did.
func limitFalls(m *model) (list []Finding) {
	w := m.w
	for _, l := range limits {
		now := Range{m.t.After.To, m.t.After.To}
		most, _ := m.f.gauge(m.family(l.most), Times{m.t.Before, now})
		use, known := m.f.gauge(m.family(l.use), Times{m.t.Before, now})
		if m.reach[l.symptom] <= 0 || !known || most.before <= 0 || most.after <= 0 || most.ratio() > 0.9/m.strict {
			continue
		}
		// Of what is left, both take their part.
		fell, grew := -math.Log(most.ratio()), math.Log(max(use.ratio(), 1))
		list = append(list, Finding{
			Kind: "limit", Score: m.reach[l.symptom] * fell / (fell + grew),
			Sentence: w.Say("The limit of %s fell from %s to %s; %s are used%s.", "El límite de %s bajó de %s a %s; se usan %s%s.",
				w.T(l.en, l.es), l.text(w, most.before), l.text(w, most.after), l.text(w, use.after), w.was(l.text(w, use.before), w.figures)),
			Next: w.T("See who changed it at that time: the container's resources, the unit file, ulimit, the environment.",
				"Ver quién lo cambió en ese momento: los recursos del contenedor, el archivo de la unidad, ulimit, el entorno."),
		})
	}
	return list
}
