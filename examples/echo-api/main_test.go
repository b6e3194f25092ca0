package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latido-dev/latido/examples/echo-api/breaks"
	"github.com/latido-dev/latido/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patterns are the endpoints of the shop. Nothing else may be one.
var patterns = map[string]bool{
	"/salud": true, "/pedidos": true, "/pedidos/{id}": true, "/pedidos/{id}/cancelar": true,
	"/carritos": true, "/carritos/{id}": true, "/reportes/ventas": true, "/inventario/proveedor": true,
	"/catalogo/exportar": true, "/pagos/estado": true, "unmatched": true,
}

var endpointLabel = regexp.MustCompile(`endpoint="([^"]*)"`)

// The whole example, on ports of its own, until its traffic has reached what a
// newcomer looks for; then it is stopped as by Ctrl-C.
func TestRun(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_PROMETHEUS_PORT", "0")
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, interrupt := context.WithTimeout(t.Context(), 5*time.Minute) // seconds, where the machine is free
	o, err := parseFlags([]string{"-addr", "127.0.0.1:0", "-rate", "200", "-fast"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan string, 1)
	o.started = func(_, adminURL string) { started <- adminURL }
	var out bytes.Buffer
	var runErr error
	ended := make(chan struct{})
	go func() { defer close(ended); runErr = run(ctx, o, &out) }()
	stop := func() { interrupt(); <-ended } // wholly, or the next test's telemetry is refused
	defer stop()

	var adminURL string
	select {
	case adminURL = <-started:
	case <-ended:
		t.Fatal("it ended by itself: ", runErr)
	}
	metrics, seen := "", map[string]bool{}
	for poll := time.Tick(50 * time.Millisecond); len(seen) < len(patterns) && ctx.Err() == nil; <-poll {
		metrics, seen = get(t, adminURL+"/metrics"), map[string]bool{}
		for _, s := range counted(metrics, "tienda_requests_total") {
			seen[endpointLabel.FindStringSubmatch(s)[1]] = true
		}
	}
	// It is broken when it is stopped, and leaves nothing behind nevertheless.
	for _, name := range []string{"cpu", "leak", "slow"} {
		if status := breakIt(t, adminURL, name, ""); status != http.StatusPreconditionRequired {
			t.Errorf("breaking %s without the header answers %d", name, status)
		}
		if status := breakIt(t, adminURL, name, "yes"); status != http.StatusOK {
			t.Errorf("breaking %s answers %d", name, status)
		}
	}
	for poll := time.Tick(50 * time.Millisecond); !strings.Contains(get(t, adminURL+"/debug/pprof/goroutine?debug=1"), "shop.forecastSales"); <-poll {
		if ctx.Err() != nil {
			t.Fatal("the report starts no forecast")
		}
	}
	if ready := get(t, adminURL+"/readyz"); !strings.Contains(ready, "database") {
		t.Errorf("/readyz says %s, want the database in it", ready)
	}
	if rules := get(t, adminURL+"/api/v1/rules"); !strings.Contains(rules, `"name":"RespuestaLenta"`) {
		t.Errorf("the rules that are evaluated are %s", rules)
	}
	if stop(); runErr != nil {
		t.Error(runErr)
	}

	for pattern := range patterns {
		if !seen[pattern] {
			t.Errorf("/metrics has no requests to %s", pattern)
		}
	}
	for _, label := range endpointLabel.FindAllStringSubmatch(metrics, -1) {
		if !patterns[label[1]] {
			t.Errorf("/metrics has the endpoint %s, which is no pattern", label[1])
		}
	}
	for line := range strings.Lines(metrics) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); !strings.HasPrefix(name, "tienda_") && !strings.HasPrefix(name, "# EOF") {
			t.Errorf("without the prefix: %s", line)
		}
	}
	for _, family := range []string{"tienda_pedidos_procesados_total", "tienda_valor_pedido_COP_count", "tienda_active_connections", "tienda_entities_created_total"} {
		if len(counted(metrics, family)) == 0 {
			t.Errorf("/metrics has no %s", family)
		}
	}
	for _, family := range []string{"tienda_telemetry_refused_total", "tienda_telemetry_collect_errors_total"} {
		if series := counted(metrics, family); len(series) > 0 { // all that the shop records is declared
			t.Errorf("/metrics has %q", series)
		}
	}
	for _, want := range []string{adminURL + "/debug/report", "curl -X POST -H 'Latido-Confirm: yes' " + adminURL + "/break/slow", "The shop was open for", "GET /pedidos/{id}", "pedidos_procesados canal=web"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output has no %q:\n%s", want, &out)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// counted are the series of a family in /metrics that are not 0.
func counted(metrics, family string) []string {
	return regexp.MustCompile(`(?m)^`+family+`(\{.*\})? \S*[1-9]\S*$`).FindAllString(metrics, -1)
}

// breakIt flips one of the switches, and returns the status of the answer.
func breakIt(t *testing.T, adminURL, name, confirm string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, adminURL+breaks.Path+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Latido-Confirm", confirm)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %s: %s, %v", url, response.Status, body, err)
	}
	return string(body)
}

// Without traffic of its own, and with nobody's port for the admin pages, the
// shop works, says so, and stops when its time is over.
func TestRunAlone(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	t.Setenv("OTEL_EXPORTER_PROMETHEUS_PORT", port)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())

	o, err := parseFlags([]string{"-addr", "127.0.0.1:0", "-load=false", "-db", ":memory:"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	o.started = func(apiURL, adminURL string) {
		if adminURL != "" {
			t.Errorf("the admin pages are at %s, although the port is taken", adminURL)
		}
		get(t, apiURL+"/pedidos/1")
	}
	o.duration = time.Millisecond
	var out bytes.Buffer
	if err := run(ctx, o, &out); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"NOT SERVED", "OTEL_EXPORTER_PROMETHEUS_PORT=9465", "Requests: 1, failed: 0.", "GET /pedidos/{id}"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output has no %q:\n%s", want, &out)
		}
	}
	if ctx.Err() != nil {
		t.Error("it did not stop by itself")
	}
}

func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	testkit.Error(t, run(t.Context(), options{addr: addr}, io.Discard), addr+" is taken by another program: stop it, or choose another port, as in -addr 127.0.0.1:8081")
	testkit.Error(t, run(t.Context(), options{addr: "nowhere"}, io.Discard), "-addr nowhere: ")
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                     "",
		"-rate 5 -duration 1m": "",
		"-mix crear=1":         "",
		"-fast":                "",
		"-mix comprar=1":       "no such action; there are ver,",
		"-rate 0":              "-rate 0: must be above 0",
		"-rate NaN":            "-rate NaN: must be above 0",
		"-rate 1e9":            "at most 10000",
		"-duration -1s":        "cannot be negative",
		"-load false":          `argument "false" is not expected`,
	} {
		t.Run(args, func(t *testing.T) {
			var stderr bytes.Buffer
			_, err := parseFlags(strings.Fields(args), &stderr)
			testkit.Error(t, err, want)
			if err != nil && !strings.Contains(stderr.String(), want) {
				t.Errorf("the user reads %q, want %q in it", &stderr, want)
			}
		})
	}
	if o, _ := parseFlags([]string{"-mix", "crear=1"}, io.Discard); len(o.mix) != 1 || o.mix["crear"] != 1 {
		t.Errorf("the mix is %s", o.mix)
	}
}

func TestLocalURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080",
		"0.0.0.0:8080":   "http://127.0.0.1:8080",
		"[::]:8080":      "http://127.0.0.1:8080",
		"[::1]:8080":     "http://[::1]:8080",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := localURL(a); got != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
}

// events/events_gen.go is what domain.yaml says; if not, go generate it.
func TestEventsAreGenerated(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "run", ".", "generate", "events", "-check",
		"-domain", filepath.Join(folder, "domain.yaml"), "-out", filepath.Join(folder, "events", "events_gen.go"))
	command.Dir = "../../cmd/latido"
	command.Env = append(os.Environ(), "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
