package alerting

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// thresholds are the rules of the domain's thresholds, one for each.
func (b builder) thresholds() []Rule {
	rules := make([]Rule, len(b.d.Thresholds))
	for i, t := range b.d.Thresholds {
		rules[i] = b.threshold(t)
	}
	return rules
}

func (b builder) threshold(t domain.Threshold) Rule {
	r := Rule{
		Alert: t.Name, Source: SourceThreshold, For: b.pace.pending(time.Duration(t.For)), KeepFiring: b.pace.pending(time.Duration(t.KeepFiring)),
		Severity: t.Severity, Summary: t.Summary, Description: strings.TrimSpace(t.Description), Impact: t.Impact, Steps: t.Runbook,
	}
	switch {
	case t.Heartbeat:
		return b.heartbeat(r)
	case t.Expr != "":
		return b.raw(r, t)
	}
	q := b.question(t)
	r.Metric, r.Value = q.metric.Key, q.expr()
	if q.stat != domain.StatValue {
		r.Window = q.window
	}
	r.Op, r.Bound = condition(t)
	r.Expr = q.holds(r)
	r.Evidence, r.least = evidenceOf(q), q.enough()
	r.condition = b.words.condition(q, r)
	r.Summary = cmp.Or(r.Summary, literal(cased(r.condition)))
	r.Description = cmp.Or(r.Description, b.words.description(q, r))
	return b.alert(r, func(r Rule) []trial { return b.trials(q, r) })
}

// question is what a threshold asks.
func (b builder) question(t domain.Threshold) question {
	m := b.metric(cmp.Or(t.Metric, t.Event))
	window, least := time.Duration(cmp.Or(t.Window, domain.DefaultWindow)), domain.DefaultMinCount
	if t.MinCount != nil {
		least = *t.MinCount
	}
	q := question{
		metric: m, stat: cmp.Or(t.Stat, m.Kind.Stats()[0]), where: t.Where, by: t.By, per: time.Duration(t.Per),
		window: b.pace.window(window), least: b.pace.least(least, window),
	}
	op, bound := condition(t)
	q.low = op == "<"
	if counts := q.stat == domain.StatRate || q.stat == domain.StatIncrease; counts && (op == "<" || op == "==" && bound == 0) {
		q.absent = b.d.Service()
	}
	return q
}

// condition is the comparison of a threshold; "" for one that has none.
func condition(t domain.Threshold) (op string, bound float64) {
	switch {
	case t.Above != nil:
		return ">", float64(*t.Above)
	case t.Below != nil:
		return "<", float64(*t.Below)
	case t.Equals != nil:
		return "==", float64(*t.Equals)
	}
	return "", 0
}

// raw is the rule of an expression in PromQL, which may have its comparison in
// itself.
func (b builder) raw(r Rule, t domain.Threshold) Rule {
	expr := strings.TrimSpace(t.Expr)
	r.Expr = expr
	text := b.words.of("The expression holds", "Se cumple la expresión")
	if r.Op, r.Bound = condition(t); r.Op != "" {
		r.Value = "(" + expr + ")"
		if strings.Contains(expr, "#") { // a comment would take the bracket with it
			r.Value = "(\n" + expr + "\n)"
		}
		r.Expr = compare(r.Value, r.Op, r.Bound)
		text = b.words.of("The expression is ", "La expresión está ") + b.words.comparison(r.Op) + " " + b.words.number(r.Bound)
	}
	r.Summary = cmp.Or(r.Summary, r.Alert+": "+strings.ToLower(text[:1])+text[1:])
	r.Description = cmp.Or(r.Description, text+b.words.lasting(r.For)+b.words.of(", with the value ", ", con el valor ")+b.words.valueTemplate("", r.Bound)+".")
	return b.alert(r, nil) // of an expression it is not known what makes it hold
}

// heartbeat is a rule that always fires: whoever no longer hears of it knows
// that the way from here to there is broken.
func (b builder) heartbeat(r Rule) Rule {
	r.Source, r.Expr = SourceHeartbeat, "vector(1)"
	r.Severity = cmp.Or(r.Severity, domain.SeverityInfo)
	r.Labels = map[string]string{heartbeatLabel: "true", "job": b.d.Service()}
	r.Summary = cmp.Or(r.Summary, b.words.of("Alerts of "+b.d.Service()+" arrive", "Las alertas de "+b.d.Service()+" llegan"))
	r.Description = cmp.Or(r.Description, b.words.of(
		"This alert always fires. When it is no longer heard of, alerts do not arrive.",
		"Esta alerta está siempre activa. Si deja de llegar, las demás tampoco llegan."))
	return b.alert(r, func(r Rule) []trial { return []trial{b.scene(r, "always").fires(r.For, nil, 1)} })
}

// heartbeatLabel marks an alert that always fires, so that it can be routed
// apart.
const heartbeatLabel = "heartbeat"

// evidenceOf says what explains a metric.
func evidenceOf(q question) Evidence {
	if q.metric.Event != nil {
		return EvidenceEvents
	}
	switch key := q.metric.Key; {
	case key == "cpu_usage" || key == "event_cpu" || key == "go_schedule_duration" || key == "go_cpu_time":
		return EvidenceCPU
	case key == "go_goroutine_count" || key == "go_goroutine_states":
		return EvidenceGoroutines
	case key == "memory_usage" || key == "event_allocated" || strings.HasPrefix(key, "go_memory_"):
		return EvidenceMemory
	case key == "api_errors" || key == "failures" || key == "function_calls" || q.where["status"] != "":
		return EvidenceErrors
	case strings.HasPrefix(key, "entities_"):
		return EvidenceEvents
	default:
		return EvidenceLatency
	}
}

// condition says in words what must hold.
func (w words) condition(q question, r Rule) string {
	text := w.statistic(q)
	if len(q.where) > 0 {
		text += w.of(" with ", " con ") + strings.Join(labelmatch.PromQL(q.where), ", ")
	}
	text += " " + w.comparison(r.Op) + " " + w.amount(r.Bound, q.unit())
	if r.Window > 0 {
		text += w.of(" over ", " en ") + length(r.Window)
	}
	return text
}

// description says in words what holds, with the labels and the value of the
// alert as templates.
func (w words) description(q question, r Rule) string {
	where := []string{}
	for _, label := range q.labels() {
		where = append(where, label+" {{ $labels."+label+" }}")
	}
	return fmt.Sprintf("%s%s: %s (%s).", literal(cased(cmp.Or(r.condition, w.condition(q, r)))), w.lasting(r.For), w.valueTemplate(q.unit(), r.Bound), strings.Join(where, ", "))
}

// lasting says how long a condition has held.
func (w words) lasting(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return w.of(" for ", " durante ") + length(d)
}
