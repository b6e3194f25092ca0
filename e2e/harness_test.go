package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/e2e/servers"
)

// repository is the root of the checkout.
var repository = func() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// built are the programs of ours that the tests run, by folder. Each is built
// once, for all tests.
var built = struct {
	sync.Mutex
	dir      string
	binaries map[string]string
}{binaries: map[string]string{}}

func TestMain(m *testing.M) {
	if dir := os.Getenv(builtVariable); dir != "" { // in a namespace: the test outside has built them
		built.dir = dir
		os.Exit(m.Run())
	}
	for name, value := range map[string]string{"LC_ALL": "", "LC_MESSAGES": "", "LANG": "en"} { // what the command says is compared in English
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "latido-e2e")
	if err != nil {
		panic(err)
	}
	built.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// builtVariable says where a test that starts itself again has built what the
// second one runs.
const builtVariable = "LATIDO_E2E_BUILT"

// isBuilt tells whether a program is there already.
func isBuilt(binary string) bool {
	_, err := os.Stat(binary)
	return err == nil
}

// program builds a main package of ours, by its folder from the root, the way
// a person does: in the workspace.
func program(t testing.TB, folder string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if binary := built.binaries[folder]; binary != "" {
		return binary
	}
	binary := filepath.Join(built.dir, strings.ReplaceAll(folder, "/", "-"))
	if isBuilt(binary) {
		return binary
	}
	cmd := exec.Command("go", "build", "-o", binary, "./"+folder)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "GOWORK=")
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build ./%s: %v\n%s", folder, err, output)
	}
	built.binaries[folder] = binary
	return binary
}

// latido runs the command and returns what it prints.
func latido(t testing.TB, args ...string) string {
	t.Helper()
	output, err := exec.Command(program(t, "cmd/latido"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("latido %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// shop is the example, with its own traffic.
type shop struct{ *servers.Running }

// startShop runs the example on free ports. env is added to its environment,
// flags to its command line.
func startShop(t testing.TB, env []string, flags ...string) shop {
	t.Helper()
	binary := program(t, "examples/echo-api")
	cache := t.TempDir() // for the samples and incidents of this shop alone
	return shop{servers.Run(t, servers.Process{
		Name: "echo-api", Ports: 2, Ready: "/healthz",
		Command: func(addrs []string) *exec.Cmd {
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd := exec.Command(binary, append([]string{"-addr", addrs[1]}, flags...)...)
			cmd.Env = append(append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port, "XDG_CACHE_HOME="+cache), env...)
			return cmd
		},
	})}
}

// API is the base URL of the shop itself; URL is its admin listener's.
func (s shop) API() string { return "http://" + s.Addr(1) }

// get asks the admin listener.
func (s shop) get(path string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // a busy machine's answer, too
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.300s", path, response.Status, body)
	}
	return string(body), err
}

// families scrapes /metrics.
func (s shop) families() (map[string]*dto.MetricFamily, error) {
	text, err := s.get("/metrics")
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(strings.NewReader(text))
}

// labelValues are the values of a label in a family.
func labelValues(f *dto.MetricFamily, name string) map[string]bool {
	values := map[string]bool{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				values[l.GetValue()] = true
			}
		}
	}
	return values
}

// startAnyDomain runs a service that makes everything happen that a domain file
// describes, on free ports. Addr(1) is the service itself.
func startAnyDomain(t testing.TB, file string, env []string, flags ...string) *servers.Running {
	t.Helper()
	binary := own(t, "anydomain")
	return servers.Run(t, servers.Process{
		Name: "anydomain", Ports: 2, Ready: "/metrics",
		Command: func(addrs []string) *exec.Cmd {
			host, port, _ := strings.Cut(addrs[0], ":")
			cmd := exec.Command(binary, append([]string{"-addr", addrs[1], "-domain", file}, flags...)...)
			cmd.Env = append(append(os.Environ(), "OTEL_EXPORTER_PROMETHEUS_HOST="+host, "OTEL_EXPORTER_PROMETHEUS_PORT="+port), env...)
			return cmd
		},
	})
}

// own builds a program of this module, once for all tests.
func own(t testing.TB, folder string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	key := "e2e/" + folder
	if binary := built.binaries[key]; binary != "" {
		return binary
	}
	binary := filepath.Join(built.dir, folder)
	if isBuilt(binary) {
		return binary
	}
	build := exec.Command("go", "build", "-o", binary, "./"+folder)
	build.Env = append(os.Environ(), "GOWORK=off")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./%s: %v\n%s", folder, err, output)
	}
	built.binaries[key] = binary
	return binary
}
