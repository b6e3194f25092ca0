package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDependenciesListed wants every direct requirement of every module in the
// table that says why it is there, and none there that is none.
func TestDependenciesListed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(text), "\n## ")[1:]
	if len(sections) != 5 {
		t.Fatalf("%d tables", len(sections))
	}
	for _, section := range sections {
		title, _, _ := strings.Cut(section, "\n")
		required, listed := map[string]bool{}, map[string]bool{}
		for _, file := range modFile.FindAllString(title, -1) {
			for _, path := range requirements(t, file) {
				required[path] = true
			}
		}
		for line := range strings.Lines(section) {
			if cell, ok := strings.CutPrefix(line, "| "); ok && !strings.HasPrefix(cell, "module ") && !strings.HasPrefix(cell, "what several ") {
				cell, _, _ = strings.Cut(cell, " | ")
				for _, path := range strings.Split(cell, ", ") {
					listed[path] = true
				}
			}
			if strings.HasSuffix(strings.TrimSpace(line), "| ? |") {
				t.Errorf("%s: not measured: %s", title, line)
			}
		}
		if len(required) == 0 || !maps.Equal(required, listed) {
			t.Errorf("%s:\nrequired %v\nlisted   %v", title, slices.Sorted(maps.Keys(required)), slices.Sorted(maps.Keys(listed)))
		}
	}
}

// TestNoServersInTheSDK wants nothing of Prometheus' and Alertmanager's servers
// in the module that every service imports.
func TestNoServersInTheSDK(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("go", "list", "-m", "all")
	cmd.Dir, cmd.Env = repository, append(os.Environ(), "GOWORK=off")
	all, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(all)) {
		switch path, _, _ := strings.Cut(strings.TrimSpace(line), " "); path {
		case "github.com/prometheus/prometheus", "github.com/prometheus/alertmanager":
			t.Errorf("the root module requires %s", path)
		}
	}
	if !strings.Contains(string(all), "github.com/prometheus/client_golang") {
		t.Errorf("the list of modules is not one:\n%s", all)
	}
}

var modFile = regexp.MustCompile(`\S*go\.mod`)

// requirements are the direct ones of a module.
func requirements(t *testing.T, file string) (paths []string) {
	t.Helper()
	output, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(repository, file)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(output, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect {
			paths = append(paths, r.Path)
		}
	}
	return paths
}
