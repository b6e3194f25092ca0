package dashboards

import (
	"cmp"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// runtime is the dashboard of what the service runs on: the host, Go's runtime,
// and the telemetry itself.
func (b *board) runtime() page {
	return page{
		name: "runtime", title: b.T("Resources and runtime", "Recursos y runtime"), from: "now-3h",
		about: b.T("CPU, memory and disk of the host, Go's runtime, and the telemetry itself.", "CPU, memoria y disco de la máquina, el runtime de Go y la propia telemetría."),
		sections: []section{
			{title: b.T("Host", "Máquina"), panels: b.host()},
			{title: b.T("Process and container", "Proceso y contenedor"), panels: b.process()},
			{title: b.T("Memory of Go", "Memoria de Go"), panels: b.goMemory()},
			{title: b.T("Goroutines and scheduler", "Goroutines y planificador"), panels: b.scheduler()},
			{title: b.T("The telemetry itself", "La propia telemetría"), panels: b.self()},
			{title: b.T("Thresholds", "Umbrales"), panels: b.thresholds(ofRuntime)},
		},
	}
}

// ofRuntime tells which thresholds belong to this dashboard.
func ofRuntime(m domain.Metric) bool { return m.Event == nil && !ofHTTP(m) && !ofBusiness(m) }

// gauge is a panel of something that each instance has its own of.
func (b *board) gauge(key, title, about string, width uint32) panel {
	m := b.metric(key)
	return panel{
		kind: timeseries, title: title, about: about, unit: unitOf(m.Unit), width: width, height: 8,
		queries: []query{{expr: aggregated(level(m, false), b.series(m, ""), []string{"job", "instance"}), legend: "{{instance}}"}},
		lines:   b.lines(m, domain.StatValue),
	}
}

func (b *board) host() []panel {
	cpu := b.gauge("cpu_usage", "CPU", b.T("CPU time in use on the host, of all its cores. Other processes count too.", "Tiempo de CPU en uso en la máquina, de todos sus núcleos. Cuentan también otros procesos."), 8)
	cpu.min, cpu.max, cpu.links = new(0.0), new(100.0), b.allFlames()
	memory := b.gauge("memory_usage", b.T("Memory", "Memoria"), b.T("Memory in use on the host.", "Memoria en uso en la máquina."), 8)
	disk := b.gauge("disk_usage", b.T("Disk", "Disco"), b.T("Space in use on the file system that is watched.", "Espacio en uso en el sistema de archivos vigilado."), 8)
	disk.min, disk.max = new(0.0), new(100.0)
	return []panel{cpu, memory, disk}
}

// limitStyle draws a series as the limit of the others.
func limitStyle(color string) []any {
	return []any{
		"color", fixed(color), "custom.fillOpacity", 0, "custom.stacking", map[string]any{"mode": "none", "group": "limits"},
		"custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{10, 10}}, "custom.lineWidth", 2,
	}
}

func (b *board) goMemory() []panel {
	used, limit, goal := b.metric("go_memory_used"), b.metric("go_memory_limit"), b.metric("go_memory_gc_goal")
	allocated, allocations := b.metric("go_memory_allocated"), b.metric("go_memory_allocations")
	limitName, goalName := b.T("limit", "límite"), b.T("heap goal", "meta del heap")
	return []panel{{
		kind: timeseries, title: b.T("Memory of the process", "Memoria del proceso"), unit: "bytes", width: 12, height: 8, links: b.allFlames(),
		about: b.T("Memory that Go's runtime uses, with its limit if GOMEMLIMIT sets one. Near the limit the time goes into collecting garbage.",
			"Memoria que usa el runtime de Go, con su límite si GOMEMLIMIT lo fija. Cerca del límite el tiempo se va en recoger basura."),
		queries: []query{
			{expr: sum(b.series(used, ""), "job", "instance"), legend: "{{instance}}"},
			{expr: "min(" + b.each(limit) + ")", legend: limitName},
		},
		lines:     b.lines(used, domain.StatValue),
		overrides: []dashboard.DashboardFieldConfigSourceOverrides{named(limitName, limitStyle("red")...)},
	}, {
		kind: timeseries, title: b.T("Memory by kind and heap goal", "Memoria por clase y meta del heap"), unit: "bytes", width: 12, height: 8, stacked: true,
		about: b.T("What the memory is used for, of all instances chosen. The garbage collector lets the heap grow up to its goal.",
			"En qué se usa la memoria, de todas las instancias elegidas. El recolector deja crecer el heap hasta su meta."),
		queries: []query{
			{expr: sum(b.series(used, ""), promname.Label(used.Attributes[0])), legend: "{{" + promname.Label(used.Attributes[0]) + "}}"},
			{expr: sum(b.series(goal, "")), legend: goalName},
		},
		overrides: []dashboard.DashboardFieldConfigSourceOverrides{named(goalName, limitStyle("purple")...)},
	}, {
		kind: timeseries, title: b.T("Bytes allocated", "Bytes reservados"), unit: "Bps", width: 8, height: 8, links: b.allFlames(),
		about:   b.T("How fast memory is allocated. It is what the garbage collector has to do.", "Qué tan rápido se reserva memoria. Es el trabajo del recolector."),
		queries: []query{{expr: sum(b.rate(allocated, ""), "job", "instance"), legend: "{{instance}}"}}, lines: b.lines(allocated, domain.StatRate),
	}, {
		kind: timeseries, title: b.T("Allocations", "Reservas"), unit: "cps", width: 8, height: 8, links: b.allFlames(),
		about:   b.T("Allocations a second. Many small ones cost more than few large ones.", "Reservas por segundo. Muchas pequeñas cuestan más que pocas grandes."),
		queries: []query{{expr: sum(b.rate(allocations, ""), "job", "instance"), legend: "{{instance}}"}}, lines: b.lines(allocations, domain.StatRate),
	}, b.gauge("go_config_gogc", "GOGC", b.T("How much the heap may grow between two collections, in percent.", "Cuánto puede crecer el heap entre dos recolecciones, en porcentaje."), 8)}
}

func (b *board) scheduler() []panel {
	count, wait := b.metric("go_goroutine_count"), b.metric("go_schedule_duration")
	return []panel{
		b.gauge("go_goroutine_count", "Goroutines", b.T("Goroutines by instance. A line that only rises is a leak.", "Goroutines por instancia. Una línea que solo sube es una fuga."), 8),
		{
			kind: heatmap, title: b.T("Wait for a processor", "Espera de procesador"), unit: "s", width: 8, height: 8, links: b.allFlames(),
			about:   b.T("How long goroutines that can run wait until they do. Milliseconds are a service short of CPU.", "Cuánto esperan las goroutines que pueden correr. Milisegundos son un servicio al que le falta CPU."),
			queries: []query{b.buckets(wait)},
		}, {
			kind: timeseries, title: b.T("p99 of the wait", "p99 de la espera"), unit: "s", width: 8, height: 8, links: b.allFlames(),
			about:   b.T("99 of 100 goroutines wait no longer for a processor.", "99 de cada 100 goroutines no esperan más por un procesador."),
			queries: []query{{expr: b.quantile(0.99, wait, []string{"job", "instance"}), legend: "{{instance}}"}}, lines: b.lines(wait, domain.StatP99),
		},
		b.gauge("go_processor_limit", b.T("Processors", "Procesadores"), b.T("GOMAXPROCS: how many threads run Go at a time.", "GOMAXPROCS: cuántos hilos corren Go a la vez."), 8),
		{
			kind: timeseries, title: b.T("Goroutines of a request", "Goroutines por petición"), width: 16, height: 8, empty: b.T("No requests in flight", "Sin peticiones en curso"),
			about:   b.T("Goroutines over requests in flight. While the load changes it stays where it is, unless goroutines are left behind.", "Goroutines entre peticiones en curso. Con cualquier carga se mantiene, salvo que queden goroutines olvidadas."),
			queries: []query{{expr: sum(b.series(count, ""), "job", "instance") + " / (" + sum(b.series(b.metric("active_requests"), ""), "job", "instance") + " > 0)", legend: "{{instance}}"}},
		},
	}
}

// self are the panels of what the telemetry says of itself: all that it lost.
func (b *board) self() []panel {
	lost := func(key, title, about string) panel {
		m := b.metric(key)
		var by []string
		for _, attribute := range m.Attributes {
			by = append(by, promname.Label(attribute))
		}
		p := b.perMinute(m, by)
		p.title, p.about, p.width, p.height, p.stacked, p.before = title, about, 8, 7, true, ""
		p.queries[0].legend = cmp.Or(legend(by), title)
		return p
	}
	refused := lost("telemetry_refused", b.T("Refused values", "Valores rechazados"), b.T("Recordings that were not taken as given: an undeclared event, or a value that the domain does not list.", "Registros que no se tomaron como venían: un evento sin declarar o un valor que el dominio no lista."))
	exports := lost("telemetry_exports", b.T("Uploads", "Envíos"), b.T("Uploads of metrics, profiles and spans by their outcome.", "Envíos de métricas, perfiles y spans, por resultado."))
	exports.empty = b.T("Nothing is uploaded", "No se envía nada")
	dropped := lost("telemetry_profiles_dropped", b.T("Dropped profiles", "Perfiles perdidos"), b.T("Profiles that found the queue of uploads full.", "Perfiles que encontraron llena la cola de envíos."))
	gaps := lost("telemetry_profiles_gaps", b.T("Windows without a CPU profile", "Ventanas sin perfil de CPU"), b.T("Windows in which another CPU profile of the process ran, so that there is none of Latido's.", "Ventanas en las que corría otro perfil de CPU del proceso, y por eso no hay uno de Latido."))
	spans := lost("telemetry_spans_lost", b.T("Lost spans", "Spans perdidos"), b.T("Sampled spans that did not arrive: the queue was full, an export failed, or the server rejected them.", "Spans que no llegaron: la cola estaba llena, falló un envío o el servidor los rechazó."))
	failed := lost("telemetry_collect_errors", b.T("Unreadable instruments", "Instrumentos ilegibles"), b.T("Instruments of other libraries that could not be read.", "Instrumentos de otras bibliotecas que no se pudieron leer."))
	deliveries := lost("telemetry_alert_deliveries", b.T("Alert deliveries", "Entregas de alertas"), b.T("Tries to deliver alerts, of a service that has them in the process.", "Intentos de entregar alertas, en un servicio que las tiene en el proceso."))
	deliveries.empty = b.T("No alerts in the process", "Sin alertas en el proceso")
	buffered := b.gauge("telemetry_profiles_buffered", b.T("Profiles in memory", "Perfiles en memoria"), b.T("Size of the profiles kept in the process.", "Tamaño de los perfiles guardados en el proceso."), 8)
	buffered.height = 7
	return []panel{refused, exports, dropped, gaps, spans, failed, deliveries, buffered}
}
