package dashboards

import (
	"slices"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"github.com/latido-dev/latido/domain"
)

// http is the dashboard of requests: which endpoint takes the time, how long
// answers take, and how they end.
func (b *board) http() page {
	return page{
		name: "http", title: "HTTP", from: "now-3h", endpoint: true,
		about: b.T("Requests by endpoint: how many, how long, how they end.", "Peticiones por endpoint: cuántas, cuánto tardan y cómo terminan."),
		sections: []section{
			{panels: b.httpNumbers()},
			{title: b.T("Where the time goes", "Adónde va el tiempo"), panels: []panel{b.endpoints()}},
			{title: b.T("How long answers take", "Cuánto tardan las respuestas"), panels: b.latency()},
			{title: b.T("How requests end", "Cómo terminan las peticiones"), panels: b.outcomes()},
			{title: b.T("By instance", "Por instancia"), panels: b.byInstance()},
			{title: b.T("In flight and in functions", "En curso y en funciones"), panels: b.inside()},
			{title: b.T("What the service asks of others", "Lo que el servicio pide a otros"), panels: append(b.outgoing(), b.databases()...)},
			{title: b.T("Thresholds", "Umbrales"), panels: b.thresholds(ofHTTP)},
		},
	}
}

// ofHTTP tells which thresholds belong to this dashboard.
func ofHTTP(m domain.Metric) bool {
	topic, _, _ := strings.Cut(m.Key, "_")
	return m.Event == nil && slices.Contains([]string{"requests", "response", "failures", "active", "api", "function", "client", "pool"}, topic)
}

func (b *board) httpNumbers() []panel {
	requests, duration := b.metric("requests"), b.metric("response_duration")
	return []panel{{
		kind: stat, title: b.T("Requests", "Peticiones"), unit: "reqps", width: 5, height: 4, empty: b.T("No requests", "Sin peticiones"),
		about:   b.T("Requests a second, of the endpoints chosen.", "Peticiones por segundo, de los endpoints elegidos."),
		queries: []query{{expr: sum(b.rate(requests, "", anyEndpoint))}}, steps: colours("blue"),
	}, {
		kind: stat, title: b.T("Failing", "Peticiones fallidas"), unit: "percent", width: 5, height: 4, empty: b.T("No requests", "Sin peticiones"),
		about:   b.T("Share of the requests that end with 5xx.", "Parte de las peticiones que terminan con 5xx."),
		queries: []query{{expr: b.percent(requests, nil, []string{anyEndpoint}, serverErrors)}}, steps: colours("green", 1.0, "yellow", 5.0, "red"),
	}, {
		kind: stat, title: "p95", unit: "s", width: 5, height: 4, empty: b.T("No requests", "Sin peticiones"), links: b.flames(),
		about:   b.T("19 of 20 requests are answered within this time.", "19 de cada 20 peticiones se responden en este tiempo."),
		queries: []query{{expr: b.quantile(0.95, duration, nil, anyEndpoint)}}, steps: colours("green", 0.5, "yellow", 2.0, "red"),
	}, {
		kind: stat, title: b.T("In flight", "En curso"), width: 5, height: 4,
		about:   b.T("Requests being handled now, of all endpoints.", "Peticiones que se atienden ahora, de todos los endpoints."),
		queries: []query{{expr: sum(b.series(b.metric("active_requests"), ""))}}, steps: colours("blue"),
	}, {
		kind: stat, title: b.T("Connections", "Conexiones"), width: 4, height: 4,
		about:   b.T("TCP connections open to the service.", "Conexiones TCP abiertas al servicio."),
		queries: []query{{expr: sum(b.series(b.metric("active_connections"), ""))}}, steps: colours("blue"),
	}}
}

const serverErrors = `status=~"5.."`

// endpoints is the table of what each endpoint costs: the rate times the mean is
// how many of its requests are running at any time.
func (b *board) endpoints() panel {
	requests, duration := b.metric("requests"), b.metric("response_duration")
	by := []string{"endpoint"}
	column := func(expr string) query { return query{expr: expr, table: true, instant: true} }
	busy := b.T("Time spent", "Tiempo dedicado")
	return panel{
		kind: table, title: b.T("Endpoints by time spent", "Endpoints por tiempo dedicado"), width: 24, height: 10, sortBy: busy, empty: b.T("No requests", "Sin peticiones"),
		about: b.T("Time spent is requests a second times their mean duration: how many seconds of work an endpoint makes in a second. What is on top is worth making faster.",
			"El tiempo dedicado es peticiones por segundo por su duración media: cuántos segundos de trabajo causa un endpoint cada segundo. Lo de arriba es lo que vale la pena acelerar."),
		queries: []query{
			column(sum(b.rate(duration, "_sum", anyEndpoint), by...)),
			column(sum(b.rate(requests, "", anyEndpoint), by...)),
			column(b.mean(duration, by, anyEndpoint)),
			column(b.quantile(0.95, duration, by, anyEndpoint)),
			column(b.percent(requests, by, []string{anyEndpoint}, serverErrors)),
		},
		transform: []dashboard.DataTransformerConfig{
			{Id: "merge", Options: map[string]any{}},
			{Id: "organize", Options: map[string]any{
				"excludeByName": map[string]bool{"Time": true},
				"indexByName":   map[string]int{"endpoint": 0, "Value #A": 1, "Value #B": 2, "Value #C": 3, "Value #D": 4, "Value #E": 5},
			}},
		},
		overrides: []dashboard.DashboardFieldConfigSourceOverrides{
			named("endpoint", "displayName", "Endpoint", "links", b.flamesOf(endpointOfCell)),
			named("Value #A", "displayName", busy, "unit", "s", "custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic"}),
			named("Value #B", "displayName", b.T("Requests", "Peticiones"), "unit", "reqps"),
			named("Value #C", "displayName", b.T("Mean", "Media"), "unit", "s"),
			named("Value #D", "displayName", "p95", "unit", "s"),
			named("Value #E", "displayName", "5xx", "unit", "percent", "decimals", 1),
		},
	}
}

func (b *board) latency() []panel {
	m := b.metric("response_duration")
	none := b.T("No requests", "Sin peticiones")
	return []panel{{
		kind: heatmap, title: b.T("Response times", "Tiempos de respuesta"), unit: "s", width: 12, height: 9, empty: none, links: b.flames(),
		about: b.T("How many requests took how long. Two bands are two kinds of requests. The dots are traces.",
			"Cuántas peticiones tardaron cuánto. Dos franjas son dos clases de peticiones. Los puntos son trazas."),
		queries: []query{b.buckets(m, anyEndpoint)},
	}, {
		kind: timeseries, title: "p50, p95, p99", unit: "s", width: 12, height: 9, empty: none, links: b.flames(),
		about:   b.T("Half, 19 of 20 and 99 of 100 requests are answered within this time. The dots are traces.", "La mitad, 19 de 20 y 99 de 100 peticiones se responden en este tiempo. Los puntos son trazas."),
		queries: b.quantiles(m, anyEndpoint), lines: b.lines(m, domain.StatP95),
	}, {
		kind: timeseries, title: b.T("p95 by endpoint", "p95 por endpoint"), unit: "s", width: 12, height: 9, empty: none, links: b.flames(), seriesLinks: b.flamesOf(endpointOfSeries),
		about:   b.T("19 of 20 requests of an endpoint are answered within this time. A click on a line leads to its flame graph.", "19 de cada 20 peticiones de un endpoint se responden en este tiempo. Un clic en una línea lleva a su gráfico de llamas."),
		queries: []query{{expr: b.quantile(0.95, m, []string{"endpoint"}, anyEndpoint), legend: "{{endpoint}}", exemplars: true}},
		lines:   b.lines(m, domain.StatP95, "endpoint"),
	}, {
		kind: timeseries, title: b.T("Time spent by endpoint", "Tiempo dedicado por endpoint"), unit: "s", width: 12, height: 9, stacked: true, empty: none, links: b.flames(), seriesLinks: b.flamesOf(endpointOfSeries),
		about:   b.T("Seconds of handling in a second: how many requests of each endpoint run at any time.", "Segundos de atención por segundo: cuántas peticiones de cada endpoint hay en curso."),
		queries: []query{{expr: sum(b.rate(m, "_sum", anyEndpoint), "endpoint"), legend: "{{endpoint}}"}},
	}}
}

// statusClasses are the classes of HTTP statuses, with the colours that people
// know.
var statusClasses = []struct{ class, color string }{
	{"1xx", "super-light-blue"}, {"2xx", "green"}, {"3xx", "blue"}, {"4xx", "orange"}, {"5xx", "red"}, {"xx", "purple"},
}

// byClass are requests a second by class of status.
func (b *board) byClass(filters ...string) panel {
	expr := `sum by (class) (label_replace(` + sum(b.rate(b.metric("requests"), "", filters...), "status") + `, "class", "${1}xx", "status", "([1-5])..|.+"))`
	p := panel{
		kind: timeseries, title: b.T("Requests by status", "Peticiones por estado"), unit: "reqps", width: 12, height: 9, stacked: true, empty: b.T("No requests", "Sin peticiones"),
		about:   b.T("Requests a second by class of status.", "Peticiones por segundo, por clase de estado."),
		queries: []query{{expr: expr, legend: "{{class}}"}},
	}
	for _, c := range statusClasses {
		p.overrides = append(p.overrides, named(c.class, "color", fixed(c.color)))
	}
	return p
}

func (b *board) outcomes() []panel {
	requests, errors := b.metric("requests"), b.metric("api_errors")
	return []panel{b.byClass(anyEndpoint), {
		kind: timeseries, title: b.T("Failing by endpoint", "Peticiones fallidas por endpoint"), unit: "percent", width: 12, height: 9, min: new(0.0), empty: b.T("No requests", "Sin peticiones"), seriesLinks: b.flamesOf(endpointOfSeries),
		about:   b.T("Share of an endpoint's requests that end with 5xx.", "Parte de las peticiones de un endpoint que terminan con 5xx."),
		queries: []query{{expr: b.percent(requests, []string{"endpoint"}, []string{anyEndpoint}, serverErrors), legend: "{{endpoint}}"}},
		lines:   b.lines(requests, domain.StatRatio, serverErrors, "endpoint"),
	}, {
		kind: timeseries, title: b.T("Requests by endpoint", "Peticiones por endpoint"), unit: "reqps", width: 12, height: 9, stacked: true, empty: b.T("No requests", "Sin peticiones"), seriesLinks: b.flamesOf(endpointOfSeries),
		about:   b.T("Requests a second by route pattern and method.", "Peticiones por segundo, por patrón de ruta y método."),
		queries: []query{{expr: sum(b.rate(requests, "", anyEndpoint), "method", "endpoint"), legend: "{{method}} {{endpoint}}"}},
	}, {
		kind: timeseries, title: b.T("Errors by type", "Errores por tipo"), unit: "short", width: 12, height: 9, stacked: true, empty: b.T("No errors", "Ningún error"), axis: b.T("a minute", "por minuto"),
		about:   b.T("Errors a minute by the type that the service gave them, of all endpoints.", "Errores por minuto, por el tipo que les dio el servicio, de todos los endpoints."),
		queries: []query{{expr: sum(b.rate(errors, ""), "error_type") + " * 60 > 0", legend: "{{error_type}}"}},
	}}
}

// byInstance tells the processes of the service apart: one of many that is broken
// is a small part of a sum.
func (b *board) byInstance() []panel {
	requests, duration := b.metric("requests"), b.metric("response_duration")
	by, none := []string{"job", "instance"}, b.T("No requests", "Sin peticiones")
	return []panel{{
		kind: timeseries, title: b.T("Requests by instance", "Peticiones por instancia"), unit: "reqps", width: 8, height: 8, empty: none,
		about:   b.T("Requests a second that each instance answers.", "Peticiones por segundo que atiende cada instancia."),
		queries: []query{{expr: sum(b.rate(requests, "", anyEndpoint), by...), legend: "{{instance}}"}},
	}, {
		kind: timeseries, title: b.T("Failing by instance", "Peticiones fallidas por instancia"), unit: "percent", width: 8, height: 8, min: new(0.0), empty: none,
		about:   b.T("Share of an instance's requests that end with 5xx. One line above the others is an instance to look at.", "Parte de las peticiones de una instancia que terminan con 5xx. Una línea por encima de las demás es una instancia por revisar."),
		queries: []query{{expr: b.percent(requests, by, []string{anyEndpoint}, serverErrors), legend: "{{instance}}"}},
	}, {
		kind: timeseries, title: b.T("p95 by instance", "p95 por instancia"), unit: "s", width: 8, height: 8, empty: none, links: b.flames(),
		about:   b.T("19 of 20 requests to an instance are answered within this time.", "19 de cada 20 peticiones a una instancia se responden en este tiempo."),
		queries: []query{{expr: b.quantile(0.95, duration, by, anyEndpoint), legend: "{{instance}}"}},
	}}
}

func (b *board) inside() []panel {
	calls, took := b.metric("function_calls"), b.metric("function_duration")
	none := b.T("No function is monitored", "No se vigila ninguna función")
	return []panel{
		b.gauge("active_requests", b.T("Requests in flight", "Peticiones en curso"), b.T("Requests being handled, by instance. A line that only rises is a queue.", "Peticiones que se atienden, por instancia. Una línea que solo sube es una cola."), 6),
		b.gauge("active_connections", b.T("Open connections", "Conexiones abiertas"), b.T("TCP connections, by instance.", "Conexiones TCP, por instancia."), 6),
		{
			kind: timeseries, title: b.T("Monitored functions", "Funciones vigiladas"), unit: "cps", width: 6, height: 8, empty: none,
			about:   b.T("Calls a second; with the type of error, if they failed.", "Llamadas por segundo; con el tipo de error, si fallaron."),
			queries: []query{{expr: sum(b.rate(calls, ""), "function", "error_type"), legend: "{{function}} {{error_type}}"}},
		}, {
			kind: timeseries, title: b.T("p95 of functions", "p95 de las funciones"), unit: "s", width: 6, height: 8, empty: none, links: b.flames(),
			about:   b.T("19 of 20 calls take no longer.", "19 de cada 20 llamadas no tardan más."),
			queries: []query{{expr: b.quantile(0.95, took, []string{"function"}), legend: "{{function}}"}}, lines: b.lines(took, domain.StatP95),
		}}
}

// outgoing are the requests that the service sends, by host.
func (b *board) outgoing() []panel {
	requests, took := b.metric("client_requests"), b.metric("client_duration")
	none := b.T("No requests sent", "Sin peticiones enviadas")
	return []panel{{
		kind: timeseries, title: b.T("Outgoing requests by peer", "Peticiones salientes por destino"), unit: "reqps", width: 12, height: 9, stacked: true, empty: none,
		about:   b.T("Requests a second that the service sends, by host and by how they end.", "Peticiones por segundo que el servicio envía, por host y por cómo terminan."),
		queries: []query{{expr: sum(b.rate(requests, ""), "peer", "status"), legend: "{{peer}} {{status}}"}},
	}, {
		kind: timeseries, title: b.T("p95 by peer", "p95 por destino"), unit: "s", width: 12, height: 9, empty: none,
		about:   b.T("19 of 20 requests to a host have the header of their answer within this time.", "19 de cada 20 peticiones a un host reciben la cabecera de su respuesta en este tiempo."),
		queries: []query{{expr: b.quantile(0.95, took, []string{"peer"}), legend: "{{peer}}"}}, lines: b.lines(took, domain.StatP95),
	}}
}

// databases are the pools of connections: a request that waits for one waits for
// the database.
func (b *board) databases() []panel {
	open, most, waited := b.metric("pool_connections"), b.metric("pool_connections_max"), b.metric("pool_wait_time")
	none, limit := b.T("No database is measured", "No se mide ninguna base de datos"), b.T("limit of {{pool}}", "límite de {{pool}}")
	return []panel{{
		kind: timeseries, title: b.T("Connections to databases", "Conexiones a bases de datos"), width: 12, height: 9, empty: none,
		about: b.T("Connections in use and idle of each pool, of its fullest instance. In use at the limit: whoever asks next waits.", "Conexiones en uso y libres de cada pool, en su instancia más llena. En uso hasta el límite: quien pida la siguiente espera."),
		queries: []query{{expr: aggregated("max", b.series(open, ""), []string{"pool", "state"}), legend: "{{pool}} {{state}}"},
			{expr: aggregated("min", b.series(most, ""), []string{"pool"}), legend: limit}},
		lines: b.lines(open, domain.StatValue, "pool", "state"),
		overrides: []dashboard.DashboardFieldConfigSourceOverrides{
			override(dashboard.MatcherConfig{Id: "byFrameRefID", Options: "B"}, limitStyle("red")...),
		},
	}, {
		kind: timeseries, title: b.T("Waiting for a database", "Esperas de una base de datos"), unit: "short", width: 12, height: 9, empty: none, links: b.flames(),
		about:   b.T("How many wait for a connection of each pool at any time, of all instances.", "Cuántos esperan una conexión de cada pool en cada momento, de todas las instancias."),
		queries: []query{{expr: sum(b.rate(waited, ""), "pool"), legend: "{{pool}}"}}, lines: b.lines(waited, domain.StatRate),
	}}
}
