package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/domain"
)

// process are the panels of the process and of the container around it: what
// they use, beside what they may use.
func (b *board) process() []panel {
	limitName := b.T("limit", "límite")
	// limited draws what is used and, in red, the smallest limit of any instance.
	limited := func(title, about, unit string, used string, of, limit domain.Metric, stat domain.Stat) panel {
		return panel{
			kind: timeseries, title: title, about: about, unit: unit, width: 8, height: 8,
			queries:   []query{{expr: used, legend: "{{instance}}"}, {expr: "min(" + b.each(limit) + ")", legend: limitName}},
			lines:     b.lines(of, stat),
			overrides: []dashboard.DashboardFieldConfigSourceOverrides{named(limitName, limitStyle("red")...)},
		}
	}
	cpu, files := b.metric("process_cpu_time"), b.metric("process_open_fds")
	working, throttled, periods := b.metric("container_memory_working_set"), b.metric("container_cpu_throttled_periods"), b.metric("container_cpu_periods")
	processor := limited(b.T("CPUs of the process", "CPU del proceso"),
		b.T("CPUs that the process keeps busy, with the container's limit where there is one.", "CPU que ocupa el proceso, con el límite del contenedor si lo hay."),
		"", sum(b.rate(cpu, ""), "job", "instance"), cpu, b.metric("container_cpu_limit"), domain.StatRate)
	processor.links = b.allFlames()
	memory := limited(b.T("Memory of the container", "Memoria del contenedor"),
		b.T("What cannot be freed at once, with the limit at which the kernel kills the process.", "La que no se puede liberar enseguida, con el límite en el que el kernel mata el proceso."),
		"bytes", b.each(working), working, b.metric("container_memory_limit"), domain.StatValue)
	memory.empty = b.T("Not in a container", "Fuera de un contenedor")
	descriptors := limited(b.T("File descriptors", "Descriptores de archivo"),
		b.T("Files and connections that the process has open. A line that only rises is a leak.", "Archivos y conexiones que el proceso tiene abiertos. Una línea que solo sube es una fuga."),
		"", b.each(files), files, b.metric("process_max_fds"), domain.StatValue)
	waits := panel{
		kind: timeseries, title: b.T("Throttled periods", "Períodos limitados"), unit: "percent", width: 8, height: 8, min: new(0.0), max: new(100.0), links: b.allFlames(),
		about:   b.T("In how many of the periods of its CPU limit the container had to wait.", "En cuántos de los períodos de su límite de CPU el contenedor tuvo que esperar."),
		queries: []query{{expr: "100 * " + sum(b.rate(throttled, ""), "job", "instance") + " / (" + sum(b.rate(periods, ""), "job", "instance") + " > 0)", legend: "{{instance}}"}},
		empty:   b.T("No CPU limit", "Sin límite de CPU"),
	}
	resident := b.gauge("process_memory_usage", b.T("Resident memory", "Memoria residente"), b.T("Memory of the process in RAM: Go's, and that of C libraries.", "Memoria del proceso en RAM: la de Go y la de las bibliotecas de C."), 8)
	resident.links = b.allFlames()
	return []panel{processor, waits, memory, resident, descriptors, b.gauge("process_threads", b.T("Threads", "Hilos"), b.T("Threads of the operating system. Many are calls that block outside Go: files, C.", "Hilos del sistema operativo. Muchos son llamadas que bloquean fuera de Go: archivos, C."), 8)}
}
