package main

import (
	"bytes"
	"encoding/json"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/testkit"
)

// latido runs the command.
func latido(args ...string) (code int, stdout, stderr string) {
	var out, trouble bytes.Buffer
	code = run(args, &out, &trouble)
	return code, out.String(), trouble.String()
}

func TestCalls(t *testing.T) {
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"", 2, "latido generate", ""},
		{"help", 0, "latido report", ""},
		{"reprot", 2, "", `did you mean "report"?`},
		{"report -h", 0, "-last", ""},
		{"report -lats 5m", 2, "", "-lats"},
		{"report now", 2, "", `unexpected "now"`},
		{"report -format xml", 2, "", "text, json or pprof"},
		{"report -url 127.0.0.1:9464", 2, "", "http://127.0.0.1:9464"},
		{"report -url http://user:secret@127.0.0.1:1", 1, "", "is the service running?"},
		{"schema", 0, `"prefix"`, ""},
		{"schema x", 2, "", "no arguments"},
		{"version", 0, "latido ", ""},
		{"check testdata/tienda.yaml", 0, "testdata/tienda.yaml  ok    3 events", ""},
		{"check testdata/none.yaml", 1, "", "none.yaml"},
		{"check a b", 2, "", "one file"},
		{"check -format xml", 2, "", "text or json"},
		{"generate", 2, "", "say what to generate"},
		{"generate events -domain testdata/none.yaml", 1, "", "none.yaml"},
		{"generate events -domain testdata/tienda.yaml -package a-b", 2, "", "no package name"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := latido(strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "user:secret") {
				t.Errorf("the password is printed: %s%s", stdout, stderr)
			}
		})
	}
}

func TestCheckMistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "domain.yaml")
	if err := os.WriteFile(file, []byte("prefix: tu_prefijo\nentity: pedido\nevent: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ := latido("check", file)
	for _, want := range []string{file + ":1:", file + ":3:", `did you mean "events"?`} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
		}
	}
	code, stdout, _ = latido("check", "-format", "json", file)
	var found checked
	if err := json.Unmarshal([]byte(stdout), &found); err != nil || code != 1 || found.OK || len(found.Problems) != 2 || found.Problems[1].Line != 3 {
		t.Errorf("exit %d, error %v, %s", code, err, stdout)
	}
}

func TestGenerateEvents(t *testing.T) {
	for _, name := range []string{"tienda", "rare"} {
		out := filepath.Join(t.TempDir(), "events", "events_gen.go")
		source := "testdata/" + name + ".yaml"
		if code, _, stderr := latido("generate", "events", "-domain", source, "-out", out, "-check"); code != 1 {
			t.Errorf("-check of a file that is not there: exit %d %s", code, stderr)
		}
		if code, _, stderr := latido("generate", "events", "-domain", source, "-out", out); code != 0 {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		testkit.Golden(t, "testdata/"+name+".golden.go.txt", got)
		if code, _, stderr := latido("generate", "events", "-domain", source, "-out", out, "-check"); code != 0 {
			t.Errorf("-check of a fresh file: exit %d %s", code, stderr)
		}
		if err := os.WriteFile(out, append(got, "\n// mine\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, stdout, _ := latido("generate", "events", "-domain", source, "-out", out, "-check"); code != 1 || !strings.Contains(stdout, "latido generate events") {
			t.Errorf("-check of a stale file: exit %d %s", code, stdout)
		}
	}
}

// TestGeneratedEvents builds what is generated into a program, and runs it: the
// counts arrive. A wrong value and a wrong event do not compile.
func TestGeneratedEvents(t *testing.T) {
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write("go.mod", strings.Replace(string(mod), "module github.com/latido-dev/latido", "module shop", 1)+
		"\nrequire github.com/latido-dev/latido v0.0.0\nreplace github.com/latido-dev/latido => "+root+"\n")
	write("go.sum", string(sum))
	yaml, err := os.ReadFile("testdata/rare.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write("domain.yaml", string(yaml))
	if code, _, stderr := latido("generate", "events", "-domain", filepath.Join(dir, "domain.yaml"), "-out", filepath.Join(dir, "events", "events_gen.go")); code != 0 {
		t.Fatal(stderr)
	}
	main, err := os.ReadFile("testdata/main.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	goRun := func(text string) (string, error) {
		write("main.go", text)
		cmd := exec.Command("go", "run", "-mod=mod", ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	output, err := goRun(string(main))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, want := range []string{
		`rara_ventas_total{canal="tienda 24h",tipo="b"} 3`,
		`rara_ventas_total{canal="_other",tipo="a"} 1`,
		`rara_visitas_total{canal="kiosk"} 1`,
		`rara_envios{ctx="y",func="x",tipo="a"} -2`,
		`rara_add_ventas_sum 2.5`,
	} {
		if !strings.Contains(output, want+"\n") {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	right := "events.Visitas(ctx, events.VisitasCanalKiosk)"
	for _, wrong := range []string{
		`events.Visitas(ctx, "kiosk")`, "events.Visitas(ctx, events.TipoA)", "events.Visita(ctx, events.VisitasCanalKiosk)",
	} {
		text := strings.Replace(string(main), right, wrong, 1)
		if output, err := goRun(text); text == string(main) || err == nil {
			t.Errorf("%s compiles: %s", wrong, output)
		}
	}
}

// TestReport reads the report of a real profiler's handler.
func TestReport(t *testing.T) {
	profiler, err := continuous.Start(continuous.Config{Service: "tienda-api", Interval: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = profiler.Stop(t.Context()) }()
	var user, password string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		if strings.HasPrefix(r.URL.Path, "/closed") {
			http.Error(w, "closed to strangers", http.StatusForbidden)
			return
		}
		profiler.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	t.Setenv("LATIDO_USER", "ops")
	t.Setenv("LATIDO_PASSWORD", "secret")

	file := filepath.Join(t.TempDir(), "cpu.pb.gz")
	var code int
	var stderr string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); { // until the first window ends
		if code, _, stderr = latido("report", "-url", server.URL, "-format", "pprof", "-out", file); code == 0 {
			break
		}
	}
	if code != 0 {
		t.Fatalf("pprof: exit %d %s", code, stderr)
	}
	if data, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		t.Errorf("the profile is no gzip: %v", err)
	}
	code, stdout, stderr := latido("report", "-url", server.URL, "-last", "5m")
	if code != 0 || !strings.Contains(stdout, "Look at this first") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if user != "ops" || password != "secret" {
		t.Errorf("asked as %s", user)
	}
	if code, stdout, _ := latido("report", "-url", server.URL, "-format", "json"); code != 0 || !json.Valid([]byte(stdout)) {
		t.Errorf("json: exit %d %s", code, stdout)
	}
	if code, _, stderr := latido("report", "-url", server.URL+"/closed"); code != 1 || !strings.Contains(stderr, "closed to strangers") {
		t.Errorf("exit %d %s", code, stderr)
	}
}

func TestIdentifiers(t *testing.T) {
	ids := identifiers{}
	for _, c := range [][2]string{
		{"pedidos_procesados", "PedidosProcesados"}, {"tienda 24h", "Tienda24h"}, {"tienda-24h", "Tienda24h2"},
		{"24h", "X24h"}, {"é", "É"}, {"___", "X"}, {"", "X2"}, {"типа", "Типа"}, {"日本", "X日本"},
	} {
		if got := ids.exported(c[0]); got != c[1] {
			t.Errorf("exported(%q) = %s, want %s", c[0], got, c[1])
		}
	}
	if got := ids.unexported("func"); got != "func2" {
		t.Errorf("unexported(func) = %s, want func2", got)
	}
}

func FuzzIdentifiers(f *testing.F) {
	f.Add("tienda 24h", "tienda-24h")
	f.Fuzz(func(t *testing.T, a, b string) {
		ids := identifiers{}
		seen := map[string]bool{}
		for _, text := range []string{a, b, a, b} {
			for _, name := range []string{ids.exported(text), ids.unexported(text)} {
				if !token.IsIdentifier(name) || seen[name] {
					t.Errorf("%q gives %q, which is no name or was given before", text, name)
				}
				seen[name] = true
			}
		}
	})
}
