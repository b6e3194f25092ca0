package generate_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/testkit"
)

// flower is a domain file with something of every kind that is written.
const flower = "prefix: floreria\nentity: ramo\nevents: [{name: ventas}]\nnotify: [{webhook: {url: 'https://example.com/'}}]\n"

// shop makes the present folder one with this domain file, and writes all.
func shop(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	clitest.Put(t, ".", cli.DomainFile, text)
	say(t, 0, "generate", "all", "-tests")
}

// Files of somebody else's stay, of every kind that is generated; they are
// named, with what to do; and only -force writes over them.
func TestFilesOfOthersStay(t *testing.T) {
	for _, mine := range []string{"# Mine, after what \"latido generate stack\" wrote.\nx: 1\n", "", "\n \n"} {
		t.Run(fmt.Sprintf("%.6q", mine), func(t *testing.T) { staysOfOthers(t, mine) })
	}
}

func staysOfOthers(t *testing.T, mine string) {
	shop(t, flower)
	written := clitest.Contents(t, ".")
	delete(written, cli.DomainFile)
	for name := range written {
		clitest.Put(t, ".", name, mine)
	}
	for _, args := range [][]string{{"generate", "all"}, {"generate", "all", "-prune"}, {"generate", "all", "-check"}, {"generate", "all", "-diff"}} {
		out := say(t, 1, args...)
		for name := range written {
			if !strings.Contains(out, filepath.FromSlash(name)+"  FAIL  is there, and latido generate did not write it") {
				t.Errorf("%q: %s is not named\n%s", args, name, out)
			}
		}
		for name, text := range clitest.Contents(t, ".") {
			if name != cli.DomainFile && text != mine {
				t.Errorf("%q: %s is replaced", args, name)
			}
		}
	}
	say(t, 0, "generate", "all", "-force")
	if after := clitest.Contents(t, "."); !maps.Equal(written, without(after, cli.DomainFile)) {
		t.Error("-force does not write all")
	}
}

// A checkout on Windows may have turned line ends into CRLF: what is the same but
// for them is as the domain says.
func TestLineEnds(t *testing.T) {
	shop(t, flower)
	for name, text := range clitest.Contents(t, ".") {
		if name != cli.DomainFile {
			clitest.Put(t, ".", name, strings.ReplaceAll(text, "\n", "\r\n"))
		}
	}
	before := clitest.Contents(t, ".")
	say(t, 0, "generate", "all", "-check")
	say(t, 0, "generate", "all")
	if after := clitest.Contents(t, "."); !maps.Equal(before, after) {
		t.Error("files are written again for their line ends")
	}
}

// every is each second of the names, from the first one on.
func every(names []string, first int) (some []string) {
	for i := first; i < len(names); i += 2 {
		some = append(some, names[i])
	}
	return some
}

func without(files map[string]string, name string) map[string]string {
	files = maps.Clone(files)
	delete(files, name)
	return files
}

// What was written under another prefix, of events that are gone, or by
// another version is named by generate and by check, and -prune removes it and
// nothing else.
func TestFilesLeftBehind(t *testing.T) {
	rules := regexp.MustCompile(`\d+ rules`) // every domain's own are more with time
	golden, err := filepath.Abs("testdata/left.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	shop(t, flower)
	notOurs := map[string]string{
		"deploy/prometheus/rules/nodes.rules.yaml": "groups: []\n", "deploy/grafana/dashboards/floreria-mine.json": "{}\n", "docs/notes.md": "# latido generate runbook\n",
		"deploy/prometheus/rules/pan.rules.yaml": strings.ReplaceAll(clitest.Contents(t, ".")["deploy/prometheus/rules/floreria.rules.yaml"], "../../../domain.yaml", "../../../../pan/domain.yaml"),
	}
	notOurs["deploy/prometheus/rules/pan.rules.yaml"] = strings.Replace(notOurs["deploy/prometheus/rules/pan.rules.yaml"], "of floreria", "of pan", 1)
	for name, text := range notOurs {
		clitest.Put(t, ".", name, text)
	}
	clitest.Put(t, ".", "deploy/loki/loki.yaml", clitest.Contents(t, ".")["deploy/tempo/tempo.yaml"]) // what another version wrote
	before := clitest.Contents(t, ".")
	clitest.Put(t, ".", cli.DomainFile, "prefix: flores\nentity: ramo\nnotify: [{webhook: {url: 'https://example.com/'}}]\n")
	left := []string{"events/events_gen.go", "deploy/loki/loki.yaml"}
	for name := range before {
		if strings.Contains(name, "/floreria") && notOurs[name] == "" {
			left = append(left, name)
		}
	}
	if len(left) != 2+5+2+1 { // dashboards, rules with their tests, targets
		t.Fatalf("left behind: %q", left)
	}
	testkit.Golden(t, golden, rules.ReplaceAll([]byte(filepath.ToSlash(say(t, 1, "generate", "all"))), []byte("N rules")))
	found := say(t, 1, "check")
	diff := say(t, 0, "generate", "all", "-prune", "-diff")
	for _, name := range left {
		name = filepath.FromSlash(name)
		if !strings.Contains(found, name+": was written from domain.yaml, which no longer makes it") || !strings.Contains(diff, "--- "+name+"\n+++ "+os.DevNull) {
			t.Errorf("%s is not named\n%s%s", name, found, diff)
		}
		if !clitest.Exists(name) {
			t.Errorf("%s is removed unasked", name)
		}
	}
	if out := say(t, 0, "generate", "all", "-prune"); strings.Count(out, "  removed: ") != len(left) {
		t.Errorf("removed:\n%s", out)
	}
	after := clitest.Contents(t, ".")
	for _, name := range left {
		if after[name] != "" {
			t.Errorf("%s is still there", name)
		}
	}
	for name, text := range notOurs {
		if after[name] != text {
			t.Errorf("%s is not as it was", name)
		}
	}
	say(t, 0, "check")
}

// Each domain of a repository has its files in its own folder, from wherever
// the command runs, and takes no file of another's for its own.
func TestDomainsSideBySide(t *testing.T) {
	t.Chdir(t.TempDir())
	const bread = "prefix: panaderia\nentity: pan\nevents: [{name: hornadas}]\nnotify: [{webhook: {url: 'https://example.com/'}}]\n"
	clitest.Put(t, ".", "svc/a/domain.yaml", flower)
	clitest.Put(t, ".", "svc/b/domain.yaml", bread)
	for _, name := range []string{"a", "b"} {
		say(t, 0, "generate", "all", "-domain", "svc/"+name+"/domain.yaml")
	}
	before := clitest.Contents(t, ".")
	for name := range before {
		if !strings.HasPrefix(name, "svc/a/") && !strings.HasPrefix(name, "svc/b/") {
			t.Errorf("%s is in nobody's folder", name)
		}
	}
	say(t, 0, "generate", "all", "-domain", "svc/a/domain.yaml", "-check")
	// What is stale is found from the root as from its folder: every file, and of
	// two that lie side by side the one that is.
	stale := slices.DeleteFunc(slices.Sorted(maps.Keys(before)), func(name string) bool {
		return !strings.HasPrefix(name, "svc/a/") || name == "svc/a/domain.yaml"
	})
	for _, some := range [][]string{every(stale, 0), every(stale, 1)} {
		for _, name := range some {
			clitest.Put(t, ".", name, before[name]+" ")
		}
		var found result.Set
		if out := say(t, 1, "check", "-format", "json", "svc/a/domain.yaml"); json.Unmarshal([]byte(out), &found) != nil {
			t.Fatal(out)
		}
		var named []string
		for _, c := range found.Checks {
			for _, p := range c.Problems {
				if c.Check == "generated" && strings.HasPrefix(p.Message, "is not as ") && strings.Contains(p.Fix, "-domain svc/a/domain.yaml") {
					named = append(named, filepath.ToSlash(p.File))
				}
			}
		}
		if slices.Sort(named); len(named) < 10 || !slices.Equal(named, some) {
			t.Errorf("%q are stale, and found are %q", some, named)
		}
		for _, name := range some {
			clitest.Put(t, ".", name, before[name])
		}
	}

	// Another domain's file in the same folder, of any name and even the same
	// prefix, leaves all of the first one's.
	for name, text := range map[string]string{"other.yaml": bread, "same.yaml": flower} {
		clitest.Put(t, ".", "svc/a/"+name, text)
		out := say(t, 1, "generate", "all", "-prune", "-domain", "svc/a/"+name)
		if !strings.Contains(out, filepath.FromSlash("svc/a/Dockerfile")+"  FAIL  is written from "+filepath.FromSlash("svc/a/domain.yaml")+", the domain file of floreria") ||
			!strings.Contains(out, "-dir") {
			t.Errorf("whose it is, is not said:\n%s", out)
		}
		if err := os.Remove("svc/a/" + name); err != nil {
			t.Fatal(err)
		}
	}
	after := clitest.Contents(t, ".")
	for name, text := range before {
		if after[name] != text {
			t.Errorf("%s is replaced", name)
		}
	}
}

// -out may be a stream: it is written to, never read or compared, and has
// nothing but the file in it.
func TestOutIsAStream(t *testing.T) {
	shop(t, flower)
	before := clitest.Contents(t, ".")
	for what, file := range map[string]string{
		"events": generate.EventsFile, "rules": generate.RulesFile("floreria"), "rule-tests": "deploy/prometheus/rules/floreria.rules.test.yaml",
		"alertmanager": generate.AlertmanagerFile, "runbook": generate.RunbookFile,
	} {
		if got := say(t, 0, "generate", what, "-out", "-"); got != before[file] || got == "" {
			t.Errorf("%s: not the file's text\n%s", what, got)
		}
	}
	if runtime.GOOS != "windows" {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan []byte)
		go func() {
			text, _ := io.ReadAll(r)
			read <- text
		}()
		if out := say(t, 0, "generate", "rules", "-out", fmt.Sprintf("/dev/fd/%d", w.Fd())); out != "" {
			t.Errorf("says %q", out)
		}
		_ = w.Close()
		if got := <-read; string(got) != before["deploy/prometheus/rules/floreria.rules.yaml"] {
			t.Errorf("through a pipe:\n%s", got)
		}
	}
	if after := clitest.Contents(t, "."); !maps.Equal(before, after) {
		t.Errorf("files: %q", slices.Sorted(maps.Keys(after)))
	}
	for args, want := range map[string]string{
		"generate stack -out -":                "many files",
		"generate rules -out - -check":         "compare with a file",
		"generate rules -out x -prune":         "leave -out out",
		"generate rules -out x -dir y":         "give one of them",
		"generate all -prune -check":           "give one of them",
		"generate dashboards -out - -diff":     "many files",
		"generate alertmanager -out - -diff":   "compare with a file",
		"generate runbook -out /dev/null -dir": "flag needs an argument",
	} {
		if out := say(t, 2, strings.Fields(args)...); !strings.Contains(out, want) {
			t.Errorf("%s: %s", args, out)
		}
	}
}

// -diff shows what would change, and changes nothing.
func TestDiffShowsChanges(t *testing.T) {
	shop(t, flower)
	if out := say(t, 0, "generate", "all", "-diff", "-check"); out != "" {
		t.Errorf("nothing changed:\n%s", out)
	}
	clitest.Put(t, ".", cli.DomainFile, strings.Replace(flower, "entity: ramo", "entity: planta\ndefault_rules: {disable: [cpu]}", 1))
	if err := os.Remove("docs/runbook.md"); err != nil {
		t.Fatal(err)
	}
	before := clitest.Contents(t, ".")
	out := say(t, 0, "generate", "all", "-diff")
	for _, want := range []string{
		"--- " + os.DevNull + "\n+++ " + filepath.FromSlash("docs/runbook.md") + "\n@@ -0,0 +1,", "\n+# Runbook",
		"--- " + filepath.FromSlash("deploy/prometheus/rules/floreria.rules.yaml") + "\n+++ " + filepath.FromSlash("deploy/prometheus/rules/floreria.rules.yaml") + "\n@@ -",
		"\n-      - alert: HostCPUHigh",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	say(t, 1, "generate", "all", "-diff", "-check")
	if !maps.Equal(before, clitest.Contents(t, ".")) {
		t.Error("-diff writes")
	}
}

// TestWrongRuleIsLeftOut: a rule that Prometheus does not read costs itself, in
// the rules, their tests and the manifests; it is named with its line.
func TestWrongRuleIsLeftOut(t *testing.T) {
	t.Chdir(t.TempDir())
	clitest.Put(t, ".", cli.DomainFile, "prefix: tienda\nentity: pedido\nevents: [{name: ventas}]\nthresholds:\n"+
		"  - {name: Mala, expr: 'sum('}\n  - {name: Texto, expr: '\"a\"', above: 1}\n  - {name: Buena, event: ventas, above: 1}\nnotify: [{log: {}}]\n")
	out := say(t, 1, "generate", "all", "-tests")
	for _, want := range []string{"domain.yaml:5:", "thresholds[0].expr: not PromQL", "thresholds[1].expr: not PromQL", "left out, so that servers load the others"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for name, text := range clitest.Contents(t, "deploy") {
		if strings.HasPrefix(name, "prometheus/rules/tienda") || name == "kubernetes/rules.yaml" {
			if strings.Contains(text, "Mala") || strings.Contains(text, "Texto") || !strings.Contains(text, "Buena") {
				t.Errorf("%s has not the right one alone", name)
			}
		}
	}
	if out := say(t, 1, "check"); strings.Contains(out, "is not as domain.yaml says") {
		t.Errorf("what was written is complained of:\n%s", out)
	}
}
