package check

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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

// generated are the files of a world with which nothing is wrong, by their
// paths: all that is generated, and a dashboard by hand.
var generated = sync.OnceValues(func() (map[string]string, error) {
	dir, err := os.MkdirTemp("", "check")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	files := map[string]string{}
	for from, to := range map[string]string{"testdata/checked.yaml": "domain.yaml", "testdata/dashboard.json": ownBoard} {
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		files[to] = string(text)
	}
	domainFile := filepath.Join(dir, "domain.yaml")
	if err := os.WriteFile(domainFile, []byte(files["domain.yaml"]), 0o600); err != nil {
		return nil, err
	}
	if code, stdout, stderr := latido("generate", "all", "-domain", domainFile); code != 0 {
		return nil, fmt.Errorf("generate: exit %d\n%s%s", code, stdout, stderr)
	}
	return files, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(text)
		return err
	})
})

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		w.write(name, text)
	}
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
