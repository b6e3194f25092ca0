package cause

import (
	"maps"
	"slices"
	"strings"
)

// losses are the counters of what Latido itself could not do, and how that is said.
var losses = map[string][2]string{
	"telemetry_refused":          {"Values are refused", "La telemetría rechaza valores"},
	"telemetry_collect_errors":   {"Instruments cannot be read", "No se pueden leer algunos instrumentos"},
	"telemetry_exports":          {"Uploads of telemetry fail", "Fallan los envíos de telemetría"},
	"telemetry_spans_lost":       {"Spans are lost", "Se pierden spans"},
	"telemetry_store_faults":     {"The embedded store has faults", "El almacén embebido tiene fallos"},
	"telemetry_alert_deliveries": {"Alerts are not delivered", "Hay alertas que no se entregan"},
}

// loses: of an alert on what Latido itself could not do, its own counters tell
// the reason, the receiver, or the kind of signal.
func loses(m *model) []Finding {
	w, of := m.w, m.in.Alert.Metric
	said, known := losses[of]
	if !known {
		return nil
	}
	rates := m.f.rates(m.family(of), m.t, func(l map[string]string) (string, bool) {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(l)) {
			if name == "reason" || name == "receiver" || name == "signal" || name == "outcome" && l[name] != "failure" {
				parts = append(parts, l[name])
			}
		}
		return strings.Join(parts, ", "), l["outcome"] != "success"
	})
	most, sum := "", 0.0
	for what, rate := range inOrder(rates) {
		sum += max(rate.growth(), 0)
		if rate.growth() > rates[most].growth() {
			most = what
		}
	}
	a := rates[most]
	if a.growth() < 0.3*a.after || a.growth()*m.f.span(m.t.After) < 0.5 {
		return nil
	}
	return []Finding{{
		Kind: "telemetry", Score: a.growth() / sum,
		Sentence: w.Say("%s: %s, %s times a minute%s.", "%s: %s, %s veces por minuto%s.", w.T(said[0], said[1]), most, w.number(60*a.after), w.wasNumber(60*a.before)),
		Next: w.T("The service's log names each once, and so does the end of its page: there is what to mend.",
			"El registro del servicio nombra cada caso una vez, y también el final de su página: ahí está qué corregir."),
	}}
}
