package alerting

import (
	"time"

	"github.com/latido-dev/latido/domain"
)

// refused are the statuses with which a service says that a request is wrong.
// 404 is anybody's mistake, 429 is meant to be answered, and 499 is no answer.
const refused = `=~40[0-35-9]|41.|42[0-8]|4[3-8].|49[0-8]`

// clientPresets are about what clients do, and what they are told that they did.
func (b builder) clientPresets() []preset {
	say := b.words.of
	gone := b.ask("requests", domain.StatRatio, 5*time.Minute)
	gone.where = map[string]string{"status": "499"}
	refusals := b.ask("requests", domain.StatRatio, 5*time.Minute)
	refusals.where, refusals.by = map[string]string{"status": refused}, "endpoint"
	return []preset{{
		of: "clients", ask: gone,
		rule: Rule{
			Alert: "ClientsGiveUp", For: 5 * time.Minute, Op: ">", Bound: 5, Evidence: EvidenceLatency,
			Summary: say("Clients leave before their answer", "Los clientes se van antes de recibir respuesta"),
			Impact:  say("Those who use the service wait in vain, and many of them try again.", "Quienes usan el servicio esperan en vano, y muchos reintentan."),
			Steps: []string{
				say("See in the incident which endpoint they leave, after what time, and what its requests wait for.", "Mirar en el incidente qué endpoint abandonan, tras cuánto tiempo y qué esperan sus peticiones."),
				say("If all of them leave after the same time, it is their time limit, or that of a proxy: make the endpoint faster than that, or raise the limit.", "Si todos se van tras el mismo tiempo, es su límite de tiempo o el de un proxy: hacer el endpoint más rápido que eso o subir el límite."),
			},
		},
	}, {
		of: "refused", ask: refusals,
		rule: Rule{
			Alert: "RequestsRefused", For: 5 * time.Minute, Op: ">", Bound: 80, Evidence: EvidenceErrors,
			condition: say("share of an endpoint's requests answered 4xx, other than 404, 429 and 499, above 80 % over ", "porcentaje de las peticiones a un endpoint con respuesta 4xx, salvo 404, 429 y 499, por encima de 80 % en ") + length(refusals.window),
			Summary:   say("An endpoint refuses most requests", "Un endpoint rechaza la mayoría de las peticiones"),
			Impact:    say("Those who use the service are told that their requests are wrong.", "El servicio responde a sus clientes que sus peticiones son incorrectas."),
			Steps: []string{
				say("See in the incident with which status the endpoint refuses, and which function does.", "Mirar en el incidente con qué código de estado rechaza el endpoint y en qué función."),
				say("If it began with a release or a setting, go back; if one client sends them, tell its owner.", "Si empezó con una versión o un ajuste, deshacerlo; si las envía un solo cliente, avisar a su dueño."),
			},
		},
	}}
}
