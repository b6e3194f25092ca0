package dashboards

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
)

// overview is the dashboard that says in one look whether all is well.
func (b *board) overview() page {
	return page{
		name: "overview", title: b.T("Overview", "Resumen"), from: "now-6h", profiles: true,
		about: strings.TrimSpace(sentence(b.d.Description) + " " + b.T("Is all well, and what changed?", "¿Está todo bien, y qué cambió?")),
		sections: []section{
			{panels: b.headline()},
			{title: b.T("Health", "Salud"), panels: append(b.budgets(), b.health()...)},
			{title: b.T("Requests", "Peticiones"), panels: b.red()},
			{title: b.T("What changed, and where the time goes", "Qué cambió y adónde va el tiempo"), panels: b.changes()},
		},
	}
}

// maxHeadline is how many events have a number on top; the dashboard of the
// business has all.
const maxHeadline = 6

// headline are the domain's own figures, in its words: how many of its entity,
// and of its events.
func (b *board) headline() []panel {
	var all []panel
	number := func(title, about, unit, expr string, instant bool) {
		all = append(all, panel{
			kind: stat, title: title, about: sentence(about), unit: unit, height: 4, plain: instant, steps: colours("blue"), empty: b.T("None yet", "Nada todavía"),
			queries: []query{{expr: expr, instant: instant}}, links: []dashboard.DashboardLink{b.to(b.T("Business", "Negocio"), "business")},
		})
	}
	within := b.T(" In the time range.", " En el intervalo.")
	created := b.metric("entities_created")
	number(b.T(humanize.Spoken(b.d.Entity)+": created", "Altas de "+b.d.Entity), b.T("How many were created.", "Cuántas hubo.")+within, "short", sum("increase("+b.series(created, "")+wholeRange+")"), true)
	for _, e := range b.d.Events[:min(len(b.d.Events), maxHeadline)] {
		m := b.metric(e.Name)
		about := sentence(m.Description)
		switch m.Kind {
		case domain.KindCounter:
			number(humanize.Spoken(e.Name), about+within, unitOf(m.Unit), sum(b.ranged("increase", m, "", wholeRange)), true)
		case domain.KindUpDown:
			number(humanize.Spoken(e.Name)+b.T(" now", " ahora"), about, unitOf(m.Unit), sum(b.ranged("", m, "", "")), false)
		case domain.KindGauge:
			number(humanize.Spoken(e.Name)+b.T(" now", " ahora"), about, unitOf(m.Unit), aggregated("max", b.ranged("", m, "", ""), nil), false)
		default:
			if m.Signed() { // its sum falls: there is no mean
				number(humanize.Spoken(e.Name)+b.T(": median", ": mediana"), about+within, unitOf(m.Unit),
					fmt.Sprintf("histogram_quantile(0.5, %s)", sum(b.ranged("increase", m, "_bucket", wholeRange), "le")), true)
				continue
			}
			number(humanize.Spoken(e.Name)+b.T(": mean", ": media"), about+within, unitOf(m.Unit), fmt.Sprintf("%s / (%s > 0)",
				sum(b.ranged("increase", m, "_sum", wholeRange)), sum(b.ranged("increase", m, "_count", wholeRange))), true)
		}
	}
	spread(all)
	return all
}

// spread gives panels the width that fills their rows evenly.
func spread(panels []panel) {
	rows := (len(panels) + 3) / 4
	if len(panels)%6 == 0 || len(panels) == 5 {
		rows = (len(panels) + 5) / 6
	}
	for i := range panels {
		inRow := len(panels) / rows
		if i >= (rows-len(panels)%rows)*inRow { // the later rows have one more
			inRow++
		}
		panels[i].width = uint32(24 / inRow)
	}
}

// recorded finds the series that the rules record for an objective.
func (b *board) recorded(slo, name string) []alerting.Rule {
	var all []alerting.Rule
	for _, r := range b.rules {
		if strings.HasPrefix(r.Record, b.d.Prefix+":"+name) && r.Labels["slo"] == slo {
			all = append(all, r)
		}
	}
	return all
}

// ofObjective selects a recorded series. It is by job: no instance has an
// objective of its own.
func ofObjective(r alerting.Rule) string {
	return r.Record + `{job=~"$job", slo=` + strconv.Quote(r.Labels["slo"]) + `}`
}

// budgets are what is left of the error budgets, and how fast they go.
func (b *board) budgets() []panel {
	var all []panel
	unloaded := b.T("Are the rules loaded?", "¿Están cargadas las reglas?")
	for _, s := range b.d.SLOs {
		left, ratios := b.recorded(s.Name, "slo_budget_left:"), b.recorded(s.Name, "slo_errors:ratio_rate")
		if len(left) == 0 || len(ratios) < 2 {
			continue
		}
		goal := b.Say("Objective: %s %%.", "Objetivo: %s %%.", number(s.Objective))
		about := strings.TrimSpace(sentence(s.Description) + " " + goal)
		windows, goneIn := b.burning(s.Name), b.T("gone in", "se acaba en")
		p := panel{
			kind: stat, title: humanize.Spoken(s.Name) + b.T(": budget left", ": presupuesto de errores"), unit: "percentunit", width: 5, height: 7, empty: unloaded, max: new(1.0), names: true,
			about: about + " " + b.T("What is left of the errors that it allows, and in how long that is gone at the pace of the longest window of its alerts. Below 0 the objective is missed.",
				"Lo que queda de los errores que permite, y en cuánto se acaba al ritmo de la ventana más larga de sus alertas. Por debajo de 0 no se cumple."),
			queries: []query{{expr: "min(" + ofObjective(left[0]) + ")", legend: b.T("left", "queda")}}, steps: colours("red", 0.0, "orange", 0.25, "yellow", 0.5, "green"),
			overrides: []dashboard.DashboardFieldConfigSourceOverrides{named(goneIn, "unit", "d", "decimals", 1, "max", nil,
				"thresholds", dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: colours("red", 2.0, "orange", 7.0, "yellow", 30.0, "green")})},
		}
		over := panel{
			kind: timeseries, title: humanize.Spoken(s.Name) + b.T(": budget over time", ": presupuesto en el tiempo"), unit: "percentunit", width: 9, height: 7, empty: unloaded, max: new(1.0),
			about:   about + " " + b.T("What was left of the errors that it allows. At 0 all are spent.", "Lo que quedaba de los errores que permite. En 0 se gastaron todos."),
			queries: []query{{expr: "min(" + ofObjective(left[0]) + ")", legend: b.T("left", "queda")}}, lines: []line{{op: "<", bound: 0, severity: domain.SeverityPage}}, links: b.runbook(s.Name + "BurnsSlowly"),
		}
		burn := panel{
			kind: timeseries, title: humanize.Spoken(s.Name) + b.T(": outside the objective", ": fuera del objetivo"), unit: "percentunit", width: 10, height: 7, empty: unloaded, min: new(0.0),
			about: about + " " + b.T("Share outside the objective in each window of its alerts. Above the line the budget will not last.", "Proporción fuera del objetivo en cada ventana de sus alertas. Por encima de la línea el presupuesto no alcanza."),
			lines: []line{{op: ">", bound: allowed(s.Objective), severity: domain.SeverityTicket}}, links: b.runbook(s.Name + "BurnsFast"),
		}
		for _, r := range ratios {
			of := strings.TrimPrefix(r.Record, b.d.Prefix+":slo_errors:ratio_rate")
			if slices.Contains(windows, of) {
				burn.queries = append(burn.queries, query{expr: "max(" + ofObjective(r) + ")", legend: of})
			}
			if of == windows[len(windows)-1] {
				days := number(rounded(time.Duration(cmp.Or(s.Window, domain.DefaultSLOWindow)).Hours() / 24 * allowed(s.Objective)))
				p.queries = append(p.queries, query{expr: fmt.Sprintf("min(clamp_min(%s, 0) * %s / (%s > 0))", ofObjective(left[0]), days, ofObjective(r)), legend: goneIn})
			}
		}
		all = append(all, p, over, burn)
	}
	return all
}

// compared finds the windows that an alert on an objective compares with a limit,
// by turns the long one of a pair and its short one.
var compared = regexp.MustCompile(`:slo_errors:ratio_rate(\w+)\{`)

// burning are the long windows of an objective's alerts.
func (b *board) burning(slo string) []string {
	var windows []string
	for _, r := range b.rules {
		if r.Alert != "" && r.Labels["slo"] == slo {
			for i, m := range compared.FindAllStringSubmatch(r.Expr, -1) {
				if i%2 == 0 {
					windows = append(windows, m[1])
				}
			}
		}
	}
	return windows
}

// alerting selects the domain's alerts that are in a state: those of the service
// as a whole, and those of the instances chosen.
func (b *board) alerting(state string) string {
	filters := `ALERTS{alertstate=` + strconv.Quote(state) + `, domain=` + strconv.Quote(b.d.Prefix) + `, job=~"$job|", instance=~"$instance|"`
	for _, r := range b.rules {
		if r.Source == alerting.SourceHeartbeat { // it always fires
			filters += ", alertname!=" + strconv.Quote(r.Alert)
		}
	}
	return filters + "}"
}

// allowed is the part that an objective in percent lets be bad, without the last
// digits of floating point.
func allowed(objective float64) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat((100-objective)/100, 'g', 6, 64), 64)
	return v
}

// health are the alerts that fire, and the instances that run.
func (b *board) health() []panel {
	info, firing := b.metric("build_info"), b.alerting("firing")
	quiet := b.T("No alert is firing", "Ninguna alerta activa")
	links := []dashboard.DashboardLink{b.to("HTTP", "http")}
	if b.o.RunbookURL != "" {
		links = append(links, link("Runbook", b.o.RunbookURL+"#${__value.raw:percentencode}"))
	}
	return []panel{{
		kind: table, title: b.T("Firing alerts", "Alertas activas"), width: 10, height: 7, empty: quiet,
		about:   b.T("Alerts of the domain that are firing: those of the service as a whole, and those of the instances chosen.", "Alertas activas del dominio: las del servicio entero y las de las instancias elegidas."),
		queries: []query{{expr: firing, table: true, instant: true}},
		transform: []dashboard.DataTransformerConfig{{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true, "Value": true, "__name__": true, "alertstate": true, "domain": true, "slo": true},
			"indexByName":   map[string]int{"severity": 0, "alertname": 1, "endpoint": 2, "job": 3, "instance": 4},
		}}},
		overrides: []dashboard.DashboardFieldConfigSourceOverrides{
			named("alertname", "displayName", b.T("Alert", "Alerta"), "links", links),
			named("severity", "displayName", b.T("Severity", "Severidad"), "custom.cellOptions", map[string]any{"type": "color-text"}, "mappings", severities()),
			named("endpoint", "displayName", "Endpoint", "links", b.flamesOf(endpointOfCell, keptProfiles)),
			named("job", "displayName", "Job"), named("instance", "displayName", b.T("Instance", "Instancia")),
		},
	}, {
		kind: timeline, title: b.T("Alerts over time", "Alertas en el tiempo"), width: 9, height: 7, empty: quiet,
		about:    b.T("Since when each alert was pending, and since when it fired.", "Desde cuándo estuvo pendiente cada alerta, y desde cuándo activa."),
		queries:  []query{{expr: aggregated("max", "2 * "+firing+" or "+b.alerting("pending"), []string{"alertname"}), legend: "{{alertname}}"}},
		mappings: b.states(),
	}, {
		kind: stat, title: b.T("Instances", "Instancias"), width: 5, height: 7, steps: colours("red", 1.0, "green"), empty: b.T("None is running", "Ninguna en marcha"),
		about:   b.T("Processes of the service that are scraped now.", "Procesos del servicio que se leen ahora."),
		queries: []query{{expr: "count(" + aggregated("group", b.series(info, ""), []string{"job", "instance"}) + ")"}},
	}}
}

// states are what the timeline of alerts shows of its values.
func (b *board) states() []dashboard.ValueMapping {
	state := func(text, color string) dashboard.ValueMappingResult {
		return dashboard.ValueMappingResult{Text: &text, Color: &color}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: "value", Options: map[string]dashboard.ValueMappingResult{
		"1": state(b.T("pending", "pendiente"), "yellow"), "2": state(b.T("firing", "activa"), "red"),
	}}}}
}

// dashed says what the dashed line of a panel is.
func (b *board) dashed() string { return b.T("Dashed: a week before.", "A trazos: una semana antes.") }

// severities colours the severity of an alert.
func severities() []any {
	var all []any
	for i, s := range []domain.Severity{domain.SeverityPage, domain.SeverityTicket, domain.SeverityInfo} {
		all = append(all, map[string]any{"type": "value", "options": map[string]any{string(s): map[string]any{"color": severityColors[s], "index": i}}})
	}
	return all
}

// red are rate, errors and duration.
func (b *board) red() []panel {
	requests, duration := b.metric("requests"), b.metric("response_duration")
	none, toHTTP := b.T("No requests", "Sin peticiones"), []dashboard.DashboardLink{b.to("HTTP", "http")}
	rate := b.byClass()
	rate.width, rate.links, rate.about = 8, toHTTP, rate.about+" "+b.dashed()
	rate.before = sum(b.rate(requests, ""))
	return []panel{rate, {
		kind: timeseries, title: b.T("Failing", "Peticiones fallidas"), unit: "percent", width: 8, height: 9, min: new(0.0), empty: none, links: toHTTP,
		about:   b.T("Share of the requests that end with 5xx.", "Parte de las peticiones que terminan con 5xx.") + " " + b.dashed(),
		before:  b.percent(requests, nil, nil, serverErrors),
		queries: []query{{expr: b.percent(requests, []string{"job"}, nil, serverErrors), legend: "{{job}}"}}, lines: b.lines(requests, domain.StatRatio, serverErrors),
	}, {
		kind: timeseries, title: b.T("Response times", "Tiempos de respuesta"), unit: "s", width: 8, height: 9, empty: none, links: slices.Concat(b.allFlames(keptProfiles), toHTTP),
		about:   b.T("Half, 19 of 20 and 99 of 100 requests are answered within this time. The dots are traces.", "La mitad, 19 de 20 y 99 de 100 peticiones se responden en este tiempo. Los puntos son trazas.") + " " + b.T("Dashed: the p95 a week before.", "A trazos: el p95 de una semana antes."),
		before:  b.quantile(0.95, duration, nil),
		queries: b.quantiles(duration), lines: b.lines(duration, domain.StatP95),
	}}
}

// changes are the versions that ran, and the functions that use the CPU.
func (b *board) changes() []panel {
	info := b.metric("build_info")
	top := b.flame(b.T("Top functions", "Funciones que más consumen"), b.T("CPU time of the service by function, in the last 15 minutes, or in the time range if it ends earlier.", "Tiempo de CPU del servicio por función, en los últimos 15 minutos, o en el intervalo si termina antes."), "ns", cpuProfile, profilesOf(""), 16)
	top.height, top.links, top.last = 14, b.allFlames(keptProfiles), "15m"                                    // hours of profiles are too much to merge at each refresh
	short := fmt.Sprintf(`label_replace(%s, "revision", "${1}", "revision", "(.{7}).+")`, b.series(info, "")) // as git does it
	return []panel{{
		kind: timeseries, title: b.T("Instances by version", "Instancias por versión"), width: 8, height: 14, stacked: true,
		about:   b.T("How many processes run each version. The vertical marks on all panels are the releases.", "Cuántos procesos corren cada versión. Las marcas verticales de todos los paneles son las versiones nuevas."),
		queries: []query{{expr: aggregated("count", short, []string{"version", "revision"}), legend: "{{version}} {{revision}}"}},
	}, top}
}
