package cause

// leastStalled is the part of the time that a process must have stood still to be
// worth a word, and muchStalled what explains that requests take longer.
const (
	leastStalled = 0.05
	muchStalled  = 0.1
)

// stalled: the process as a whole does not run for moments, though there is CPU.
func stalled(m *model) []Finding {
	w := m.w
	still := m.f.total(m.family("process_stalled_time"), m.t)
	if still.growth() < leastStalled*m.strict || m.outOfCPU() || m.throttled().after > leastThrottled {
		return nil
	}
	return []Finding{{
		Kind: "stalled", Score: 0.9 * m.reach[latency] * min(1, still.growth()/muchStalled),
		Sentence: w.Say("The process stands still for %s of each second%s, though there is CPU: it is stopped from outside, or its machine is.",
			"El proceso está parado %s de cada segundo%s, aunque hay CPU: lo detienen desde fuera, a él o a su máquina.",
			w.Seconds(still.after), w.was(w.Seconds(still.before), w.figures)),
		Next: w.T("Look for who stops it: SIGSTOP or a debugger, a frozen container, a virtual machine that is paused, moved, or swaps.",
			"Buscar quién lo detiene: SIGSTOP o un depurador, un contenedor congelado, una máquina virtual en pausa, en migración o que usa swap."),
		Rests: []string{m.ownCores()},
	}}
}
