package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// The types of profile that the service uploads.
const (
	cpuProfile       = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
	allocatedProfile = "memory:alloc_space:bytes:space:bytes"
	inUseProfile     = "memory:inuse_space:bytes:space:bytes"
)

// instanceLabel is the label of the profiles of one process. It is by
// service.instance.id, which is no label of what Prometheus scrapes itself.
const instanceLabel = "service_instance_id"

// profilesOf selects the profiles of the services chosen. Without the format,
// Grafana hands several values on as {a,b}, which Pyroscope cannot read.
func profilesOf(more string) string {
	return `{service_name=~"${job:regex}"` + more + `}`
}

// onlyProcess keeps to the processes whose id is written above, and onlyEndpoint
// to the chosen endpoints as well: the label that their CPU time has.
const (
	onlyProcess  = `, ` + instanceLabel + `=~"$process"`
	onlyEndpoint = onlyProcess + `, endpoint=~"${endpoint:regex}"`
)

// profiles is the dashboard of flame graphs.
func (b *board) profiles() page {
	return page{
		name: "profiles", title: b.T("Profiles", "Perfiles"), from: "now-1h", endpoint: true, profiles: true, refresh: "5m", // each time hours of profiles are merged
		about: b.T("Where the service's time and memory go, function by function: now, and a while before.", "Adónde van el tiempo y la memoria del servicio, función por función: ahora y un tiempo antes."),
		variables: []dashboard.VariableModel{{
			Type: dashboard.VariableTypeTextbox, Name: "process", Label: new(b.T("Process", "Proceso")),
			Description: new(b.T("The service.instance.id of one process, or a regular expression. A click on a line by process fills it in.", "El service.instance.id de un proceso, o una expresión regular. Un clic en una línea por proceso lo rellena.")),
			Query:       text(".*"), Current: &dashboard.VariableOption{Selected: new(true), Text: oneOf(".*"), Value: oneOf(".*")}, Options: options(".*", ".*"),
		}, {
			Type: dashboard.VariableTypeCustom, Name: "before", Label: new(b.T("Compare with", "Comparar con")),
			Description: new(b.T("How much earlier the flame graphs below are", "Cuánto antes son los gráficos de llamas de abajo")),
			Query:       text("1h,6h,1d,7d"), Current: &dashboard.VariableOption{Selected: new(true), Text: oneOf("1d"), Value: oneOf("1d")},
			Options: options("1d", "1h", "6h", "1d", "7d"), Multi: new(false), IncludeAll: new(false),
		}},
		sections: []section{
			{title: b.T("CPU over time", "CPU en el tiempo"), panels: b.cpuOverTime()},
			{title: b.T("By process", "Por proceso"), panels: b.byProcess()},
			{title: b.T("CPU of the endpoints chosen", "CPU de los endpoints elegidos"), panels: b.compared(cpuProfile, profilesOf(onlyEndpoint), "ns",
				b.T("CPU now", "CPU ahora"), b.T("CPU before", "CPU antes"),
				b.T("CPU time of the endpoints chosen, in the time range.", "Tiempo de CPU de los endpoints elegidos, en el intervalo."))},
			{title: b.T("CPU of the whole service", "CPU de todo el servicio"), panels: b.compared(cpuProfile, profilesOf(onlyProcess), "ns",
				b.T("All CPU now", "Toda la CPU ahora"), b.T("All CPU before", "Toda la CPU antes"),
				b.T("All CPU time of the service, with what no request asked for.", "Todo el tiempo de CPU del servicio, también el que ninguna petición pidió."))},
			{title: b.T("Memory of the whole service", "Memoria de todo el servicio"), panels: append(b.compared(allocatedProfile, profilesOf(onlyProcess), "bytes",
				b.T("Allocated now", "Reservado ahora"), b.T("Allocated before", "Reservado antes"),
				b.T("Bytes allocated. Go's memory profiles have no endpoint: look for its handler.", "Bytes reservados. Los perfiles de memoria de Go no tienen endpoint: busque su handler.")),
				b.compared(inUseProfile, profilesOf(onlyProcess), "bytes",
					b.T("In use now", "En uso ahora"), b.T("In use before", "En uso antes"),
					b.T("Bytes allocated that are still held, added up over every profile of the time range: compare the shares, not the totals.", "Bytes reservados que aún se retienen, sumados sobre cada perfil del intervalo: compare las partes, no los totales."))...)},
		},
	}
}

func options(selected string, values ...string) []dashboard.VariableOption {
	var all []dashboard.VariableOption
	for _, v := range values {
		all = append(all, dashboard.VariableOption{Selected: new(v == selected), Text: oneOf(v), Value: oneOf(v)})
	}
	return all
}

// flame is a flame graph with its table of functions.
func (b *board) flame(title, about, unit, profile, selector string, width uint32) panel {
	return panel{
		kind: flamegraph, title: title, about: about, unit: unit, width: width, height: 16,
		empty:   b.T("No profiles: is Pyroscope's URL given to the service?", "Sin perfiles: ¿tiene el servicio la URL de Pyroscope?"),
		queries: []query{{expr: selector, profile: profile}},
	}
}

// compared are two flame graphs side by side: of the time range, and of the
// same length of time before.
func (b *board) compared(profile, selector, unit, now, before, about string) []panel {
	left, right := b.flame(now, about, unit, profile, selector, 12), b.flame(before, about, unit, profile, selector, 12)
	right.shift = "$before"
	right.empty = b.T("No profiles of then: nothing ran yet, or they are no longer kept", "Sin perfiles de entonces: aún no corría, o ya no se guardan")
	right.about += " " + b.T("As long before as is chosen above.", "Tanto antes como se elige arriba.")
	left.links = []dashboard.DashboardLink{b.diff(profile)}
	return []panel{left, right}
}

// over is a profile over time, split by a label.
func (b *board) over(title, about, unit, profile, label, selector string) panel {
	p := b.flame(title, about, unit, profile, selector, 12)
	p.kind, p.height, p.stacked, p.queries[0].by = timeseries, 8, true, []string{label}
	return p
}

// cpuOverTime shows which endpoints and versions use the CPU, and when.
func (b *board) cpuOverTime() []panel {
	byEndpoint := b.over(b.T("CPU by endpoint", "CPU por endpoint"), b.T("CPU time of each endpoint. A click on a line keeps to it.", "Tiempo de CPU de cada endpoint. Un clic en una línea se queda con él."), "ns", cpuProfile, "endpoint", profilesOf(onlyEndpoint))
	byEndpoint.seriesLinks = b.flamesOf(endpointOfSeries, keptProfiles, keptBefore, keptProcess)
	return []panel{
		byEndpoint,
		b.over(b.T("CPU by version", "CPU por versión"), b.T("CPU time of each version that ran.", "Tiempo de CPU de cada versión que corrió."), "ns", cpuProfile, "version", profilesOf(onlyProcess)),
	}
}

// byProcess tells the processes of the service apart: one that burns, or that
// keeps what the others give back, is no share of a sum.
func (b *board) byProcess() []panel {
	cpu := b.over(b.T("CPU by process", "CPU por proceso"), b.T("CPU time of each process. A click on a line keeps to it.", "Tiempo de CPU de cada proceso. Un clic en una línea se queda con él."), "ns", cpuProfile, instanceLabel, profilesOf(""))
	inUse := b.over(b.T("Memory in use by process", "Memoria en uso por proceso"), b.T("Bytes allocated that are still held, of each process, added up over the profiles of each step: compare the lines, not the totals. A click on a line keeps to it.", "Bytes reservados que aún se retienen, de cada proceso, sumados sobre los perfiles de cada paso: compare las líneas, no los totales. Un clic en una línea se queda con él."), "bytes", inUseProfile, instanceLabel, profilesOf(""))
	cpu.seriesLinks = []dashboard.DashboardLink{b.to(b.T("Flame graphs of this process", "Gráficos de llamas de este proceso"), "profiles",
		keptProfiles, keptBefore, keptEndpoint, "var-process=${__field.labels."+instanceLabel+":percentencode}")}
	inUse.seriesLinks = cpu.seriesLinks
	return []panel{cpu, inUse}
}
