package alerting

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
)

// words are the texts for people, in the domain's language.
type words struct{ humanize.Language }

func wordsOf(d domain.Domain) words { return words{humanize.Of(d.Language)} }

// of chooses between the two languages.
func (w words) of(en, es string) string { return w.T(en, es) }

// nouns are what the contract's metrics are about.
var nouns = map[string][2]string{
	"requests":                        {"requests", "las peticiones"},
	"response_duration":               {"response time", "el tiempo de respuesta"},
	"active_connections":              {"open connections", "las conexiones abiertas"},
	"active_requests":                 {"requests in flight", "las peticiones en curso"},
	"cpu_usage":                       {"CPU in use on the host", "la CPU en uso de la máquina"},
	"memory_usage":                    {"memory in use on the host", "la memoria en uso de la máquina"},
	"disk_usage":                      {"disk in use", "el disco en uso"},
	"process_cpu_time":                {"CPU time of the process", "el tiempo de CPU del proceso"},
	"process_memory_usage":            {"resident memory of the process", "la memoria residente del proceso"},
	"process_stalled_time":            {"time that the process stood still", "el tiempo que el proceso estuvo parado"},
	"process_open_fds":                {"open file descriptors", "los descriptores de archivo abiertos"},
	"process_threads":                 {"threads of the process", "los hilos del proceso"},
	"container_cpu_time":              {"CPU time of the container", "el tiempo de CPU del contenedor"},
	"container_memory_working_set":    {"memory in use in the container", "la memoria en uso del contenedor"},
	"container_memory_oom_kills":      {"processes killed for lack of memory", "los procesos terminados por falta de memoria"},
	"entities_created":                {"entities created", "las entidades creadas"},
	"entities_updated":                {"entities updated", "las entidades actualizadas"},
	"api_errors":                      {"errors", "los errores"},
	"function_calls":                  {"calls of monitored functions", "las llamadas a funciones vigiladas"},
	"function_duration":               {"duration of monitored functions", "la duración de las funciones vigiladas"},
	"client_requests":                 {"requests sent to others", "las peticiones enviadas a otros"},
	"client_duration":                 {"time that others take to answer", "lo que tardan otros en responder"},
	"requests_gone_time":              {"time after which clients leave", "el tiempo tras el que los clientes se van"},
	"failures":                        {"requests that fail", "las peticiones que fallan"},
	"changes":                         {"settings that changed", "los ajustes que cambiaron"},
	"pool_connections":                {"connections to databases", "las conexiones a bases de datos"},
	"pool_waits":                      {"waits for a database connection", "las esperas por una conexión a la base de datos"},
	"pool_wait_time":                  {"time waited for database connections", "el tiempo de espera por conexiones a bases de datos"},
	"go_cpu_time":                     {"CPU time of the Go runtime", "el tiempo de CPU de Go"},
	"go_mutex_wait_time":              {"time that goroutines wait for locks", "el tiempo que las goroutines esperan por locks"},
	"go_goroutine_states":             {"goroutines by state", "las goroutines por estado"},
	"go_memory_live":                  {"heap memory in use", "la memoria del heap en uso"},
	"event_cpu":                       {"CPU time that one event costs", "el tiempo de CPU que cuesta un evento"},
	"event_allocated":                 {"memory that one event allocates", "la memoria que reserva un evento"},
	"go_memory_used":                  {"memory used by the Go runtime", "la memoria usada por Go"},
	"go_memory_limit":                 {"Go memory limit", "el límite de memoria de Go"},
	"go_memory_allocated":             {"bytes allocated", "los bytes reservados"},
	"go_memory_allocations":           {"allocations", "las reservas de memoria"},
	"go_memory_gc_goal":               {"heap goal of the collector", "la meta del recolector"},
	"go_goroutine_count":              {"goroutines", "las goroutines"},
	"go_schedule_duration":            {"time that goroutines wait for a processor", "el tiempo que las goroutines esperan un procesador"},
	"telemetry_refused":               {"values that were refused", "los valores rechazados"},
	"telemetry_exports":               {"uploads", "los envíos"},
	"telemetry_spans_lost":            {"spans that were lost", "los spans perdidos"},
	"telemetry_collect_errors":        {"instruments that could not be read", "los instrumentos que no se pudieron leer"},
	"telemetry_alert_deliveries":      {"alert deliveries", "las entregas de alertas"},
	"telemetry_incidents":             {"incidents", "los incidentes"},
	"telemetry_profiles_dropped":      {"profiles that were dropped", "los perfiles descartados"},
	"telemetry_profiles_buffered":     {"size of the profiles that are kept", "el tamaño de los perfiles que se guardan"},
	"telemetry_profiles_gaps":         {"windows without a CPU profile", "las ventanas sin perfil de CPU"},
	"telemetry_store_series":          {"series in the embedded store", "las series del almacén embebido"},
	"telemetry_store_size":            {"size of the embedded store", "el tamaño del almacén embebido"},
	"telemetry_store_faults":          {"faults of the embedded store", "los fallos del almacén embebido"},
	"pool_connections_max":            {"connections that a pool may have", "las conexiones que puede tener un pool"},
	"build_info":                      {"versions that run", "las versiones en marcha"},
	"process_max_fds":                 {"file descriptors that the process may open", "los descriptores de archivo que puede abrir el proceso"},
	"process_start_time":              {"time at which the process started", "la hora de arranque del proceso"},
	"container_cpu_limit":             {"CPU limit of the container", "el límite de CPU del contenedor"},
	"container_cpu_periods":           {"periods of the container's CPU limit", "los periodos del límite de CPU del contenedor"},
	"container_memory_limit":          {"memory limit of the container", "el límite de memoria del contenedor"},
	"go_processor_limit":              {"threads that run Go code at once", "los hilos que corren código de Go a la vez"},
	"go_config_gogc":                  {"GOGC, the collector's target", "GOGC, la meta del recolector"},
	"container_cpu_throttled_periods": {"periods in which the container was throttled", "los periodos en que se frenó el contenedor"},
	"container_cpu_throttled_time":    {"time that the container was throttled", "el tiempo que se frenó el contenedor"},
}

// noun says what a metric is about: an event by its own name.
func (w words) noun(m domain.Metric) string {
	if n, ok := nouns[m.Key]; ok && m.Event == nil {
		return w.of(n[0], n[1])
	}
	return m.Key
}

// ofNoun is noun after "of".
func (w words) ofNoun(m domain.Metric) string {
	if !w.Spanish {
		return "of " + w.noun(m)
	}
	return strings.Replace("de "+w.noun(m), "de el ", "del ", 1)
}

// statistic names what a question asks: "p95 of response time".
func (w words) statistic(q question) string {
	noun, of := w.noun(q.metric), w.ofNoun(q.metric)
	switch q.stat {
	case domain.StatP50, domain.StatP95, domain.StatP99:
		return string(q.stat) + " " + of
	case domain.StatMean:
		return w.of("mean ", "media ") + of
	case domain.StatMax:
		return w.of("maximum ", "máximo ") + of
	case domain.StatMin:
		return w.of("minimum ", "mínimo ") + of
	case domain.StatRate:
		return w.of("rate ", "ritmo ") + of + w.of(" per ", " por ") + w.perTime(q.per)
	case domain.StatIncrease:
		return w.of("number ", "número ") + of
	case domain.StatRatio:
		return w.of("share ", "porcentaje ") + of
	default:
		return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(noun, "el "), "la "), "los "), "las ")
	}
}

func (w words) perTime(per time.Duration) string {
	switch per {
	case 0, time.Second:
		return w.of("second", "segundo")
	case time.Minute:
		return w.of("minute", "minuto")
	case time.Hour:
		return w.of("hour", "hora")
	case 24 * time.Hour:
		return w.of("day", "día")
	}
	return length(per)
}

// comparison says how a value lies to its bound.
func (w words) comparison(op string) string {
	switch op {
	case ">":
		return w.of("above", "por encima de")
	case "<":
		return w.of("below", "por debajo de")
	default:
		return w.of("exactly", "exactamente")
	}
}

// unit is that of the answer to a question.
func (q question) unit() string {
	switch q.stat {
	case domain.StatRatio:
		return "%"
	case domain.StatRate, domain.StatIncrease:
		if q.metric.Kind == domain.KindHistogram {
			return ""
		}
	}
	return q.metric.Unit
}

// number writes a number for people: with a comma in Spanish.
func (w words) number(v float64) string { return w.figure(number(v)) }

func (w words) figure(text string) string {
	if w.Spanish {
		return strings.Replace(text, ".", ",", 1)
	}
	return text
}

// amount writes a number with its unit for people.
func (w words) amount(v float64, unit string) string {
	switch unit {
	case "s":
		if ns := v * 1e9; v != 0 && v < 365*86400 && ns == float64(int64(ns)) {
			return w.figure(time.Duration(ns).String())
		}
		return w.number(v) + "s"
	case "%":
		return w.number(v) + " %"
	case "By":
		for _, u := range []struct {
			name  string
			bytes float64
		}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
			if v >= u.bytes && v*100/u.bytes == float64(int64(v*100/u.bytes)) {
				return w.number(v/u.bytes) + " " + u.name
			}
		}
		return w.number(v) + " B"
	}
	if unit == "" || strings.HasPrefix(unit, "{") {
		return w.number(v)
	}
	return w.number(v) + " " + unit
}

// valueTemplate shows the value of an alert, in Prometheus' templates. A prefix
// such as k only helps where the numbers are large, as the bound is.
func (w words) valueTemplate(unit string, bound float64) string {
	plain := w.template(`printf "%.4g" $value`)
	if math.Abs(bound) >= 1000 {
		plain = w.template("$value | humanize")
	}
	switch {
	case unit == "s":
		return w.template("$value | humanizeDuration")
	case unit == "By":
		return w.template("$value | humanize1024") + "B"
	case unit == "" || strings.HasPrefix(unit, "{"):
		return plain
	}
	return plain + " " + literal(unit)
}

// template shows a figure in Prometheus' templates, which know no language.
func (w words) template(figure string) string {
	return "{{ " + figure + w.of("", ` | reReplaceAll "[.]" ","`) + " }}"
}

// literal keeps a text from being read as a template.
func literal(text string) string {
	return strings.ReplaceAll(text, "{{", "{{"+strconv.Quote("{{")+"}}")
}

// cased starts a sentence.
func cased(text string) string {
	if len(text) > 1 && text[0] == 'p' && text[1] >= '0' && text[1] <= '9' { // p95
		return text
	}
	return humanize.Capital(text)
}
