package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
			if cell, ok := strings.CutPrefix(line, "| "); ok && !strings.HasPrefix(cell, "module ") {
				cell, _, _ = strings.Cut(cell, " | ")
				for _, path := range strings.Split(cell, ", ") {
					listed[path] = true
				}
			}
		}
		if len(required) == 0 || !maps.Equal(required, listed) {
			t.Errorf("%s:\nrequired %v\nlisted   %v", title, slices.Sorted(maps.Keys(required)), slices.Sorted(maps.Keys(listed)))
		}
	}
}

// TestSizes holds the stripped programs to the sizes that docs/dependencies.md
// says, in MB, with a tenth to spare: a dependency that costs more is decided
// on, and not found out later.
func TestSizes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := sizeRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) != 3 {
		t.Fatalf("docs/dependencies.md has %d sizes, want 3", len(rows))
	}
	for _, row := range rows {
		said, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "program")
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, ".")
		cmd.Dir, cmd.Env = filepath.Join(repository, row[1]), append(os.Environ(), "GOWORK=off")
		if output, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", row[1], err, output)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if size := float64(info.Size()) / 1e6; size > 1.1*said || size < 0.9*said {
			t.Errorf("%s has %.1f MB, docs/dependencies.md says %.1f", row[1], size, said)
		}
	}
}

// sizeRow is a program of docs/dependencies.md, and how large it is.
var sizeRow = regexp.MustCompile(`(?m)^\| (\S+) \| ([0-9.]+) MB \|$`)

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

// TestOneVersion wants every module that several go.mod files require, the
// indirect ones too, in the same version in all of them: two versions of one
// are compiled twice, with all that stands on it. The servers' files are not
// ours to choose.
func TestOneVersion(t *testing.T) {
	t.Parallel()
	versions := map[string]map[string]string{} // by module and version: the file
	for _, dir := range []string{".", "cmd/latido", "embedded", "examples/echo-api", "bench", "e2e"} {
		for _, r := range allRequired(t, filepath.Join(dir, "go.mod")) {
			if versions[r.Path] == nil {
				versions[r.Path] = map[string]string{}
			}
			versions[r.Path][r.Version] = dir
		}
	}
	for path, files := range versions {
		if len(files) > 1 {
			t.Errorf("%s has several versions: %v: run go get %[1]s@VERSION in the folders that are behind", path, files)
		}
	}
	if len(versions["github.com/prometheus/prometheus"]) == 0 {
		t.Error("nothing requires Prometheus")
	}
}

var modFile = regexp.MustCompile(`\S*go\.mod`)

// requirement is a module that a go.mod file requires.
type requirement struct {
	Path, Version string
	Indirect      bool
}

// allRequired are all requirements of a module.
func allRequired(t *testing.T, file string) []requirement {
	t.Helper()
	output, err := exec.Command("go", "mod", "edit", "-json", filepath.Join(repository, file)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct{ Require []requirement }
	if err := json.Unmarshal(output, &mod); err != nil {
		t.Fatal(err)
	}
	return mod.Require
}

// requirements are the direct ones of a module.
func requirements(t *testing.T, file string) (paths []string) {
	t.Helper()
	for _, r := range allRequired(t, file) {
		if !r.Indirect {
			paths = append(paths, r.Path)
		}
	}
	return paths
}
