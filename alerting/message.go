package alerting

import (
	"bytes"
	_ "embed" // for the templates
	"text/template"

	"github.com/latido-dev/latido/domain"
)

// mostShown is how many alerts one message shows. Of the others it tells the
// number.
const mostShown = 10

// messageText are the templates of Alertmanager, with the words of the
// domain's language still to be put between [[ and ]].
//
//go:embed latido.tmpl.txt
var messageText string

var messages = template.Must(template.New(TemplatesName).Delims("[[", "]]").Parse(messageText))

// Templates are the texts of messages, for Alertmanager: [TemplatesName], which
// stands beside the Alertmanager file. It defines latido.subject, latido.text
// and latido.html for mail, and latido.title, which is short, for chats.
//
// Beside summary, description, runbook_url and dashboard they show the
// annotations that the evidence adds: cause, next, also_1, also_2, changed, the rows hot_1 to hot_5 and waits_1 to
// waits_3, whose columns are parted by " | ", evidence and incident.
func Templates(d domain.Domain, _ Options) []byte {
	say := wordsOf(d).of
	var b bytes.Buffer
	// The template is ours, and a buffer takes everything.
	_ = messages.Execute(&b, map[string]any{
		"Prefix": d.Prefix, "Most": mostShown, "Language": say("en", "es"),
		"Drill": say("DRILL", "SIMULACRO"), "Firing": say("ALERT", "ALERTA"), "Resolved": say("RESOLVED", "RESUELTA"),
		"Since": say("Since", "Desde"), "Until": say("Until", "Hasta"),
		"Cause": say("Likely cause", "Causa probable"), "Changed": say("What changed", "Qué cambió"),
		"Next": say("What to do", "Qué hacer"), "Also": say("Also", "También"),
		"Hot": say("Hot functions", "Funciones que más consumen"), "HotColumns": say("share | change | function | where", "porcentaje | cambio | función | dónde"),
		"Waits": say("Where requests wait", "Dónde esperan las peticiones"), "WaitsColumns": say("share | reason | function | where", "porcentaje | motivo | función | dónde"),
		"Evidence": say("No cause", "Sin causa"), "Incident": say("Incident", "Incidente"), "Runbook": "Runbook", "Dashboard": "Dashboard",
		"Query": say("Query", "Consulta"), "QueryURL": d.Links.Prometheus,
		"More": say("And this many more", "Y además"), "MoreResolved": say("And this many more resolved", "Y además resueltas"),
	})
	return b.Bytes()
}
