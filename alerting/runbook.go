package alerting

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// Runbook is the runbook of a domain, in its language: docs/runbook.md. It has a
// section for every alert, whose anchor is the alert's name in lower case, with
// what it means, who suffers, how to find out more, what to do and who is told;
// and then the plan: what a severity asks for, who hears of what, and who is
// called when it does not get better.
//
// It is Markdown; a text of the domain file stands there as it is.
func Runbook(d domain.Domain, o Options) []byte {
	p := page{builder: newBuilder(d, o), w: wordsOf(d)}
	for _, r := range Rules(d, o) {
		if r.Alert != "" {
			p.alerts = append(p.alerts, r)
		}
	}
	p.line("<!-- Written by \"latido generate runbook\" from the domain file of %s.", d.Prefix)
	p.line("Change that file, not this one, and write this one again. -->")
	p.line("")
	p.line("# %s", p.w.of("Runbook of ", "Runbook de ")+d.Service())
	p.line("")
	if text := strings.TrimSpace(d.Description); text != "" {
		p.line("%s", text)
		p.line("")
	}
	p.line("%s", p.w.of("What to do when an alert arrives: find its section by its name, and follow it from top to bottom. The [response plan](#response-plan) says how fast, and whom to call.",
		"Qué hacer cuando llega una alerta: buscar su sección por el nombre y seguirla de arriba abajo. El [plan de respuesta](#plan-de-respuesta) dice con qué urgencia y a quién llamar."))
	p.line("")
	p.index()
	for _, r := range p.alerts {
		p.alert(r)
	}
	p.plan()
	return []byte(p.b.String())
}

// page is the runbook as it is written.
type page struct {
	builder
	b      strings.Builder
	w      words
	alerts []Rule
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// table writes rows, of which the first is the head.
func (p *page) table(rows ...[]string) {
	for i, row := range rows {
		for j, cell := range row {
			row[j] = strings.ReplaceAll(strings.ReplaceAll(cell, "|", `\|`), "\n", " ")
		}
		p.line("| %s |", strings.Join(row, " | "))
		if i == 0 {
			p.line("|%s", strings.Repeat("---|", len(row)))
		}
	}
	p.line("")
}

// onlySpace is what a line without text has.
var onlySpace = regexp.MustCompile(`(?m)^ +$`)

// list writes items after a mark, "-" or "1" for numbers.
func (p *page) list(mark string, items []string) {
	numbered := mark == "1"
	for i, item := range items {
		if numbered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		// Further lines belong to the item as long as they are indented.
		text := strings.ReplaceAll(strings.TrimSpace(item), "\n", "\n"+strings.Repeat(" ", len(mark)+1))
		p.line("%s %s", mark, onlySpace.ReplaceAllString(text, ""))
	}
	p.line("")
}

func (p *page) index() {
	rows := [][]string{{p.w.of("alert", "alerta"), p.w.of("severity", "gravedad"), p.w.of("what is wrong", "qué pasa")}}
	for _, r := range p.alerts {
		rows = append(rows, []string{"[" + r.Alert + "](#" + anchor(r.Alert) + ")", p.severity(r.Severity), r.Summary})
	}
	p.table(rows...)
}

// severity is the word for a severity, with the one that labels have.
func (p *page) severity(s domain.Severity) string {
	if !p.w.Spanish {
		return string(s)
	}
	return map[domain.Severity]string{
		domain.SeverityPage: "urgente (page)", domain.SeverityTicket: "tarea (ticket)", domain.SeverityInfo: "aviso (info)",
	}[s]
}

func (p *page) alert(r Rule) {
	p.line("## %s", r.Alert)
	p.line("")
	p.line("**%s.** %s", p.w.of("Meaning", "Significado"), p.meaning(r))
	p.line("")
	p.line("**%s.** %s", p.w.of("Impact", "Impacto"), cmp.Or(strings.TrimSpace(r.Impact), p.w.of(
		"The domain file does not say: add `impact` to this rule.", "El archivo de dominio no lo dice: añadir `impact` a esta regla.")))
	p.line("")
	p.line("**%s**", p.w.of("Diagnosis", "Diagnóstico"))
	p.line("")
	p.list("-", p.diagnosis(r))
	p.line("**%s**", p.w.of("Mitigation", "Mitigación"))
	p.line("")
	if len(r.Steps) > 0 {
		p.list("1", r.Steps)
	} else {
		p.list("1", p.steps(r))
	}
	p.line("**%s.** %s", p.w.of("Who is told", "A quién se avisa"), p.told(r))
	p.line("")
}

// meaning says in words when the alert fires.
func (p *page) meaning(r Rule) string {
	text := strings.TrimSuffix(r.Summary, ".") + ". "
	if r.Summary == literal(cased(r.condition)) { // the domain file gives none: do not say it twice
		text = ""
	}
	switch {
	case r.Source == SourceHeartbeat:
		return text + p.w.of("It fires always: it is its silence that means something, namely that alerts no longer arrive.",
			"Está siempre activa: si deja de llegar, las demás alertas tampoco llegan.")
	case r.condition != "":
		text += p.w.of("It fires when: ", "Se activa cuando: ") + r.condition + p.w.lasting(r.For)
	default:
		text += p.w.of("It fires when this has a result", "Se activa cuando esto tiene resultado") + p.w.lasting(r.For)
	}
	if r.KeepFiring > 0 {
		text += p.w.of(", and goes on for ", ", y sigue ") + length(r.KeepFiring) + p.w.of(" after that", " después")
	}
	if r.least > 0 {
		text += fmt.Sprintf(p.w.of(", with at least %d in that time", ", con al menos %d en ese tiempo"), r.least)
	}
	if r.condition != "" {
		return text + "."
	}
	return text + ":\n\n```promql\n" + r.Expr + "\n```"
}

// diagnosis says where to look, by what explains the alert.
func (p *page) diagnosis(r Rule) []string {
	var items []string
	kind := r.Evidence
	if r.Source == SourceDefault && (r.Metric == "build_info" || r.Metric == "disk_usage" || strings.HasPrefix(r.Metric, "telemetry_")) {
		kind = "" // no function is at fault
	}
	if r.Evidence != "" && r.Metric != "build_info" { // a service that does not report keeps no incident
		items = append(items, p.w.of(
			"The incident that the message links to has the profile of the moment, compared with the one before: `latido incidents` lists them.",
			"El incidente que enlaza el mensaje trae el perfil del momento, comparado con el anterior: `latido incidents` los lista."))
	}
	flame := fmt.Sprintf("`process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name=%q}`", p.d.Service())
	switch kind {
	case EvidenceCPU:
		items = append(items, p.w.of("Hot functions now: `latido report -last 5m`, or in Pyroscope the flame graph of ", "Funciones que más consumen ahora: `latido report -last 5m`, o en Pyroscope el gráfico de llamas de ")+flame+".")
	case EvidenceLatency:
		items = append(items,
			p.w.of("Slow and busy, or slow and waiting? `latido report -last 5m` has both for each endpoint.", "¿Lento por calcular o por esperar? `latido report -last 5m` dice ambas cosas por endpoint."),
			p.w.of("Where it computes, the flame graph in Pyroscope: ", "Si calcula, el gráfico de llamas en Pyroscope: ")+flame+".")
	case EvidenceMemory:
		items = append(items, p.w.of("What holds memory: `latido report -last 5m`, or in Pyroscope `memory:inuse_space:bytes:space:bytes`.", "Qué retiene memoria: `latido report -last 5m`, o en Pyroscope `memory:inuse_space:bytes:space:bytes`."))
	case EvidenceGoroutines:
		items = append(items, p.w.of("Where the goroutines stand: `/debug/pprof/goroutine?debug=1` on the admin listener.", "Dónde están las goroutines: `/debug/pprof/goroutine?debug=1` en el puerto de administración."))
	case EvidenceErrors:
		items = append(items, p.w.of("Which endpoint fails, how, and which function answers so:", "Qué endpoint falla, cómo y qué función responde así:")+" `"+p.breakdown("failures", "endpoint, status, site", nil)+"`, `"+p.breakdown("api_errors", "error_type", nil)+"`.")
	case EvidenceEvents:
		if m := p.metric(r.Metric); len(m.Attributes) > 0 {
			labels := make([]string, len(m.Attributes))
			for i, a := range m.Attributes {
				labels[i] = promname.Label(a)
			}
			items = append(items, p.w.of("What is missing or in excess:", "Qué falta o sobra:")+" `"+p.breakdown(r.Metric, strings.Join(labels, ", "), nil)+"`.")
		}
	}
	if slo := r.Labels["slo"]; slo != "" {
		o := objective{b: p.builder}
		o.Name = slo
		items = append(items, p.w.of("How much of the error budget is left:", "Cuánto queda del presupuesto de errores:")+" `"+o.series("slo_budget_left", "ratio")+"`.")
	}
	switch {
	case r.Source == SourceHeartbeat:
		items = append(items,
			p.w.of("Does Prometheus evaluate it? It is among the firing alerts of its page Alerts; if not, the page Rules has the error.",
				"¿La evalúa Prometheus? Está entre las alertas activas de su página Alerts; si no, la página Rules muestra el error."),
			p.w.of("Does Alertmanager have it, and send it? `amtool alert query alertname=", "¿La tiene Alertmanager, y la envía? `amtool alert query alertname=")+r.Alert+
				p.w.of("`, and `rate(alertmanager_notifications_failed_total[10m]) > 0`.", "`, y `rate(alertmanager_notifications_failed_total[10m]) > 0`."))
	case r.Source == SourceDefault && (r.Metric == "build_info" || r.Metric == ""):
		items = append(items,
			p.w.of("Which instances Prometheus does not reach, and since when:", "A qué instancias no llega Prometheus, y desde cuándo:")+fmt.Sprintf(" `up{job=%q}`; ", p.d.Service())+
				p.w.of("the page Targets has the error of each.", "la página Targets muestra el error de cada una."),
			p.w.of("Does the process run, and answer? `docker compose ps` or `kubectl get pods`; `/healthz` on its admin listener.",
				"¿Corre el proceso, y responde? `docker compose ps` o `kubectl get pods`; `/healthz` en su puerto de administración."),
			p.w.of("Did it end by itself? The end of its log, and of a container the reason: `OOMKilled`, or its exit code.",
				"¿Terminó solo? El final de su registro y, en un contenedor, el motivo: `OOMKilled`, o su código de salida."))
	}
	if query := p.query(r); query != "" {
		items = append(items, p.w.of("The value now, and its history:", "El valor actual y su historial:")+"\n\n```promql\n"+query+"\n```")
	}
	return items
}

// query is what to look at beside the alert itself: "" where its expression
// stands in the section already.
func (p *page) query(r Rule) string {
	if r.Source == SourceHeartbeat || r.condition == "" && r.Value == "" {
		return ""
	}
	return cmp.Or(r.Value, r.Expr)
}

// breakdown is the rate of a counter by some labels.
func (p *page) breakdown(metric, labels string, where map[string]string) string {
	m := p.metric(metric)
	q := question{metric: m, where: where, by: labels, window: time.Duration(domain.DefaultWindow)}
	if m.Kind == domain.KindGauge || m.Kind == domain.KindUpDown { // a level has no rate
		return fmt.Sprintf("sum by (%s) (%s)", labels, selector(m.Family, where))
	}
	return strings.Replace(q.counted("rate"), "by (job, ", "by (", 1)
}

// steps are what to do for a rule that does not say.
func (p *page) steps(r Rule) []string {
	if r.Source == SourceHeartbeat {
		return []string{
			p.w.of("See whether the service, Prometheus and Alertmanager run.", "Ver si corren el servicio, Prometheus y Alertmanager."),
			p.w.of("See whether the receiver answers: `amtool alert add` sends it a message of one's own.", "Ver si el receptor responde: `amtool alert add` le envía un mensaje propio."),
		}
	}
	return []string{
		p.w.of("See what changed at the time it began: a release, a setting, the traffic.", "Ver qué cambió cuando empezó: una versión, un ajuste, el tráfico."),
		p.w.of("Undo that, if it can be undone; otherwise call the next one in the response plan.", "Deshacerlo si se puede; si no, llamar al siguiente del plan de respuesta."),
		p.w.of("Write down what helped as `runbook` of this rule in the domain file.", "Escribir lo que sirvió como `runbook` de esta regla en el archivo de dominio."),
	}
}

// told lists who hears of an alert.
func (p *page) told(r Rule) string {
	var names []string
	for _, s := range Receivers(p.d) {
		if len(s.Receiver.Severities) == 0 || slices.Contains(s.Receiver.Severities, r.Severity) {
			names = append(names, "`"+s.Name+"`: "+p.where(s.Receiver))
		}
	}
	if len(names) == 0 {
		return p.w.of("Nobody: add a receiver for this severity to `notify` in the domain file.", "A nadie: añadir a `notify`, en el archivo de dominio, un receptor para esta gravedad.")
	}
	return p.severity(r.Severity) + ". " + strings.Join(names, "; ") + "."
}

// where says where a receiver's messages go, without anything secret.
func (p *page) where(r domain.Receiver) string {
	from := func(env, file string) string {
		if env != "" {
			return p.w.of("the URL in ", "la URL en ") + env
		}
		return p.w.of("the URL in ", "la URL en ") + file
	}
	switch {
	case r.Log != nil:
		return p.w.of("the service's log", "el registro del servicio")
	case r.Action != nil:
		return p.w.of("the service's own function ", "la función del servicio ") + r.Action.Name
	case r.Email != nil:
		return strings.ReplaceAll(strings.Join(r.Email.To, ", "), "<", "&lt;")
	case r.Webhook != nil && r.Webhook.URL != "":
		return host(r.Webhook.URL)
	case r.Webhook != nil:
		return from(r.Webhook.URLEnv, r.Webhook.URLFile)
	case r.Slack != nil:
		return "Slack " + r.Slack.Channel
	case r.Alertmanager != nil:
		return "Alertmanager " + host(r.Alertmanager.URL)
	}
	return kindOf(r)
}

// host is all of a URL that may be shown: a token can be anywhere in the rest.
func host(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "URL"
	}
	return u.Host
}

// plan is the response plan.
func (p *page) plan() {
	p.line("## %s", p.w.of("Response plan", "Plan de respuesta"))
	p.line("")
	p.line("### %s", p.w.of("How fast", "Con qué urgencia"))
	p.line("")
	p.table(
		[]string{p.w.of("severity", "gravedad"), p.w.of("means", "significa"), p.w.of("first look", "primera mirada"), p.w.of("if it does not get better", "si no mejora")},
		[]string{p.severity(domain.SeverityPage), p.w.of("users suffer now, or soon will", "los usuarios sufren ya, o muy pronto"), p.w.of("within 15 minutes, at any hour", "en 15 minutos, a cualquier hora"),
			p.w.of("after 30 minutes call the next one on duty; after 60, whoever answers for the service", "a los 30 minutos llamar al siguiente de turno; a los 60, a quien responde por el servicio")},
		[]string{p.severity(domain.SeverityTicket), p.w.of("it will hurt if it stays", "hará daño si no se corrige"), p.w.of("on the next working day", "el siguiente día hábil"),
			p.w.of("within the week it becomes planned work", "en la semana pasa a ser trabajo planeado")},
		[]string{p.severity(domain.SeverityInfo), p.w.of("good to know", "conviene saberlo"), p.w.of("none needed", "no hace falta"), "-"},
	)
	p.line("### %s", p.w.of("What to do, in this order", "Qué hacer, en este orden"))
	p.line("")
	p.list("1", []string{
		p.w.of("Say that you have it: answer where the message arrived.", "Decir quién se ocupa: responder donde llegó el mensaje."),
		p.w.of("Open the alert's section above and follow it. First stop the harm, then look for the cause.", "Abrir la sección de la alerta y seguirla. Primero detener el daño, después buscar la causa."),
		p.w.of("While you work on it, silence it for as long as that takes, and not for longer:", "Mientras se trabaja en ella, silenciarla lo que dure el trabajo y no más:") +
			" `amtool silence add alertname=NAME --duration=1h --comment=\"...\"`.",
		p.w.of("If it does not get better in its time, call the next one, and tell what was tried.", "Si no mejora en su plazo, llamar al siguiente y contar lo que se probó."),
		p.w.of("When it is over, see that the resolved message came, and write down what happened, why, and what will keep it from coming back.",
			"Cuando termine, comprobar que llegó el mensaje que la da por resuelta, y anotar qué pasó, por qué, y qué evitará que vuelva."),
		p.w.of("Improve the rule if it came too late, too early or for nothing: `latido backtest` says what another threshold would have done.",
			"Mejorar la regla si avisó tarde, demasiado pronto o sin motivo: `latido backtest` dice qué habría hecho otro umbral."),
	})
	p.line("### %s", p.w.of("Who hears of what", "Quién se entera de qué"))
	p.line("")
	rows := [][]string{{p.w.of("receiver", "receptor"), p.w.of("where", "dónde"), p.w.of("severities", "gravedades")}}
	for _, s := range Receivers(p.d) {
		severities := domain.Severities()
		if len(s.Receiver.Severities) > 0 {
			severities = s.Receiver.Severities
		}
		all := make([]string, len(severities))
		for i, severity := range severities {
			all[i] = p.severity(severity)
		}
		rows = append(rows, []string{s.Name, p.where(s.Receiver), strings.Join(all, ", ")})
	}
	if len(rows) == 1 {
		p.line("%s", p.w.of("Nobody: `notify` in the domain file is empty.", "Nadie: `notify` está vacío en el archivo de dominio."))
		return
	}
	p.table(rows...)
	t := pace{p.o.Fast}.timing()
	p.line(p.w.of("One message tells of all that one rule found, the first after %s, further ones at most every %s. What goes on is told of again after %s. `latido fire NAME` sends a drill through the same way.",
		"Un mensaje reúne todo lo que encontró una regla: el primero tras %s, los siguientes como mucho cada %s. Lo que sigue activo se repite cada %s. `latido fire NOMBRE` envía un simulacro por el mismo camino."),
		length(t.wait), length(t.interval), length(t.repeat))
}
