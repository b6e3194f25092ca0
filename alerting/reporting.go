package alerting

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
)

// serviceDown is the alert on a service of which nothing is heard.
const serviceDown = "ServiceDown"

// scrapeFailing is the alert on an instance that does not answer Prometheus.
const scrapeFailing = "ScrapeFailing"

// reportingPresets are about what is heard of the service: that it is heard of
// at all, and that what it says is complete.
func (b builder) reportingPresets() []preset {
	say := b.words.of
	info := b.metric("build_info")
	hour := length(b.pace.window(time.Hour))
	seen := func(labels string) string {
		return fmt.Sprintf("group by (%s) (last_over_time(%s[%s]))", labels, info.Family, hour)
	}
	return append([]preset{{
		of: "scrape",
		rule: Rule{
			Alert: serviceDown, Metric: info.Key, For: 2 * time.Minute, Severity: domain.SeverityPage,
			// One that reported within the hour and does not now; or, by the name that
			// it should have, one of which nothing is known at all.
			Expr: fmt.Sprintf("(%s unless group by (job) (%s))\nor on () label_replace(absent(%s), \"job\", %s, \"\", \"\")",
				seen("job"), info.Family, info.Family, strconv.Quote(b.d.Service())),
			Summary:     say("The service does not report", "El servicio no reporta"),
			Description: say("No instance of {{ $labels.job }} reports any more: it is down, or cannot be reached.", "Ninguna instancia de {{ $labels.job }} reporta ya: el servicio está caído o no se puede llegar a él."),
			Impact:      say("The service is down, or nobody would know if it were.", "El servicio está caído, o nadie se enteraría si lo estuviera."),
			Steps: []string{
				say("See whether the process runs, and what its last log lines say.", "Ver si el proceso corre y qué dicen las últimas líneas de su registro."),
				say("If it runs, ask its /metrics from the Prometheus machine.", "Si corre, pedir /metrics desde la máquina de Prometheus."),
			},
		},
		trials: func(r Rule) []trial {
			gone := b.scene(r, "it reported, and went away")
			gone.reports(info.Family, "1 1 stale")
			gone.as("there").reports(info.Family, fmt.Sprintf("1+0x%d", int(r.For/gone.interval)+1))
			return []trial{
				gone.fires(2*gone.interval+r.For, b.target("job"), 1),
				b.scene(r, "nobody ever reported").fires(r.For, b.target("job"), 1),
			}
		},
	}, {
		of: "scrape",
		rule: Rule{
			Alert: scrapeFailing, Metric: info.Key, For: 5 * time.Minute,
			Expr:        b.down(seen),
			Summary:     say("An instance cannot be scraped", "No se pueden leer las métricas de una instancia"),
			Description: say("{{ $labels.instance }} of {{ $labels.job }} does not answer Prometheus.", "{{ $labels.instance }} de {{ $labels.job }} no responde a Prometheus."),
			Impact:      say("One instance is down, or its alerts are blind.", "Una instancia está caída, o sus alertas no ven nada."),
			Steps: []string{
				say("See the error on Prometheus' page of targets.", "Ver el error en la página de targets de Prometheus."),
				say("If the instance was taken away on purpose, take it from the targets too.", "Si la instancia se retiró a propósito, retirarla también de los targets."),
			},
		},
		trials: func(r Rule) []trial {
			return []trial{b.stopped(r), b.downForHours(r), b.neverCameUp(r)}
		},
	}}, b.telemetryPresets()...)
}

// down are the targets of this service that do not answer Prometheus. A target
// is the service's if it reported within the hour; if this alert has known it
// since then, however long ago that was; if its job has the service's name; and
// if whatever answers in its job is the service, so that one that never came up
// is told too. Other jobs may hold anything.
func (b builder) down(seen func(labels string) string) string {
	info := b.metric("build_info").Family
	told := selector("ALERTS", map[string]string{"alertname": scrapeFailing, "domain": b.d.Prefix})
	return "max by (job, instance) (up) == 0\nand on (job, instance) (\n  " + strings.Join([]string{
		seen("job, instance"),
		fmt.Sprintf("group by (job, instance) (last_over_time(%s[%s]))", told, length(b.pace.window(time.Hour))),
		fmt.Sprintf("up{job=%s}", strconv.Quote(b.d.Service())),
		fmt.Sprintf("(up and on (job) (%s unless on (job) (up == 1 unless on (job, instance) %s)))", info, info),
	}, "\n  or ") + "\n)"
}

// reports has the target say what was built, in promtool's notation.
func (s *scene) reports(family, values string) *scene {
	s.add(family, map[string]string{"version": "v1.2.3", "revision": "abc", "goversion": "go1.26"}, values)
	return s
}

// up has Prometheus say whether the target answered.
func (s *scene) up(values string) { s.add("up", nil, values) }

// stopped is the trial of an instance that stops to answer, beside one that
// answers and one of another service.
func (b builder) stopped(r Rule) trial {
	s, info := b.scene(r, "it stopped to answer"), b.metric("build_info").Family
	more := int(r.For/s.interval) + 2
	s.reports(info, "1 1 stale").up(fmt.Sprintf("1 1 0+0x%d", more))
	s.as("there").reports(info, fmt.Sprintf("1+0x%d", more)).up(fmt.Sprintf("1+0x%d", more))
	s.as("another service").up(fmt.Sprintf("0+0x%d", more))
	return s.fires(2*s.interval+r.For, b.target("job", "instance"), 0)
}

// downForHours is the trial of an instance that has been down for longer than
// anything looks back, in a job that others share.
func (b builder) downForHours(r Rule) trial {
	s, info := b.scene(r, "it is down for hours"), b.metric("build_info").Family
	after := 2*b.pace.window(time.Hour) + r.For
	more := int(after / s.interval)
	s.as("shared").reports(info, "1 1 stale").up(fmt.Sprintf("1 1 0+0x%d", more))
	s.at("other:9100").up(fmt.Sprintf("1+0x%d", more))
	return s.firesBy(after, map[string]string{"job": "shared", "instance": drillInstance}, 0)
}

// neverCameUp is the trial of targets that never answered: one of the job that
// has the service's name, and one beside an instance of the service. One beside
// something else is nobody's.
func (b builder) neverCameUp(r Rule) trial {
	s, info := b.scene(r, "it never came up"), b.metric("build_info").Family
	up, down := fmt.Sprintf("1+0x%d", int(r.For/s.interval)), fmt.Sprintf("0+0x%d", int(r.For/s.interval))
	s.up(down)
	s.as("of another name").reports(info, up).up(up)
	s.at("never:9464").up(down)
	s.as("shared").reports(info, up).up(up)
	s.at("other:9100").up(up)
	s.at("down:9100").up(down)
	s.waits(r.For)
	s.checks = append(s.checks, check{r.For, []firing{
		{b.target("job", "instance"), 0},
		{map[string]string{"job": "of another name", "instance": "never:9464"}, 0},
	}})
	return s.trial
}

// telemetryPresets are about what Latido itself could not do.
func (b builder) telemetryPresets() []preset {
	say := b.words.of
	// lost is a rule on a counter of what went wrong, over a quarter of an hour.
	lost := func(alert, metric string, where map[string]string, bound float64, summary, impact, step string) preset {
		q := b.ask(metric, domain.StatIncrease, 15*time.Minute)
		q.where = where
		return preset{
			of: "telemetry", ask: q,
			rule: Rule{Alert: alert, Op: ">", Bound: bound, For: 5 * time.Minute, Summary: summary, Impact: impact, Steps: []string{step}},
		}
	}
	blind := say("Some metrics are missing or incomplete, and rules on them may be silent.", "Faltan métricas o están incompletas, y las reglas que las usan pueden no activarse.")
	return []preset{
		lost("TelemetryRefused", "telemetry_refused", nil, 0,
			say("Values are refused", "La telemetría rechaza valores"), blind,
			say("See the service's log, which names the event and the value; declare it in the domain file or mend the call.", "Ver el registro del servicio, que nombra el evento y el valor; declararlo en el archivo de dominio o corregir la llamada.")),
		lost("TelemetryCollectErrors", "telemetry_collect_errors", nil, 0,
			say("Instruments cannot be read", "No se pueden leer algunos instrumentos"), blind,
			say("See the service's log, which names the instrument.", "Ver el registro del servicio, que nombra el instrumento.")),
		lost("TelemetryExportsFail", "telemetry_exports", map[string]string{"outcome": "failure"}, 10,
			say("Uploads fail", "Fallan los envíos de telemetría"), say("Metrics, profiles or spans do not reach their servers.", "Las métricas, los perfiles o los spans no llegan a sus servidores."),
			say("See in the service's log which server answers what.", "Ver en el registro del servicio qué servidor responde qué.")),
		lost("TelemetryProfilesDropped", "telemetry_profiles_dropped", nil, 0,
			say("Profiles are dropped", "Se descartan perfiles"), say("The flame graphs have gaps.", "Los gráficos de llamas tienen huecos."),
			say("See whether the Pyroscope server is slow or down.", "Ver si el servidor de Pyroscope está lento o caído.")),
		// 5 windows are more than the 30 seconds that a person profiles by hand.
		lost("TelemetryProfilesGaps", "telemetry_profiles_gaps", nil, 5,
			say("Windows have no CPU profile", "Hay ventanas sin perfil de CPU"), say("Flame graphs and costs per event miss the CPU time of these windows.", "A los gráficos de llamas y a los costos por evento les falta el tiempo de CPU de esas ventanas."),
			say("Find what else takes CPU profiles in this process: pprof.StartCPUProfile, another profiler's library, requests to /debug/pprof/profile that are not Latido's. Leave one of them.", "Buscar qué más toma perfiles de CPU en este proceso: pprof.StartCPUProfile, la biblioteca de otro profiler, peticiones a un /debug/pprof/profile que no es de Latido. Dejar solo uno.")),
		lost("TelemetrySpansLost", "telemetry_spans_lost", nil, 0,
			say("Spans are lost", "Se pierden spans"), say("Traces are incomplete or missing.", "Faltan trazas, o están incompletas."),
			say("See the reason in the metric and the service's log: a Collector that is slow or down, or more spans than can be sent; keep a part of the traces with OTEL_TRACES_SAMPLER.", "Ver la causa en la métrica y en el registro del servicio: un Collector lento o caído, o más spans de los que se pueden enviar; guardar una parte de las trazas con OTEL_TRACES_SAMPLER.")),
		lost("TelemetryStoreFaults", "telemetry_store_faults", nil, 0,
			say("The embedded store had faults", "El almacén embebido tuvo fallos"), say("Samples may be kept in memory only, or be missing.", "Puede que las muestras estén solo en memoria, o que falten."),
			say("See the reason in the metric and the service's log: a full disk, a corrupt file, a clock that jumped.", "Ver la causa en la métrica y en el registro del servicio: un disco lleno, un archivo dañado, un reloj que saltó.")),
		lost("AlertDeliveriesFail", "telemetry_alert_deliveries", map[string]string{"outcome": "!=success"}, 5,
			say("Alerts cannot be delivered", "No se pueden entregar las alertas"), say("Someone who should be told is not.", "Alguien que debería enterarse no se entera."),
			say("See in the service's log which receiver fails and why.", "Ver en el registro del servicio qué receptor falla y por qué.")),
	}
}
