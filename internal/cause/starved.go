package cause

import (
	"cmp"

	"github.com/latido-dev/latido/internal/humanize"
)

// leastThrottled is the time a second that threads must wait for a container's
// limit to be worth a word, in seconds.
const leastThrottled = 0.02

// starved: requests could run, and the CPU is not to be had.
func starved(m *model) []Finding {
	w := m.w
	share := 0.0
	endpoint := ""
	for _, c := range m.spentTime(claimReady) {
		share += m.reach[latency] * c.share
		endpoint = cmp.Or(endpoint, c.endpoint)
	}
	others, throttled := m.otherCores(), m.throttled()
	share = max(share, m.eachCore()*others.growth())
	throttling := m.kind == cpu && throttled.after > leastThrottled
	if share < floor && !throttling {
		return nil
	}
	procs, known := m.f.gauge(m.family("go_processor_limit"), m.t)
	f := Finding{Kind: "no_cpu", Score: share, Endpoint: endpoint}
	f.Rests = []string{
		m.ownCores(),
		w.Say("CPU of other processes: %s%s", "CPU de otros procesos: %s%s", w.coresOf(others.after), w.wasNumber(others.before)),
	}
	if endpoint != "" {
		f.Rests = append(f.Rests, m.lasts(endpoint))
	}
	switch {
	case throttled.after > leastThrottled && throttled.ratio() > 1.2:
		if m.kind == cpu {
			// Who asks for it is the better cause, where it is own code and the limit is as before.
			f.Score = max(share, max(0.5, m.lessCPU())*m.reach[cpu])
		}
		now := Range{m.t.After.To, m.t.After.To} // it may have been lowered meanwhile
		limit, _ := m.f.gauge(m.family("container_cpu_limit"), Times{m.t.Before, now})
		of := ""
		if limit.after > 0 {
			of = " (" + w.coresOf(limit.after) + ")"
		}
		f.Sentence = w.Say("The container's CPU limit%s throttles the process: its threads wait %s in each second%s.",
			"El límite de CPU del contenedor%s frena el proceso (throttling): sus hilos esperan %s en cada segundo%s.",
			of, w.Seconds(throttled.after), w.was(w.Seconds(throttled.before), w.figures))
		f.Next = w.T("Raise the container's CPU limit, or spread the load over more replicas.", "Subir el límite de CPU del contenedor o repartir la carga en más réplicas.")
	case known && procs.after < procs.before:
		f.Sentence = w.Say("GOMAXPROCS fell from %s to %s: Go code runs on no more CPUs than that.", "GOMAXPROCS bajó de %s a %s: el código Go no usa más CPU que esas.", w.number(procs.before), w.number(procs.after))
		f.Next = w.T("Set GOMAXPROCS to the CPUs that the container has, or leave it to Go.", "Fijar GOMAXPROCS en las CPU que tiene el contenedor, o dejar que Go lo haga.")
	case others.growth() > leastCores && others.growth() > m.cores.growth():
		f.Sentence = w.Say("Other processes on the machine use the CPU: %s of %d cores%s; this one uses %s.", "Otros procesos de la máquina usan la CPU: %s de %d núcleos%s; este usa %s.",
			w.number(others.after), m.in.CPUs, w.wasNumber(others.before), w.number(m.cores.after))
		f.Next = w.T("Find the process (top, pidstat) and move or limit it.", "Buscar ese proceso (top, pidstat) y moverlo o limitarlo.")
	case m.cores.growth() > leastCores && len(m.spent) > 1: // the functions that use it are told
		return nil
	case m.cores.growth() > leastCores:
		f.Kind = "cpu"
		f.Score *= 0.9 // whatever says more is better
		f.Sentence = w.Say("The process itself uses the CPU: %s%s; no profile of that time says where.", "El propio proceso usa la CPU: %s%s; ningún perfil de ese tiempo dice dónde.",
			w.coresOf(m.cores.after), w.wasCores(m.cores.before))
		f.Next = w.T("Open the flame graph of CPU time.", "Abrir el gráfico de llamas del tiempo de CPU.")
	default:
		f.Sentence = humanize.Capital(w.Say("%s are ready to run and have no CPU: the process uses %s%s.", "%s están listas y no tienen CPU: el proceso usa %s%s.",
			w.requestsTo(endpoint), w.coresOf(m.cores.after), w.wasCores(m.cores.before)))
		f.Next = w.T("Compare GOMAXPROCS and the container's limit with the load.", "Comparar GOMAXPROCS y el límite del contenedor con la carga.")
	}
	return []Finding{f}
}
