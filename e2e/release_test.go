//go:build unix

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/release/moduleproxy"
	"github.com/latido-dev/latido/e2e/servers"
)

// TestRelease makes a release of this checkout, as a proxy in a folder, and then
// does what the quickstart says in an empty folder: with that proxy, the
// downloads of this machine, and no clone. The commands are those of the Spanish
// document, which are those of the English one.
func TestRelease(t *testing.T) {
	t.Parallel()
	const version = "v0.1.0"
	home, proxy := t.TempDir(), t.TempDir()
	clone := snapshot(t)
	cmd := exec.Command("go", "run", "./release", "-version", version, "-proxy", proxy)
	cmd.Dir = filepath.Join(clone, "e2e")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GIT_AUTHOR_NAME=e2e", "GIT_AUTHOR_EMAIL=e2e@example.com", "GIT_COMMITTER_NAME=e2e", "GIT_COMMITTER_EMAIL=e2e@example.com")
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Logf("%s", output)
	for _, at := range []string{"v0.1.0:go.mod", "embedded/v0.1.0:embedded/go.mod", "cmd/latido/v0.1.0:cmd/latido/go.mod"} {
		show := exec.Command("git", "show", at)
		show.Dir = clone
		text, err := show.Output()
		if err != nil || strings.Contains(string(text), "replace") || strings.Contains(string(text), "latido-dev/latido v0.0.0") {
			t.Errorf("%s: %v\n%s", at, err, text)
		}
	}

	document, err := os.ReadFile(filepath.Join(repository, "docs", "es", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	install := regexp.MustCompile(`(?m)^    (go install github.com/latido-dev/latido/\S+)$`).FindStringSubmatch(string(document))
	commands := quickstartCommands(t, "docs/es/quickstart.md")
	if install == nil || !strings.HasPrefix(commands[0], "git clone ") {
		t.Fatalf("the line %q takes the place of %q", install, commands[0])
	}
	modules, err := moduleproxy.New(proxy, version, "github.com/latido-dev/latido", "github.com/latido-dev/latido/embedded", "github.com/latido-dev/latido/cmd/latido")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := modules.Forget(); err != nil {
			t.Error(err)
		}
	})
	admin := servers.FreeAddr(t)
	host, port, _ := strings.Cut(admin, ":")
	p := &person{t: t, dir: home, env: append(modules.Environment(home), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port)}
	p.types(install[1])
	p.types(commands[1])
	text, err := os.ReadFile(filepath.Join(p.dir, "go.mod"))
	if err != nil || !strings.Contains(string(text), "github.com/latido-dev/latido "+version) || strings.Contains(string(text), "replace") {
		t.Errorf("the service's go.mod: %v\n%s", err, text)
	}
	service := p.leaves(commands[2] + " -addr " + servers.FreeAddr(t))
	servers.WaitFor(t, 15*time.Minute, "the service", func() error {
		service.running()
		_, err := fetch("http://" + admin + "/healthz")
		return err
	})
	servers.WaitFor(t, servers.Patience, "the report", func() error { // the first window has to end
		report := exec.Command("bash", "-c", commands[3]+" -url http://"+admin)
		report.Dir, report.Env = p.dir, p.env
		output, err := report.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "main.forecast") {
			return fmt.Errorf("%w\n%s", err, output)
		}
		return nil
	})
	_ = service.ctrlC() // go run has no good exit code for it
}
