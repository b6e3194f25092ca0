package e2e

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// A service of three replicas, which is scraped every 15 s, and has an objective
// over 90 days.
const (
	replicas = 3
	scraped  = 15 * time.Second
)

// endpoints are as many as are enough to tell the two kinds of rules apart. The
// figures of docs/scale.md are with 100, which are 200 series each, as the
// variable SCALE says: to write nine days of their samples takes minutes.
func endpoints(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SCALE")
	if text == "" {
		return 4
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var quarter = domain.Domain{
	Prefix: "tienda", App: "tienda-api", Entity: "pedido",
	Thresholds: []domain.Threshold{{
		Name: "slow", Metric: "response_duration", Stat: "p95", By: "endpoint", Above: new(domain.Quantity(2)), For: domain.Duration(time.Minute),
	}},
	SLOs: []domain.SLO{{Name: "availability", Objective: 99.9, Window: domain.Duration(90 * 24 * time.Hour), Good: domain.Good{Status: "!~5.."}}},
}

// grown are the samples of a series that grows by as much at each.
type grown struct {
	from, step int64 // in milliseconds
	n          int
	by, start  float64
}

func (g grown) Len() int { return g.n }
func (g grown) Get(i int) chunks.Sample {
	return point{t: g.from + int64(i)*g.step, f: g.start + g.by*float64(i)}
}

// point is a sample as the store reads it.
type point struct {
	chunks.Sample
	t int64
	f float64
}

func (p point) T() int64                 { return p.t }
func (p point) F() float64               { return p.f }
func (p point) Type() chunkenc.ValueType { return chunkenc.ValFloat }

// TestScaleRules measures what a real Prometheus needs for the rules of an
// objective over 90 days: the time of an evaluation, and its memory. It does so
// for the rules as they are generated, and for rules that count every window
// anew from every series. The figures of docs/scale.md are from here; the test
// fails where the generated rules are not the cheaper ones by far.
func TestScaleRules(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	fill(t, data)
	generated := must(alerting.RuleFile(quarter, alerting.Options{}))(t)
	cost := map[string]float64{}
	for _, rules := range []struct {
		name string
		text []byte
	}{
		{"from what was recorded", generated},
		{"every window from every series", counted(t, generated)},
	} {
		file := filepath.Join(t.TempDir(), "tienda.rules.yaml")
		write(t, file, rules.text)
		prom := servers.StartPrometheus(t, servers.PrometheusConfig{
			Interval: scraped, Rules: []string{file}, Data: data, Flags: []string{"--storage.tsdb.retention.time=100d"},
		})
		var took, every map[string]float64
		memory := 0.0
		servers.WaitFor(t, 2*servers.Patience, "an evaluation of every group", func() error {
			metrics := metricsOf(t, prom.URL())
			memory = max(memory, metrics["process_resident_memory_bytes"][""])
			took, every = metrics["prometheus_rule_group_last_duration_seconds"], metrics["prometheus_rule_group_interval_seconds"]
			if failed := metrics["prometheus_rule_evaluation_failures_total"]; slices.Max(slices.Collect(maps.Values(failed))) > 0 {
				t.Fatalf("%s: rules fail: %v", rules.name, failed)
			}
			if len(took) != strings.Count(string(rules.text), "  - name: ") || slices.Min(slices.Collect(maps.Values(took))) == 0 {
				return fmt.Errorf("groups took %v", took)
			}
			return nil
		})
		for _, group := range slices.Sorted(maps.Keys(took)) {
			if strings.Contains(group, ".slo.") { // the others are the same in both
				cost[rules.name] += took[group] / every[group]
			}
			t.Logf("%s: %s: %.1f ms every %.0f s", rules.name, group, 1000*took[group], every[group])
		}
		t.Logf("%s: the objective's groups: %.2f %% of a CPU; %.0f MiB of memory", rules.name, 100*cost[rules.name], memory/(1<<20))
		if err := prom.Stop(t); err != nil {
			t.Fatal(err)
		}
	}
	if now, before := cost["from what was recorded"], cost["every window from every series"]; now > before/2 {
		t.Errorf("an evaluation costs %.4f of a CPU, and %.4f if every window is counted anew", now, before)
	}
}

// counted are rules of which every window is counted from every series, at the
// server's interval.
func counted(t *testing.T, rules []byte) []byte {
	t.Helper()
	text := regexp.MustCompile(`(?m)^    interval: .*\n`).ReplaceAll(rules, nil)
	found := 0
	for metric, status := range map[string]string{"requests": "", "errors": `{status=~"5.."}`} {
		recorded := regexp.MustCompile(`(record: tienda:slo_` + metric + `:increase\w+\n        expr: )sum_over_time\(\S+\[(\w+):\w+\]\) or .*`)
		found += len(recorded.FindAll(text, -1))
		text = recorded.ReplaceAll(text, []byte(`${1}sum by (job) (increase(tienda_requests_total`+status+`[$2]))`))
	}
	if found == 0 {
		t.Fatalf("no window is added up from what was recorded:\n%s", rules)
	}
	return text
}

// fill writes nine days of the service's series, which is the longest window of
// an alert on the objective, and 90 days of what the rules record of them.
func fill(t *testing.T, dir string) {
	t.Helper()
	day := 24 * time.Hour
	now := time.Now()
	since := func(back, step time.Duration, start, by float64) grown {
		return grown{now.Add(-back).UnixMilli(), step.Milliseconds(), int(back / step), by, start}
	}
	var all []storage.Series
	add := func(name string, samples grown, pairs ...string) {
		all = append(all, &storage.SeriesEntry{
			Lset:             labels.FromStrings(append([]string{"__name__", name, "job", "tienda-api"}, pairs...)...),
			SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator { return storage.NewListSeriesIterator(samples) },
		})
	}
	for i := range replicas {
		for e := range endpoints(t) {
			for status, by := range map[string]float64{"200": 15, "500": 0.01} {
				series := []string{"instance", fmt.Sprintf("10.0.0.%d:9464", i), "endpoint", fmt.Sprintf("/e%d", e), "method", "GET", "status", status}
				add("tienda_requests_total", since(9*day, scraped, 0, by), series...)
				add("tienda_response_duration_seconds_count", since(time.Hour, scraped, 0, by), series...)
				add("tienda_response_duration_seconds_sum", since(time.Hour, scraped, 0, by/10), series...)
				for _, le := range []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"} {
					add("tienda_response_duration_seconds_bucket", since(time.Hour, scraped, 0, by), append(series, "le", le)...)
				}
			}
		}
	}
	for _, metric := range []string{"requests", "errors"} {
		add("tienda:slo_"+metric+":increase15m", since(90*day, 45*time.Second, 1000, 0.001), "slo", "availability", "domain", "tienda")
	}
	// Samples are taken up to half a block before the newest.
	if _, err := tsdb.CreateBlock(all, dir, (200 * day).Milliseconds(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// metricsOf are the metrics of a server, each with its values by rule group.
func metricsOf(t *testing.T, url string) map[string]map[string]float64 {
	t.Helper()
	response, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]float64{}
	for name, f := range families {
		all[name] = map[string]float64{}
		for _, m := range f.GetMetric() {
			group := ""
			for _, l := range m.GetLabel() {
				if l.GetName() == "rule_group" {
					_, group, _ = strings.Cut(l.GetValue(), ";")
				}
			}
			all[name][group] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return all
}
