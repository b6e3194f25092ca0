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
	"github.com/docker/go-units"
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

// passwords are what the Compose file does not start without.
var passwords = []string{"GRAFANA_PASSWORD=of a test", "LATIDO_PASSWORD=of the same test"}

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

// TestComposeVersions holds the images against the modules that the tests
// build the same servers from: what is tested is what runs.
func TestComposeVersions(t *testing.T) {
	t.Parallel()
	project, err := loadCompose(passwords, "*")
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
	build := regexp.MustCompile(`CGO_ENABLED=0 go build .* -o /service "\$MAIN"`).FindString(text)
	project, err := loadCompose(passwords)
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

// TestImageKnowsItsVersion runs the build of the Dockerfile as its image would:
// with its arguments, in a repository, without one, and in the folder of a
// worktree, whose repository is elsewhere.
func TestImageKnowsItsVersion(t *testing.T) {
	t.Parallel()
	dockerfile, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(dockerfile), "\\\n", " ")
	step := regexp.MustCompile(`(?m)^RUN (?:--mount=\S+ +)+(.*go build.*)$`).FindStringSubmatch(text)
	if step == nil {
		t.Fatalf("no step builds in\n%s", text)
	}
	ignored, err := os.ReadFile(filepath.Join(repository, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	// The least of a service, which tells what it is.
	files := map[string]string{
		"go.mod": "module shop\n\ngo 1.26.0\n\nrequire github.com/latido-dev/latido v0.0.0\n\nreplace github.com/latido-dev/latido => ./latido\n",
		"main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t\"github.com/latido-dev/latido/telemetry\"\n)\n\n" +
			"func main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(telemetry.Linked())\n\tfmt.Println(info)\n}\n",
		"main_test.go": "package main\n", "testdata/x": "x\n", ".gitignore": ".env\n", ".env": "SECRET=1\n",
		// In place of the SDK, whose own variables have these names.
		"latido/go.mod":                 "module github.com/latido-dev/latido\n\ngo 1.26.0\n",
		"latido/telemetry/telemetry.go": "package telemetry\n\nvar linkedVersion, linkedRevision string\n\nfunc Linked() string { return linkedVersion + \" of \" + linkedRevision }\n",
	}
	whole := t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(whole, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(whole, name), []byte(content))
	}
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com"}, args...)...)
		cmd.Dir = whole
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "a shop")
	revision := git("rev-parse", "HEAD")
	for line := range strings.Lines(string(ignored)) { // what Docker leaves out
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "!") {
			found, err := filepath.Glob(filepath.Join(whole, strings.TrimPrefix(line, "**/")))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range found {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(whole, ".env")); err == nil {
		t.Error("the image gets .env")
	}
	build := func(args string) string {
		binary := filepath.Join(t.TempDir(), "service")
		script := strings.NewReplacer("-o /service", "-o "+binary, " -trimpath", "").Replace(step[1]) // it would compile all of Go again
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", "MAIN=.; "+args+"; "+script)
		cmd.Dir, cmd.Env = whole, append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=auto")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		out, err := exec.CommandContext(t.Context(), binary).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := build("VERSION=v1.2.3 REVISION=abc"); !strings.HasPrefix(out, "v1.2.3 of abc\n") {
		t.Errorf("with its arguments:\n%s", out)
	}
	if out := build("VERSION= REVISION="); !strings.Contains(out, "vcs.revision="+revision+"\n") || !strings.Contains(out, "vcs.modified=false\n") {
		t.Errorf("in the repository, at %s:\n%s", revision, out)
	}
	if err := os.RemoveAll(filepath.Join(whole, ".git")); err != nil {
		t.Fatal(err)
	}
	if out := build("VERSION=v1 REVISION="); !strings.HasPrefix(out, "v1 of \n") {
		t.Errorf("without a repository:\n%s", out)
	}
	write(t, filepath.Join(whole, ".git"), []byte("gitdir: /nowhere/.git/worktrees/shop\n"))
	if out := build("VERSION=v1 REVISION="); !strings.HasPrefix(out, "v1 of \n") {
		t.Errorf("in a worktree:\n%s", out)
	}
}
