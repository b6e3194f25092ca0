package generate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestGenerateStack writes the stack of a domain whose names have what hosts
// and images may not have, twice.
func TestGenerateStack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "domain.yaml")
	if err := os.WriteFile(file, []byte("prefix: la_clinica\napp: Clinica_Sur.api\nentity: cita\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	stack := func(code int, flags ...string) string {
		t.Helper()
		got, stdout, stderr := latido(append([]string{"generate", "stack", "-domain", file, "-out", out}, flags...)...)
		if got != code || stderr != "" {
			t.Fatalf("%q: exit %d, want %d\n%s%s", flags, got, code, stdout, stderr)
		}
		return stdout
	}
	stack(0, "-main", "cmd/clinica")
	if stdout := stack(0, "-main", "./cmd/clinica", "-check"); strings.Contains(stdout, "FAIL") {
		t.Errorf("what was just written is stale:\n%s", stdout)
	}
	stack(0, "-check") // which main package there is, the file says
	if stdout := stack(1, "-main", "cmd/other", "-check"); strings.Count(stdout, "FAIL") != 1 || !strings.Contains(stdout, "docker-compose.yml  FAIL") {
		t.Errorf("another main package:\n%s", stdout)
	}
	var compose struct {
		Services map[string]struct {
			Image string
			Build struct{ Args map[string]string }
		}
	}
	read(t, filepath.Join(out, "docker-compose.yml"), &compose)
	service := compose.Services["clinica-sur-api"]
	if service.Image != "clinica-sur-api" || service.Build.Args["MAIN"] != "./cmd/clinica" {
		t.Errorf("the service is %+v in %v", service, compose.Services)
	}
	var targets []struct {
		Targets []string
		Labels  map[string]string
	}
	read(t, filepath.Join(out, "deploy/prometheus/targets/la_clinica.yaml"), &targets)
	if len(targets) != 1 || targets[0].Targets[0] != "clinica-sur-api:9464" || targets[0].Labels["job"] != "Clinica_Sur.api" {
		t.Errorf("Prometheus scrapes %+v: want the host, under the service's own name", targets)
	}
	err := filepath.WalkDir(out, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && !strings.HasPrefix(string(text), `# Written by "latido generate stack" from the domain file of la_clinica, ../`) {
			t.Errorf("%s does not say how it was made", path)
		}
		if strings.Contains(string(text), "[[") {
			t.Errorf("%s is not filled in", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// read reads a file of YAML.
func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
