package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
)

// world is a project in a folder. At first nothing is wrong with it; a test
// breaks it.
type world struct {
	t    *testing.T
	dir  string
	args []string
}

const (
	ruleFile    = "deploy/prometheus/rules/tienda.rules.yaml"
	moreRules   = "deploy/prometheus/rules/more.rules.yaml"
	ownBoard    = generate.DashboardsFolder + "/own.json" // that somebody drew
	routingFile = generate.AlertmanagerFile
)

// newWorld writes all that is generated, and a dashboard by hand.
func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir()}
	for from, to := range map[string]string{"testdata/checked.yaml": "domain.yaml", "testdata/dashboard.json": ownBoard} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		w.write(to, string(text))
	}
	w.regenerate()
	return w
}

// regenerate writes what comes from the domain file.
func (w *world) regenerate() {
	w.t.Helper()
	say(w.t, 0, "generate", "all", "-domain", w.path("domain.yaml"))
}

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *world) write(name, text string) { clitest.Put(w.t, w.dir, name, text) }

// edit replaces the first occurrence of a text in a file.
func (w *world) edit(name, from, to string) {
	w.t.Helper()
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		w.t.Fatalf("%s has no %q:\n%s", name, from, data)
	}
	w.write(name, strings.Replace(string(data), from, to, 1))
}

// check runs latido check on the world.
func (w *world) check(format string) (code int, stdout, stderr string) {
	return latido(append(append([]string{"check", "-format", format}, w.args...), w.path("domain.yaml"))...)
}
