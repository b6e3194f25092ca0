package diff

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

const before = `prefix: tienda
entity: pedido
events:
  - {name: pedidos, description: Orders, attributes: {canal: [web, movil, fax], pago: [tarjeta, efectivo]}}
  - {name: carritos, kind: updown}
  - {name: valor, kind: histogram, unit: COP, buckets: [10000, 50000]}
  - {name: devoluciones, description: Returns}
  - {name: quejas}
thresholds:
  - {name: PocosPedidos, event: pedidos, stat: increase, window: 10m, below: 5, where: {canal: web}}
  - {name: MuchasQuejas, event: quejas, above: 5}
  - {name: Lento, metric: response_duration, above: 2s, summary: Slow}
  - {name: Propia, expr: 'sum(rate(tienda_quejas_total[5m])) > 1'}
slos:
  - {name: disponible, objective: 99.9, good: {status: "!~5.."}}
  - {name: rapido, objective: 99, good: {faster_than: 500ms}}
notify: [{log: {}}]
`

// TestBreaks holds what is said of one change of each kind.
func TestBreaks(t *testing.T) {
	t.Parallel()
	var said bytes.Buffer
	for _, c := range []struct{ what, old, now string }{
		{"nothing", "", ""},
		{"an event is added", "slos:", "  - {name: x, event: quejas, above: 1}\nslos:"},
		{"an event is removed, and a rule by hand asks for it", "  - {name: quejas}\n", ""},
		{"an event is renamed", "name: devoluciones", "name: devueltos"},
		{"an event is renamed and keeps its name", "name: devoluciones", "name: devueltos, was: [devoluciones], was_until: 2031-01-31"},
		{"a label is removed", ", pago: [tarjeta, efectivo]", ""},
		{"a label is added", "{name: quejas}", "{name: quejas, attributes: {canal: [web]}}"},
		{"a value is removed", ", fax", ""},
		{"a label is removed, and a value of another one", "{canal: [web, movil, fax], pago: [tarjeta, efectivo]}", "{pago: [tarjeta]}"},
		{"a value is added", "fax", "fax, tienda"},
		{"the kind is another one", "name: carritos, kind: updown", "name: carritos, kind: gauge"},
		{"the unit is another one", "unit: COP", "unit: EUR"},
		{"a bound is removed", "[10000, 50000]", "[10000]"},
		{"a limit is changed", "above: 2s", "above: 3s"},
		{"a text is changed", "summary: Slow", "summary: Very slow"},
		{"a rule is renamed", "name: Lento", "name: Tarda"},
		{"an objective is removed", "  - {name: rapido, objective: 99, good: {faster_than: 500ms}}\n", ""},
		{"the prefix is another one", "prefix: tienda", "prefix: mercado"},
		{"the prefix is another one, and a label is removed",
			"prefix: tienda\nentity: pedido\nevents:\n  - {name: pedidos, description: Orders, attributes: {canal: [web, movil, fax], ",
			"prefix: mercado\nentity: pedido\nevents:\n  - {name: pedidos, description: Orders, attributes: {"},
		{"the service is another one", "prefix: tienda", "prefix: tienda\napp: ventas"},
		{"a receiver is added", "[{log: {}}]", "[{log: {}}, {webhook: {url_env: HOOK}}]"},
		{"the old file has what is refused today", "", ""},
	} {
		dir := t.TempDir()
		write := func(name, text string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		after := strings.Replace(before, c.old, c.now, 1)
		if c.what == "an event is removed, and a rule by hand asks for it" {
			after = strings.Replace(after, "  - {name: MuchasQuejas, event: quejas, above: 5}\n", "", 1)
		}
		if !strings.Contains(after, "{canal: [") { // no rule can filter by it
			after = strings.Replace(after, ", where: {canal: web}", "", 1)
		}
		old := before
		if strings.HasPrefix(c.what, "the old file") {
			old = strings.Replace(before, "summary: Slow", "summary: Slow, since_when: always", 1)
			old = strings.Replace(old, "{name: quejas}", "{name: quejas}\n  - {name: Malo, kind: counter}", 1)
		}
		var out bytes.Buffer
		breaks, err := Run(&out, Options{Old: write("old.yaml", old), New: write("domain.yaml", after)})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if strings.Contains(out.String(), "FAIL") != breaks {
			t.Errorf("%s: breaks is %v\n%s", c.what, breaks, &out)
		}
		said.WriteString("# " + c.what + "\n" + strings.ReplaceAll(filepath.ToSlash(out.String()), filepath.ToSlash(dir)+"/", "") + "\n")
	}
	testkit.Golden(t, "testdata/breaks.golden.txt", said.Bytes())
}

// TestByHand: a dashboard that nobody generated and that asks for a series that
// ends is named.
func TestByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("deploy/grafana/dashboards/own.json", `{"panels":[{"targets":[{"expr":"rate(tienda_devoluciones_total[5m])"}]}]}`)
	write("deploy/grafana/dashboards/other.json", `{"panels":[{"targets":[{"expr":"rate(tienda_devoluciones_total_x[5m])"}]}]}`)
	write("deploy/rules.yaml", `# Written by "latido generate rules" from the domain file of tienda.`+"\n# tienda_devoluciones_total\n")
	now := write("domain.yaml", strings.Replace(before, "  - {name: devoluciones, description: Returns}\n", "", 1))
	var out bytes.Buffer
	if breaks, err := Run(&out, Options{Old: write("old.yaml", before), New: now}); err != nil || !breaks {
		t.Fatal(breaks, err)
	}
	if text := out.String(); !strings.Contains(text, "own.json, which was not generated") || strings.Contains(text, "other.json") || strings.Contains(text, "rules.yaml") {
		t.Error(text)
	}
}

// TestHistory compares every revision of the example's own file, as far as the
// checkout has them, with the one before and with the file as it is.
func TestHistory(t *testing.T) {
	t.Chdir("../../../../examples/echo-api")
	revisions, _ := exec.Command("git", "log", "--format=%h", "--", "domain.yaml").Output() // without git there are none
	later := "domain.yaml"
	for _, revision := range strings.Fields(string(revisions)) {
		old := revision + ":./domain.yaml"
		for _, now := range []string{later, "domain.yaml"} {
			var out bytes.Buffer
			breaks, err := Run(&out, Options{Old: old, New: now})
			if err != nil || out.Len() == 0 || breaks != strings.Contains(out.String(), "FAIL") {
				t.Errorf("%s to %s: %v, %v\n%s", old, now, breaks, err, &out)
			}
		}
		later = old
	}
	var out bytes.Buffer
	if breaks, err := Run(&out, Options{Old: "domain.yaml", New: "domain.yaml"}); err != nil || breaks || !strings.Contains(out.String(), "say the same") {
		t.Errorf("the file and itself: %v, %v\n%s", breaks, err, &out)
	}
}

// TestRevisions compares what git has with what lies there, from the top of the
// repository and from within.
func TestRevisions(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	file := filepath.Join(dir, "svc", "domain.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q")
	write(before)
	git("add", ".")
	git("commit", "-q", "-m", "one")
	write(strings.Replace(before, "above: 2s", "above: 3s", 1))
	git("commit", "-q", "-a", "-m", "two")
	write(strings.Replace(before, "above: 2s", "above: 4s", 1))
	for _, c := range []struct{ dir, old, now, want string }{
		{dir, "HEAD~1:svc/domain.yaml", "svc/domain.yaml", "2s, now 4s"},
		{dir, "HEAD~1:svc/domain.yaml", "HEAD:svc/domain.yaml", "2s, now 3s"},
		{dir, "HEAD", "svc/domain.yaml", "3s, now 4s"},
		{filepath.Dir(file), "HEAD~1:domain.yaml", "domain.yaml", "2s, now 4s"},
		{filepath.Dir(file), "HEAD~1:domain.yaml", "HEAD", "2s, now 3s"},
	} {
		t.Chdir(c.dir)
		var out bytes.Buffer
		if breaks, err := Run(&out, Options{Old: c.old, New: c.now}); err != nil || breaks || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s %s: %v, %v\n%s", c.old, c.now, breaks, err, &out)
		}
	}
	write(strings.Replace(before, "above: 2s", "above: 5s, evidence: profile", 1))
	git("commit", "-q", "-a", "-m", "what is refused today")
	var out bytes.Buffer
	if _, err := Run(&out, Options{Old: "HEAD~1:svc/domain.yaml", New: "HEAD:svc/domain.yaml"}); err != nil || !strings.Contains(out.String(), "3s, now 5s") || !strings.Contains(out.String(), "left out of the comparison") {
		t.Errorf("both are of revisions: %v\n%s", err, &out)
	}
	_, err := Run(&bytes.Buffer{}, Options{Old: "HEAD~1:svc/domain.yaml", New: file})
	testkit.Error(t, err, "unknown key \"evidence\"")
	for old, want := range map[string]string{"HEAD~9:svc/domain.yaml": "HEAD~1:domain.yaml", "nothing.yaml": "HEAD~1:domain.yaml", "--output=x:y": "HEAD~1:domain.yaml"} {
		_, err := Run(&bytes.Buffer{}, Options{Old: old, New: file})
		testkit.Error(t, err, want)
	}
}
