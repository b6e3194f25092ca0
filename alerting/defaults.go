package alerting

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// preset is a rule that every domain gets.
type preset struct {
	// of is the name by which the domain file switches it off.
	of   string
	rule Rule
	ask  question // what the rule compares, for one that is a plain comparison
	// trials are those of a rule that is no plain comparison of a question.
	trials func(Rule) []trial
}

// defaults are the rules that every domain gets, less those that it switches
// off and those that the domain itself has a rule for.
func (b builder) defaults() []Rule {
	var rules []Rule
	for _, p := range b.presets() {
		if b.without(p) {
			continue
		}
		r := p.rule
		r.Source = SourceDefault
		r.For = b.pace.pending(r.For)
		if p.ask.metric.Key != "" {
			r.Metric, r.Value = p.ask.metric.Key, p.ask.expr()
			if p.ask.stat != domain.StatValue {
				r.Window = p.ask.window
			}
			r.Expr, r.least = p.ask.holds(r), p.ask.enough()
			r.condition = cmp.Or(r.condition, b.words.condition(p.ask, r))
			if r.Description == "" {
				r.Description = b.words.description(p.ask, r)
			}
		}
		trials := p.trials
		if trials == nil {
			trials = func(r Rule) []trial { return b.trials(p.ask, r) }
		}
		rules = append(rules, b.alert(r, trials))
	}
	return rules
}

// without tells whether the domain does without a preset: it says so, or it
// has a rule about the same thing, which knows better.
func (b builder) without(p preset) bool {
	off := b.d.DefaultRules.Disable
	if slices.Contains(off, p.of) || slices.Contains(off, "all") {
		return true
	}
	for _, t := range b.d.Thresholds {
		if strings.EqualFold(t.Name, p.rule.Alert) {
			return true
		}
		if t.Metric == "" || p.ask.metric.Key != t.Metric {
			continue
		}
		if q := b.question(t); q.stat == p.ask.stat && whole(q.where) && b.sameOutcome(p.ask, q) {
			return true
		}
	}
	return slices.ContainsFunc(b.d.SLOs, func(s domain.SLO) bool {
		return whole(s.Where) && (p.of == "error_ratio" && s.Good.Status != "" || p.of == "response_p95" && s.Good.FasterThan != 0)
	})
}

// sameOutcome tells whether what one question counts is counted by another too:
// a rule on 5xx says nothing of clients that leave.
func (b builder) sameOutcome(one, other question) bool {
	for label, filter := range one.where {
		value, ok := example(b.d, one.metric, label, filter)
		if !ok || !lets(other.where[label], value) {
			return false
		}
	}
	return true
}

// whole tells whether filters leave the service as a whole: those that name
// one endpoint or method say nothing of the others.
func whole(where map[string]string) bool {
	for label, text := range where {
		m, err := labelmatch.Parse(text)
		if err != nil || !slices.Contains(outcomes, label) && !strings.HasPrefix(m.Op, "!") {
			return false
		}
	}
	return true
}

// ask is a question on a metric of the contract over some minutes.
func (b builder) ask(key string, stat domain.Stat, window time.Duration) question {
	m := b.metric(key)
	return question{metric: m, stat: stat, window: b.pace.window(window), least: b.pace.least(domain.DefaultMinCount, window)}
}

// presets are all the rules that a domain may get.
func (b builder) presets() []preset {
	return slices.Concat(b.servicePresets(), []preset{b.stuckPreset()}, b.clientPresets(), []preset{b.poolPreset()}, b.limitPresets(), b.reportingPresets())
}

// servicePresets are about what the service does and what it does it with.
func (b builder) servicePresets() []preset {
	say := b.words.of
	errors := b.ask("requests", domain.StatRatio, 5*time.Minute)
	errors.where = map[string]string{"status": "=~5.."}
	slow := b.ask("response_duration", domain.StatP95, 5*time.Minute)
	return []preset{{
		of: "error_ratio", ask: errors,
		rule: Rule{
			Alert: "HighErrorRatio", For: 5 * time.Minute, Op: ">", Bound: 5, Severity: domain.SeverityPage, Evidence: EvidenceErrors,
			Summary: say("Many requests fail", "Fallan muchas peticiones"),
			Impact:  say("Some of those who use the service get errors.", "Una parte de quienes usan el servicio recibe errores."),
			Steps: []string{
				say("See in the incident which endpoint fails, and with which type of error.", "Mirar en el incidente qué endpoint falla y con qué tipo de error."),
				say("If it began with a release, go back to the one before.", "Si empezó con una versión nueva, volver a la anterior."),
			},
		},
	}, {
		of: "response_p95", ask: slow,
		rule: Rule{
			Alert: "SlowResponses", For: 5 * time.Minute, Op: ">", Bound: domain.SlowResponse, Evidence: EvidenceLatency,
			Summary: say("Responses are slow", "Las respuestas son lentas"),
			Impact:  say("One request in twenty takes longer than a person likes to wait.", "Una de cada veinte peticiones tarda más de lo que una persona está dispuesta a esperar."),
			Steps: []string{
				say("See in the incident whether the slow endpoint computes or waits, and where.", "Mirar en el incidente si el endpoint lento calcula o espera, y dónde."),
				say("If it waits, look at what it waits for; if it computes, at what changed.", "Si espera, revisar aquello que espera; si calcula, ver qué cambió."),
			},
		},
	}, {
		of: "cpu", ask: b.ask("cpu_usage", domain.StatMean, 5*time.Minute),
		rule: Rule{
			Alert: "HostCPUHigh", For: 10 * time.Minute, Op: ">", Bound: 90, Evidence: EvidenceCPU,
			Summary: say("The host has little CPU left", "A la máquina le queda poca CPU"),
			Impact:  say("Everything on the host gets slower.", "Todo lo que corre en la máquina va más lento."),
			Steps: []string{
				say("See in the incident which functions of this service use the CPU; if none does, it is another process.", "Mirar en el incidente qué funciones del servicio usan la CPU; si ninguna, es otro proceso."),
				say("Spread the load over more replicas until it is mended.", "Repartir la carga en más réplicas mientras se corrige."),
			},
		},
	}, b.memoryPreset(), {
		of: "disk", ask: b.ask("disk_usage", domain.StatValue, 0),
		rule: Rule{
			Alert: "DiskAlmostFull", For: 10 * time.Minute, Op: ">", Bound: 90,
			Summary: say("The disk is almost full", "El disco está casi lleno"),
			Impact:  say("What cannot be written is lost; databases and logs stop.", "Lo que no se puede escribir se pierde; bases de datos y registros se detienen."),
			Steps: []string{
				say("Find what grows, and delete or move what is not needed.", "Buscar qué crece, y borrar o mover lo que no hace falta."),
				say("Make the disk larger.", "Ampliar el disco."),
			},
		},
	}, b.goroutinePreset()}
}

// memoryPreset is about the limit that Go's runtime was given, beyond which it
// spends its time collecting; without a limit there are no series, and no
// alert.
func (b builder) memoryPreset() preset {
	say := b.words.of
	used, limit := b.ask("go_memory_used", domain.StatValue, 0), b.ask("go_memory_limit", domain.StatValue, 0)
	value := fmt.Sprintf("100 * %s / (%s > 0)", used.expr(), limit.expr())
	return preset{
		of: "memory",
		rule: Rule{
			Alert: "MemoryNearLimit", Expr: compare(value, ">", 90), Metric: used.metric.Key, Value: value, Op: ">", Bound: 90,
			For: 5 * time.Minute, Evidence: EvidenceMemory,
			Summary: say("Memory is near its limit", "La memoria está cerca de su límite"),
			Description: fmt.Sprintf(say("Go's memory is at %s of its limit, above 90 %%%s (%s).", "La memoria de Go está en %s de su límite, por encima de 90 %%%s (%s)."),
				b.words.valueTemplate("%", 90), b.words.lasting(b.pace.pending(5*time.Minute)), "job {{ $labels.job }}, instance {{ $labels.instance }}"),
			Impact: say("Time goes into collecting garbage; soon the process is killed.", "El tiempo se va en el recolector de basura; pronto el sistema mata el proceso."),
			Steps: []string{
				say("See in the incident which functions hold memory, and which of it is new.", "Mirar en el incidente qué funciones retienen memoria y cuál es nueva."),
				say("Restart the instance if it is close to the end; raise the limit if the memory is needed.", "Reiniciar la instancia si está por agotarse; subir el límite si esa memoria hace falta."),
			},
		},
		trials: func(r Rule) []trial {
			s := b.scene(r, "> 90 %")
			at := func(percent float64) {
				s.steady(limit.metric.Family, nil, 1000, 0, r.For)
				s.steady(used.metric.Family, map[string]string{"go_memory_type": "other"}, 10*percent-100, 0, r.For)
				s.steady(used.metric.Family, map[string]string{"go_memory_type": "stack"}, 100, 0, r.For)
			}
			at(91)
			s.as("89 %")
			at(89)
			return []trial{s.fires(r.For, b.target("job", "instance"), 91)}
		},
	}
}

// goroutinePreset tells a leak from a busy moment: many, still growing, and
// even the fewest of late are twice the most of half an hour ago, or, of a process
// that is younger, of ten minutes ago.
func (b builder) goroutinePreset() preset {
	say := b.words.of
	m := b.metric("go_goroutine_count")
	recent, before := b.pace.window(5*time.Minute), b.pace.window(30*time.Minute)
	over := func(aggregation, function string, window time.Duration, offset string) string {
		return fmt.Sprintf("%s by (job, instance) (%s(%s[%s]%s))", aggregation, function, m.Family, length(window), offset)
	}
	now := over("max", "min_over_time", recent, "")
	return preset{
		of: "goroutines",
		rule: Rule{
			Alert: "GoroutineLeak", Metric: m.Key, Window: before, Evidence: EvidenceGoroutines, For: 5 * time.Minute,
			Expr: fmt.Sprintf("%s > 500\nand %s > 2 * (%s or %s)\nand %s > 0", now, now,
				over("max", "max_over_time", recent, " offset "+length(before)), over("max", "max_over_time", recent, " offset "+length(2*recent)),
				over("max", "deriv", before, "")),
			Summary: say("Goroutines leak", "Hay una fuga de goroutines"),
			Description: say("There are {{ $value }} goroutines, more than twice as many as before, and they go on growing (job {{ $labels.job }}, instance {{ $labels.instance }}).",
				"Hay {{ $value }} goroutines, más del doble que antes, y siguen en aumento (job {{ $labels.job }}, instance {{ $labels.instance }})."),
			Impact: say("Memory grows until the process is killed.", "La memoria crece hasta que el sistema mata el proceso."),
			Steps: []string{
				say("See in the incident where the new goroutines stand.", "Mirar en el incidente dónde están las goroutines nuevas."),
				say("Restart the instance to win time; mend what is never ended: a context, a channel, a body that is not closed.", "Reiniciar la instancia para ganar tiempo; corregir lo que nunca termina: un contexto, un canal, un cuerpo sin cerrar."),
			},
		},
		trials: func(r Rule) []trial {
			s := b.scene(r, "more than twice as many")
			samples := func(d time.Duration) int { return int(d / s.interval) }
			for i, n := range [][2]int{{300, 650}, {300, 590}, {240, 490}, {650, 650}} { // only the first is a leak
				if i > 0 {
					s.as(fmt.Sprintf("%d, then %d", n[0], n[1]))
				}
				s.add(m.Family, nil, fmt.Sprintf("%d+0x%d %d+0x%d", n[0], samples(before+recent)-1, n[1], samples(recent+r.For)))
			}
			s.as("it goes down again").add(m.Family, nil,
				fmt.Sprintf("300+0x%d 2000+0x%d 650+0x%d", samples(2*recent+r.For)-1, samples(before-recent-r.For)-1, samples(recent+r.For)))
			young, n := b.scene(r, "of a process that is younger than half an hour"), samples(recent)
			later := n + n/2 + 1
			young.add(m.Family, nil, fmt.Sprintf("300+0x%d 300+%dx%d", n-1, 2000/n, 4*n))
			return []trial{
				s.fires(before+2*recent-s.interval+r.For, b.target("job", "instance"), 650),
				young.firesBy(time.Duration(n+later-1+n)*s.interval, b.target("job", "instance"), float64(300+2000/n*later)),
			}
		},
	}
}
