package cause

import (
	"github.com/latido-dev/latido/internal/stacks"
)

// grownMost is the own function whose share of a heap profile grew the most, by
// what it allocates a second or keeps.
func (m *model) grownMost(sampleType string) (at stacks.Frame, of both, share float64) {
	sums, places, whole := map[string]both{}, map[string]stacks.Frame{}, both{}
	biggest := map[string]float64{}
	for s, value := range m.in.Profiles.Heap.samples(sampleType) {
		size := value.before + value.after
		if size == 0 {
			continue
		}
		f, _ := own(s.frames)
		sums[f.Function], whole = sums[f.Function].plus(value), whole.plus(value)
		if size > biggest[f.Function] {
			biggest[f.Function], places[f.Function] = size, f
		}
	}
	name := ""
	for f, b := range inOrder(sums) {
		if g := b.growth(); g > 0 && (name == "" || g > sums[name].growth()) {
			name = f
		}
	}
	if name == "" {
		return stacks.Frame{}, both{}, 0
	}
	grown := 0.0 // what shrank is no part
	for _, b := range inOrder(sums) {
		grown += max(b.growth(), 0)
	}
	return places[name], sums[name], sums[name].growth() / grown
}

// collector: the garbage collector takes the CPU time, for what is allocated or
// for what is kept.
func collector(m *model) []Finding {
	share := 0.0
	for _, c := range m.spentTime(claimCollector) {
		share += m.reach[latency] * c.share
	}
	share = max(share, m.eachCore()*m.garbage.growth())
	if share < floor {
		return nil
	}
	w := m.w
	f := Finding{Kind: "gc", Score: share}
	part := both{per(m.garbage.before, m.cores.before), per(m.garbage.after, m.cores.after)}
	live, known := m.f.gauge(m.family("go_memory_live"), m.t)
	if !known {
		live, _ = m.f.gauge(m.family("go_memory_used"), m.t)
	}
	limit, limited := m.f.gauge(m.family("go_memory_limit"), m.t)
	limited = limited && limit.after > 0 && limit.after < 1e15
	kept, keptBy, _ := m.grownMost("inuse_space")
	allocates, allocatedBy, _ := m.grownMost("alloc_space")
	f.Sentence = w.Say("The garbage collector takes %s of the CPU time%s", "El recolector de memoria (GC) usa el %s del tiempo de CPU%s", w.Percent(part.after), w.was(w.T("", "el ")+w.Percent(part.before), w.cpu))
	// Either more is kept, so that each collection is dearer or comes sooner, or
	// more is allocated: of what is allocated some is always in use.
	at := allocates
	dearer := live.ratio() > max(1.3, m.f.total(m.family("go_memory_allocated"), m.t).ratio())
	if keeps := limited && live.after > 0.6*limit.after || dearer; keeps && kept.Function != "" {
		at = kept
		f.Sentence += w.Say(": %s keeps %s%s", ": %s retiene %s%s", where(kept), w.Bytes(keptBy.after), w.wasBytes(keptBy.before))
	} else if allocates.Function != "" {
		f.Sentence += w.Say(": %s allocates %s a second%s", ": %s asigna %s por segundo%s", where(allocates), w.Bytes(allocatedBy.after), w.wasBytes(allocatedBy.before))
	}
	if limited && live.after > 0.5*limit.after {
		f.Sentence += w.Say("; the limit (GOMEMLIMIT) is %s", "; el límite (GOMEMLIMIT) es %s", w.Bytes(limit.after))
	}
	f.Sentence += "."
	f.Function, f.File, f.Line = at.Function, at.File, at.Line
	f.Rests = []string{w.Say("live heap: %s%s", "memoria viva: %s%s", w.Bytes(live.after), w.wasBytes(live.before))}
	f.Next = w.Say("Look at what %s allocates and keeps; raise GOMEMLIMIT only if the memory is needed.", "Mirar qué asigna y qué retiene %s; subir GOMEMLIMIT solo si de verdad hace falta esa memoria.", written(at.Function))
	return []Finding{f}
}

// keepsMemory: memory is kept by what one function allocated, or is none of Go's.
func keepsMemory(m *model) (list []Finding) {
	if m.reach[memory] <= 0 {
		return nil
	}
	w := m.w
	used, _ := m.f.gauge(m.family("go_memory_used"), m.t)
	resident, _ := m.f.gauge(m.family("process_memory_usage"), m.t)
	if used.ratio() > 1.15*m.strict && used.growth() > 4<<20 || m.in.Profiles.Heap.Before == nil && !m.in.Alert.Drill {
		at, kept, share := m.grownMost("inuse_space")
		if at.Function != "" && kept.growth() > 1<<20 {
			f := Finding{Kind: "memory", Score: m.reach[memory] * share, Function: at.Function, File: at.File, Line: at.Line}
			f.Sentence = w.Say("%s keeps %s of memory%s: %s of the growth.", "%s retiene %s de memoria%s: el %s del aumento.",
				where(at), w.Bytes(kept.after), w.wasBytes(kept.before), w.Percent(share))
			f.Rests = []string{w.Say("memory of Go: %s%s", "memoria de Go: %s%s", w.Bytes(used.after), w.wasBytes(used.before))}
			f.Next = w.Say("Find what holds on to what %s allocates: a map or slice that only grows, a cache without a bound.", "Buscar quién guarda lo que asigna %s: un map o un slice que solo crece, una caché sin límite.", written(at.Function))
			list = append(list, f)
		}
	}
	if grown := resident.growth() - max(used.growth(), 0); resident.ratio() > 1.2*m.strict && grown > 16<<20 && grown > 0.6*resident.growth() {
		list = append(list, Finding{
			Kind: "memory", Score: m.reach[memory] * grown / resident.growth() * 0.9,
			Sentence: w.Say("The memory of the process grew from %s to %s, and Go's own did not: C code, mapped files or threads hold it.",
				"La memoria del proceso creció de %s a %s, y la de Go no: la retienen código C, archivos mapeados o hilos.", w.Bytes(resident.before), w.Bytes(resident.after)),
			Next: w.T("Look at the process's maps (pmap -x) and at libraries that allocate outside of Go.", "Mirar los mapas del proceso (pmap -x) y las bibliotecas que asignan fuera de Go."),
		})
	}
	return list
}
