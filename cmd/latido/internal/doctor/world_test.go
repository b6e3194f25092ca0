package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// pages are what one part of a set-up answers, by path and, where a question
// has a query, by path and query.
type pages map[string]http.HandlerFunc

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, key := range []string{r.URL.Path + "?" + r.FormValue("query"), r.URL.Path} {
		if page := p[key]; page != nil {
			page(w, r)
			return
		}
	}
	http.NotFound(w, r)
}

// says answers with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// gives answers with JSON.
func gives(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
}

// refuses answers with a status.
func refuses(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, code) }
}

// api is the data of an answer of Prometheus' API.
func api(data any) http.HandlerFunc { return gives(object{"status": "success", "data": data}) }

type object = map[string]any

// vectorOf is a vector of series, each given by its labels in JSON and a value.
func vectorOf(samples ...string) http.HandlerFunc {
	result := []object{}
	for _, s := range samples {
		labels, value, _ := strings.Cut(s, "} ")
		metric := map[string]string{}
		if err := json.Unmarshal([]byte(labels+"}"), &metric); err != nil {
			panic(err)
		}
		result = append(result, object{"metric": metric, "value": []any{1.5, value}})
	}
	return api(object{"resultType": "vector", "result": result})
}

// patient is a set-up whose parts are all there, and well. The real ones
// are asked in e2e/doctor_test.go; this is for what they do not answer.
type patient struct {
	t     *testing.T
	file  string
	d     domain.Domain
	parts map[string]pages
	at    map[string]string // the addresses, by flag; one that is given wins over the part's own
	args  []string
}

const doctorFile = "../check/testdata/checked.yaml"

// The queries that doctor asks of a healthy set-up.
const (
	asksSharers = `/api/v1/query?group by (job, __name__) ({__name__=~"tienda_.+", job!="tienda-api"})`
	asksNames   = `/api/v1/query?count by (__name__) ({__name__=~"tienda[._].+", job="tienda-api"})`
	asksTwice   = `/api/v1/query?group by (instance) (tienda_build_info{job="tienda-api"})`
	asksAge     = `/api/v1/query?time() - max(timestamp(tienda_build_info{job="tienda-api"}))`
	asksLost    = `/api/v1/query?sum(scrape_samples_scraped{job="tienda-api"} - scrape_samples_post_metric_relabeling{job="tienda-api"}) > 0`
	asksJobs    = `/api/v1/query?count by (job) ({__name__=~"tienda[._].+"})`
	asksOthers  = `/api/v1/query?group by (__name__) ({__name__=~".+_build_info", job="tienda-api"})`
	asksFiring  = `/api/v1/query?ALERTS{alertstate="firing", domain="tienda"} and ALERTS{alertstate="firing", domain="tienda"} offset 2m`
)

const (
	serviceMetrics = `# TYPE tienda_build_info gauge
tienda_build_info{version="v1.4.0",revision="abc",goversion="go1.26"} 1
# TYPE tienda_requests_total counter
tienda_requests_total{method="GET",endpoint="/",status="200"} 7
# TYPE tienda_response_duration_seconds histogram
tienda_response_duration_seconds_bucket{method="GET",endpoint="/",le="+Inf"} 7
tienda_response_duration_seconds_sum{method="GET",endpoint="/"} 1
tienda_response_duration_seconds_count{method="GET",endpoint="/"} 7
# TYPE tienda_telemetry_exports_total counter
tienda_telemetry_exports_total{signal="metrics",outcome="success"} 12
tienda_telemetry_exports_total{signal="metrics",outcome="failure"} 0
tienda_telemetry_exports_total{signal="profiles",outcome="success"} 48
tienda_telemetry_exports_total{signal="profiles",outcome="failure"} 0
# TYPE tienda_pedidos_procesados_total counter
tienda_pedidos_procesados_total{canal="web",pago="tarjeta"} 3
# TYPE tienda_carritos_activos gauge
tienda_carritos_activos 0
# TYPE tienda_valor_pedido_COP histogram
tienda_valor_pedido_COP_bucket{le="+Inf"} 3
tienda_valor_pedido_COP_sum 60000
tienda_valor_pedido_COP_count 3
`
	collectorMetrics = `# TYPE otelcol_receiver_accepted_spans_total counter
otelcol_receiver_accepted_spans_total{receiver="otlp"} 90
# TYPE otelcol_exporter_sent_spans_total counter
otelcol_exporter_sent_spans_total{exporter="otlphttp"} 90
# TYPE otelcol_exporter_send_failed_spans_total counter
otelcol_exporter_send_failed_spans_total{exporter="otlphttp"} 0
# TYPE otelcol_receiver_refused_spans_total counter
otelcol_receiver_refused_spans_total{receiver="otlp"} 0
`
)

// boards are the uids of the domain's dashboards.
var boards = sync.OnceValues(func() (uids []string, err error) {
	d, err := domain.Load(doctorFile)
	if err != nil {
		return nil, err
	}
	files, err := dashboards.All(d, dashboards.Options{})
	for _, f := range files {
		uids = append(uids, strings.TrimSuffix(f.Name, ".json"))
	}
	return uids, err
})

func newPatient(t *testing.T) *patient {
	t.Helper()
	d, err := domain.Load(doctorFile)
	if err != nil {
		t.Fatal(err)
	}
	w := &patient{t: t, file: doctorFile, d: d, at: map[string]string{}, parts: map[string]pages{}}
	w.parts["url"] = pages{
		"/metrics": func(out http.ResponseWriter, r *http.Request) {
			text := serviceMetrics
			if strings.Contains(r.Header.Get("Accept"), "openmetrics") {
				text = strings.Replace(text, `le="+Inf"} 7`, fmt.Sprintf(`le="+Inf"} 7 # {trace_id="4bf9",span_id="00f0"} 0.2 %d.5`, time.Now().Add(-time.Hour).Unix()), 1)
			}
			fmt.Fprint(out, text)
		},
		"/metrics-dashboard": gives(object{"uptime_seconds": 3600, "problems": []string{}}),
	}
	w.parts["prometheus"] = pages{
		"/-/ready":                 says("ready"),
		"/metrics":                 says("# TYPE prometheus_build_info gauge\nprometheus_config_last_reload_successful 1\n"),
		"/api/v1/query?time()":     api(object{"resultType": "scalar", "result": []any{1.5, "1.5"}}),
		"/api/v1/status/buildinfo": api(object{"version": "3.15.0"}),
		"/api/v1/status/flags":     api(object{"enable-feature": "exemplar-storage", "storage.tsdb.path": "data"}),
		"/api/v1/status/config":    api(object{"yaml": ""}),
		"/api/v1/targets":          api(object{"activeTargets": []object{w.target("up", "")}}),
		"/api/v1/alertmanagers":    api(object{"activeAlertmanagers": []object{{"url": "http://alertmanager:9093/api/v2/alerts"}}}),
		"/api/v1/rules":            w.rules(func(object) {}),
		"/api/v1/query_exemplars":  api([]object{{"exemplars": []object{{"labels": object{"trace_id": "4bf9"}}}}}),
		asksNames:                  vectorOf(`{"__name__":"tienda_telemetry_exports_total"} 4`, `{"__name__":"tienda_telemetry_refused_total"} 6`, `{"__name__":"tienda_telemetry_collect_errors_total"} 5`, `{"__name__":"tienda_build_info"} 1`, `{"__name__":"tienda_requests_total"} 1`, `{"__name__":"tienda_response_duration_seconds_count"} 1`),
		asksSharers:                vectorOf(),
		asksTwice:                  vectorOf(`{"instance":"tienda:9464"} 1`),
		asksAge:                    vectorOf(`{} 2`),
		asksLost:                   vectorOf(),
		asksJobs:                   vectorOf(),
		asksOthers:                 vectorOf(),
		asksFiring:                 vectorOf(`{"alertname":"SlowResponses"} 1`),
	}
	w.parts["alertmanager"] = pages{
		"/-/ready":       says("OK"),
		"/api/v2/status": gives(object{"config": object{"original": w.receivers()}, "versionInfo": object{"version": "0.31.1"}}),
		"/api/v2/alerts": gives([]object{{"labels": object{"alertname": "SlowResponses"}}}),
	}
	w.parts["pyroscope"] = pages{
		"/ready":                                 says("ready"),
		"/querier.v1.QuerierService/LabelValues": gives(object{"names": []string{"tienda-api"}}),
		"/querier.v1.QuerierService/Series":      gives(object{"labelsSet": []object{}}),
		"/pyroscope/render":                      gives(object{"flamebearer": object{"numTicks": 7}}),
	}
	w.parts["collector"] = pages{"/": gives(object{"status": "Server available", "upSince": "2026-11-26T05:00:00Z", "uptime": "1h"})}
	w.parts["collector-metrics"] = pages{"/metrics": says(collectorMetrics)}
	w.parts["grafana"] = pages{
		"/api/health": gives(object{"database": "ok", "version": "12.3.0"}),
		"/api/datasources": gives([]object{
			{"uid": "p", "name": "Prometheus", "type": "prometheus", "url": "http://prometheus:9090", "isDefault": true,
				"jsonData": object{"exemplarTraceIdDestinations": []object{{"name": "trace_id", "datasourceUid": "t"}}}},
			{"uid": "y", "name": "Pyroscope", "type": "grafana-pyroscope-datasource", "url": "http://pyroscope:4040"},
			{"uid": "t", "name": "Tempo", "type": "tempo"},
		}),
		"/api/datasources/uid/p/health": gives(object{"status": "OK", "message": "Successfully queried the Prometheus API."}),
		"/api/datasources/uid/y/health": gives(object{"status": "OK", "message": "Data source is working"}),
	}
	uids, err := boards()
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range uids {
		w.parts["grafana"]["/api/dashboards/uid/"+uid] = gives(object{"dashboard": object{"uid": uid}})
	}
	return w
}

// serves has a text in the service's metrics replaced; for "" it is added.
func (w *patient) serves(from, to string) {
	if from == "" {
		w.metrics(to + serviceMetrics)
	} else {
		w.metrics(strings.ReplaceAll(serviceMetrics, from, to))
	}
}

// domain has another domain file in a folder of its own, in which from is to.
func (w *patient) domain(from, to string) (dir string) {
	w.t.Helper()
	text, err := os.ReadFile(doctorFile)
	if err != nil || !strings.Contains(string(text), from) {
		w.t.Fatalf("%s has no %q: %v", doctorFile, from, err)
	}
	dir = w.t.TempDir()
	w.file = filepath.Join(dir, "domain.yaml")
	clitest.Put(w.t, dir, "domain.yaml", strings.Replace(string(text), from, to, 1))
	if w.d, err = domain.Load(w.file); err != nil {
		w.t.Fatal(err)
	}
	w.parts["prometheus"]["/api/v1/rules"] = w.rules(func(object) {})
	return dir
}

// filter narrows SlowResponses, and has /pedidos among the routes.
func (w *patient) filter(label, text string) {
	w.domain("    stat: p95\n", "    stat: p95\n    where: {"+label+": \""+text+"\"}\n")
	w.serves(`endpoint="/"`, `endpoint="/pedidos"`)
}

// target is one that Prometheus scrapes as the service's job.
func (w *patient) target(health, lastError string) object {
	return object{
		"labels": object{"job": "tienda-api", "instance": "tienda:9464"}, "scrapeUrl": "http://tienda:9464/metrics",
		"health": health, "lastError": lastError, "lastScrape": "2026-11-26T05:00:00Z",
	}
}

// rules are the domain's as Prometheus has them loaded, each changed, beside others.
func (w *patient) rules(change func(rule object), others ...object) http.HandlerFunc {
	all := others
	for _, r := range alerting.Rules(w.d, alerting.Options{}) {
		rule := object{"name": r.Record, "query": r.Expr, "type": "recording", "health": "ok"}
		if r.Alert != "" {
			rule = object{
				"name": r.Alert, "query": r.Expr, "type": "alerting", "health": "ok", "labels": maps.Clone(r.Labels), "annotations": maps.Clone(r.Annotations),
				"duration": r.For.Seconds(), "keepFiringFor": r.KeepFiring.Seconds(),
			}
		}
		change(rule)
		all = append(all, rule)
	}
	return api(object{"groups": []object{{"rules": all}}})
}

func (w *patient) receivers() string {
	text := "receivers:\n- name: none\n"
	for _, r := range alerting.Receivers(w.d) {
		text += "- name: " + r.Name + "\n"
	}
	return text
}

// doctor runs the command on the set-up. All addresses have a password.
func (w *patient) doctor(format string) (code int, stdout, stderr string) {
	w.t.Helper()
	args := []string{"doctor", "-format", format}
	for name, p := range w.parts {
		at := w.at[name]
		if at == "" {
			server := httptest.NewServer(p)
			w.t.Cleanup(server.Close)
			at = strings.Replace(server.URL, "http://", "http://ops:hunter2@", 1)
			w.at[name] = at
		}
		args = append(args, "-"+name, at)
	}
	return latido(append(append(args, w.args...), w.file)...)
}

// links runs doctor, and returns what it found of each link.
func (w *patient) links() map[string]result.Check {
	w.t.Helper()
	code, stdout, stderr := w.doctor("json")
	var found result.Set
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || stderr != "" || found.OK != (code == 0) {
		w.t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if strings.Contains(stdout, "hunter2") {
		w.t.Errorf("the password is printed: %s", stdout)
	}
	all := map[string]result.Check{}
	for _, f := range found.Checks {
		all[f.Check] = f
	}
	return all
}

// brokenLinks are the names of the links in which something is wrong, and all that
// is said of them.
func brokenLinks(all map[string]result.Check) (names []string, said string) {
	for _, l := range links {
		f := all[l.name]
		if f.Status != result.Fail {
			continue
		}
		names = append(names, l.name)
		for _, p := range f.Problems {
			said += p.Message + "\n" + p.Fix + "\n"
		}
	}
	return names, said
}

// english are words that no text in Spanish has, beside those of a program's own,
// such as the rule's key for.
var english = regexp.MustCompile(`\b((the|is|are|has|have|not|which|was|were|this|from)\b|for )`)

// inSpanish wants everything that was found to be said in Spanish, too.
func inSpanish(t *testing.T, all map[string]result.Check) {
	t.Helper()
	for name, c := range all {
		texts := append([]string{c.Detail, c.About}, c.Notes...)
		for _, p := range c.Problems {
			texts = append(texts, p.Message, p.Fix)
		}
		for _, text := range texts {
			if said := cli.Say("es", text); english.MatchString(said) {
				t.Errorf("%s: %q is %q in Spanish", name, text, said)
			}
		}
	}
}
