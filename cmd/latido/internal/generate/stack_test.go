package generate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/stack"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
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
			Image   string
			Build   struct{ Args map[string]string }
			Volumes []string
		}
	}
	read(t, filepath.Join(out, "docker-compose.yml"), &compose)
	for name, s := range compose.Services {
		for _, volume := range s.Volumes { // SELinux lets no container read what has not its label
			if strings.HasPrefix(volume, "./") && !strings.HasSuffix(volume, ":ro,z") {
				t.Errorf("%s mounts %s, which SELinux forbids", name, volume)
			}
		}
	}
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

// stackOf is the stack of a domain.
func stackOf(t *testing.T, d domain.Domain) []stack.File {
	t.Helper()
	rules, err := alerting.RuleFile(d, alerting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := stack.Files(d, stack.Options{Rules: rules, Domain: cli.DomainFile})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestServersNames takes every name that the stack has beside the service's for
// the service's own: none of them is one.
func TestServersNames(t *testing.T) {
	t.Parallel()
	files := stackOf(t, domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido"})
	names := map[string]bool{}
	for _, f := range files {
		switch {
		case f.Path == "docker-compose.yml":
			var compose struct{ Services map[string]any }
			if err := yaml.Unmarshal(f.Content, &compose); err != nil {
				t.Fatal(err)
			}
			for name := range compose.Services {
				names[name] = true
			}
		case strings.HasPrefix(f.Path, "deploy/kubernetes/"):
			for text := range strings.SplitSeq(string(f.Content), "\n---\n") {
				var object struct{ Metadata struct{ Name string } }
				if err := yaml.Unmarshal([]byte(text), &object); err != nil {
					t.Fatalf("%s: %v", f.Path, err)
				}
				names[object.Metadata.Name] = true
			}
		case f.Path == "deploy/prometheus/prometheus.yaml":
			var prometheus struct {
				Jobs []struct {
					Name string `yaml:"job_name"`
				} `yaml:"scrape_configs"`
			}
			if err := yaml.Unmarshal(f.Content, &prometheus); err != nil {
				t.Fatal(err)
			}
			for _, job := range prometheus.Jobs {
				names[job.Name] = true
			}
		}
	}
	maps.DeleteFunc(names, func(name string, _ bool) bool { return strings.HasPrefix(name, "tienda-api") }) // its own
	if len(names) < 9 {
		t.Errorf("only %v", names)
	}
	for name := range names {
		d := domain.Domain{Prefix: "tienda", App: name, Entity: "pedido"}
		testkit.Error(t, d.Validate(), "would have it twice")
	}
}

// TestLongestName: a Service of Kubernetes has a name of 63 letters at most, and
// two services whose long names begin alike are two.
func TestLongestName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, last := range []string{"a", "b"} {
		d := domain.Domain{Prefix: "tienda", App: strings.Repeat("Larga.", 10) + "de" + last, Entity: "pedido"}
		if err := d.Validate(); err != nil || len(d.App) != 63 {
			t.Fatalf("%d letters: %v", len(d.App), err)
		}
		for _, f := range stackOf(t, d) {
			if f.Path != "deploy/kubernetes/evidence.yaml" {
				continue
			}
			for text := range strings.SplitSeq(string(f.Content), "\n---\n") {
				var object struct {
					Kind     string
					Metadata struct{ Name string }
				}
				if err := yaml.Unmarshal([]byte(text), &object); err != nil {
					t.Fatal(err)
				}
				if name := object.Metadata.Name; len(name) > 63 || !strings.HasSuffix(name, "-evidence") || seen[object.Kind+name] {
					t.Errorf("%s %s has %d letters, or is another's", object.Kind, name, len(name))
				}
				seen[object.Kind+object.Metadata.Name] = true
			}
		}
	}
	if len(seen) != 10 {
		t.Errorf("objects are %v", seen)
	}
}

// TestTooLargeToApply makes a domain whose rules and dashboards kubectl apply
// would refuse whole: no object of the manifests is larger than it takes, no
// rule is lost, and every objective's group is in one piece.
func TestTooLargeToApply(t *testing.T) {
	t.Parallel()
	d := domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido"}
	limit := domain.Quantity(100)
	for i := range 60 {
		name := fmt.Sprintf("evento_%d", i)
		d.Events = append(d.Events, domain.Event{Name: name, Attributes: map[string][]string{"canal": {"web", "movil"}}})
		d.SLOs = append(d.SLOs, domain.SLO{Name: fmt.Sprintf("o%d", i), Objective: 99.9, Good: domain.Good{Status: "!~5.."}})
		for j := range 5 {
			d.Thresholds = append(d.Thresholds, domain.Threshold{Name: fmt.Sprintf("t%d_%d", i, j), Event: name, Above: &limit, Description: strings.Repeat("largo < ", 400)})
		}
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	files := stackOf(t, d)
	const most = 256 << 10
	groups, rules, bytes := map[string]int{}, 0, 0
	for _, f := range files {
		if f.Path != "deploy/kubernetes/rules.yaml" {
			continue
		}
		names := map[string]bool{}
		for text := range strings.SplitSeq(string(f.Content), "\n---\n") {
			var object struct {
				Metadata struct{ Name string }
				Spec     struct {
					Groups []struct {
						Name  string
						Rules []any
					}
				}
			}
			var whole any
			if err := errors.Join(yaml.Unmarshal([]byte(text), &object), yaml.Unmarshal([]byte(text), &whole)); err != nil {
				t.Fatal(err)
			}
			kept, err := json.Marshal(whole)
			if err != nil || len(kept) > most || names[object.Metadata.Name] {
				t.Errorf("%s has %d bytes, or is there twice (%v)", object.Metadata.Name, len(kept), err)
			}
			bytes += len(kept)
			names[object.Metadata.Name] = true
			for _, g := range object.Spec.Groups {
				groups[g.Name]++
				rules += len(g.Rules)
			}
		}
		if len(names) > bytes/most+2 {
			t.Errorf("%d bytes are cut into %d objects", bytes, len(names))
		}
	}
	want := 0
	for _, g := range alerting.Groups(d, alerting.Options{}) {
		want += len(g.Rules)
		if n := groups[g.Name]; n == 0 || n > 1 && strings.Contains(g.Name, ".slo.") {
			t.Errorf("the group %s is in %d pieces", g.Name, n)
		}
	}
	if rules != want {
		t.Errorf("%d rules, want %d", rules, want)
	}
	boards, err := dashboards.All(d, dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, f := range boards {
		kept, _ := json.Marshal(string(f.JSON))
		if len(kept) > most-1024 {
			t.Errorf("%s has %d bytes", f.Name, len(kept))
		}
		var board struct{ UID string }
		if err := json.Unmarshal(f.JSON, &board); err != nil || uids[board.UID] {
			t.Errorf("%s has the uid %s, as another has (%v)", f.Name, board.UID, err)
		}
		uids[board.UID] = true
	}
	if len(boards) < 6 {
		t.Errorf("only %d dashboards", len(boards))
	}
}

// Samples are kept for longer than any rule of the domain looks back.
func TestRetention(t *testing.T) {
	t.Parallel()
	slo := func(days int) domain.SLO {
		return domain.SLO{Name: fmt.Sprint("a", days), Objective: 99, Window: domain.Duration(days) * domain.Duration(24*time.Hour), Good: domain.Good{Status: "!~5.."}}
	}
	above := domain.Quantity(1)
	for want, d := range map[string]domain.Domain{
		"15d --storage.tsdb.retention.size=8GB":  {SLOs: []domain.SLO{slo(7)}},
		"31d --storage.tsdb.retention.size=17GB": {SLOs: []domain.SLO{slo(0), slo(7)}}, // 0 is 30
		"91d --storage.tsdb.retention.size=49GB": {SLOs: []domain.SLO{slo(7), slo(90)}},
		"21d --storage.tsdb.retention.size=12GB": {Thresholds: []domain.Threshold{{Name: "b", Metric: "cpu_usage", Above: &above, Stat: "max", Window: domain.Duration(20 * 24 * time.Hour)}}},
	} {
		d.Prefix, d.Entity = "tienda", "pedido"
		for _, f := range stackOf(t, d) {
			if f.Path != "docker-compose.yml" {
				continue
			}
			var compose struct {
				Services map[string]struct{ Command any }
			}
			if err := yaml.Unmarshal(f.Content, &compose); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(compose.Services["prometheus"].Command); !strings.Contains(got, "--storage.tsdb.retention.time="+want) {
				t.Errorf("want %s in %s", want, got)
			}
		}
	}
}

// TestReceiversLogIn has every secret of a receiver where the Alertmanager file
// looks for it, in Compose and in Kubernetes.
func TestReceiversLogIn(t *testing.T) {
	t.Parallel()
	d := domain.Domain{Prefix: "tienda", App: "tienda-api", Entity: "pedido", Notify: []domain.Receiver{
		{Email: &domain.EmailReceiver{To: []string{"guardia@example.com"}, SMTP: "smtp.example.com:587", PasswordEnv: "SMTP_PASSWORD"}},
		{Slack: &domain.SlackReceiver{URLEnv: "SLACK_URL", Channel: "#guardia"}},
	}}
	var compose struct {
		Services map[string]struct{ Secrets []string }
	}
	var values struct {
		Alertmanager struct {
			AlertmanagerSpec struct {
				VolumeMounts []struct {
					MountPath string `yaml:"mountPath"`
					SubPath   string `yaml:"subPath"`
				} `yaml:"volumeMounts"`
			} `yaml:"alertmanagerSpec"`
		}
	}
	for _, f := range stackOf(t, d) {
		var into any
		switch f.Path {
		case "docker-compose.yml":
			into = &compose
		case "deploy/kube-prometheus-stack.yaml":
			into = &values
		default:
			continue
		}
		if err := yaml.Unmarshal(f.Content, into); err != nil {
			t.Fatal(err)
		}
	}
	for _, secret := range alerting.Secrets(d) {
		if !slices.Contains(compose.Services["alertmanager"].Secrets, secret.Env) {
			t.Errorf("Compose: %s is not at %s", secret.Env, secret.File)
		}
		found := false
		for _, m := range values.Alertmanager.AlertmanagerSpec.VolumeMounts {
			found = found || m.MountPath == secret.File && m.SubPath == secret.Env
		}
		if !found {
			t.Errorf("Kubernetes: %s is not at %s: %+v", secret.Env, secret.File, values.Alertmanager.AlertmanagerSpec.VolumeMounts)
		}
	}
}

// TestStackEvidence: where an image can have the domain file, Compose and
// Kubernetes have the evidence server, and Prometheus sends it alerts beside
// Alertmanager; where none can, nothing of it is left.
func TestStackEvidence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clitest.Put(t, dir, "domain.yaml", "prefix: tienda\napp: tienda-api\nentity: pedido\n")
	parts := map[string]string{
		"docker-compose.yml":                "MAIN: github.com/latido-dev/latido/cmd/latido",
		"Dockerfile":                        `cp "domain.yaml" /domain.yaml`,
		"deploy/prometheus/prometheus.yaml": "[alertmanager:9093, evidence:9466]",
		"deploy/kustomization.yaml":         "kubernetes/evidence.yaml",
		"deploy/kube-prometheus-stack.yaml": "tienda-api-evidence.default:9466",
		"deploy/kubernetes/evidence.yaml":   "name: tienda-api-evidence",
	}
	for out, with := range map[string]bool{dir: true, filepath.Join(dir, "elsewhere"): false} {
		if code, stdout, stderr := latido("generate", "stack", "-domain", filepath.Join(dir, "domain.yaml"), "-out", out); code != 0 {
			t.Fatalf("exit %d: %s%s", code, stdout, stderr)
		}
		for file, part := range parts {
			text, _ := os.ReadFile(filepath.Join(out, file))
			if strings.Contains(string(text), part) != with || !with && strings.Contains(string(text), "evidence:9466") {
				t.Errorf("%s: %q is there: %v, want %v\n%s", file, part, !with, with, text)
			}
		}
	}
}
