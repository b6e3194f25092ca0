package scaffold

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/gomod"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestInitNeverOverwrites has a runbook that somebody wrote: it stays, unless
// somebody says otherwise.
func TestInitNeverOverwrites(t *testing.T) {
	t.Parallel()
	const runbook = "docs/runbook.md"
	for _, c := range []struct {
		name     string
		mine     string
		terminal bool
		input    string
		flag     string
		stays    bool
	}{
		{"nobody answers", "# Mine\n", false, "", "-force=false", true},
		{"no", "# Mine\n", true, "n\n", "-force=false", true},
		{"the usual answer", "# Mine\n", true, "\n", "-force=false", true},
		{"yes", "# Mine\n", true, "y\n", "-force=false", false},
		{"sí", "# Mine\n", true, "sí\n", "-force=false", false},
		{"an empty file", "", false, "", "-force=false", true},
		{"force", "# Mine\n", false, "", "-force", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			clitest.Put(t, dir, runbook, c.mine)
			out, err := start(starter{terminal: c.terminal}, c.input, "-kind", "saas", "-prefix", "nube", "-entity", "cuenta", "-notify", "https://hooks.example.com/x", "-dir", dir, c.flag)
			files := clitest.Contents(t, dir)
			if stays := files[runbook] == c.mine; stays != c.stays || files["main.go"] == "" || files["domain.yaml"] == "" {
				t.Errorf("stays %v\n%s", stays, out)
			}
			if c.stays != errors.Is(err, cli.ErrProblems) || !c.stays && err != nil {
				t.Errorf("error %v", err)
			}
			if c.stays && (!strings.Contains(out, runbook+"  left ") || !strings.Contains(out, "latido init -force")) {
				t.Errorf("what to do is not said:\n%s", out)
			}
			if asked := strings.Contains(out, runbook+" is there with other content: overwrite it? (y/N)"); asked != c.terminal {
				t.Errorf("asked %v\n%s", asked, out)
			}
		})
	}
}

// TestInitDomainThere has a domain file: it stays, and all else comes from it.
func TestInitDomainThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine, err := os.ReadFile("../generate/testdata/tienda.yaml")
	if err != nil {
		t.Fatal(err)
	}
	clitest.Put(t, dir, cli.DomainFile, string(mine))
	out, err := start(starter{}, "", "-dir", dir) // nothing to say, nothing to ask
	files := clitest.Contents(t, dir)
	if err != nil || files[cli.DomainFile] != string(mine) || !strings.Contains(files["events/events_gen.go"], "CarritosActivos") || !strings.Contains(files["routes.go"], `"POST /pedidos"`) {
		t.Errorf("%v\n%s", err, out)
	}
	alone := t.TempDir()
	clitest.Put(t, alone, cli.DomainFile, string(mine))
	out, err = start(starter{}, "", "-kind", "saas", "-dir", alone)
	if after := clitest.Contents(t, alone); !errors.Is(err, cli.ErrProblems) || after[cli.DomainFile] != string(mine) || after["events/events_gen.go"] != files["events/events_gen.go"] {
		t.Errorf("another kind: %v\n%s", err, out)
	}
	out, err = start(starter{}, "", "-kind", "saas", "-dir", dir)
	if after := clitest.Contents(t, dir); !errors.Is(err, cli.ErrProblems) || after[cli.DomainFile] != string(mine) || after["events/events_gen.go"] != files["events/events_gen.go"] {
		t.Errorf("another kind, once all is there: %v\n%s", err, out)
	}
	out, err = start(starter{}, "", "-kind", "saas", "-dir", dir, "-force")
	after := clitest.Contents(t, dir)
	if err != nil || !strings.Contains(after[cli.DomainFile], "prefix: plataforma") || !strings.Contains(after["events/events_gen.go"], "SuscripcionesActivas") {
		t.Errorf("by force: %v\n%s", err, out)
	}

	dir = t.TempDir()
	clitest.Put(t, dir, cli.DomainFile, "prefix: x\n")
	_, err = start(starter{}, "", "-dir", dir)
	testkit.Error(t, err, cli.DomainFile+":1:1: prefix: ")
	if len(clitest.Contents(t, dir)) != 1 {
		t.Error("files of a domain that does not load")
	}
}

// The demo of a measured value has values of the lower half of its buckets, as they
// are written: of one bucket, the upper half of that.
func TestDemoOfBuckets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clitest.Put(t, dir, cli.DomainFile, "prefix: tienda\nentity: pedido\nevents:\n"+
		"  - {name: peso, kind: histogram, unit: kg, buckets: [0.25]}\n"+
		"  - {name: volumen, kind: histogram, unit: m3, buckets: [0.015, 0.25, 1000000, 2000000]}\n")
	out, err := start(starter{}, "", "-dir", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := strings.Join(slices.Collect(maps.Values(clitest.Contents(t, dir))), "\n")
	for _, want := range []string{"between(0.125, 0.25)", "between(0.015, 1000000)"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s", want)
		}
	}
}

// Where the service is, is said to who is not there.
func TestInitHere(t *testing.T) {
	dir := t.TempDir()
	for _, here := range []string{t.TempDir(), dir} {
		t.Chdir(here)
		out, err := start(starter{}, "", "-kind", "saas", "-notify", "https://hooks.example.com/x", "-dir", dir)
		if told := strings.Contains(out, "\n    cd "); err != nil || told != (here != dir) {
			t.Errorf("told %v, %v\n%s", told, err, out)
		}
	}
}

// TestInitMainThere has a main package: it stays as it is, whatever is forced.
func TestInitMainThere(t *testing.T) {
	t.Parallel()
	const mine = "package main\n\nfunc main() {}\n"
	dir := t.TempDir()
	clitest.Put(t, dir, "cmd.go", mine)
	out, err := start(starter{}, "", "-kind", "saas", "-dir", dir, "-force", "-module", "example.com/nube")
	files := clitest.Contents(t, dir)
	if err != nil || files["cmd.go"] != mine || files["main.go"] != "" || files["routes.go"] != "" || files["events/events_gen.go"] == "" {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{`d, err := domain.Load("domain.yaml")`, "telemetry.Init(ctx, telemetry.Config{Domain: d})", "defer tel.Shutdown(context.Background())", "events.Bind(tel) // of example.com/nube/events", "go run .\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	clitest.Put(t, dir, "cmd.go", "package main\n\nimport _ \"github.com/latido-dev/latido/telemetry\"\n\nfunc main() {}\n")
	if out, err = start(starter{}, "", "-kind", "saas", "-dir", dir); err != nil || strings.Contains(out, "telemetry.Init") {
		t.Errorf("one that has the telemetry: %v\n%s", err, out)
	}

	dir = t.TempDir() // ours, that was changed since
	if out, err = start(starter{}, "", "-kind", "saas", "-dir", dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	clitest.Put(t, dir, "routes.go", clitest.Contents(t, dir)["routes.go"]+"\n// mine\n")
	out, err = start(starter{}, "", "-kind", "saas", "-dir", dir, "-force")
	if err != nil || !strings.HasSuffix(clitest.Contents(t, dir)["routes.go"], "// mine\n") || strings.Contains(out, "telemetry.Init") {
		t.Errorf("ours: %v\n%s", err, out)
	}

	for name, text := range map[string]string{"another package": "package tienda\n", "two packages": "package main\n", "no Go": "package\n"} {
		dir := t.TempDir()
		clitest.Put(t, dir, "a.go", text)
		if name == "two packages" {
			clitest.Put(t, dir, "b.go", "package b\n")
		}
		_, err := start(starter{}, "", "-kind", "saas", "-dir", dir)
		if n := len(clitest.Contents(t, dir)); err == nil || n > 2 || n == 2 && name != "two packages" {
			t.Errorf("%s: %v, %d files", name, err, n)
		}
	}
	dir = t.TempDir() // what is not built does not count
	clitest.Put(t, dir, "tools.go", "//go:build ignore\n\npackage tools\n")
	if out, err = start(starter{}, "", "-kind", "saas", "-dir", dir); err != nil || clitest.Contents(t, dir)["main.go"] == "" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestInitModule(t *testing.T) {
	t.Parallel()
	const other = "module example.com/other\n\ngo 1.26.0\n"
	dir := t.TempDir()
	clitest.Put(t, dir, "go.mod", other)
	out, err := start(starter{from: origin{checkout: "/src/latido"}, tidy: func(string) error { return errors.New("called") }}, "", "-kind", "saas", "-dir", dir, "-force")
	files := clitest.Contents(t, dir)
	if err != nil || files["go.mod"] != other || !strings.Contains(files["routes.go"], `"example.com/other/events"`) {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(out, "go mod edit -require=github.com/latido-dev/latido@v0.0.0 '-replace=github.com/latido-dev/latido=/src/latido' "+
		"-require=github.com/latido-dev/latido/embedded@v0.0.0 '-replace=github.com/latido-dev/latido/embedded=/src/latido/embedded'") || !strings.Contains(out, "go mod tidy\n") {
		t.Errorf("what to do is not said:\n%s", out)
	}
	clitest.Put(t, dir, "go.mod", other+"\nrequire (\n\tgithub.com/latido-dev/latido v1.0.0\n\tgithub.com/latido-dev/latido/embedded v1.0.0\n\tgithub.com/latido-dev/latido/cmd/latido v1.0.0\n)\n")
	if out, err = start(starter{from: origin{version: "v1.2.3"}}, "", "-kind", "saas", "-dir", dir); err != nil || strings.Contains(out, "go mod edit") {
		t.Errorf("one that requires Latido: %v\n%s", err, out)
	}

	for _, c := range []struct {
		from       origin
		name, want string
	}{
		{origin{version: "v1.2.3"}, "Mi Tienda ñandú", "module mi-tienda-and\n\ngo 1.26.7\n\n" + requires("v1.2.3")},
		{origin{version: "v1.2.3", checkout: "/src/latido"}, "tienda", requires("v1.2.3")},
		{origin{checkout: "/src/la tido"}, "ñ", "module service\n\ngo 1.26.7\n\n" + requires("v0.0.0") + "\n// A checkout, until there is a release to require.\nreplace (\n" +
			"\tgithub.com/latido-dev/latido => \"/src/la tido\"\n\tgithub.com/latido-dev/latido/embedded => \"/src/la tido/embedded\"\n\tgithub.com/latido-dev/latido/cmd/latido => \"/src/la tido/cmd/latido\"\n)\n"},
	} {
		dir := filepath.Join(t.TempDir(), c.name)
		if out, err := start(starter{from: c.from}, "", "-kind", "saas", "-dir", dir); err != nil || !strings.HasSuffix(clitest.Contents(t, dir)["go.mod"], c.want) {
			t.Errorf("%v\n%s\n%s", err, out, clitest.Contents(t, dir)["go.mod"])
		}
	}
	dir = t.TempDir()
	_, err = start(starter{}, "", "-kind", "saas", "-dir", dir, "-latido", root(t))
	if want := "\tgithub.com/latido-dev/latido/cmd/latido => " + root(t) + "/cmd/latido\n)\n"; err != nil || !strings.HasSuffix(clitest.Contents(t, dir)["go.mod"], want) {
		t.Errorf("-latido: %v\n%s", err, clitest.Contents(t, dir)["go.mod"])
	}

	dir = t.TempDir()
	_, err = (&starter{dir: dir}).goMod(&plan{dir: dir})
	testkit.Error(t, err, "-latido DIR")
}

// requires are the lines of a go.mod about Latido.
func requires(version string) string {
	return "require (\n\tgithub.com/latido-dev/latido " + version + "\n\tgithub.com/latido-dev/latido/embedded " + version +
		"\n\tgithub.com/latido-dev/latido/cmd/latido " + version + "\n)\n\ntool github.com/latido-dev/latido/cmd/latido\n"
}

// TestOrigin is about what the command finds out of itself: tests are built
// from a checkout.
func TestOrigin(t *testing.T) {
	t.Parallel()
	if from := whence(); from.version != "" || from.checkout != root(t) {
		t.Errorf("%+v, want the checkout %s", from, root(t))
	}
	for version, want := range map[string]bool{
		"v1.2.3": true, "v1.2.3-rc.1": true, "v0.0.0": false, "(devel)": false, "": false, "v1.2.3+dirty": false,
		"v0.0.0-20261126010203-abcdefabcdef": false, "v1.2.4-0.20261126010203-abcdefabcdef": false,
	} {
		if released(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
	mod, err := os.ReadFile(filepath.Join(root(t), "embedded", "go.mod")) // the higher one: a service requires both
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^go ` + regexp.QuoteMeta(goVersion) + `$`).Match(mod) {
		t.Errorf("a service asks for go %s, which is not what Latido's go.mod says", goVersion)
	}
}

// TestInitInWorkspace is in a folder that a go.work governs without having it:
// the go command would build nothing there.
func TestInitInWorkspace(t *testing.T) {
	t.Setenv("GOWORK", "")
	dir := t.TempDir()
	clitest.Put(t, dir, "go.work", "go 1.26.0\n")
	out, err := start(starter{}, "", "-kind", "saas", "-dir", filepath.Join(dir, "nube"))
	if err != nil || !strings.Contains(out, "    go work use .\n") || !strings.Contains(out, "../go.work") {
		t.Errorf("%v\n%s", err, out)
	}
	clitest.Put(t, dir, "go.work", "go 1.26.0\n\nuse ./nube\n")
	if out, err = start(starter{}, "", "-kind", "saas", "-dir", filepath.Join(dir, "nube")); err != nil || strings.Contains(out, "go work use") {
		t.Errorf("one that has it: %v\n%s", err, out)
	}
}

// TestInitTidyFails has no network: the files are there, and what is left to do
// is said.
func TestInitTidyFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, err := start(starter{tidy: func(string) error { return errors.New("no such host") }}, "", "-kind", "saas", "-dir", dir)
	if !errors.Is(err, cli.ErrProblems) || !strings.Contains(out, "go.sum  FAIL     go mod tidy: no such host") || !strings.Contains(out, "    go mod tidy\n") || clitest.Contents(t, dir)["main.go"] == "" {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInitLeavesNothingHalf fails at a file: nothing of the others is there.
func TestInitLeavesNothingHalf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clitest.Put(t, dir, "docs", "a file where a folder is to be\n")
	out, err := start(starter{}, "", "-kind", "saas", "-dir", dir)
	if files := clitest.Contents(t, dir); err == nil || len(files) != 1 {
		t.Errorf("%v, %d files\n%s", err, len(files), out)
	}

	dir = t.TempDir() // what only fails when it is written
	clitest.Put(t, dir, "old", "old")
	p := plan{dir: dir, force: true, out: os.Stderr}
	for _, path := range []string{"old", "new", "a/b/c"} {
		if err := p.add(path, []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	p.files = append(p.files, planned{path: "new/below", content: []byte("x")})
	err = p.write()
	if files := clitest.Contents(t, dir); err == nil || len(files) != 1 || files["old"] != "old" || clitest.Exists(filepath.Join(dir, "a")) {
		t.Errorf("%v, %v", err, files)
	}
}

// TestServiceOfAnyDomain runs the service of domains that nobody thought of, and
// its demo: every event gets data.
func TestServiceOfAnyDomain(t *testing.T) {
	t.Parallel()
	sum, err := os.ReadFile(filepath.Join(root(t), "embedded", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root(t), "embedded", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile("testdata/any.go.txt")
	if err != nil {
		t.Fatal(err)
	}
	// The requirements of the checkout, so that nothing is downloaded.
	module := t.TempDir()
	clitest.Put(t, module, "go.mod", strings.NewReplacer("module "+gomod.Embedded, "module shop", "=> ../\n", "=> "+root(t)+"\n", "=> ..\n", "=> "+root(t)+"\n").Replace(string(mod))+
		"\nrequire "+gomod.Embedded+" v0.0.0\nreplace "+gomod.Embedded+" => "+root(t)+"/embedded\n")
	clitest.Put(t, module, "go.sum", string(sum))
	// Prometheus is in each of them, and to link it takes long: they are packages
	// of one binary, which only their package clauses hinder.
	imports, calls := "", ""
	for name, file := range map[string]string{"odd": "testdata/odd.yaml", "rare": "../generate/testdata/rare.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(module, name)
		clitest.Put(t, dir, cli.DomainFile, string(text))
		out, err := start(starter{}, "", "-dir", dir, "-module", "shop/"+name)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if err := os.Remove(filepath.Join(dir, "go.mod")); err != nil {
			t.Fatal(err)
		}
		clitest.Put(t, dir, "any.go", strings.ReplaceAll(string(test), `"shop/events"`, `"shop/`+name+`/events"`))
		sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range sources {
			text, err := os.ReadFile(source)
			if err != nil || !strings.Contains(string(text), "package main\n") {
				t.Fatalf("%s is of another package, or cannot be read: %v", source, err)
			}
			clitest.Put(t, dir, filepath.Base(source), strings.Replace(string(text), "package main\n", "package "+name+"\n", 1))
		}
		imports += "import \"shop/" + name + "\"\n"
		calls += "\tt.Run(\"" + name + "\", " + name + ".TestAny)\n"
	}
	clitest.Put(t, module, "all_test.go", "package shop\n\nimport \"testing\"\n"+imports+"\nfunc TestAll(t *testing.T) {\n"+calls+"}\n")
	cmd := exec.Command("go", "test", "-vet=off", "-mod=mod", "-ldflags=-s -w", "-v", ".")
	cmd.Dir, cmd.Env = module, append(os.Environ(), "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil || strings.Count(string(output), "    --- PASS: TestAll/") != 2 {
		t.Errorf("%v\n%s", err, output)
	}
}
