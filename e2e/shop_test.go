package e2e

import (
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
	"github.com/latido-dev/latido/internal/testkit"
)

// The endpoints of the shop that have a bottleneck, and where it is.
const (
	burningEndpoint, burningFunction       = "/reportes/ventas", "shop.salesStatistics"
	waitingEndpoint, waitingFunction       = "/inventario/proveedor", "shop.(*Supplier).awaitAnswer"
	allocatingEndpoint, allocatingFunction = "/catalogo/exportar", "shop.catalogueRows"
	cheapEndpoint                          = "/pedidos/{id}"
)

// TestShop runs the shop under its own traffic, with a Prometheus that scrapes
// it, another that gets its metrics by OTLP, and a Pyroscope.
func TestShop(t *testing.T) {
	t.Parallel()
	started := time.Now()
	pyroscope := servers.StartPyroscope(t)
	pushed := servers.StartPrometheus(t, servers.PrometheusConfig{Flags: []string{"--web.enable-otlp-receiver"}})
	shop := startShop(t, []string{
		"PYROSCOPE_SERVER_ADDRESS=" + pyroscope.URL(),
		"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + pushed.URL() + "/api/v1/otlp/v1/metrics",
		"OTEL_METRIC_EXPORT_INTERVAL=1000",
	})
	scraped := servers.StartPrometheus(t, servers.PrometheusConfig{Scrape: []servers.Scrape{{Job: "tienda-api", Targets: []string{shop.Addr(0)}}}})
	d, err := domain.Load("../examples/echo-api/domain.yaml")
	if err != nil {
		t.Fatal(err)
	}

	t.Run("contract", func(t *testing.T) { testContract(t, shop, d) })
	t.Run("exercise queries", func(t *testing.T) { testExerciseQueries(t, scraped) })
	t.Run("otlp", func(t *testing.T) { testOTLPNames(t, shop, pushed) })
	t.Run("report", func(t *testing.T) { testReport(t, shop) })
	t.Run("pyroscope", func(t *testing.T) { testFlameGraphs(t, pyroscope, started) })
	t.Run("stop", func(t *testing.T) {
		if err := shop.Stop(t); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		if !strings.Contains(shop.Output(), "p95") {
			t.Errorf("no summary at the end:\n%s", shop.Output())
		}
	})
}

// testContract wants every row of the contract on /metrics, endpoints by
// pattern only, and nothing that promtool complains about.
func testContract(t *testing.T, shop shop, d domain.Domain) {
	servers.WaitFor(t, servers.Patience, "every row of the contract", func() error {
		families, err := shop.families()
		if err != nil {
			return err
		}
		for _, m := range d.Metrics() {
			if families[m.Family] == nil && !m.Optional {
				return fmt.Errorf("%s (%s) is missing", m.Family, m.Key)
			}
		}
		endpoints := labelValues(families[d.Prefix+"_requests_total"], "endpoint")
		delete(endpoints, domain.Unmatched)
		if len(endpoints) < 6 {
			return fmt.Errorf("%d endpoints: %v", len(endpoints), slices.Sorted(maps.Keys(endpoints)))
		}
		return nil
	})
	families, err := shop.families()
	if err != nil {
		t.Fatal(err)
	}
	raw := regexp.MustCompile(`/\d`)
	for endpoint := range labelValues(families[d.Prefix+"_requests_total"], "endpoint") {
		if raw.MatchString(endpoint) {
			t.Errorf("endpoint %q is a path, not a pattern", endpoint)
		}
	}
	for name := range families {
		if !strings.HasPrefix(name, d.Prefix+"_") {
			t.Errorf("family %q has no prefix", name)
		}
	}
	text, err := shop.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	output, _ := servers.Promtool(t, text, "check", "metrics")
	for _, m := range d.Metrics() {
		for line := range strings.Lines(output) {
			if said, ok := strings.CutPrefix(line, m.Family+" "); ok && strings.TrimSpace(said) != testkit.KnownToLint[m.Key] {
				t.Errorf("promtool check metrics: %s", line)
			}
		}
	}
}

// testExerciseQueries asks the four questions of the exercise's dashboard.
func testExerciseQueries(t *testing.T, prometheus *servers.Prometheus) {
	for _, query := range []string{
		"rate(tienda_requests_total[5m])",
		"histogram_quantile(0.95, rate(tienda_response_duration_seconds_bucket[5m]))",
		"tienda_cpu_usage_percent",
		"tienda_memory_usage_bytes / 1024 / 1024",
	} {
		for _, s := range prometheus.WaitForQuery(t, servers.Patience, "("+query+") > 0") {
			if strings.HasPrefix(query, "rate") && (s.Labels["method"] == "" || s.Labels["endpoint"] == "" || s.Labels["status"] == "") {
				t.Errorf("%s: labels %v", query, s.Labels)
			}
		}
	}
}

// testOTLPNames wants the same names from OTLP, through the server's own
// translation, as on /metrics.
func testOTLPNames(t *testing.T, shop shop, prometheus *servers.Prometheus) {
	var missing, extra []string
	servers.WaitFor(t, servers.Patience, "the same names by OTLP", func() error {
		text, err := shop.get("/metrics")
		if err != nil {
			return err
		}
		want := map[string]bool{}
		for line := range strings.Lines(text) {
			if name, _, ok := strings.Cut(line, "{"); ok && !strings.HasPrefix(line, "#") {
				want[name] = true
			} else if name, _, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
				want[name] = true
			}
		}
		got := map[string]bool{}
		for _, s := range prometheus.Query(t, `group by (__name__) ({__name__=~"tienda_.+"})`) {
			got[s.Labels["__name__"]] = true
		}
		missing, extra = nil, nil
		for name := range want {
			if !got[name] {
				missing = append(missing, name)
			}
		}
		for name := range got {
			if !want[name] {
				extra = append(extra, name)
			}
		}
		if len(want) < 40 || len(missing)+len(extra) > 0 {
			return fmt.Errorf("of %d names, missing by OTLP: %v; only by OTLP: %v", len(want), missing, extra)
		}
		return nil
	})
}

// testReport wants the command to name the three bottlenecks.
func testReport(t *testing.T, shop shop) {
	latido := program(t, "cmd/latido")
	output, asked := "", time.Time{}
	servers.WaitFor(t, servers.Patience, "a report that names three bottlenecks", func() error {
		// A report merges all profiles. Asked for all the time it would be the
		// bottleneck itself.
		if time.Since(asked) < 5*time.Second {
			return fmt.Errorf("the last one, %d bytes, does not", len(output))
		}
		asked = time.Now()
		out, err := exec.Command(latido, "report", "-url", shop.URL()).CombinedOutput()
		output = string(out)
		if err != nil {
			return fmt.Errorf("latido report: %w\n%s", err, out)
		}
		for endpoint, function := range map[string]string{
			burningEndpoint: burningFunction, waitingEndpoint: waitingFunction, allocatingEndpoint: allocatingFunction,
		} {
			if !adviceNames(output, endpoint, function) {
				return fmt.Errorf("the advice for %s does not name %s:\n%s", endpoint, function, output)
			}
		}
		return nil
	})
	t.Logf("latido report:\n%s", output)
}

// adviceNames tells whether a sentence under an endpoint's heading names a
// function.
func adviceNames(report, endpoint, function string) bool {
	_, section, ok := strings.Cut(report, "endpoint "+endpoint+" ")
	if !ok {
		return false
	}
	section, _, _ = strings.Cut(section, "\nendpoint ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(strings.TrimSpace(line), "- ") && strings.Contains(line, function) {
			return true
		}
	}
	return false
}

// testFlameGraphs wants the CPU, alloc and inuse profiles in Pyroscope, and by
// endpoint the function that burns, under its own endpoint only.
func testFlameGraphs(t *testing.T, pyroscope *servers.Pyroscope, from time.Time) {
	for _, profile := range []string{
		"process_cpu:cpu:nanoseconds:cpu:nanoseconds",
		"memory:alloc_space:bytes:space:bytes",
		"memory:inuse_space:bytes:space:bytes",
	} {
		pyroscope.WaitForProfile(t, servers.Patience, profile+`{service_name="tienda-api"}`, from)
	}
	cpu := `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="tienda-api",endpoint=%q}`
	servers.WaitFor(t, servers.Patience, "a flame graph of "+burningEndpoint, func() error { // a first one may be of a sample or two
		burning := pyroscope.WaitForProfile(t, servers.Patience, fmt.Sprintf(cpu, burningEndpoint), from)
		if function := topOwn(burning); !strings.HasSuffix(function, burningFunction) {
			return fmt.Errorf("the top own function is %s, want %s", function, burningFunction)
		}
		return nil
	})
	cheap := pyroscope.WaitForProfile(t, servers.Patience, fmt.Sprintf(cpu, cheapEndpoint), from)
	for _, name := range cheap.Names {
		if strings.HasSuffix(name, burningFunction) {
			t.Errorf("%s has %s in its flame graph", cheapEndpoint, name)
		}
	}
}

// topOwn is the function of the shop in whose frames, and in what they call of
// other modules, most of a flame graph lies.
func topOwn(f *servers.Flamebearer) string {
	type bar struct {
		from, to int64
		name     string
	}
	var own []bar // from the root down
	self := map[string]int64{}
	for _, row := range f.Levels {
		end := int64(0)
		for b := range slices.Chunk(row, 4) {
			from := end + b[0]
			end = from + b[1]
			name := f.Names[b[3]]
			if !strings.Contains(name, "/examples/echo-api/shop.") {
				continue
			}
			self[name] += b[1]
			for _, caller := range slices.Backward(own) { // the nearest one
				if caller.from <= from && end <= caller.to {
					self[caller.name] -= b[1]
					break
				}
			}
			own = append(own, bar{from, end, name})
		}
	}
	best := ""
	for name, value := range self {
		if best == "" || value > self[best] {
			best = name
		}
	}
	return best
}
