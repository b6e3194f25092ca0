package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// answers are what a listener says, by the path without its query.
type answers map[string]string

func (a answers) page(language string) http.Handler {
	mux := http.NewServeMux()
	p := New(Config{
		Domain: domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido", Language: language,
			Events: []domain.Event{
				{Name: "pedidos", Description: "Pedidos aceptados", Attributes: map[string][]string{"canal": {"web", "movil"}}},
				{Name: "valor", Kind: domain.KindHistogram, Unit: "COP"},
				{Name: "carritos", Kind: domain.KindUpDown, Was: []string{"cestas"}, WasUntil: "2020-01-31"},
			},
			SLOs:       []domain.SLO{{Name: "rapidez", Objective: 99}},
			Thresholds: []domain.Threshold{{Name: "SinPedidos"}},
		},
		Links: func() []Link { return []Link{{"/break/", `breaks <it> "on purpose"`}} },
		Get: func(_ context.Context, path string) (int, []byte) {
			path, _, _ = strings.Cut(path, "?")
			if body, ok := a[path]; ok {
				return http.StatusOK, []byte(body)
			}
			return http.StatusNotFound, nil
		},
	})
	p.Register(mux.Handle)
	return mux
}

// ask returns the status, the header and the body.
func get(t *testing.T, h http.Handler, path string) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

const healthy = `{"app": "tienda-api", "system_status": "healthy", "window_seconds": 60, "uptime_seconds": 4000, "system": {"cpu_percent": 12.34},
	"endpoints": [{"endpoint": "/pedidos/{id}", "method": "GET", "requests": 10, "requests_per_second": 2, "error_ratio": 0, "p95_seconds": 0.0123, "time_seconds": 3},
		{"endpoint": "/pagos", "method": "POST", "requests": 10, "requests_per_second": 1, "error_ratio": 0.3, "p95_seconds": 1.5, "time_seconds": 1}],
	"events": [{"name": "pedidos", "labels": {"canal": "web"}, "value": 1200}, {"name": "pedidos", "labels": {"canal": "movil"}, "value": 34},
		{"name": "valor", "labels": {}, "value": 1000000, "count": 8}, {"name": "carritos", "labels": {}, "value": 7}],
	"history": {"at": [100, 105, 110], "all": {"p95_seconds": [0.1, null, 0.2]}, "events": {"pedidos": [0, 30, 60]}}}`

// TestNow has each figure in the language's way.
func TestNow(t *testing.T) {
	for language, want := range map[string][]string{
		"es": {"tienda-api está bien.", "<b>3</b> peticiones/s", "<b>10 %</b> fallan", "p95 <b>200 ms</b>", "CPU <b>12,3 %</b>", "Pedidos aceptados", ">1234\n", "web <b>1200</b>",
			"125.000", "promedio de 8", ">7\n", "45 <small>por minuto", "75 %", "12,3 ms", "M0.0 23.0", "embedded.Start", "breaks &lt;it&gt; &#34;on purpose&#34;"},
		"en": {"tienda-api is well.", "<b>3</b> requests/s", ">1,234\n", "web <b>1,200</b>", "125,000", "average of 8", "12.3 ms", "Up for 67 min"},
	} {
		response, body := get(t, answers{"/metrics-dashboard": healthy}.page(language), "/")
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s\n%s", response.Status, body)
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q in\n%s", language, text, body)
			}
		}
		if strings.Contains(body, " <b>7</b>") {
			t.Errorf("%s: what has no labels is told in parts:\n%s", language, body)
		}
	}
}

const firing = `{"status": "success", "data": {"groups": [{"rules": [
	{"type": "alerting", "name": "CPUAlta", "state": "firing", "health": "ok", "query": "max(tienda_cpu_usage_percent) > 80 and sum(x) >= 20",
	 "labels": {"severity": "page"}, "annotations": {"summary": "Se queda sin CPU"}, "alerts": [{"state": "firing", "value": "9.1e+01", "activeAt": "2026-11-28T10:00:00Z"}]},
	{"type": "alerting", "name": "Rota", "state": "inactive", "health": "err", "lastError": "no such <function>", "query": "sum(tienda_pedidos_total) < 1", "labels": {}, "annotations": {}},
	{"type": "alerting", "name": "Vieja", "state": "inactive", "health": "err", "lastError": "there are no recent data: its alerts are as they were", "query": "up < 1", "labels": {}, "annotations": {}},
	{"type": "alerting", "name": "Latido", "state": "firing", "query": "vector(1)", "labels": {"heartbeat": "true"}, "annotations": {}}]}]}}`

var embedded = answers{
	"/api/v1/status/buildinfo": "{}", "/metrics-dashboard": healthy, "/api/v1/rules": firing,
	"/api/incidents":   `{"incidents": [{"id": "20261128T100000Z-cpualta-0a1b2c", "kind": "alert", "name": "CPUAlta", "cause": "shop.burn (shop.go:7) creció", "starts_at": "2026-11-28T10:00:00Z"}]}`,
	"/api/v1/query":    `{"data": {"result": [{"metric": {"slo": "rapidez", "receiver": "correo"}, "value": [1, "0.25"]}]}}`,
	"/api/v2/silences": `[{"id": "x", "comment": "obras", "createdBy": "ana", "status": {"state": "active"}, "endsAt": "2026-11-28T12:00:00Z", "matchers": [{"name": "alertname", "value": "CPUAlta", "isEqual": true}]}]`,
	"/metrics":         "# HELP x\ntienda_carritos 1\ntienda_pedidos_total{canal=\"web\"} 3\ntienda_pedidos_total{canal=\"movil\"} 3\n",
}

// TestFiring is what an alert looks like on each view that knows of it. The
// heartbeat, which always fires, is none.
func TestFiring(t *testing.T) {
	for path, want := range map[string][]string{
		"/":       {`class="health bad"`, "Se queda sin CPU.", "shop.burn (shop.go:7) creció", "91 % &gt; 80 %", "20261128T100000Z-cpualta-0a1b2c", "25 %", "correo"},
		"/alerts": {`<tr class="firing page">`, "&gt; 80 %", "silenciada: obras", "no such &lt;function&gt;", "shop.burn", "no hay datos recientes: sus alertas siguen como estaban"},
		"/graph?g0.expr=max(tienda_cpu_usage_percent)+%3E+80+and+sum(x)+%3E%3D+20": {"<h1>CPUAlta</h1>", `value="80"`, "&#34;unit&#34;:&#34;&#34;", ">max(tienda_cpu_usage_percent)</textarea>"},
		"/graph?g0.expr=up+%3C+1e1": {`value="10"`, ">up</textarea>"},
		"/domain": {"tienda_pedidos_total", "<b>2</b> series", "<b>1</b> serie<", `tel.Counter(&#34;pedidos&#34;).With(&#34;canal&#34;, &#34;web&#34;).Add(1)`, "Rota: no such", "Vieja: no hay datos recientes",
			"Nadie se entera de sus alertas", "Los nombres anteriores de carritos ya terminaron"},
	} {
		_, body := get(t, embedded.page("es"), path)
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q in\n%s", path, text, body)
			}
		}
		if strings.Contains(body, "Latido") {
			t.Errorf("%s: the heartbeat is taken for an alert", path)
		}
	}
}

// TestAsked lists with a metric the rules that ask for it, and none that asks for
// one whose name begins alike.
func TestAsked(t *testing.T) {
	h := maps.Clone(embedded)
	h["/api/v1/rules"] = `{"data": {"groups": [{"rules": [{"name": "Medias", "query": "rate(tienda_valor_COP_sum[5m]) > 1"}, {"name": "Ajena", "query": "sum(tienda_carritos_viejos) > 1"}]}]}}`
	_, body := get(t, h.page("es"), "/domain")
	if !strings.Contains(body, ">Medias</a>") || strings.Contains(body, ">Ajena</a>") {
		t.Errorf("not the rules that ask for each metric:\n%s", body)
	}
}

// TestSilences has what each is about, and takes none for a rule's that leaves
// the rule out.
func TestSilences(t *testing.T) {
	h := maps.Clone(embedded)
	h["/api/v2/silences"] = `[{"comment": "todo lo demás", "status": {"state": "active"}, "matchers": [{"name": "alertname", "value": "CPUAlta", "isEqual": false}]},
		{"comment": "noche", "status": {"state": "active"}, "matchers": [{"name": "alertname", "value": "CPU.*", "isEqual": true, "isRegex": true}, {"name": "severity", "value": "page|ticket", "isRegex": true}]}]`
	_, body := get(t, h.page("es"), "/alerts")
	for _, want := range []string{"<b>alertname!=CPUAlta </b>", "<b>alertname=~CPU.* severity!~page|ticket </b>"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if strings.Contains(body, "silenciada") {
		t.Errorf("a silence of all others is taken for the rule's own:\n%s", body)
	}
}

// TestOne has one of a thing: its word is in the singular, and what a link
// underlines begins with its word.
func TestOne(t *testing.T) {
	one := strings.NewReplacer(`"requests_per_second": 1,`, `"requests_per_second": 0,`, `"time_seconds": 1}`, `"time_seconds": 0}`).Replace(healthy)
	for language, want := range map[string]string{"en": "1 more endpoint without", "es": "1 endpoint más sin"} {
		_, body := get(t, answers{"/metrics-dashboard": one}.page(language), "/")
		for _, text := range []string{want, `<span class="method">GET </span>/pedidos/{id}</a>`} {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q in\n%s", language, text, body)
			}
		}
	}
}

// TestHostile has labels that want to be markup, are huge, or are no text, and
// 20,000 series: each view stays bounded, and runs none of it.
func TestHostile(t *testing.T) {
	markup := `<img src=x onerror=alert(1)>"'` + "`</script>"
	huge := strings.Repeat("á<i>", 25_000)
	for name, label := range map[string]string{"markup": markup, "huge": huge, "no text": "a\xff\xfeb"} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(label)
			if err != nil {
				t.Fatal(err)
			}
			l := string(text)
			var series, metrics strings.Builder
			for i := range 20_000 {
				fmt.Fprintf(&series, `,{"name": "pedidos", "labels": {"canal": %q}, "value": %d}`, fmt.Sprint("canal", i), i)
				fmt.Fprintf(&metrics, "tienda_pedidos_total{canal=\"%d\"} 1\n", i)
			}
			h := answers{
				"/api/v1/status/buildinfo": "{}", "/metrics": metrics.String(),
				"/metrics-dashboard": `{"app": "x", "system_status": "healthy", "version": ` + l + `, "problems": [` + l + `], "advice": [` + l + `], "endpoints": [{"endpoint": ` + l + `, "method": "GET", "requests": 1,
					"requests_per_second": 1, "time_seconds": 1, "failures": [{"site": ` + l + `, "status": "500", "count": 1}]}], "events": [{"name": "pedidos", "labels": {"canal": ` + l + `}, "value": 30000}` + series.String() + `]}`,
				"/api/v1/rules":    `{"data": {"groups": [{"rules": [{"name": ` + l + `, "state": "firing", "query": "up > 1", "labels": {"severity": "page"}, "annotations": {"summary": ` + l + `}}]}]}}`,
				"/api/incidents":   `{"incidents": [{"id": "x", "name": ` + l + `, "cause": ` + l + `}]}`,
				"/api/findings":    `{"at": "2026-11-28T10:00:00Z", "findings": [{"sentence": ` + l + `, "next": ` + l + `}], "notes": [` + l + `]}`,
				"/api/v2/silences": `[{"comment": ` + l + `, "status": {"state": "active"}, "matchers": [{"name": "alertname", "value": ` + l + `}]}]`,
			}.page("en")
			for _, path := range []string{"/", "/alerts", "/domain", "/findings", "/graph?g0.expr=" + quoted(label), "/endpoint?method=GET&name=" + quoted(label), "/flame?endpoint=" + quoted(label)} {
				response, body := get(t, h, path)
				if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
					t.Errorf("%.60s: %s: %.200s", path, response.Status, body)
				}
				for _, no := range []string{"<img", "<i>á", "`</script>", "onerror=alert(1)>"} {
					if strings.Contains(body, no) {
						t.Errorf("%.60s has %q in it", path, no)
					}
				}
				if name != "huge" && len(body) > 64<<10 || len(body) > 4<<20 {
					t.Errorf("%.60s is of %d bytes", path, len(body))
				}
			}
		})
	}
}

func quoted(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

// TestPolicy holds what a view may load: scripts and styles of its own, and
// nothing in its own text.
func TestPolicy(t *testing.T) {
	h := embedded.page("es")
	for _, path := range []string{"/", "/alerts", "/graph", "/flame", "/domain", "/endpoint", "/findings", "/page/live.js"} {
		response, body := get(t, h, path)
		policy := response.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		for _, no := range []string{"<style", " style=", "onclick=", "http://", "https://"} {
			if strings.Contains(body, no) {
				t.Errorf("%s has %q in it", path, no)
			}
		}
	}
	response, _ := get(t, h, "/page/vendor/speedscope.html")
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self' 'wasm-unsafe-eval';") || !strings.Contains(policy, "frame-ancestors 'self'") {
		t.Errorf("speedscope's policy is %q", policy)
	}
	for _, path := range []string{"/page/", "/page/../page.go", "/page/vendor/", "/page/static", "/page/vendor/../doc.go", "/page/x.js"} {
		if response, _ := get(t, h, path); response.StatusCode == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

// TestAsset is packed for a browser, and not sent twice.
func TestAsset(t *testing.T) {
	h := answers{}.page("")
	r := httptest.NewRequest(http.MethodGet, "/page/vendor/uPlot.iife.min.js", nil)
	r.Header.Set("Accept-Encoding", "gzip, br")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 30_000 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("%v, %d bytes", w.Header(), w.Body.Len())
	}
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the second time: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestCompared(t *testing.T) {
	for query, want := range map[string]string{
		"up < 1": "up|<|1",
		"(a and b > 0) > 2 and sum by (job) (c) >= 20":  "(a and b > 0)|>|2",
		"(a and b > 0) > 2\nand c >= 20":                "(a and b > 0)|>|2",
		`a{x="1 or 2 > 3"} >= 1e-05 and b{y="and"} > 2`: `a{x="1 or 2 > 3"}|>=|1e-05`,
		"a > 1 or b > 2":           "||",
		"a > b":                    "||",
		"vector(1)":                "||",
		"absent(up) == 1 unless x": "||",
		"":                         "||",
		`a{x="`:                    "||",
	} {
		left, op, limit := compared(query)
		text := ""
		if limit != nil {
			text = strconv.FormatFloat(*limit, 'g', -1, 64)
		}
		if got := left + "|" + op + "|" + text; got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestUnit has the unit of what a rule compares: a count and a rate have none.
func TestUnit(t *testing.T) {
	metrics := domain.Domain{Prefix: "tienda", Events: []domain.Event{{Name: "valor", Kind: domain.KindHistogram, Unit: "COP"}}}.Metrics()
	for query, want := range map[string]string{
		"(histogram_quantile(0.95, sum by (le) (rate(tienda_response_duration_seconds_bucket[5m]))) and x > 0)": "s",
		"sum(rate(tienda_valor_COP_sum[5m])) / (sum(rate(tienda_valor_COP_count[5m])) > 0)":                     "COP",
		"max by (job) (avg_over_time(tienda_cpu_usage_percent[1m]))":                                            "%",
		"100 * sum(rate(tienda_requests_total[5m])) / sum(rate(tienda_requests_total[5m]))":                     "%",
		"max(tienda_memory_usage_bytes)":                  "By",
		`tienda:slo_errors:ratio_rate1h{slo="x"} > 0.144`: "1",
		"clamp_min(min_over_time(tienda_active_requests[2m]) - sum(rate(tienda_response_duration_seconds_sum[2m])), 0)": "",
		"sum(increase(tienda_telemetry_refused_total[15m]))":                                                            "",
		"sum(rate(tienda_response_duration_seconds_count[5m]))":                                                         "",
		"up": "",
	} {
		if got := unitOf(query, "tienda", metrics); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}

// TestMostSevereFirst has the sentence on top be about what wakes somebody up.
func TestMostSevereFirst(t *testing.T) {
	two := `{"data": {"groups": [{"rules": [
		{"name": "B", "state": "firing", "query": "x", "labels": {"severity": "ticket"}, "annotations": {"summary": "un detalle"}, "alerts": []},
		{"name": "A", "state": "firing", "query": "x", "labels": {"severity": "page"}, "annotations": {"summary": "Todo falla"}, "alerts": []}]}]}}`
	_, body := get(t, answers{"/api/v1/status/buildinfo": "{}", "/metrics-dashboard": healthy, "/api/v1/rules": two}.page("es"), "/")
	if want := "Todo falla, y hay otra alerta activa."; !strings.Contains(body, want) {
		t.Errorf("no %q in\n%s", want, body)
	}
}

// TestOwnRulesFirst lists the rules of the domain file before those that every
// service has.
func TestOwnRulesFirst(t *testing.T) {
	rules := `{"data": {"groups": [{"rules": [
		{"name": "DiskAlmostFull", "state": "inactive", "query": "x", "labels": {}}, {"name": "rapidezBurnsFast", "state": "inactive", "query": "x", "labels": {"slo": "rapidez"}},
		{"name": "SinPedidos", "state": "inactive", "query": "x", "labels": {}}, {"name": "ServiceDown", "state": "pending", "query": "x", "labels": {"severity": "page"}}]}]}}`
	_, body := get(t, answers{"/api/v1/status/buildinfo": "{}", "/metrics-dashboard": healthy, "/api/v1/rules": rules}.page("es"), "/alerts")
	last := 0
	for _, name := range []string{"ServiceDown", "rapidezBurnsFast", "SinPedidos", "DiskAlmostFull"} {
		at := strings.Index(body, "rule="+name+"#silence")
		if at < last {
			t.Errorf("%s is not in its place", name)
		}
		last = at
	}
}

// TestNotWell says why, in the words of the service's own judgement: what all
// requests suffer from comes before one endpoint.
func TestNotWell(t *testing.T) {
	board := strings.Replace(healthy, `"system_status": "healthy"`, `"system_status": "unhealthy", "reasons": ["60 % of all requests are answered with 5xx", "POST /pagos answers 90 % of its requests with 5xx"]`, 1)
	for language, want := range map[string]string{"en": ">60 % of all requests are answered with 5xx.<", "es": ">El 60 % de todas las peticiones recibe un 5xx.<"} {
		if _, body := get(t, answers{"/metrics-dashboard": board}.page(language), "/"); !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}

func TestSpark(t *testing.T) {
	var w words
	one, two := 1.0, 2.0
	for want, line := range map[string][]*float64{
		"":                              {nil, nil},
		"M0.0 12.0h0.01L120.0 1.0":      {&one, &two},
		"M0.0 1.0h0.01M120.0 12.0h0.01": {&two, nil, &one},
	} {
		if got := w.Spark(line); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	many := make([]*float64, 10_000)
	for i := range many {
		many[i] = &one
	}
	if n := strings.Count(w.Spark(many), "L"); n > sparkPoints {
		t.Errorf("%d points", n)
	}
}

// TestWaits says what an endpoint waits for in the page's language, and where,
// as short as a function that computes.
func TestWaits(t *testing.T) {
	board := strings.Replace(healthy, `"time_seconds": 3}`, `"time_seconds": 3, "profile": {"waits": [{"function": "example.com/shop.(*Store).Totals", "file": "/src/shop/store.go", "line": 216, "reason": "lock", "share": 1}]}}`, 1)
	_, body := get(t, answers{"/metrics-dashboard": board}.page("es"), "/endpoint?method=GET&name=/pedidos/{id}")
	for _, want := range []string{"espera: un candado (lock)</span> shop.(*Store).Totals", "store.go:216"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
