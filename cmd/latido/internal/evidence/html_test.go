package evidence

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/profiles"
	"github.com/latido-dev/latido/internal/stacks"
)

// oneProfile is a profile of one endpoint: a handler below the SDK's frame.
func oneProfile(t *testing.T, sample, endpoint string, functions ...string) []byte {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: sample, Unit: "nanoseconds"}}}
	s := &profile.Sample{Value: []int64{1e9}, Label: map[string][]string{profiles.LabelEndpoint: {endpoint}}}
	for i, name := range functions { // the innermost first
		f := &profile.Function{ID: uint64(i + 1), Name: name, Filename: "/home/ana/shop/report.go"}
		at := &profile.Location{ID: uint64(i + 1), Line: []profile.Line{{Function: f, Line: 59}}}
		p.Function, p.Location, s.Location = append(p.Function, f), append(p.Location, at), append(s.Location, at)
	}
	p.Sample = []*profile.Sample{s}
	file, err := os.Create(filepath.Join(t.TempDir(), "profile"))
	if err == nil {
		err = p.Write(file)
	}
	if err == nil {
		err = file.Close()
	}
	data, wrong := os.ReadFile(file.Name())
	if err != nil || wrong != nil {
		t.Fatal(err, wrong)
	}
	return data
}

// TestReportHTML writes the page of a service whose names have HTML in them, in
// both languages: it has the figures, the bottleneck and picture of each
// endpoint, the alerts and the plan, and nothing that a browser would run.
func TestReportHTML(t *testing.T) {
	t.Parallel()
	const hostile = `/<img src=x onerror=alert(1)>`
	hot := profiles.Top{Own: []profiles.Function{{Function: "example.com/shop.<b>stats", File: "/home/ana/shop/report.go", Line: 59, Share: 0.95}}}
	report := continuous.Report{Service: "tienda-api", From: time.Unix(1, 0), To: time.Unix(61, 0), Endpoints: []profiles.Usage{
		{Name: "/reportes/ventas", CPUShare: 0.34, CPUSamples: 40, CPU: hot},
		{Name: "unmatched", CPUShare: 0.2},
		{Name: hostile, Waits: profiles.Waits{Places: []profiles.WaitPlace{{Function: "shop.wait", File: "a.go", Line: 3, Reason: "lock", Share: 0.8}}}},
	}}
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{
		"/debug/report": string(text),
		"/metrics-dashboard": `{"app":"tienda-api","domain":"tienda","entity":"pedido","version":"1.2.3","system":{"cpu_percent":12.5,"memory_bytes":1048576},
			"endpoints":[{"endpoint":"/reportes/ventas","method":"GET","requests":42,"errors":1,"requests_per_second":1.5,"p95_seconds":2.22}],
			"events":[{"name":"pedidos_procesados","labels":{"canal":"<script>x</script>"},"value":67}]}`,
		"/api/findings":  `{"at":"2026-01-02T15:04:05Z","findings":[{"sentence":"GET /pagos waits for <i>the bank</i>.","next":"Ask the bank."}]}`,
		"/api/v1/rules":  `{"data":{"groups":[{"rules":[{"name":"Calm","state":"inactive","labels":{"severity":"ticket"}},{"name":"CPUAlta","state":"firing","labels":{"severity":"page"},"annotations":{"summary":"El servidor se queda sin CPU"}}]}]}}`,
		"/api/incidents": `{"incidents":[{"id":"20261126T003029Z-cpualta-85efd4","kind":"alert","name":"CPUAlta","starts_at":"2026-11-26T00:30:29Z","cause":"shop.stats grew."}]}`,
	}
	cpu := oneProfile(t, "cpu", "/reportes/ventas", "example.com/shop.<b>stats", "example.com/shop.handler", stacks.SDK+"telemetry.(*boundHandler).ServeHTTP", "net/http.serve")
	waits := oneProfile(t, "goroutine", hostile, "sync.(*Mutex).Lock", "shop.wait")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		switch {
		case r.URL.Path == "/page/profile" && r.FormValue("type") == "cpu" && r.FormValue("endpoint") == "/reportes/ventas":
			answer, ok = string(cpu), true
		case r.URL.Path == "/page/profile" && r.FormValue("type") == "goroutines" && r.FormValue("endpoint") == hostile:
			answer, ok = string(waits), true
		}
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "domain.yaml")
	text = []byte("prefix: tienda\nentity: pedido\nlanguage: es\nevents: [{name: pedidos}]\nthresholds: [{name: SinPedidos, event: pedidos, stat: increase, window: 10m, below: 1, runbook: [Hacer un pedido de prueba <script>]}]\nnotify: [{log: {}}]\n")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}

	page := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := latido(append([]string{"report", "-url", server.URL, "-format", "html"}, args...)...)
		if code != 0 {
			t.Fatalf("exit %d %s", code, stderr)
		}
		for _, never := range []string{"<script", "<img", "<b>stats", "<i>", "net/http.serve", "boundHandler"} {
			if strings.Contains(stdout, never) {
				t.Errorf("the page has %s", never)
			}
		}
		return stdout
	}
	spanish := page("-domain", file)
	for _, want := range []string{
		`<html lang="es">`, "12,5 %", "2,22 s", "shop.&lt;b&gt;stats (report.go:59) se lleva el 95 % de su tiempo de CPU", "shop.wait (a.go:3) espera: un candado (lock), el 80 % de lo que se vio",
		`<title>example.com/shop.&lt;b&gt;stats report.go:59, 100 %</title><rect class="own"`, "Gráfico de llamas de dónde espera", `<td class="firing">activa`, "shop.stats grew.", "Plan de respuesta", "Hacer un pedido de prueba",
	} {
		if !strings.Contains(spanish, want) {
			t.Errorf("no %q in\n%s", want, spanish)
		}
	}
	if strings.Index(spanish, "CPUAlta") > strings.Index(spanish, "Calm") {
		t.Error("what fires is not first")
	}
	english := page("-domain", file, "-language", "en")
	for _, want := range []string{`<html lang="en">`, "has 95 % of its CPU time", "Response plan", "Flame graph of its CPU time"} {
		if !strings.Contains(english, want) {
			t.Errorf("no %q in\n%s", want, english)
		}
	}
	if code, _, stderr := latido("report", "-url", server.URL, "-format", "html", "-domain", "nowhere.yaml"); code != 1 || !strings.Contains(stderr, "nowhere.yaml") {
		t.Errorf("exit %d %s", code, stderr)
	}
	delete(answers, "/api/v1/rules")
	if outside := page("-domain", file); !strings.Contains(outside, "El servicio no evalúa sus reglas") || !strings.Contains(outside, "SinPedidos") {
		t.Errorf("without alerts in the process:\n%s", outside)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64][2]string{
		7: {"7", "7"}, 1234: {"1234", "1234"}, 12345: {"12,345", "12.345"}, 70196700: {"70,196,700", "70.196.700"}, -123456: {"-123,456", "-123.456"}, 0.126: {"0.126", "0,126"},
	} {
		for i, language := range []string{"en", "es"} {
			if got := (words{humanize.Of(language)}).Number(v); got != want[i] {
				t.Errorf("%v is %s in %s, want %s", v, got, language, want[i])
			}
		}
	}
}
