package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// block is a fenced block of a document.
type block struct{ language, text string }

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

func blocks(t *testing.T, document string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, document))
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, match := range fence.FindAllStringSubmatch(string(text), -1) {
		found = append(found, block{match[1], match[2]})
	}
	if len(found) == 0 {
		t.Fatalf("%s has no fenced block", document)
	}
	return found
}

// compile builds a snippet that is a whole program, in this module, which
// requires what the documents import, with further files of its package. It
// returns the program.
func compile(t *testing.T, source string, more ...string) string {
	t.Helper()
	files := map[string]string{}
	for i, text := range append([]string{source}, more...) {
		files[fmt.Sprintf("snippet/main%d.go", i)] = text
	}
	return overlaid(t, ".", "./snippet", files)
}

// overlaid builds a package of the module in a folder as it would be with some
// files, by their names in that folder, added or replaced. It returns the program.
func overlaid(t *testing.T, module, pkg string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	module, err := filepath.Abs(module)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for name, text := range files {
		file := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		replace[filepath.Join(module, name)] = file
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-overlay", overlayFile, "-o", binary, pkg)
	cmd.Dir, cmd.Env = module, append(os.Environ(), "GOWORK=off")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s does not compile: %v\n%s\n%s", pkg, err, output, slices.Collect(maps.Values(files)))
	}
	return binary
}

// TestDocumentsCompile builds every Go program in the documents.
func TestDocumentsCompile(t *testing.T) {
	t.Parallel()
	for _, document := range []string{"README.md", "docs/routers.md", "docs/traces.md", "docs/alerts.md"} {
		for _, document := range []string{document, twins[document]} {
			if document == "" { // in English only
				continue
			}
			for i, b := range blocks(t, document) {
				if b.language == "go" {
					t.Run(fmt.Sprintf("%s %d", document, i), func(t *testing.T) { compile(t, b.text) })
				}
			}
		}
	}
}

// TestRobustnessNamesTests: every test that docs/robustness.md names is there.
func TestRobustnessNamesTests(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join(repository, "docs", "robustness.md"))
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	definition := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir(repository, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, name := range definition.FindAllSubmatch(source, -1) {
			there[string(name[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(document, -1)
	if len(names) == 0 {
		t.Fatal("no test is named")
	}
	for _, name := range names {
		if !there[string(name[1])] {
			t.Errorf("docs/robustness.md names %s, which is not there", name[1])
		}
	}
}

// TestReadme does what the README's tour says, from its own text in both
// languages: the shop and every command beside it, then the reader's own
// service from the domain file and the program that stand there.
func TestReadme(t *testing.T) {
	shop := startShop(t, nil, "-fast")
	servers.WaitFor(t, servers.Patience, "the first window of profiles", func() error {
		_, err := shop.get("/debug/report")
		return err
	})
	for _, readme := range []string{"README.md", twins["README.md"]} {
		t.Run(readme, func(t *testing.T) { testReadme(t, shop, readme) })
	}
}

func testReadme(t *testing.T, shop shop, readme string) {
	defer shop.breakIt(t, http.MethodDelete, "cpu") // which the tour breaks
	dir := t.TempDir()
	var service string
	for _, b := range blocks(t, readme) {
		switch b.language {
		case "yaml":
			if err := os.WriteFile(filepath.Join(dir, "domain.yaml"), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		case "go":
			service = b.text
		case "sh":
			for command := range strings.Lines(b.text) {
				runCommand(t, shop, dir, command)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "events", "events_gen.go")); err != nil {
		t.Error(err)
	}

	running := servers.Run(t, servers.Process{
		Name: "the README's service", Ports: 2, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			binary := compile(t, strings.ReplaceAll(service, "127.0.0.1:8080", addrs[1]))
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd := exec.Command(binary)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port)
			return cmd
		},
	})
	servers.WaitFor(t, servers.Patience, "an order", func() error {
		response, err := http.Post("http://"+running.Addr(1)+"/pedidos", "", nil)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusCreated {
			return fmt.Errorf("status %s", response.Status)
		}
		return nil
	})
	text, err := shopAt(running).get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`tienda_requests_total{endpoint="/pedidos",method="POST",status="201"} 1`,
		`tienda_pedidos_procesados_total{canal="web"} 1`,
		`tienda_pedidos_procesados_total{canal="movil"} 0`,
		`tienda_entities_created_total 1`,
		`tienda_valor_pedido_COP_sum 52000`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("/metrics has no line %q", want)
		}
	}
}

// runCommand runs a line of a document in a folder, with the shop's address in
// place of the default one.
func runCommand(t *testing.T, s shop, dir, command string) {
	t.Helper()
	latido := program(t, "cmd/latido")
	run := strings.NewReplacer("127.0.0.1:9464", s.Addr(0), "examples/", filepath.Join(repository, "examples")+"/", "go run ./cmd/latido", latido).Replace(command)
	if installed, ok := strings.CutPrefix(run, "latido "); ok {
		run = latido + " " + installed
	}
	for _, verb := range []string{"report", "fire", "incidents", "backtest"} { // their -url is that address
		run = strings.ReplaceAll(run, latido+" "+verb, latido+" "+verb+" -url "+s.URL())
	}
	if output, err := typed(dir, os.Environ(), run); err != nil {
		t.Errorf("%s: %v\n%s", strings.TrimSpace(command), err, output)
	}
}

// typed runs a command of a document, which is to end well and to print something
// unless that goes into a file. It is typed again where a busy machine made it give
// up: a wrong one passes never.
func typed(dir string, env []string, command string) (output []byte, err error) {
	for range 3 {
		cmd := exec.Command("bash", "-o", "pipefail", "-c", command)
		cmd.Dir, cmd.Env = dir, env
		output, err = cmd.CombinedOutput()
		if err == nil && len(output) == 0 && !strings.Contains(command, " -out ") && !strings.Contains(command, " > ") {
			err = errors.New("it prints nothing")
		}
		if err == nil {
			break
		}
	}
	return output, err
}

// TestAlertsDocument has what docs/alerts.md says about rules, objectives and
// receivers be a domain file, and runs its commands on that and on the shop.
func TestAlertsDocument(t *testing.T) {
	t.Parallel()
	shop := startShop(t, nil, "-fast")
	servers.WaitFor(t, servers.Patience, "alerts in the process", func() error { _, err := shop.get("/api/incidents"); return err })
	for _, document := range []string{"docs/alerts.md", twins["docs/alerts.md"]} {
		t.Run(document, func(t *testing.T) { testAlertsDocument(t, shop, document) })
	}
}

func testAlertsDocument(t *testing.T, shop shop, document string) {
	dir := t.TempDir()
	file := "prefix: tienda\nentity: pedido\n"
	var commands []string
	for _, b := range blocks(t, document) {
		switch b.language {
		case "yaml":
			if again(file, b.text) {
				write(t, filepath.Join(dir, "other.yaml"), []byte("prefix: tienda\nentity: pedido\nevents: [{name: pedidos}]\n"+b.text))
				commands = append(commands, "go run ./cmd/latido check other.yaml")
				continue
			}
			file += b.text
		case "sh":
			commands = append(commands, strings.Split(strings.TrimSpace(b.text), "\n")...)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "domain.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(commands) < 4 {
		t.Errorf("only the commands %q", commands)
	}
	for _, command := range commands {
		runCommand(t, shop, dir, command)
	}
}

// again tells whether a block of YAML has a key that is in the file already: it is
// another file then.
func again(file, block string) bool {
	for line := range strings.Lines(block) {
		if key, _, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") && strings.Contains("\n"+file, "\n"+key+":") {
			return true
		}
	}
	return false
}

// shopAt asks another service's admin listener as the shop's.
func shopAt(r *servers.Running) shop { return shop{r} }

// TestDeadServers runs the shop with a Pyroscope and a Collector that are not
// there: it serves, says so once, and stops in time.
func TestDeadServers(t *testing.T) {
	t.Parallel()
	nowhere := "http://" + servers.FreeAddr(t)
	shop := startShop(t, []string{
		"PYROSCOPE_SERVER_ADDRESS=" + nowhere, "OTEL_EXPORTER_OTLP_ENDPOINT=" + nowhere, "OTEL_METRIC_EXPORT_INTERVAL=200",
	})
	servers.WaitFor(t, servers.Patience, "failures to be counted", func() error {
		families, err := shop.families()
		if err != nil {
			return err
		}
		for _, m := range families["tienda_telemetry_exports_total"].GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == "failure" && m.GetCounter().GetValue() == 0 {
					return fmt.Errorf("%v", m)
				}
			}
		}
		if !strings.Contains(shop.Output(), "metrics cannot be sent by OTLP") { // which comes through a pipe
			return errors.New("nothing is said of it")
		}
		return nil
	})
	if n := strings.Count(shop.Output(), "metrics cannot be sent by OTLP"); n != 1 {
		t.Errorf("said %d times that metrics cannot be sent:\n%s", n, shop.Output())
	}
	response, err := http.Get(shop.API() + "/pedidos")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the shop answers %s", response.Status)
	}
	stopping := time.Now()
	shop.Signal(t, os.Interrupt)
	_ = shop.Wait(t, 30*time.Second) // what could not be sent is an error; each of its three parts has five seconds
	t.Logf("stopped in %v", time.Since(stopping))
}
