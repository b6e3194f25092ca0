package alerting

import (
	"fmt"
	"time"

	"github.com/latido-dev/latido/domain"
)

// share is a rule on how much of a limit is used, in percent of it. Where there
// is no limit, or it is not known, there are no series and no alert.
type share struct {
	of, alert, used, limit string
	window                 time.Duration // for two counters, of which the growth is compared; 0 for two levels
	bound                  float64
	pending                time.Duration
	evidence               Evidence
	summary, what, impact  string // what is used: "The container's memory is at"
	steps                  []string
}

// preset is the rule.
func (s share) preset(b builder) preset {
	stat := domain.StatValue
	if s.window > 0 {
		stat = domain.StatIncrease
	}
	used, limit := b.ask(s.used, stat, s.window), b.ask(s.limit, stat, s.window)
	value := fmt.Sprintf("100 * %s / (%s > 0)", perInstance(used), perInstance(limit))
	p := preset{
		of: s.of,
		rule: Rule{
			Alert: s.alert, Expr: compare(value, ">", s.bound), Metric: used.metric.Key, Value: value, Op: ">", Bound: s.bound,
			For: s.pending, Evidence: s.evidence, Summary: s.summary, Impact: s.impact, Steps: s.steps,
			Description: fmt.Sprintf(b.words.of("%s %s, above %s %%%s (%s).", "%s %s, por encima de %s %%%s (%s)."), s.what,
				b.words.valueTemplate("%", s.bound), number(s.bound), b.words.lasting(b.pace.pending(s.pending)), "job {{ $labels.job }}, instance {{ $labels.instance }}"),
		},
		trials: func(r Rule) []trial {
			scene := b.scene(r, "> "+number(s.bound)+" %")
			at := func(percent float64) {
				if s.window > 0 {
					until := r.Window + r.For
					scene.steady(limit.metric.Family, nil, 0, 1000, until)
					scene.steady(used.metric.Family, nil, 0, 10*percent, until)
					return
				}
				scene.steady(limit.metric.Family, nil, 1000, 0, r.For)
				scene.steady(used.metric.Family, nil, 10*percent, 0, r.For)
			}
			at(s.bound + 1)
			scene.as(number(s.bound-1) + " %")
			at(s.bound - 1)
			scene.as("no limit").steady(used.metric.Family, nil, 1000, 10, r.For+r.Window)
			if s.window > 0 { // the first two samples are the first growth
				return []trial{scene.fires(scene.interval+r.For, b.target("job", "instance"), s.bound+1)}
			}
			return []trial{scene.fires(r.For, b.target("job", "instance"), s.bound+1)}
		},
	}
	if s.window > 0 {
		p.rule.Window = used.window
	}
	return p
}

// perInstance is a question's answer for each instance, of a counter too.
func perInstance(q question) string {
	if q.stat == domain.StatIncrease {
		return q.sum("increase", "", q.where, "instance")
	}
	return q.expr()
}

// limitPresets are about the limits of the process and of its container.
func (b builder) limitPresets() []preset {
	say := b.words.of
	return []preset{
		share{
			of: "container_cpu", alert: "ContainerCPUThrottled", used: "container_cpu_throttled_periods", limit: "container_cpu_periods",
			window: 5 * time.Minute, bound: 25, pending: 10 * time.Minute, evidence: EvidenceCPU,
			summary: say("The container's CPU is throttled", "El contenedor se queda sin CPU por su límite"),
			what:    say("The share of periods in which the container used up its CPU limit and had to wait is", "El porcentaje de los períodos en que el contenedor agotó su límite de CPU y tuvo que esperar es"),
			impact:  say("Responses get slower although the host has CPU left.", "Las respuestas se vuelven lentas aunque a la máquina le quede CPU."),
			steps: []string{
				say("See in the incident which functions use the CPU.", "Mirar en el incidente qué funciones usan la CPU."),
				say("Raise the container's CPU limit, or spread the load over more replicas; GOMAXPROCS should not be above the limit.", "Subir el límite de CPU del contenedor o repartir la carga en más réplicas; GOMAXPROCS no debe superar el límite."),
			},
		}.preset(b),
		share{
			of: "container_memory", alert: "ContainerMemoryNearLimit", used: "container_memory_working_set", limit: "container_memory_limit",
			bound: 90, pending: 5 * time.Minute, evidence: EvidenceMemory,
			summary: say("The container's memory is near its limit", "La memoria del contenedor está cerca de su límite"),
			what:    say("The memory in use, of the container's limit, is at", "La memoria en uso, respecto al límite del contenedor, está en"),
			impact:  say("At the limit the kernel kills the process, and its requests with it.", "Al llegar al límite el kernel mata el proceso, y con él sus peticiones."),
			steps: []string{
				say("See in the incident which functions hold memory; what is not Go's (files, C libraries, other processes) is not there.", "Mirar en el incidente qué funciones retienen memoria; lo que no es de Go (archivos, bibliotecas de C, otros procesos) no aparece."),
				say("Raise the limit if the memory is needed, and set GOMEMLIMIT some 10 % below it.", "Subir el límite si esa memoria hace falta, y fijar GOMEMLIMIT un 10 % por debajo."),
			},
		}.preset(b),
		share{
			of: "files", alert: "FileDescriptorsNearLimit", used: "process_open_fds", limit: "process_max_fds",
			bound: 90, pending: 5 * time.Minute, evidence: EvidenceGoroutines,
			summary: say("File descriptors are almost used up", "Quedan pocos descriptores de archivo"),
			what:    say("The file descriptors that are open, of those that the process may have, are at", "Los descriptores abiertos, de los que el proceso puede tener, están en"),
			impact:  say("Without any left the service accepts no connection and opens no file.", "Sin ninguno libre el servicio no acepta conexiones ni abre archivos."),
			steps: []string{
				say("See in the incident which goroutines wait on connections: bodies that are not closed, clients without a time limit.", "Mirar en el incidente qué goroutines esperan en conexiones: cuerpos sin cerrar, clientes sin límite de tiempo."),
				say("Restart the instance to win time; raise the limit (ulimit -n, LimitNOFILE) if they are needed.", "Reiniciar la instancia para ganar tiempo; subir el límite (ulimit -n, LimitNOFILE) si hacen falta."),
			},
		}.preset(b),
	}
}
