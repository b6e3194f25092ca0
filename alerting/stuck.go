package alerting

import (
	"fmt"
	"time"

	"github.com/latido-dev/latido/domain"
)

// How many requests there are in flight, and how many seconds each of them would
// take, when they are taken for stuck.
const maxInFlight, maxSeconds = 20, 30

// stuckPreset is about requests that hang. They complete nothing, so that no
// duration and no status tells of them. By Little's law what is in flight over
// what is answered in a second is how long one takes: any time, if nothing is
// answered any more. It is asked of each instance, as a deadlock has one of them.
//
// The window is short: the requests of a peak that has just begun are in flight
// at once, and in the rate after a window.
func (b builder) stuckPreset() preset {
	say := b.words.of
	active, answered := b.ask("active_requests", domain.StatValue, 0), b.ask("requests", domain.StatRate, 2*time.Minute)
	rate := answered.sum("rate", "", nil, "instance")
	return preset{
		of: "stuck",
		rule: Rule{
			Alert: "RequestsStuck", Metric: active.metric.Key, Window: answered.window, For: time.Minute, Severity: domain.SeverityPage, Evidence: EvidenceLatency,
			Expr:    fmt.Sprintf("%s\nunless %s <= %d * %s", compare(active.expr(), ">", maxInFlight), active.expr(), maxSeconds, rate),
			Summary: say("Requests are stuck", "Hay peticiones atascadas"),
			Description: fmt.Sprintf(say("There are {{ $value }} requests in flight. At the rate of the answers in the last %s, each of them takes more than %d s (job {{ $labels.job }}, instance {{ $labels.instance }}).",
				"Hay {{ $value }} peticiones en curso. Al ritmo de las respuestas de los últimos %s, cada una tarda más de %d s (job {{ $labels.job }}, instance {{ $labels.instance }})."),
				length(answered.window), maxSeconds),
			Impact: say("Those who use the service wait, and get no answer.", "Quienes usan el servicio esperan y no reciben respuesta."),
			Steps: []string{
				say("See in the incident where the requests stand: at a lock, a channel, a dependency, or a write to the log.", "Mirar en el incidente dónde están las peticiones: en un lock, un canal, una dependencia o una escritura en el registro."),
				say("Restart the instance to win time, and give what they wait for a time limit.", "Reiniciar la instancia para ganar tiempo, y poner un límite de tiempo a aquello que esperan."),
			},
		},
		trials: func(r Rule) []trial { return b.stuckTrials(r, active.metric, answered.metric) },
	}
}

// stuckTrials are requests of which none is answered, and some too few for how
// many there are, each with neighbours that are only nearly stuck.
func (b builder) stuckTrials(r Rule, active, answered domain.Metric) []trial {
	until := r.Window + r.For
	match, _, _ := question{metric: answered}.examples(b.d)
	kept := b.target("job", "instance")
	measure := func(s *scene, inFlight, perSecond float64) {
		s.steady(active.Family, nil, inFlight, 0, until)
		s.steady(answered.Family, match, 0, perSecond*s.interval.Seconds(), until)
	}
	none := b.scene(r, "none is answered")
	measure(none, maxInFlight+1, 0)
	measure(none.as("few are in flight"), maxInFlight, 0)
	first := none.fires(r.For, kept, maxInFlight+1)

	slow := b.scene(r, "few are answered")
	measure(slow, 2*maxInFlight, 1.3)
	measure(slow.as("less than 30 s each"), 2*maxInFlight, 1.5)
	slow.as("no answer was ever counted").steady(active.Family, nil, 2*maxInFlight, 0, until)
	also := firing{with(kept, "job", "no answer was ever counted"), 2 * maxInFlight}
	slow.checks = append(slow.checks, check{until, []firing{{kept, 2 * maxInFlight}, also}})
	return []trial{first, slow.trial}
}
