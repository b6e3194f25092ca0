package doctor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// exports is what the service counts of its uploads.
func exports(signal string, good, failed int) (from, to [2]string) {
	line := func(outcome string, n int) string {
		return fmt.Sprintf("tienda_telemetry_exports_total{signal=%q,outcome=%q} %d\n", signal, outcome, n)
	}
	was := map[string]int{"metrics": 12, "profiles": 48}[signal]
	return [2]string{line("success", was), line("failure", 0)}, [2]string{line("success", good), line("failure", failed)}
}

// uploads has the service count other uploads than those of a healthy one.
func (w *patient) uploads(signal string, good, failed int) {
	from, to := exports(signal, good, failed)
	w.metrics(strings.NewReplacer(from[0], to[0], from[1], to[1]).Replace(serviceMetrics))
}

// slowResponses changes one rule that Prometheus has loaded.
func slowResponses(change func(rule object)) func(w *patient) {
	return func(w *patient) {
		w.parts["prometheus"]["/api/v1/rules"] = w.rules(func(rule object) {
			if rule["name"] == "SlowResponses" {
				change(rule)
			}
		})
	}
}

// metrics has the service show other metrics, with the exemplar as before.
func (w *patient) metrics(text string) {
	before := w.parts["url"]["/metrics"]
	w.parts["url"]["/metrics"] = func(out http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "openmetrics") {
			before(out, r)
			return
		}
		fmt.Fprint(out, text)
	}
}

// counts adds a counter of the service's own.
func (w *patient) counts(family, labels string, n int) {
	w.metrics(fmt.Sprintf("%s# TYPE tienda_telemetry_%s counter\ntienda_telemetry_%s{%s} %d\n", serviceMetrics, family, family, labels, n))
}

// profileless has Pyroscope know nobody.
func (w *patient) profileless(names ...string) {
	w.parts["pyroscope"]["/querier.v1.QuerierService/LabelValues"] = gives(object{"names": append([]string{}, names...)})
	w.parts["pyroscope"]["/pyroscope/render"] = gives(object{"flamebearer": object{"numTicks": 0}})
}

// TestDoctorFaults breaks one thing at a time, of those that no real server of
// e2e/doctor_test.go has, or not at once.
func TestDoctorFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(w *patient)
		link   string
		words  []string
	}{
		"undeclared event":   {func(w *patient) { w.counts("refused_total", `reason="event"`, 3) }, "telemetry", []string{"3 recordings refused: the domain file does not have the event", "latido generate events"}},
		"clash":              {func(w *patient) { w.counts("collect_errors_total", `reason="clash"`, 1) }, "telemetry", []string{"has a name that is taken", "Config.Views"}},
		"no alert delivered": {func(w *patient) { w.counts("alert_deliveries_total", `receiver="email",outcome="failed"`, 4) }, "telemetry", []string{"delivered no alert to email: 4 tries failed"}},

		"removed event": {func(w *patient) {
			w.serves("# TYPE tienda_carritos_activos gauge\ntienda_carritos_activos 0\n", "")
		}, "contract", []string{"the event carritos_activos does not exist: there is no metric tienda_carritos_activos", "of a version before the event"}},
		"renamed event":         {func(w *patient) { w.serves("tienda_carritos_activos", "tienda_carrito_activos") }, "contract", []string{"(there is tienda_carrito_activos)"}},
		"family without prefix": {func(w *patient) { w.serves("", "http_requests_total 1\n") }, "contract", []string{"http_requests_total has not the prefix tienda", "tel.Meter()"}},
		"wrong kind":            {func(w *patient) { w.serves("activos gauge", "activos counter") }, "contract", []string{"tienda_carritos_activos is a counter, but should be a gauge"}},
		"wrong kind of the contract": {func(w *patient) { w.serves("requests_total counter", "requests_total gauge") }, "contract", []string{
			"tienda_requests_total is a gauge, but should be a counter, as in every service of Latido's"}},
		"undeclared label": {func(w *patient) { w.serves(`canal="web"`, `canal="web",cliente="4711"`) }, "contract", []string{
			"tienda_pedidos_procesados_total has the label cliente, which it should not have"}},
		"missing label":    {func(w *patient) { w.serves(`,pago="tarjeta"`, "") }, "contract", []string{"tienda_pedidos_procesados_total has a series without the label pago"}},
		"undeclared value": {func(w *patient) { w.serves(`canal="web"`, `canal="fax"`) }, "contract", []string{`tienda_pedidos_procesados_total has canal="fax"`, "record one of: web, movil"}},
		"undeclared error type": {func(w *patient) {
			w.serves("", "# TYPE tienda_api_errors_total counter\ntienda_api_errors_total{error_type=\"oops\"} 1\n")
		}, "contract", []string{`tienda_api_errors_total has error_type="oops"`}},
		"too many series": {func(w *patient) { w.args = []string{"-max-series", "10"} }, "contract", []string{"one process has 14 series, and the budget is 10: most are of tienda_"}},

		"target without scheme": {func(w *patient) {
			w.down(`Get "http://tienda:9464/metrics": http: server gave HTTP response to HTTPS client`)
		}, "scrape", []string{"write scheme: http"}},
		"target's name":      {func(w *patient) { w.down(`dial tcp: lookup tienda: no such host`) }, "scrape", []string{"does not know that name"}},
		"target's path":      {func(w *patient) { w.down(`server returned HTTP status 404 Not Found`) }, "scrape", []string{"correct metrics_path"}},
		"target's login":     {func(w *patient) { w.down(`server returned HTTP status 401 Unauthorized`) }, "scrape", []string{"give basic_auth"}},
		"target is slow":     {func(w *patient) { w.down(`context deadline exceeded`) }, "scrape", []string{"scrape_timeout"}},
		"target is a page":   {func(w *patient) { w.down(`received unsupported Content-Type "text/html"`) }, "scrape", []string{"no page of metrics"}},
		"target not scraped": {func(w *patient) { w.targets("unknown", "") }, "scrape", []string{"has not scraped http://tienda:9464/metrics yet"}},
		"sent under another job": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{}})
			w.parts["prometheus"][asksJobs] = vectorOf(`{"job":"shop"} 40`)
		}, "scrape", []string{"as the job shop, not as tienda-api", "OTEL_SERVICE_NAME=tienda-api", "-job shop"}},

		"another program is scraped": {func(w *patient) {
			w.parts["prometheus"][asksNames] = vectorOf()
			w.parts["prometheus"][asksOthers] = vectorOf(`{"__name__":"clinica_build_info"} 1`)
		}, "series", []string{"the prefix clinica, not tienda"}},
		"all is dropped": {func(w *patient) { w.parts["prometheus"][asksNames] = vectorOf() }, "series", []string{"is up, but has no metric of prefix tienda", "metric_relabel_configs"}},
		"one is dropped": {func(w *patient) {
			w.parts["prometheus"][asksNames] = vectorOf(`{"__name__":"tienda_build_info"} 1`, `{"__name__":"tienda_response_duration_seconds_count"} 1`, `{"__name__":"tienda_telemetry_exports_total"} 4`)
			w.parts["prometheus"][asksLost] = vectorOf(`{} 1`)
		}, "series", []string{"drops some of what it scrapes, among it tienda_requests_total", "metric_relabel_configs"}},
		"Collector without suffixes": {func(w *patient) {
			w.parts["prometheus"][asksNames] = vectorOf(`{"__name__":"tienda_build_info"} 1`, `{"__name__":"tienda_requests"} 1`, `{"__name__":"tienda_response_duration_count"} 1`)
		}, "series", []string{"there is tienda_requests, but rules and dashboards ask for tienda_requests_total", "add_metric_suffixes: true"}},
		"clashing prefix": {func(w *patient) {
			w.parts["prometheus"][asksSharers] = vectorOf(`{"__name__":"tienda_requests_total","job":"almacen"} 1`, `{"__name__":"tienda_norte_requests_total","job":"norte"} 1`)
		}, "series", []string{"the job almacen uses the prefix tienda too: it has tienda_requests_total"}},
		"sent no longer": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{}})
			w.parts["prometheus"][asksJobs] = vectorOf(`{"job":"tienda-api"} 40`)
			w.parts["prometheus"][asksAge] = vectorOf(`{} 240`)
		}, "series", []string{"newest sample of the job tienda-api is 4 min old"}},

		"no OpenMetrics": {func(w *patient) { w.parts["prometheus"]["/api/v1/query_exemplars"] = api([]object{}) }, "exemplars", []string{"the oldest 60 min old", "OpenMetricsText1.0.0"}},

		"rule without health": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = api(object{"groups": []object{{"rules": []object{
				{"name": "SlowResponses", "type": "alerting", "health": "err", "lastError": "many-to-many", "labels": object{"domain": "tienda"}}}}}})
		}, "rules", []string{"cannot evaluate SlowResponses: many-to-many", "has not all of the domain's alert rules"}},
		"old rule": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = api(object{"groups": []object{{"rules": []object{
				{"name": "SlowResponses", "type": "alerting", "query": "vector(3) > 2", "labels": object{"domain": "tienda"}}}}}})
		}, "rules", []string{"Prometheus has another SlowResponses than the domain: vector(3) > 2", "copy deploy/prometheus/rules/tienda.rules.yaml there"}},
		"rule that waits longer":        {slowResponses(func(r object) { r["duration"] = 86400 }), "rules", []string{"Prometheus has another SlowResponses than the domain: for: 86400s", "copy deploy/prometheus/rules/tienda.rules.yaml there"}},
		"rule that goes on for longer":  {slowResponses(func(r object) { r["keepFiringFor"] = 7200 }), "rules", []string{"another SlowResponses than the domain: keep_firing_for: 7200s"}},
		"rule of another severity":      {slowResponses(func(r object) { r["labels"].(map[string]string)["severity"] = "info" }), "rules", []string{"another SlowResponses than the domain: severity: info"}},
		"rule with another summary":     {slowResponses(func(r object) { r["annotations"].(map[string]string)["summary"] = "Old" }), "rules", []string{"another SlowResponses than the domain: summary: Old"}},
		"rule with another description": {slowResponses(func(r object) { delete(r["annotations"].(map[string]string), "description") }), "rules", []string{"another SlowResponses than the domain: description:"}},
		"series recorded otherwise": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = w.rules(func(r object) {
				if r["type"] == "recording" {
					r["query"] = "vector(0)"
				}
			})
		}, "rules", []string{"Prometheus does not record what alert rules need as the domain does: "}},
		"rules that an operator loads":   {reloads(object{"config.file": "/etc/prometheus/config_out/prometheus.env.yaml", "web.enable-lifecycle": "true"}), "rules", []string{"kubectl apply -k deploy", "ruleSelector"}},
		"rules that load themselves":     {reloads(object{"config.file": "/etc/prometheus/prometheus.yaml", "enable-feature": "exemplar-storage,auto-reload-config"}), "rules", []string{"and wait: Prometheus loads it by itself within a minute"}},
		"rules that load when asked":     {reloads(object{"config.file": "/etc/prometheus/prometheus.yaml", "web.enable-lifecycle": "true"}), "rules", []string{"and reload: curl -X POST http://", "/-/reload"}},
		"rules that load by a signal":    {reloads(object{"config.file": "/etc/prometheus/prometheus.yaml", "web.enable-lifecycle": "false"}), "rules", []string{"and reload: docker compose kill -s SIGHUP prometheus"}},
		"rules of a store without flags": {reloads(object{}), "rules", []string{"and reload: curl -X POST http://"}},
		"rules of another pace":          {func(w *patient) { w.args = []string{"-fast"} }, "rules", []string{"Prometheus has another SlowResponses than the domain"}},
		"Prometheus refuses": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = refuses(http.StatusBadRequest, `{"status":"error","error":"no such tenant"}`)
		}, "rules", []string{"refuses /api/v1/rules: no such tenant"}},
		"another domain's rules": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = api(object{"groups": []object{{"rules": []object{{"name": "SlowResponses", "type": "alerting", "labels": object{"domain": "clinica"}}}}}})
		}, "rules", []string{"none of the domain's"}},

		"another Alertmanager's file": {func(w *patient) {
			w.parts["alertmanager"]["/api/v2/status"] = gives(object{"config": object{"original": "receivers:\n- name: web\n"}})
		}, "alertmanager", []string{"no receiver webhook", "latido generate alertmanager"}},
		"alert gets lost": {func(w *patient) {
			w.parts["alertmanager"]["/api/v2/alerts"] = gives([]object{{"labels": object{"alertname": "PoolExhausted"}}})
			w.parts["prometheus"]["/metrics"] = says("\nprometheus_config_last_reload_successful 1\nprometheus_notifications_errors_total{alertmanager=\"x\"} 7\n")
		}, "alerts", []string{"1 alert fires in Prometheus, but not in Alertmanager: SlowResponses", "prometheus_notifications_errors_total=7"}},

		"Pyroscope of others": {func(w *patient) { w.profileless("clinica-api") }, "profiles", []string{"has uploaded 48", "another Pyroscope, or as another tenant", "PYROSCOPE_TENANT_ID"}},
		"another name": {func(w *patient) {
			w.profileless("tienda")
			w.parts["pyroscope"]["/querier.v1.QuerierService/Series"] = func(out http.ResponseWriter, r *http.Request) {
				var of struct{ Start, End int64 }
				if err := json.NewDecoder(r.Body).Decode(&of); err != nil || of.End-of.Start != profilesWithin.Milliseconds() {
					w.t.Errorf("asks for %+v, %v", of, err)
				}
				gives(object{"labelsSet": []object{{"labels": []object{{"name": "service_name", "value": "tienda"}}}}})(out, r)
			}
		}, "profiles", []string{"no profile of tienda-api, but of tienda"}},
		"address that cannot be used": {func(w *patient) {
			w.profileless()
			w.uploads("profiles", 0, 0)
			w.parts["url"]["/metrics-dashboard"] = gives(object{"uptime_seconds": 3600, "problems": []string{
				`2026-11-26T05:00:00Z PYROSCOPE_SERVER_ADDRESS cannot be used: profiles stay in the process error=address "localhost:4040": write it with its scheme: http://localhost:4040`}})
		}, "profiles", []string{"has sent none, address \"localhost:4040\": write it with its scheme"}},
		"uploads fail": {func(w *patient) {
			w.profileless("tienda-api")
			w.uploads("profiles", 0, 5)
			w.parts["url"]["/metrics-dashboard"] = gives(object{"uptime_seconds": 3600, "problems": []string{
				`2026-11-26T05:00:00Z profiles cannot be uploaded; they are tried again server=p:4040 error=401 Unauthorized`}})
		}, "profiles", []string{"uploads fail, 5 since its start: 401 Unauthorized"}},

		"exporter sends nothing": {func(w *patient) {
			w.parts["collector-metrics"]["/metrics"] = says(strings.NewReplacer(`sent_spans_total{exporter="otlphttp"} 90`, `sent_spans_total{exporter="otlphttp"} 0`,
				`failed_spans_total{exporter="otlphttp"} 0`, `failed_spans_total{exporter="otlphttp"} 30`).Replace(collectorMetrics))
		}, "collector-metrics", []string{"exporter otlphttp has sent nothing: 30 spans failed"}},
		"Collector is not ready": {func(w *patient) {
			w.parts["collector"]["/"] = refuses(http.StatusServiceUnavailable, `{"status":"Server not available"}`)
		}, "collector", []string{"is not ready: / answers 503"}},
		"exports fail": {func(w *patient) { w.uploads("metrics", 0, 9) }, "otlp", []string{"no export of the service's metrics by OTLP arrived, 9 failed"}},

		"Grafana's database": {func(w *patient) {
			w.parts["grafana"]["/api/health"] = gives(object{"database": "failing", "version": "12"})
		}, "grafana", []string{"database is not well: failing"}},
		"a source that does not work": {func(w *patient) {
			w.parts["grafana"]["/api/datasources/uid/p/health"] = refuses(http.StatusBadRequest, `{"status":"ERROR","message":"no route to host"}`)
		}, "datasources", []string{"data source Prometheus does not work: it asks http://prometheus:9090: no route to host"}},
		"no Pyroscope in Grafana": {func(w *patient) {
			w.sources(object{"uid": "p", "name": "Prometheus", "type": "prometheus", "jsonData": object{"exemplarTraceIdDestinations": []object{{"name": "trace_id", "url": "https://x"}}}})
		}, "datasources", []string{"no data source of the type grafana-pyroscope-datasource"}},
		"no way to the trace": {func(w *patient) {
			w.sources(object{"uid": "p", "name": "Prometheus", "type": "prometheus"}, object{"uid": "y", "name": "Pyroscope", "type": "grafana-pyroscope-datasource"})
		}, "datasources", []string{"does not say where an exemplar's trace is"}},
		"the label of other libraries": {func(w *patient) {
			w.sources(object{"uid": "p", "name": "Prometheus", "type": "prometheus", "jsonData": object{"exemplarTraceIdDestinations": []object{{"name": "traceID", "datasourceUid": "t"}}}},
				object{"uid": "y", "name": "Pyroscope", "type": "grafana-pyroscope-datasource"}, object{"uid": "t", "name": "Tempo", "type": "tempo"})
		}, "datasources", []string{"in the label traceID, but it is in trace_id"}},
		"the trace's source is none": {func(w *patient) {
			w.sources(object{"uid": "p", "name": "Prometheus", "type": "prometheus", "jsonData": object{"exemplarTraceIdDestinations": []object{{"name": "trace_id", "datasourceUid": "y"}}}},
				object{"uid": "y", "name": "Pyroscope", "type": "grafana-pyroscope-datasource"})
		}, "datasources", []string{`to the data source "y", which is none of traces`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPatient(t)
			c.breaks(w)
			all := w.links()
			inSpanish(t, all)
			names, said := brokenLinks(all)
			for _, want := range c.words {
				if !slices.Equal(names, []string{c.link}) || !strings.Contains(said, want) {
					t.Errorf("no %q in %v:\n%s", want, names, said)
				}
			}
		})
	}
}

// TestDoctorSkips has what is worth knowing, and no fault.
func TestDoctorSkips(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *patient)
		link   string
		status result.Status
		says   string
	}{
		"new service": {func(w *patient) {
			w.profileless()
			w.uploads("profiles", 0, 0)
			w.parts["url"]["/metrics-dashboard"] = gives(object{"uptime_seconds": 9})
		}, "profiles", result.Skipped, "started only 9 s ago"},
		"no OTLP":      {func(w *patient) { w.uploads("metrics", 0, 0) }, "otlp", result.Skipped, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"some exports": {func(w *patient) { w.uploads("metrics", 12, 3) }, "otlp", result.OK, "3 of 15 failed since its start"},
		"failed earlier": {func(w *patient) {
			w.uploads("metrics", 12, 3)
			w.parts["prometheus"][`/api/v1/query?sum by (outcome) (increase(tienda_telemetry_exports_total{job="tienda-api", signal="metrics"}[5m]))`] = vectorOf(`{"outcome":"success"} 20`, `{"outcome":"failure"} 0`)
		}, "otlp", result.OK, "20 exports of metrics arrived in the last 5 minutes"},
		"some values":      {func(w *patient) { w.counts("refused_total", `reason="value"`, 2) }, "telemetry", result.OK, "counts as _other"},
		"no alert fires":   {func(w *patient) { w.parts["prometheus"][asksFiring] = vectorOf() }, "alerts", result.Skipped, "no alert of the domain"},
		"no requests":      {func(w *patient) { w.parts["url"]["/metrics"] = says(strings.ReplaceAll(serviceMetrics, "} 7", "} 0")) }, "exemplars", result.Skipped, "no request"},
		"no metrics of it": {func(w *patient) { w.at["collector-metrics"] = "" }, "collector-metrics", result.OK, "nothing lost"},
		"another store":    {func(w *patient) { delete(w.parts["prometheus"], "/metrics"); delete(w.parts["prometheus"], "/-/ready") }, "config", result.Skipped, "does not tell"},
		"sent, not scraped": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{}})
			w.parts["prometheus"][asksJobs] = vectorOf(`{"job":"tienda-api"} 40`)
		}, "scrape", result.OK, "not scraped but sent"},
		"one exporter fails at times": {func(w *patient) {
			w.parts["collector-metrics"]["/metrics"] = says(strings.Replace(collectorMetrics, `failed_spans_total{exporter="otlphttp"} 0`, `failed_spans_total{exporter="otlphttp"} 10`, 1))
		}, "collector-metrics", result.OK, "could not send 10 of 100 spans"},
		"spans go elsewhere": {func(w *patient) {
			w.parts["collector-metrics"]["/metrics"] = says(strings.Replace(collectorMetrics, `accepted_spans_total{receiver="otlp"} 90`, `accepted_spans_total{receiver="otlp"} 0`, 1))
		}, "collector-metrics", result.OK, "accepted no span, though the service makes some"},
		"rules for another job": {func(w *patient) {
			w.domain("    summary: Responses are slow\n", "    summary: Responses are slow\n  - {name: Vive, heartbeat: true}\n")
			w.parts["prometheus"]["/api/v1/rules"] = w.rules(func(r object) {
				if labels, ok := r["labels"].(map[string]string); ok && labels["job"] != "" {
					labels["job"] = "shop"
				}
			})
		}, "rules", result.OK, "alert rule"},
		"a rule that is no longer made": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/rules"] = w.rules(func(object) {}, object{"name": "SlowAnswers", "type": "alerting", "labels": object{"domain": "tienda"}})
		}, "rules", result.OK, "Prometheus has SlowAnswers of the domain, which no longer makes it"},
		"a route that nothing has":   {func(w *patient) { w.filter("endpoint", "/pedidso") }, "contract", result.OK, "SlowResponses is silent until a series of tienda_response_duration_seconds has endpoint =/pedidso (there is /pedidos)"},
		"an expression for no route": {func(w *patient) { w.filter("endpoint", "=~/carritos/.*") }, "contract", result.OK, "SlowResponses is silent until a series of tienda_response_duration_seconds has endpoint =~/carritos/.*"},
		"source without a check":     {func(w *patient) { delete(w.parts["grafana"], "/api/datasources/uid/y/health") }, "datasources", result.OK, "Pyroscope has no health check"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPatient(t)
			c.change(w)
			all := w.links()
			inSpanish(t, all)
			names, said := brokenLinks(all)
			f := all[c.link]
			if len(names) > 0 || f.Status != c.status || !strings.Contains(f.Detail+strings.Join(f.Notes, "\n"), c.says) {
				t.Errorf("%+v; %v fail: %s", f, names, said)
			}
		})
	}
}

// TestDoctorGrafanaLogin has a Grafana that wants a login: without one it is
// left out, and a wrong one is a fault.
func TestDoctorGrafanaLogin(t *testing.T) {
	for name, c := range map[string]struct {
		env    map[string]string
		status result.Status
		says   string
	}{
		"none":           {nil, result.Skipped, "left out without credentials: set LATIDO_GRAFANA_TOKEN"},
		"token":          {map[string]string{"LATIDO_GRAFANA_TOKEN": "right"}, result.OK, "Prometheus, Pyroscope"},
		"password":       {map[string]string{"LATIDO_GRAFANA_USER": "ops", "LATIDO_GRAFANA_PASSWORD": "right"}, result.OK, "Prometheus, Pyroscope"},
		"wrong token":    {map[string]string{"LATIDO_GRAFANA_TOKEN": "hunter2"}, result.Fail, "does not take the credentials"},
		"without rights": {map[string]string{"LATIDO_GRAFANA_TOKEN": "viewer"}, result.Fail, "does not let these credentials see"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"LATIDO_GRAFANA_TOKEN", "LATIDO_GRAFANA_USER", "LATIDO_GRAFANA_PASSWORD"} {
				t.Setenv(variable, c.env[variable])
			}
			w := newPatient(t)
			grafana := w.parts["grafana"]
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				switch token := r.Header.Get("Authorization"); {
				case r.URL.Path == "/api/health", token == "Bearer right", password == "right":
					grafana.ServeHTTP(out, r)
				case token == "Bearer viewer":
					http.Error(out, `{"message":"Access denied"}`, http.StatusForbidden)
				default:
					http.Error(out, `{"message":"Unauthorized"}`, http.StatusUnauthorized)
				}
			}))
			defer server.Close()
			w.at["grafana"] = server.URL
			all := w.links()
			for _, link := range []string{"datasources", "dashboards"} {
				f := all[link]
				said := f.Detail
				for _, p := range f.Problems {
					said += p.Message
				}
				if f.Status != c.status || link == "datasources" && !strings.Contains(said, c.says) {
					t.Errorf("%s: %+v", link, f)
				}
			}
		})
	}
}

// TestDoctorCredentials sends each part its own credentials and no other's.
func TestDoctorCredentials(t *testing.T) {
	t.Setenv("LATIDO_USER", "service")
	t.Setenv("LATIDO_PASSWORD", "hunter2")
	t.Setenv("LATIDO_GRAFANA_TOKEN", "hunter2")
	w := newPatient(t)
	for name, p := range w.parts {
		for path, page := range p {
			p[path] = func(out http.ResponseWriter, r *http.Request) {
				user, _, _ := r.BasicAuth()
				want := map[string]string{"url": "service", "grafana": ""}
				if expect, ok := want[name]; ok && user != expect || !ok && user != "ops" {
					t.Errorf("%s gets the user %q", name, user)
				}
				if bearer := strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "); bearer != (name == "grafana") {
					t.Errorf("%s gets %s", name, r.Header.Get("Authorization"))
				}
				page(out, r)
			}
		}
	}
	if names, said := brokenLinks(w.links()); len(names) > 0 {
		t.Errorf("%v: %s", names, said)
	}
}

// targets has Prometheus scrape the service as the job, in some health.
func (w *patient) targets(health, lastError string) {
	w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{w.target(health, lastError)}})
}

func (w *patient) down(lastError string) { w.targets("down", lastError) }

// sources has Grafana have other data sources.
func (w *patient) sources(all ...object) {
	w.parts["grafana"]["/api/datasources"] = gives(all)
}

// reloads has none of the rules, in a Prometheus that was started with these flags.
func reloads(flags object) func(w *patient) {
	return func(w *patient) {
		w.parts["prometheus"]["/api/v1/rules"] = api(object{"groups": []object{}})
		w.parts["prometheus"]["/api/v1/status/flags"] = api(flags)
	}
}
