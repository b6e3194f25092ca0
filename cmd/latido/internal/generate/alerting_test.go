package generate_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
)

// TestGenerateAll writes everything at once, finds it fresh, and finds what was
// changed by hand.
func TestGenerateAll(t *testing.T) {
	source, err := filepath.Abs("testdata/tienda.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	files := []string{
		"events/events_gen.go", "deploy/prometheus/rules/tienda.rules.yaml",
		"deploy/alertmanager/alertmanager.yaml", "deploy/alertmanager/latido.tmpl", "docs/runbook.md",
		"deploy/grafana/dashboards/tienda-overview.json", "deploy/grafana/dashboards/tienda-http.json", "deploy/grafana/dashboards/tienda-runtime.json",
		"deploy/grafana/dashboards/tienda-business.json", "deploy/grafana/dashboards/tienda-profiles.json",
		".dockerignore", ".env.example", "deploy/alertmanager/.gitignore", "Dockerfile", "docker-compose.yml", "deploy/otel-collector.yaml", "deploy/pyroscope/pyroscope.yaml", "deploy/tempo/tempo.yaml",
		"deploy/grafana/provisioning/dashboards/dashboards.yaml", "deploy/grafana/provisioning/datasources/datasources.yaml",
		"deploy/prometheus/prometheus.yaml", "deploy/prometheus/longterm.yaml", "deploy/prometheus/small.yaml", "deploy/prometheus/targets/tienda.yaml", "deploy/prometheus/rules/stack-watchers.rules.yaml",
		"deploy/kustomization.yaml", "deploy/kube-prometheus-stack.yaml", "deploy/kubernetes/collector.yaml", "deploy/kubernetes/rules.yaml", "deploy/kubernetes/service.yaml", "deploy/kubernetes/watchers.yaml",
	}
	if code, stdout, stderr := latido("generate", "all", "-domain", source, "-dir", ".", "-check"); code != 1 || strings.Count(stdout, "FAIL") != len(files) {
		t.Errorf("-check of nothing: exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := latido("generate", "all", "-domain", source, "-dir", "."); code != 0 || strings.Count(stdout, "  written from ") != len(files) {
		t.Errorf("exit %d, want %d files written:\n%s%s", code, len(files), stdout, stderr)
	}
	// The second time nothing has changed, and one line says so.
	want := fmt.Sprintf("%d files  ok    as %s says\n", len(files), source)
	if code, stdout, stderr := latido("generate", "all", "-domain", source, "-dir", "."); code != 0 || stdout != want {
		t.Errorf("exit %d, want %s\n%s%s", code, want, stdout, stderr)
	}
	// Each time those are changed whose place has one bit: no two files are
	// changed at the same times.
	for bit := 1; bit <= len(files); bit *= 2 {
		before := map[string][]byte{}
		for i, file := range files {
			if (i+1)&bit == 0 {
				continue
			}
			path := filepath.FromSlash(file)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			before[path] = content
			if err := os.WriteFile(path, append(bytes.Clone(content), ' '), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		code, stdout, _ := latido("generate", "all", "-domain", source, "-dir", ".", "-check")
		if code != 1 || strings.Count(stdout, "FAIL") != len(before) || strings.Count(stdout, "\n") != len(before)+1 {
			t.Errorf("%d files were changed: exit %d\n%s", len(before), code, stdout)
		}
		for path, content := range before {
			if !strings.Contains(stdout, path+"  FAIL") {
				t.Errorf("%s was changed:\n%s", path, stdout)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A domain without events has everything but their helpers.
func TestGenerateAllWithoutEvents(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("domain.yaml", []byte("prefix: tienda\nentity: pedido\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := latido("generate", "all")
	if _, err := os.Stat("docs/runbook.md"); err != nil || code != 0 || strings.Contains(stdout, "events") {
		t.Errorf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if code, _, stderr := latido("generate", "events"); code != 1 || !strings.Contains(stderr, "declares no events") {
		t.Errorf("exit %d %s", code, stderr)
	}
}

// TestGenerateFlags follows each flag into the files that it is about, and into
// the command that a stale file names.
func TestGenerateFlags(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	for _, c := range []struct{ what, flags, want string }{
		{"rules", "-fast", "interval: 1s"},
		{"alertmanager", "-fast", "group_wait: 1s"},
	} {
		args := append([]string{"generate", c.what, "-domain", "testdata/tienda.yaml", "-out", out}, strings.Fields(c.flags)...)
		if _, stdout, _ := latido(append(args, "-check")...); !strings.Contains(stdout, "latido generate "+c.what) || !strings.Contains(stdout, c.flags) {
			t.Errorf("%s: the command to write it again is not there:\n%s", args, stdout)
		}
		if code, _, stderr := latido(args...); code != 0 {
			t.Errorf("%s: exit %d %s", args, code, stderr)
		}
		if got, err := os.ReadFile(out); err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s: no %q in it (%v)", args, c.want, err)
		}
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
	}
	for args, want := range map[string]string{
		"generate all -out x":    "one thing at a time",
		"generate ruls":          `did you mean "rules"?`,
		"generate rules runbook": "say what to generate",
	} {
		if code, _, stderr := latido(strings.Fields(args)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d %s", args, code, stderr)
		}
	}
}

// What belongs to the domain is in its file, so that a plain "generate all"
// never undoes it; nor which package and which main package there are.
func TestPlainGenerateUndoesNothing(t *testing.T) {
	shop(t, flower+"links: {runbook: 'https://wiki/book', evidence: 'http://floreria:9464', external_url: 'https://floreria.example.com', prometheus: 'https://prom.example.com'}\n")
	for what, flags := range map[string][]string{"stack": {"-main", "./cmd/shop"}, "events": {"-package", "sales"}} {
		say(t, 0, append([]string{"generate", what}, flags...)...)
	}
	before := clitest.Contents(t, ".")
	for name, want := range map[string]string{
		generate.RulesFile("floreria"):                        "incident: https://floreria.example.com/incidents/?alert=",
		generate.AlertmanagerFile:                             "url: http://floreria:9464/api/evidence",
		generate.DashboardsFolder + "/floreria-overview.json": "https://wiki/book#",
		"docker-compose.yml":                                  "--web.external-url=https://prom.example.com\n",
		generate.EventsFile:                                   "package sales",
	} {
		if !strings.Contains(before[name], want) {
			t.Errorf("%s has no %q", name, want)
		}
	}
	if !strings.Contains(before["docker-compose.yml"], "MAIN: ./cmd/shop") {
		t.Error("docker-compose.yml builds another main package")
	}
	say(t, 0, "check")
	if out := say(t, 0, "generate", "all"); strings.Contains(out, "written") {
		t.Errorf("written again:\n%s", out)
	}
	if !maps.Equal(before, clitest.Contents(t, ".")) {
		t.Error("a plain generate changes what options have set")
	}
}

// The rules' tests are for whoever asks, and go with the rules from then on.
func TestRuleTestsOnRequest(t *testing.T) {
	t.Chdir(t.TempDir())
	clitest.Put(t, ".", "domain.yaml", flower)
	const file = "deploy/prometheus/rules/floreria.rules.test.yaml"
	say(t, 0, "generate", "all")
	if clitest.Exists(file) {
		t.Error("written unasked")
	}
	say(t, 0, "generate", "all", "-tests")
	clitest.Put(t, ".", "domain.yaml", flower+"default_rules: {disable: [cpu]}\n")
	if out := say(t, 0, "generate", "all"); !strings.Contains(out, filepath.FromSlash(file)+"  written") {
		t.Errorf("those that are there are left behind:\n%s", out)
	}
	say(t, 0, "check")
}

// TestExampleIsGenerated holds the files in deploy/ and docs/ against the
// example's domain file.
func TestExampleIsGenerated(t *testing.T) {
	t.Chdir("../../../..")
	for _, what := range []string{"rules", "rule-tests", "alertmanager", "runbook", "dashboards", "stack"} {
		if code, stdout, stderr := latido("generate", what, "-domain", "examples/echo-api/domain.yaml", "-dir", ".", "-main", "examples/echo-api", "-check"); code != 0 {
			t.Errorf("%s%s", stdout, stderr)
		}
	}
}
