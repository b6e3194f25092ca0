package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

// TestRulesThatCannotBe holds what check says of rules that can never, or only
// ever, be true, one of each kind. Those whose names begin with good are the
// nearest ones with which nothing is wrong: none of them is complained of.
func TestRulesThatCannotBe(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	for _, file := range []string{"testdata/impossible.yaml", "testdata/impossible.sides.yaml"} {
		code, stdout, stderr := latido("check", "-rules", filepath.Join(t.TempDir(), "rules", "*.yaml"), file)
		for line := range strings.Lines(stdout) {
			if strings.HasPrefix(line, "expressions") || strings.HasPrefix(line, "windows") {
				said.WriteString(line)
			}
		}
		if code != 1 || strings.Contains(stdout, " more; ") {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	}
	testkit.Golden(t, "testdata/impossible.golden.txt", []byte(filepath.ToSlash(said.String())))
}

// TestWindowsOfTheSetUp: a window has four scrapes of the Prometheus whose file
// lies above the rules, of the job's own interval, or of the store in the process.
func TestWindowsOfTheSetUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ prometheus, window, want string }{
		"in the process":           {"", "15s", "15s has less than four scrapes, which come every 5s: write 20s or more"},
		"in the process, enough":   {"", "20s", ""},
		"a server":                 {"global: {scrape_interval: 15s}", "45s", "45s has less than four scrapes, which come every 15s: write 1m or more"},
		"a server, enough":         {"global: {scrape_interval: 15s}", "1m", ""},
		"a job of its own":         {"global: {scrape_interval: 15s}\nscrape_configs: [{job_name: tienda-api, scrape_interval: 30s}]", "1m", "write 2m or more"},
		"another job":              {"global: {scrape_interval: 15s}\nscrape_configs: [{job_name: other, scrape_interval: 30s}]", "1m", ""},
		"a server that says none":  {"scrape_configs: [{job_name: tienda-api}]", "3m", "which come every 1m: write 4m or more"},
		"what no server can read":  {"global: [", "20s", ""},
		"a range in an expression": {"global: {scrape_interval: 15s}", "1m\n  - {name: b, expr: 'sum(rate(tienda_pedidos_total[30s])) > 1'}", "[30s] has less than four scrapes, which come every 15s: write [1m] or more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.prometheus != "" {
				write("prometheus.yaml", c.prometheus)
			}
			window, more, _ := strings.Cut(c.window, "\n")
			write("domain.yaml", "prefix: tienda\nentity: pedido\nevents: [{name: pedidos}]\nnotify: [{log: {}}]\nthresholds:\n  - {name: a, event: pedidos, above: 3, window: "+window+"}\n"+more)
			_, stdout, stderr := latido("check", "-rules", filepath.Join(dir, "rules", "*.yaml"), filepath.Join(dir, "domain.yaml"))
			if got := strings.Contains(stdout, "scrapes,"); got != (c.want != "") || !strings.Contains(stdout, c.want) {
				t.Errorf("want %q\n%s%s", c.want, stdout, stderr)
			}
		})
	}
}
