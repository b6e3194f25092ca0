package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// instances are three of the example at once, by their ports, with how many
// requests a second each gets.
var instances = []struct{ api, admin, rate string }{{"8080", "9464", "30"}, {"8081", "9465", "40"}, {"8082", "9467", "60"}}

// withoutFailures is a shop's traffic but for payments, of which a few fail: a
// series that begins with a failure is one that the two stores count otherwise,
// and so few that one more or less is much.
const withoutFailures = "ver=20,listar=6,crear=25,cambiar=8,cancelar=8,carrito=12,reporte=1,proveedor=4,catalogo=4,salud=4,perdido=8"

// late is how long ago a moment is that both stores are asked of. VictoriaMetrics
// answers for the last half minute as for half a minute ago, so that late samples
// do not make a dip.
const late = 40 * time.Second

// TestLongTerm outgrows one machine: three instances of the example, one
// Prometheus on deploy/prometheus/longterm.yaml, and a real VictoriaMetrics that
// it writes to. The dashboards' queries and the rules' expressions give the
// same there, and every dashboard tells the three apart and sums them rightly.
func TestLongTerm(t *testing.T) {
	t.Parallel()
	program(t, "examples/echo-api")
	if !inNamespace(t, everywhere) {
		return
	}
	project, err := loadCompose(append(slices.Clone(passwords), "PROMETHEUS_CONFIG=longterm.yaml", "PYROSCOPE_SERVER_ADDRESS=", "OTEL_EXPORTER_OTLP_ENDPOINT="), "*")
	if err != nil {
		t.Fatal(err)
	}
	s := stack{project, t.TempDir()}
	d := loadDomain(t, exampleDomain)
	store := servers.PrometheusIn(t, s.run(t, "victoriametrics", servers.Path(t, "victoriametrics"), "127.0.0.1:8428", "/health", nil))
	// Before the shops: nothing of them is missed.
	s.project.Services["prometheus"].Volumes[0].Source = everySecond(t, d)
	prom := servers.PrometheusIn(t, s.run(t, "prometheus", servers.Path(t, "prometheus"), "127.0.0.1:9090", "/-/ready", nil))
	for _, i := range instances {
		s.run(t, "tienda-api", program(t, "examples/echo-api"), "127.0.0.1:"+i.admin, "/healthz",
			[]string{"XDG_CACHE_HOME=" + t.TempDir(), "OTEL_EXPORTER_PROMETHEUS_PORT=" + i.admin}, "-addr=0.0.0.0:"+i.api, "-rate="+i.rate, "-mix="+withoutFailures)
	}
	prom.WaitForQuery(t, servers.Patience, `count(up{job="tienda-api"} == 1) == 3`)

	var questions []question
	files, err := dashboards.All(d, dashboards.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for _, q := range questionsOf(t, f) {
			if q.profile == "" {
				questions = append(questions, q)
			}
		}
	}
	// A minute of data in the other store too, so that what lies behind it is
	// in both.
	store.WaitForQuery(t, servers.Patience, `min(count_over_time(up{job="tienda-api"}[3m])) >= 90`)
	at := time.Now().Add(-late)
	t.Run("same figures", func(t *testing.T) {
		asked := append(slices.Clone(questions), ruleQuestions(t)...)
		sameFigures(t, asked, d, prom, store, at)
	})
	t.Run("three instances", func(t *testing.T) { apartAndTogether(t, questions, d, prom, at) })
}

// everySecond is the folder of the Prometheus with all three instances in it,
// and with a second for a quarter of a minute: nothing else is changed.
func everySecond(t *testing.T, d domain.Domain) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "prometheus")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repository, "deploy", "prometheus"))); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "longterm.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "_interval: 15s"); n != 2 {
		t.Fatalf("%d intervals of 15s in %s", n, config)
	}
	write(t, config, []byte(strings.ReplaceAll(string(text), "_interval: 15s", "_interval: 1s")))
	write(t, filepath.Join(dir, "targets", "more.yaml"), fmt.Appendf(nil, "- targets: [%[1]s:%[2]s, %[1]s:%[3]s]\n  labels: {job: %[1]s}\n", d.Service(), instances[1].admin, instances[2].admin))
	return dir
}

// ruleQuestions are the expressions of the example's rules.
func ruleQuestions(t *testing.T) []question {
	t.Helper()
	text, err := os.ReadFile(exampleRules)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Record, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	var all []question
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			all = append(all, question{file: "rules", name: r.Alert + r.Record, expr: r.Expr})
		}
	}
	return all
}

// answer asks a question of one moment: its series by their labels.
func answer(t *testing.T, prom *servers.Prometheus, q question, variables map[string]string, at time.Time) map[string]float64 {
	t.Helper()
	expr := expanded(q.expr, variables)
	got := map[string]float64{}
	if q.values != "" {
		values, _, _, err := prom.API().LabelValues(t.Context(), q.values, []string{expr}, at.Add(-time.Hour), at)
		if err != nil {
			t.Fatalf("%s: %s: %s: %v", q.file, q.name, expr, err)
		}
		for _, v := range values {
			got[string(v)] = 1
		}
		return got
	}
	value, _, _, err := prom.API().Query(t.Context(), expr, at)
	if err != nil {
		t.Fatalf("%s: %s: %s: %v", q.file, q.name, expr, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		t.Fatalf("%s: %s: %s: a %s", q.file, q.name, expr, value.Type())
	}
	for _, s := range vector {
		if math.IsNaN(float64(s.Value)) { // no figure: where Prometheus says so, VictoriaMetrics has no series
			continue
		}
		labels := map[string]string{}
		for name, v := range s.Metric {
			if name != "__name__" && name != "prometheus" { // which of the two Prometheus says of which it is
				labels[string(name)] = string(v)
			}
		}
		got[labelSet(labels)] = float64(s.Value)
	}
	return got
}

// everything are the variables with nothing chosen but some. A rate is over so
// many scrapes that it matters little which of two ways ends it: Prometheus
// takes what lies within, and extrapolates; VictoriaMetrics begins with the last
// sample before.
func everything(but map[string]string) map[string]string {
	variables := map[string]string{"job": ".+", "instance": ".+", "endpoint": ".+", "__rate_interval": "1m", "__range": "1m"}
	maps.Copy(variables, but)
	return variables
}

// near tells whether two figures are one, but for what a rate over some seconds
// is extrapolated by.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 0.05*max(math.Abs(a), math.Abs(b))+1e-6
}

// window is how far back a part of an expression looks.
var window = regexp.MustCompile(`\[\d+[mhd]\]`)

// sameFigures asks both stores every question, looking back a minute only: of a
// counter's beginning, which every longer window would reach, the two think
// differently. Prometheus knows no increase before the first sample,
// VictoriaMetrics counts it from 0. A question whose answers differ is asked
// again of a later moment, until no window has the same edge or the beginning of
// a new series in it: a store that counts otherwise does so in each.
func sameFigures(t *testing.T, questions []question, d domain.Domain, prom, store *servers.Prometheus, at time.Time) {
	t.Helper()
	same, empty := 0, 0
	differ := slices.Clone(questions)
	for i := range differ {
		differ[i].expr = window.ReplaceAllString(differ[i].expr, "[1m]")
	}
	settled := func() error {
		var said []string
		differ = slices.DeleteFunc(differ, func(q question) bool {
			series, wrong := differences(t, q, prom, store, at)
			switch {
			case len(wrong) > 0:
				said = append(said, fmt.Sprintf("%s: %s: %d of %d series differ:\n  %s\n  %s", q.file, q.name, len(wrong), series, expanded(q.expr, everything(nil)), strings.Join(wrong[:min(len(wrong), 4)], "\n  ")))
				return false
			case series == 0:
				empty++
			default:
				same++
			}
			return true
		})
		at = time.Now().Add(-late)
		if len(said) > 0 {
			return errors.New(strings.Join(said, "\n"))
		}
		return nil
	}
	servers.WaitFor(t, 5*time.Minute, "the same figures", settled)
	t.Logf("%s: %d of %d questions have the same figures, %d have none in both", d.Prefix, same, len(questions), empty)
	if same < len(questions)/2 {
		t.Errorf("only %d of %d questions have figures", same, len(questions))
	}
}

// differences asks both stores a question of one moment: how many series the
// first has, and which are not the same in the other.
func differences(t *testing.T, q question, prom, store *servers.Prometheus, at time.Time) (series int, wrong []string) {
	t.Helper()
	want, got := answer(t, prom, q, everything(nil), at), answer(t, store, q, everything(nil), at)
	// Of two samples with the edge of the window between them, only
	// VictoriaMetrics counts the step: one event an instance, or so.
	edge := float64(len(instances))
	counted := strings.Contains(q.expr, "increase(") && !strings.Contains(q.expr, " / ")
	for _, series := range slices.Sorted(maps.Keys(want)) {
		value, ok := got[series]
		if !ok {
			wrong = append(wrong, fmt.Sprintf("%s is %g, and not there", series, want[series]))
		} else if !near(value, want[series]) && !(counted && math.Abs(value-want[series]) <= edge) {
			wrong = append(wrong, fmt.Sprintf("%s is %g, there %g", series, want[series], value))
		}
	}
	for _, series := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[series]; !ok {
			wrong = append(wrong, fmt.Sprintf("only there: %s %g", series, got[series]))
		}
	}
	return len(want), wrong
}

// additive are the expressions whose figure for all is the sum of those of each.
var additive = regexp.MustCompile(`^(sum|count)( by \([\w, ]*\) )?\(`)

// apartAndTogether asks each question of all instances and of each. What is a
// sum must be that of the three; what is a share, a quantile or a level must lie
// between the least and the greatest of them.
func apartAndTogether(t *testing.T, questions []question, d domain.Domain, prom *servers.Prometheus, at time.Time) {
	t.Helper()
	m, _ := d.Metric("requests")
	if names := answer(t, prom, question{expr: m.Family, values: "instance"}, nil, at); len(names) != len(instances) {
		t.Errorf("the variable instance has %v, want %d", names, len(instances))
	}
	sums, between, apart := 0, 0, 0
	for _, q := range questions {
		if q.values != "" || !strings.Contains(q.expr, "$instance") {
			continue
		}
		all := answer(t, prom, q, everything(nil), at)
		each := map[string][]float64{}
		for _, i := range instances {
			for series, value := range answer(t, prom, q, everything(map[string]string{"instance": chosen(d.Service() + ":" + i.admin)}), at) {
				each[series] = append(each[series], value)
			}
		}
		for _, series := range slices.Sorted(maps.Keys(all)) {
			parts := each[series]
			if len(parts) == 0 {
				continue
			}
			sum := 0.0
			for _, p := range parts {
				sum += p
			}
			low, high := slices.Min(parts), slices.Max(parts)
			switch {
			case strings.Contains(series, `instance="`): // it has a series an instance
				apart++
				if len(parts) != 1 || !near(parts[0], all[series]) {
					t.Errorf("%s: %s: %s is %g among all, alone %v", q.file, q.name, series, all[series], parts)
				}
			case additive.MatchString(q.expr) && !strings.Contains(q.expr, " / "):
				sums++
				if !near(sum, all[series]) {
					t.Errorf("%s: %s: %s is %g, and the sum of %v is %g\n  %s", q.file, q.name, series, all[series], parts, sum, q.expr)
				}
			default:
				between++
				if v := all[series]; !(v >= low || near(v, low)) || !(v <= high || near(v, high)) {
					t.Errorf("%s: %s: %s is %g, which is not between those of %v\n  %s", q.file, q.name, series, v, parts, q.expr)
				}
			}
		}
	}
	t.Logf("of three instances %d figures are sums, %d lie between theirs, %d are each one's", sums, between, apart)
	if sums < 30 || between < 10 || apart < 10 {
		t.Error("too few to say that they are right")
	}
}
