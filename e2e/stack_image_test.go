package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
