package cause

// starved: requests could run, and the CPU is not to be had.
func starved(m *model) []Finding {
	w := m.w
	share := 0.0
	endpoint := ""
	for _, c := range m.spentTime(claimReady) {
		share += m.reach[latency] * c.share
		if endpoint == "" {
			endpoint = c.endpoint
		}
	}
	others, throttled := m.otherCores(), m.throttled()
	if whole := m.moreCPU(); whole > 0 {
		share = max(share, m.reach[cpu]*max(others.growth(), 0)/whole)
	}
	throttling := m.kind == cpu && throttled.after > 0.02
	if share < floor && !throttling {
		return nil
	}
	procs, known := m.f.gauge(m.family("go_processor_limit"), m.t)
	f := Finding{Kind: "no_cpu", Score: share, Endpoint: endpoint}
	f.Rests = []string{
		w.say("CPU of the process: %s cores, before %s", "CPU del proceso: %s núcleos, antes %s", w.number(m.cores.after), w.number(m.cores.before)),
		w.say("CPU of other processes: %s cores, before %s", "CPU de otros procesos: %s núcleos, antes %s", w.number(others.after), w.number(others.before)),
	}
	if endpoint != "" {
		f.Rests = append(f.Rests, m.lasts(endpoint))
	}
	switch {
	case throttled.after > 0.02 && throttled.ratio() > 1.2:
		if m.kind == cpu {
			// Who asks for it is the better cause, where it is own code.
			f.Score = max(share, 0.5*m.reach[cpu])
		}
		limit, _ := m.f.gauge(m.family("container_cpu_limit"), m.t)
		f.Sentence = w.say("The container's CPU limit (%s cores) holds the process back: its threads wait %s of each second, %s before.",
			"El límite de CPU del contenedor (%s núcleos) frena el proceso: sus hilos esperan %s de cada segundo; antes %s.",
			w.number(limit.after), w.seconds(throttled.after), w.seconds(throttled.before))
		f.Next = w.pick("Raise the container's CPU limit, or spread the load over more replicas.", "Subir el límite de CPU del contenedor o repartir la carga en más réplicas.")
	case known && procs.after < procs.before:
		f.Sentence = w.say("GOMAXPROCS fell from %s to %s: the process may use no more CPUs at a time.", "GOMAXPROCS bajó de %s a %s: el proceso no puede usar más CPU a la vez.", w.number(procs.before), w.number(procs.after))
		f.Next = w.pick("Set GOMAXPROCS to the CPUs that the container has, or leave it to Go.", "Fijar GOMAXPROCS en las CPU que tiene el contenedor, o dejarlo a Go.")
	case others.growth() > leastCores:
		f.Sentence = w.say("Other processes on the machine use the CPU: %s of %d cores, %s before; this one uses %s.", "Otros procesos de la máquina usan la CPU: %s de %d núcleos; antes %s; este usa %s.",
			w.number(others.after), m.in.CPUs, w.number(others.before), w.number(m.cores.after))
		f.Next = w.pick("Find the process (top, pidstat) and move or limit it.", "Buscar ese proceso (top, pidstat) y moverlo o limitarlo.")
	default:
		f.Sentence = upper(w.say("%s are ready to run and have no CPU: the process uses %s cores, %s before.", "%s están listas y no tienen CPU: el proceso usa %s núcleos; antes %s.",
			w.requestsTo(endpoint), w.number(m.cores.after), w.number(m.cores.before)))
		f.Next = w.pick("Compare GOMAXPROCS and the container's limit with the load.", "Comparar GOMAXPROCS y el límite del contenedor con la carga.")
	}
	return []Finding{f}
}
