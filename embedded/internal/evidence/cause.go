package evidence

import (
	"runtime"
	"strings"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/continuous"
)

// What it takes for a sentence to name a cause.
const (
	mostWait  = 0.5  // of the goroutines seen wait: the requests wait
	mostBusy  = 0.4  // CPU seconds a second that a request is there: the requests compute
	saturated = 0.85 // of the CPUs: all requests wait for one
	grew      = 1.2  // times what it was
	elsewhere = 0.3  // of the host's CPU use: what this process has less of is not its doing
)

// cause is one sentence that names the likely cause, with the figures that it
// rests on. It is "" where nothing is known.
func (w words) cause(in *Incident, rule alerting.Rule) string {
	var text string
	switch in.Evidence {
	case alerting.EvidenceLatency:
		text = w.latencyCause(in)
	case alerting.EvidenceGoroutines:
		text = w.goroutineCause(in)
	case alerting.EvidenceErrors:
		text = w.errorCause(in)
	case alerting.EvidenceEvents:
		text = w.eventCause(in, rule)
	default:
		if len(in.Profiles) > 0 {
			text = w.profileCause(in, in.Profiles[0], rule)
		}
	}
	if d := in.Deployed; d != nil && text != "" {
		text += w.say(" Version %s took the place of %s shortly before.", " Poco antes la versión %s reemplazó a %s.", d.After, d.Before)
	}
	return text
}

// profileCause names the function that grew the most, or costs the most.
func (w words) profileCause(in *Incident, s Section, rule alerting.Rule) string {
	subject := w.subject(s.Type)
	if in.Endpoint != "" && in.Labels["endpoint"] == in.Endpoint {
		subject = w.say("%s of %s", "%s de %s", subject, in.Endpoint)
	}
	if s.Type == "cpu" && rule.Metric == "cpu_usage" && in.Value > 0 {
		if own := s.After / float64(runtime.NumCPU()) * 100; own < elsewhere*in.Value {
			return w.say("The CPU time is used outside of this process: it uses %s of the %s %% in use on the host.",
				"El tiempo de CPU se usa fuera de este proceso: usa %s del %s %% en uso en la máquina.", percent(own/100), w.number(in.Value))
		}
	}
	hot, ok := top(s)
	if !ok {
		return ""
	}
	change := ""
	for _, c := range s.Diff { // the largest change first
		if c.Growth <= 0 {
			continue
		}
		if s.After > grew*s.Before && c.Growth > 0.3*(s.After-s.Before) {
			growth := c.Growth / (s.After - s.Before)
			text := w.say("%s grew from %s to %s", "%s creció de %s a %s", subject, w.quantity(s.Type, s.Before), w.quantity(s.Type, s.After))
			text += w.say(": %s (%s) grew from %s to %s", ": %s (%s) creció de %s a %s", continuous.Short(c.Function), place(c.File, c.Line),
				w.quantity(s.Type, c.Before), w.quantity(s.Type, c.After))
			text += w.say(", %s of the growth", ", %s del aumento", percent(min(growth, 1)))
			return text + w.mostly(s, c.Function) + w.mainly(in) + "."
		}
		break
	}
	if len(s.Diff) > 0 {
		change = w.say("; it was %s before", "; antes era %s", w.quantity(s.Type, s.Before))
	}
	text := w.say("%s is %s%s: %s of it is in %s (%s)", "%s es de %s%s: %s está en %s (%s)", subject, w.quantity(s.Type, s.After), change,
		percent(hot.Share), continuous.Short(hot.Function), place(hot.File, hot.Line))
	return text + w.mostly(s, hot.Function) + w.mainly(in) + "."
}

// subject is what a section is about.
func (w words) subject(sampleType string) string {
	switch sampleType {
	case "cpu":
		return w.pick("CPU use", "El uso de CPU")
	case "alloc_space":
		return w.pick("Allocation", "La asignación de memoria")
	case "inuse_space":
		return w.pick("Memory in use", "La memoria en uso")
	}
	return w.pick("Contention", "La contención")
}

// top is the function that costs the most: own code before all other.
func top(s Section) (continuous.Function, bool) {
	switch {
	case len(s.Hot.Own) > 0:
		return s.Hot.Own[0], true
	case len(s.Hot.Self) > 0:
		return s.Hot.Self[0], true
	}
	return continuous.Function{}, false
}

// mostly names the library function in which own code spends it.
func (w words) mostly(s Section, function string) string {
	for _, f := range s.Hot.Own {
		if f.Function == function && f.Mostly != "" {
			return w.say(", mostly in %s", ", sobre todo en %s", continuous.Short(f.Mostly))
		}
	}
	return ""
}

// mainly names the endpoint that most of it is for, where the alert does not.
func (w words) mainly(in *Incident) string {
	if in.Endpoint == "" || in.Labels["endpoint"] != "" {
		return ""
	}
	return w.say("; mainly for %s", "; principalmente para %s", in.Endpoint)
}

// latencyCause says whether the requests wait or compute, and where. What is
// hot says nothing about requests that wait.
func (w words) latencyCause(in *Incident) string {
	cpu := in.section("cpu")
	waits := in.Waits
	of := ""
	if in.Endpoint != "" {
		of = w.say(" to %s", " a %s", in.Endpoint)
	}
	switch {
	case waits == nil || waits.Seen == 0:
		if cpu != nil && cpu.After > 0 {
			return w.profileCause(in, *cpu, alerting.Rule{})
		}
		return ""
	case waits.Share >= mostWait && len(waits.Places) > 0:
		p := waits.Places[0]
		busy := w.say("hardly any CPU time", "casi nada de tiempo de CPU")
		switch {
		case cpu == nil || cpu.After == 0:
			busy = w.pick("no CPU samples", "ninguna muestra de CPU")
		case waits.Busy >= 0.1:
			busy = w.say("%s of their time on a CPU", "%s de su tiempo en una CPU", percent(min(waits.Busy, 1)))
		}
		text := w.say("Requests%s wait, they do not compute (%s): %s of those seen wait in %s (%s) for: %s",
			"Las peticiones%s esperan, no calculan (%s): %s de las vistas espera en %s (%s) por: %s",
			of, busy, percent(p.Share), continuous.Short(p.Function), place(p.File, p.Line), w.reason(p.Reason))
		if in.Baseline.Profiled > 0 {
			text += w.say("; %s at a time, %s before", "; %s a la vez, antes %s", w.number(p.After), w.number(p.Before))
		}
		return text + "."
	case cpu == nil:
		return ""
	case waits.Busy >= mostBusy:
		return w.say("Requests%s compute: %s", "Las peticiones%s calculan: %s", of, lower(w.profileCause(in, *cpu, alerting.Rule{})))
	default:
		text := w.say("Requests%s neither wait nor compute for most of their time: they are ready and have no CPU, or the garbage collector has it", "Las peticiones%s ni esperan ni calculan la mayor parte del tiempo: están listas y no tienen CPU, o la tiene el recolector de memoria", of)
		if hot, ok := top(*cpu); ok {
			text += w.say("; the most CPU time of theirs is in %s (%s)", "; su mayor tiempo de CPU está en %s (%s)", continuous.Short(hot.Function), place(hot.File, hot.Line))
		}
		return text + "."
	}
}

// lower begins a sentence as a part of another, unless it begins with a name.
func lower(s string) string {
	for _, start := range []string{"CPU", "El uso de CPU"} {
		if strings.HasPrefix(s, start) && start == "CPU" {
			return s
		}
	}
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// goroutineCause names the goroutines that there are more of.
func (w words) goroutineCause(in *Incident) string {
	g := in.Goroutines
	if g == nil || len(g.Groups) == 0 {
		return ""
	}
	worst := g.Groups[0]
	if g.BeforeTime.IsZero() {
		worst.Before = 0
	}
	text := w.say("There are %d goroutines", "Hay %d goroutines", g.After)
	if !g.BeforeTime.IsZero() {
		text = w.say("Goroutines grew from %d to %d", "Las goroutines crecieron de %d a %d", g.Before, g.After)
	}
	text += w.say(": those in %s (%s) went from %d to %d", ": las de %s (%s) pasaron de %d a %d", continuous.Short(worst.Function), place(worst.File, worst.Line), worst.Before, worst.After)
	if worst.Reason != "" {
		text += w.say(", waiting for: %s", ", esperando: %s", w.reason(worst.Reason))
	}
	if worst.Started != "" {
		text += w.say(", started as %s", ", iniciadas como %s", continuous.Short(worst.Started))
	}
	return text + "."
}

// errorCause names the answers and types of error that there are more of.
func (w words) errorCause(in *Incident) string {
	var answers, types *Move
	for i := range in.Errors {
		switch m := &in.Errors[i]; {
		case m.Name == "requests" && answers == nil:
			answers = m
		case m.Name == "api_errors" && types == nil:
			types = m
		}
	}
	var text string
	if answers != nil {
		text = w.say("%s answered %s to %s requests, %s before", "%s respondió %s a %s peticiones, antes a %s", answers.Endpoint, answers.Label, w.whole(answers.After), w.whole(answers.Before))
	}
	if types != nil {
		if text != "" {
			text += "; "
		}
		text += w.say("errors of type %s went from %s to %s", "los errores de tipo %s pasaron de %s a %s", types.Label, w.whole(types.Before), w.whole(types.After))
	}
	if text == "" {
		return ""
	}
	return text + "."
}

// eventCause says whether the requests are missing too, or fail.
func (w words) eventCause(in *Incident, rule alerting.Rule) string {
	find := func(name string) (Move, bool) {
		for _, m := range in.Moved {
			if m.Name == name {
				return m, true
			}
		}
		return Move{}, false
	}
	event, ok := find(rule.Metric)
	if !ok {
		return ""
	}
	text := w.say("%s went from %s to %s", "%s pasó de %s a %s", event.Name, w.whole(event.Before), w.whole(event.After))
	if !event.much() && event.Before > 0 {
		text = w.say("%s is about what it was, %s after %s", "%s está casi como antes, %s tras %s", event.Name, w.whole(event.After), w.whole(event.Before))
	}
	requests, ok := find("requests")
	failed, _ := find("5xx")
	switch {
	case !ok:
	case failed.much() && failed.After > failed.Before:
		text += w.say("; requests come, and %s of %s are answered with a server error", "; llegan peticiones, y %s de %s se responden con un error del servidor", w.whole(failed.After), w.whole(requests.After))
	case requests.After < 1:
		text += w.pick("; no requests come at all", "; no llega ninguna petición")
	case requests.much() && requests.After < requests.Before:
		text += w.say("; fewer requests come, %s after %s", "; llegan menos peticiones, %s tras %s", w.whole(requests.After), w.whole(requests.Before))
	default:
		text += w.say("; requests come as before (%s) and few of them fail", "; las peticiones llegan como antes (%s) y pocas fallan", w.whole(requests.After))
	}
	return text + "."
}
