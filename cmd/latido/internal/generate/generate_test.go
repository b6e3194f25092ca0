package generate_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestGenerateEvents(t *testing.T) {
	t.Parallel()
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
		if err := os.WriteFile(out, bytes.ReplaceAll(got, []byte("\n"), []byte("\r\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, stderr := latido("generate", "events", "-domain", source, "-out", out, "-check"); code != 0 {
			t.Errorf("-check of a file with Windows' line ends: exit %d %s", code, stderr)
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
	t.Parallel()
	dir := t.TempDir()
	root, err := filepath.Abs("../../../..")
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
		cmd := exec.Command("go", "run", "-mod=mod", "-ldflags=-s -w", ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
	output, err := goRun(string(main))
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	if n := strings.Count(output, "\nrara_muchas_total{"); n != 1 { // more than domain.InitialSeries: only what was counted
		t.Errorf("%d series of muchas, want 1", n)
	}
	for _, want := range []string{
		`rara_ventas_total{canal="tienda 24h",tipo="b"} 3`,
		`rara_ventas_total{canal="_other",tipo="a"} 1`,
		`rara_visitas_total{canal="kiosk"} 1`,
		`rara_envios{ctx="y",func="x",tipo="a"} -2`,
		`rara_add_ventas_sum 2.5`,
		`rara_muchas_total{a="x",b="y"} 4000`,
		`allocations 0`,
	} {
		if !strings.Contains(output, want+"\n") {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	right := "events.Visitas(ctx, events.VisitasCanalKiosk)"
	before, _, ok := strings.Cut(string(main), right)
	wrong := []string{`events.Visitas(ctx, "kiosk")`, "events.Visitas(ctx, events.TipoA)", "events.Visita(ctx, events.VisitasCanalKiosk)"}
	output, err = goRun(strings.Replace(string(main), right, strings.Join(wrong, "\n\t"), 1))
	for i, call := range wrong {
		if at := fmt.Sprintf("./main.go:%d:", strings.Count(before, "\n")+1+i); !ok || err == nil || strings.Count(output, at) != 1 {
			t.Errorf("%s compiles: %s", call, output)
		}
	}
	if n := strings.Count(output, "./main.go:"); n != len(wrong) {
		t.Errorf("%d lines do not compile, want %d:\n%s", n, len(wrong), output)
	}
}
