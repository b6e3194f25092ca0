package alerting

import (
	"fmt"
	"time"

	"github.com/latido-dev/latido/domain"
)

// maxStuck is how many requests may hang in an instance.
const maxStuck = 20

// stuckPreset is about requests that hang. They complete nothing, so that no
// duration and no status tells of them. By Little's law the durations of what is
// answered in a second add up to how much of what is in flight comes to an end.
// The rest does not, also where the other endpoints answer as ever: a deadlock has
// one of them. It is asked of each instance.
//
// A peak that has just begun is in flight, and in the durations only when it was
// answered: so the lowest number of a while counts. That one is lower than the
// mean where requests come and go: fewer than none hang, which is none.
func (b builder) stuckPreset() preset {
	say := b.words.of
	active, answered := b.ask("active_requests", domain.StatMin, 2*time.Minute), b.ask("response_duration", domain.StatRate, 2*time.Minute)
	value := fmt.Sprintf("clamp_min(%s - (%s or 0 * %s), 0)", active.expr(), answered.sum("rate", "_sum", nil, "instance"), active.expr())
	return preset{
		of: "stuck",
		rule: Rule{
			Alert: "RequestsStuck", Metric: active.metric.Key, Value: value, Op: ">", Bound: maxStuck,
			Window: answered.window, For: time.Minute, Severity: domain.SeverityPage, Evidence: EvidenceLatency,
			Expr:    compare(value, ">", maxStuck),
			Summary: say("Requests are stuck", "Hay peticiones atascadas"),
			Description: fmt.Sprintf(say("Some {{ printf \"%%.0f\" $value }} requests are in flight that come to no end, more than %d for %s (job {{ $labels.job }}, instance {{ $labels.instance }}).",
				"Hay unas {{ printf \"%%.0f\" $value }} peticiones en curso que no terminan, más de %d durante %s (job {{ $labels.job }}, instance {{ $labels.instance }})."),
				maxStuck, length(answered.window)),
			Impact: say("Those who use the service wait, and get no answer.", "Quienes usan el servicio esperan y no reciben respuesta."),
			Steps: []string{
				say("See in the incident where the requests stand: at a lock, a channel, a dependency, or a write to the log.", "Mirar en el incidente dónde están las peticiones: en un lock, un canal, una dependencia o una escritura en el registro."),
				say("Restart the instance to win time, and give what they wait for a time limit.", "Reiniciar la instancia para ganar tiempo, y poner un límite de tiempo a aquello que esperan."),
			},
		},
		trials: func(r Rule) []trial { return b.stuckTrials(r, active.metric, answered.metric) },
	}
}

// stuckTrials are requests of which none is answered, and some that hang while the
// others are answered, each with neighbours that come to an end.
func (b builder) stuckTrials(r Rule, active, answered domain.Metric) []trial {
	until := r.Window + r.For
	match, _, _ := question{metric: answered}.examples(b.d)
	kept := b.target("job", "instance")

	none := b.scene(r, "none is answered")
	none.steady(active.Family, nil, maxStuck+1, 0, until)
	none.as("few are in flight").steady(active.Family, nil, maxStuck, 0, until)
	first := none.fires(r.For, kept, maxStuck+1)

	some := b.scene(r, "some hang")
	measure := func(inFlight, answeredAtATime float64) {
		some.steady(active.Family, nil, inFlight, 0, until)
		some.steady(answered.Family+"_sum", match, 0, answeredAtATime*some.interval.Seconds(), until)
	}
	measure(200, 200-1.3*maxStuck)
	some.as("all are answered")
	measure(200, 200)
	some.as("few hang")
	measure(200, 200-0.7*maxStuck)
	some.as("a peak has begun").add(active.Family, nil, fmt.Sprintf("5+0x%d 100+0x%d", int(r.For/some.interval), int(r.Window/some.interval)-1))
	some.checks = append(some.checks, check{until, []firing{{kept, 1.3 * maxStuck}}})
	return []trial{first, some.trial}
}
