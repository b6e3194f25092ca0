package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"golang.org/x/mod/modfile"
)

// loadCompose loads the Compose file of the repository as docker compose does,
// with these variables and profiles.
func loadCompose(env []string, profiles ...string) (*types.Project, error) {
	o, err := cli.NewProjectOptions([]string{filepath.Join(repository, "docker-compose.yml")},
		cli.WithWorkingDirectory(repository), cli.WithEnv(env), cli.WithProfiles(profiles))
	if err != nil {
		return nil, err
	}
	return o.LoadProject(context.Background())
}

// password is what the Compose file does not start without.
const password = "GRAFANA_PASSWORD=of a test"

// hasHealthCommand are the commands that an image has, as its own
// documentation says: where that is, what its health check may call.
var hasHealthCommand = map[string]struct{ documentation, command string }{
	"tienda-api":                           {"Dockerfile: alpine, whose busybox has wget", "wget"},
	"prom/prometheus":                      {"https://github.com/prometheus/prometheus/blob/v3.15.0/Dockerfile", "promtool"},
	"prom/alertmanager":                    {"https://github.com/prometheus/alertmanager/blob/v0.31.1/Dockerfile", "amtool"},
	"grafana/grafana":                      {"https://github.com/grafana/grafana/blob/v13.2.3/Dockerfile: alpine, whose busybox has wget", "wget"},
	"grafana/pyroscope":                    {"https://github.com/grafana/pyroscope/blob/v1.9.0/cmd/pyroscope/Dockerfile", "profilecli"},
	"victoriametrics/victoria-metrics":     {"https://docs.victoriametrics.com/: on alpine, whose busybox has wget", "wget"},
	"grafana/tempo":                        {"", ""}, // the binary alone
	"otel/opentelemetry-collector-contrib": {"", ""}, // likewise
}

// TestComposeVariants loads the file in every variant that .env.example
// promises, and refuses to without a password.
func TestComposeVariants(t *testing.T) {
	t.Parallel()
	small := []string{"grafana", "prometheus", "tienda-api"}
	full := append([]string{"alertmanager", "otel-collector", "pyroscope", "tempo"}, small...)
	for _, c := range []struct {
		profiles []string
		want     []string
	}{
		{nil, small},
		{[]string{"full"}, full},
		{[]string{"full", "longterm"}, append([]string{"victoriametrics"}, full...)},
	} {
		project, err := loadCompose([]string{password}, c.profiles...)
		if err != nil {
			t.Fatalf("profiles %v: %v", c.profiles, err)
		}
		got := project.ServiceNames()
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("profiles %v start %v, want %v", c.profiles, got, c.want)
		}
	}
	example, err := os.ReadFile(filepath.Join(repository, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(example), "\nGRAFANA_PASSWORD=\n") {
		t.Error(".env.example has a password that somebody could leave as it is")
	}
	for _, env := range [][]string{nil, {"GRAFANA_PASSWORD="}} {
		if _, err := loadCompose(env); err == nil || !strings.Contains(err.Error(), "GRAFANA_PASSWORD") {
			t.Errorf("with %q it loads: %v, want an error that names GRAFANA_PASSWORD", env, err)
		}
	}
}

// TestCompose looks at each service: where its files come from, who reaches
// it, what it may use, how its health is known.
func TestCompose(t *testing.T) {
	t.Parallel()
	project, err := loadCompose([]string{password}, "*")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for name, s := range project.Services {
		image, tag, _ := strings.Cut(s.Image, ":")
		if s.Build == nil && !regexp.MustCompile(`^v?\d+\.\d+\.\d+$`).MatchString(tag) {
			t.Errorf("%s: the image %s has no version", name, s.Image)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" || p.Published == "" {
				t.Errorf("%s: the port %v is not of the loopback interface", name, p)
			}
		}
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if !v.ReadOnly {
					t.Errorf("%s may write to %s", name, v.Source)
				}
			case types.VolumeTypeVolume:
				used[v.Source] = true
				if _, ok := project.Volumes[v.Source]; !ok {
					t.Errorf("%s: the volume %s is not declared", name, v.Source)
				}
			default:
				t.Errorf("%s: a volume of the type %s", name, v.Type)
			}
		}
		if s.MemLimit == 0 {
			t.Errorf("%s has no memory limit", name)
		}
		if s.Privileged || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it needs", name)
		}
		checkHealthCommand(t, name, image, s)
		for _, other := range slices.Sorted(maps.Keys(s.DependsOn)) {
			healthy := s.DependsOn[other].Condition == types.ServiceConditionHealthy
			if checked := project.Services[other].HealthCheck != nil; checked != healthy {
				t.Errorf("%s waits for %s to be healthy: %v, which has a health check: %v", name, other, healthy, checked)
			}
		}
	}
	for name := range project.Volumes {
		if !used[name] {
			t.Errorf("nobody uses the volume %s", name)
		}
	}
}

// checkHealthCommand compares a health check with what its image has.
func checkHealthCommand(t *testing.T, name, image string, s types.ServiceConfig) {
	t.Helper()
	has, known := hasHealthCommand[image]
	switch {
	case !known:
		t.Errorf("%s: nobody has looked up which commands the image %s has", name, image)
	case has.command == "" && s.HealthCheck != nil:
		t.Errorf("%s: the image %s has no command for a health check", name, image)
	case has.command != "" && (s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Test[0] != "CMD" || s.HealthCheck.Test[1] != has.command):
		t.Errorf("%s: its health check is %v, want %s, which the image has (%s)", name, s.HealthCheck, has.command, has.documentation)
	}
}

// TestComposeVersions holds the images against the modules that the tests
// build the same servers from: what is tested is what runs.
func TestComposeVersions(t *testing.T) {
	t.Parallel()
	project, err := loadCompose([]string{password}, "*")
	if err != nil {
		t.Fatal(err)
	}
	for service, c := range map[string]struct{ folder, module, prefix, image string }{
		// The module v0.315.0 is the release v3.15.0.
		"prometheus":      {"prometheus", "github.com/prometheus/prometheus", "v0.3", "v3."},
		"alertmanager":    {"alertmanager", "github.com/prometheus/alertmanager", "v", "v"},
		"pyroscope":       {"pyroscope", "github.com/grafana/pyroscope", "v", ""},
		"otel-collector":  {"collector", "go.opentelemetry.io/collector/otelcol", "v", ""},
		"victoriametrics": {"victoriametrics", "github.com/VictoriaMetrics/VictoriaMetrics", "v", "v"},
	} {
		path := filepath.Join("servers", c.folder, "go.mod")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mod, err := modfile.Parse(path, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == c.module })
		if i < 0 {
			t.Fatalf("%s does not require %s", path, c.module)
		}
		rest, ok := strings.CutPrefix(mod.Require[i].Mod.Version, c.prefix)
		_, tag, _ := strings.Cut(project.Services[service].Image, ":")
		if want := c.image + rest; !ok || tag != want {
			t.Errorf("%s runs %s, the tests %s", service, tag, want)
		}
	}
}

// TestDockerfile has Go plan the build of the Dockerfile for the example,
// without C and so static; it builds nothing, which would take minutes, as not
// one package is in the cache with these flags.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(data), "\\\n", " ")
	stages := regexp.MustCompile(`(?m)^FROM (\S+?):(\S+)`).FindAllStringSubmatch(text, -1)
	if len(stages) != 2 {
		t.Fatalf("%d stages, want one that builds and one that runs", len(stages))
	}
	for _, stage := range stages {
		if !regexp.MustCompile(`^\d+\.\d+`).MatchString(stage[2]) {
			t.Errorf("the image %s has no version", stage[0])
		}
	}
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(text) {
		t.Error("it does not run as somebody without a name")
	}
	build := regexp.MustCompile(`(?m)CGO_ENABLED=0 go build .*$`).FindString(text)
	project, err := loadCompose([]string{password})
	if err != nil {
		t.Fatal(err)
	}
	args := project.Services["tienda-api"].Build.Args
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", fmt.Sprintf("MAIN=%s; %s", *args["MAIN"], strings.Replace(build, "go build", "go build -n", 1)))
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "GOWORK=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%.2000s", build, err, out)
	}
	if plan := string(out); !strings.Contains(plan, " /service\n") || strings.Contains(plan, "/cgo ") {
		t.Errorf("the binary is not put at /service, or is not without C:\n%.2000s", plan)
	}
}
