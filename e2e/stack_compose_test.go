package e2e

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-units"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// loadCompose loads the Compose file of the repository as docker compose does,
// with these variables and profiles.
func loadCompose(env []string, profiles ...string) (*types.Project, error) {
	return composeIn(repository, cli.WithEnv(env), cli.WithProfiles(profiles))
}

// composeIn loads the Compose file of a folder.
func composeIn(dir string, options ...cli.ProjectOptionsFn) (*types.Project, error) {
	o, err := cli.NewProjectOptions([]string{filepath.Join(dir, "docker-compose.yml")}, append([]cli.ProjectOptionsFn{cli.WithWorkingDirectory(dir)}, options...)...)
	if err != nil {
		return nil, err
	}
	return o.LoadProject(context.Background())
}

// passwords are what the Compose file does not start without.
var passwords = []string{"GRAFANA_PASSWORD=of a test", "LATIDO_PASSWORD=of the same test"}

// hasHealthCommand are the commands that an image has, as its own
// documentation says: where that is, what its health check may call.
var hasHealthCommand = map[string]struct{ documentation, command string }{
	"tienda-api":                           {"Dockerfile: alpine, whose busybox has wget", "wget"},
	"tienda-api-evidence":                  {"the same Dockerfile", "wget"},
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
	full := append([]string{"alertmanager", "evidence", "otel-collector", "pyroscope", "tempo"}, small...)
	for _, c := range []struct {
		profiles []string
		want     []string
	}{
		{nil, small},
		{[]string{"full"}, full},
		{[]string{"full", "longterm"}, append([]string{"victoriametrics"}, full...)},
	} {
		project, err := loadCompose(passwords, c.profiles...)
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
	for i, set := range passwords {
		name, _, _ := strings.Cut(set, "=")
		if !strings.Contains(string(example), "\n"+name+"=\n") {
			t.Errorf(".env.example has a value of %s that somebody could leave as it is", name)
		}
		others := slices.Delete(slices.Clone(passwords), i, i+1)
		for _, env := range [][]string{others, append(others, name+"=")} {
			if _, err := loadCompose(env); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("with %q it loads: %v, want an error that names %s", env, err, name)
			}
		}
	}
}

// TestCompose looks at each service: where its files come from, who reaches
// it, what it may use, how its health is known.
func TestCompose(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(passwords, "*")
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
		checkMemory(t, name, s)
		for _, secret := range s.Secrets {
			// Compose copies them into the container before it starts.
			if s.ReadOnly {
				t.Errorf("%s is read-only, so that the secret %s cannot get into it", name, secret.Source)
			}
			if project.Secrets[secret.Source].Environment == "" {
				t.Errorf("%s: the secret %s is not one of .env", name, secret.Source)
			}
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

// checkMemory: what a Go program may use, with what it keeps in memory as files,
// stays below what its container may use.
func checkMemory(t *testing.T, name string, s types.ServiceConfig) {
	t.Helper()
	used := int64(0)
	if limit := s.Environment["GOMEMLIMIT"]; limit != nil {
		n, err := units.RAMInBytes(*limit)
		if err != nil {
			t.Errorf("%s: GOMEMLIMIT %s: %v", name, *limit, err)
		}
		used = n
	}
	for _, mount := range s.Tmpfs {
		size := regexp.MustCompile(`size=(\w+)`).FindStringSubmatch(mount)
		if size == nil {
			t.Errorf("%s: %s has no size", name, mount)
			continue
		}
		n, _ := units.RAMInBytes(size[1])
		used += n
	}
	if used > int64(s.MemLimit)*95/100 {
		t.Errorf("%s: %d MiB for Go and files in memory leave no room below the limit of %d MiB", name, used>>20, s.MemLimit>>20)
	}
}

// TestDataOutliveContainer: what the service keeps is on a volume that whoever it
// runs as can write to.
func TestDataOutliveContainer(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(passwords)
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	folder := regexp.MustCompile(`(?m)^ENV XDG_CACHE_HOME=(\S+)$`).FindSubmatch(dockerfile)
	user := regexp.MustCompile(`(?m)^USER (\S+)$`).FindSubmatch(dockerfile)
	if folder == nil || user == nil {
		t.Fatalf("the Dockerfile has no folder of data, or no user:\n%s", dockerfile)
	}
	if want := fmt.Sprintf("--chown=%s %s %s\n", user[1], folder[1], folder[1]); !strings.Contains(string(dockerfile), want) {
		t.Errorf("the user %s cannot write to %s: no %q in the Dockerfile, as which a new volume begins", user[1], folder[1], want)
	}
	s := project.Services["tienda-api"]
	if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeVolume && v.Target == string(folder[1])
	}) {
		t.Errorf("no volume is at %s: %v", folder[1], s.Volumes)
	}
	if other := s.Environment["XDG_CACHE_HOME"]; other != nil {
		t.Errorf("the Compose file has the data at %s", *other)
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

// TestComposeVersions holds what docs/stack.md says of the servers' versions
// against the images, and against the modules that the tests build the same
// servers from: of the same major release, and not newer than what runs.
func TestComposeVersions(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(passwords, "*")
	if err != nil {
		t.Fatal(err)
	}
	documents := map[string]string{}
	for _, name := range []string{"docs/stack.md", "docs/es/stack.md"} {
		text, err := os.ReadFile(filepath.Join(repository, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		documents[name] = string(text)
	}
	for _, c := range []struct{ folder, module string }{
		{"kubernetes", "k8s.io/kubernetes"}, {"kubernetes", "go.etcd.io/etcd/server/v3"}, {"crds", "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring"},
	} {
		version := required(t, filepath.Join("servers", c.folder, "go.mod"), c.module)
		for name, text := range documents {
			if !strings.Contains(text, " "+version) {
				t.Errorf("%s does not say that %s %s takes the manifests", name, c.module, version)
			}
		}
	}
	for service, c := range map[string]struct{ folder, module, prefix, image string }{
		// The module v0.315.0 is the release v3.15.0.
		"prometheus":      {"prometheus", "github.com/prometheus/prometheus", "v0.3", "v3."},
		"alertmanager":    {"alertmanager", "github.com/prometheus/alertmanager", "v", "v"},
		"pyroscope":       {"pyroscope", "github.com/grafana/pyroscope", "v", ""},
		"otel-collector":  {"collector", "go.opentelemetry.io/collector/otelcol", "v", ""},
		"victoriametrics": {"victoriametrics", "github.com/VictoriaMetrics/VictoriaMetrics", "v", "v"},
		"grafana":         {},
		"tempo":           {},
	} {
		image := project.Services[service].Image
		_, tag, _ := strings.Cut(image, ":")
		tested := ""
		if c.folder != "" {
			rest, ok := strings.CutPrefix(required(t, filepath.Join("servers", c.folder, "go.mod"), c.module), c.prefix)
			tested = c.image + rest
			runs, tries := "v"+strings.TrimPrefix(tag, "v"), "v"+strings.TrimPrefix(tested, "v")
			if !ok || semver.Major(runs) != semver.Major(tries) || semver.Compare(runs, tries) < 0 {
				t.Errorf("%s runs %s, the tests %s", service, tag, tested)
			}
		}
		for name, text := range documents {
			if !strings.Contains(text, "| `"+image+"` | "+tested) {
				t.Errorf("%s does not say that %s runs, and %q is tested", name, image, tested)
			}
		}
	}
}

// required is the version of a module that a go.mod requires.
func required(t *testing.T, path, module string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse(path, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mod.Require, func(r *modfile.Require) bool { return r.Mod.Path == module })
	if i < 0 {
		t.Fatalf("%s does not require %s", path, module)
	}
	return mod.Require[i].Mod.Version
}
