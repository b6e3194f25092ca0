package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/dashboards"
	"github.com/latido-dev/latido/domain"
)

// world is a project in a folder, and what of it runs. At first nothing is
// wrong with it; a test breaks it.
type world struct {
	t   *testing.T
	dir string
	d   domain.Domain
	// series are those of the service, scraped as its job.
	series []series
	kinds  map[string]string
	rules  []serverRule
	past   map[string]bool // names with data in the past
	server bool            // a Prometheus; else a service with Prometheus in it
	api    bool
	args   []string
}

// newWorld writes all that is generated, and has the service record every
// metric.
func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), kinds: map[string]string{}, past: map[string]bool{}, server: true, api: true}
	for from, to := range map[string]string{"testdata/checked.yaml": "domain.yaml", "testdata/dashboard.json": "dashboards/tienda.json"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		w.write(to, string(text))
	}
	w.regenerate()
	for _, m := range w.d.Metrics() {
		w.record(m)
	}
	return w
}

// regenerate writes what comes from the domain file, and has the server load it.
func (w *world) regenerate() {
	w.t.Helper()
	var err error
	if w.d, err = domain.Load(filepath.Join(w.dir, "domain.yaml")); err != nil {
		w.t.Fatal(err)
	}
	o := alerting.Options{RunbookURL: "https://example.com/runbook", EvidenceURL: "http://tienda:9464"}
	w.generate("rules/tienda.rules.yaml", func() ([]byte, error) { return alerting.RuleFile(w.d, o) })
	w.generate("rules/tienda.rules.test.yaml", func() ([]byte, error) { return alerting.RuleTests(w.d, o, "tienda.rules.yaml") })
	w.generate("alertmanager.yaml", func() ([]byte, error) { return alerting.AlertmanagerFile(w.d, o) })
	w.generate("latido.tmpl", func() ([]byte, error) { return alerting.Templates(w.d, o), nil })
	w.generate("runbook.md", func() ([]byte, error) { return tempRunbook(w.d, o), nil })
	boards, err := dashboards.All(w.d, dashboards.Options{RunbookURL: o.RunbookURL})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, board := range boards {
		w.write("dashboards/"+board.Name, string(board.JSON))
	}
	w.rules = nil
	for _, r := range alerting.Rules(w.d, o) {
		s := serverRule{Name: r.Alert + r.Record, Query: r.Expr, Type: "alerting", Health: "ok", Labels: r.Labels}
		if r.Record != "" {
			s.Type = "recording"
		}
		w.rules = append(w.rules, s)
	}
}

func (w *world) generate(name string, text func() ([]byte, error)) {
	w.t.Helper()
	data, err := text()
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(name, string(data))
}

func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// edit replaces the first occurrence of a text in a file.
func (w *world) edit(name, from, to string) {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		w.t.Fatalf("%s has no %q:\n%s", name, from, data)
	}
	w.write(name, strings.Replace(string(data), from, to, 1))
}

// record has the service record a metric, with one value of each attribute.
func (w *world) record(m domain.Metric) {
	labels := map[string]string{"job": w.d.Service(), "instance": "tienda:9464"}
	for _, a := range m.Attributes {
		labels[domain.Label(a)] = "validation"
		if m.Event != nil {
			labels[domain.Label(a)] = m.Event.Attributes[a][0]
		}
	}
	w.kinds[m.Family] = kindNames[m.Kind]
	w.series = append(w.series, series{sample(m), labels, 7})
	if m.Kind == domain.KindHistogram {
		bucket := maps.Clone(labels)
		bucket["le"] = "+Inf"
		w.series = append(w.series, series{m.Family + "_bucket", bucket, 7}, series{m.Family + "_sum", labels, 70})
	}
}

// add has somebody record one more series. Labels are given as names and values.
func (w *world) add(name string, labels ...string) {
	s := series{name, map[string]string{"job": w.d.Service(), "instance": "tienda:9464"}, 1}
	for i := 0; i+1 < len(labels); i += 2 {
		s.labels[labels[i]] = labels[i+1]
	}
	w.series = append(w.series, s)
}

// change changes each series of a name.
func (w *world) change(name string, fn func(*series)) {
	w.t.Helper()
	n := 0
	for i := range w.series {
		if w.series[i].name == name {
			fn(&w.series[i])
			n++
		}
	}
	if n == 0 {
		w.t.Fatalf("there is no series %s", name)
	}
}

// check runs latido check on the world.
func (w *world) check(format string) (code int, stdout, stderr string) {
	server := httptest.NewServer(w)
	defer server.Close()
	args := append([]string{"check", "-format", format, "-url", server.URL,
		"-rules", filepath.Join(w.dir, "rules", "*.yaml"), "-alertmanager", filepath.Join(w.dir, "alertmanager.yaml"),
		"-dashboards", filepath.Join(w.dir, "dashboards"), "-runbook", filepath.Join(w.dir, "runbook.md")}, w.args...)
	return latido(append(args, filepath.Join(w.dir, "domain.yaml"))...)
}

// ServeHTTP answers as a service and as a Prometheus.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	path, isAPI := strings.CutPrefix(r.URL.Path, "/api/v1/")
	switch {
	case r.URL.Path == "/metrics" && w.server:
		fmt.Fprintln(out, "# TYPE prometheus_build_info gauge\nprometheus_build_info 1")
	case r.URL.Path == "/metrics":
		w.metrics(out)
	case !isAPI || !w.api:
		http.NotFound(out, r)
	case path == "query":
		answer(out, map[string]any{"resultType": "vector", "result": w.query(r.FormValue("query"))})
	case path == "rules":
		answer(out, map[string]any{"groups": []any{map[string]any{"name": "tienda", "rules": w.rules}}})
	case path == "targets/metadata":
		metadata := []map[string]string{}
		for name, kind := range w.kinds {
			metadata = append(metadata, map[string]string{"metric": strings.TrimSuffix(name, "_total"), "type": kind})
		}
		answer(out, metadata)
	default:
		http.NotFound(out, r)
	}
}

func answer(out http.ResponseWriter, data any) {
	_ = json.NewEncoder(out).Encode(map[string]any{"status": "success", "data": data})
}

// metrics writes what the service has, in Prometheus' text format.
func (w *world) metrics(out http.ResponseWriter) {
	said := map[string]bool{}
	all := slices.Clone(w.series)
	slices.SortStableFunc(all, func(a, b series) int { return strings.Compare(a.name, b.name) })
	for _, s := range all {
		family := s.name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if name := strings.TrimSuffix(s.name, suffix); w.kinds[name] == "histogram" {
				family = name
			}
		}
		if kind := w.kinds[family]; kind != "" && !said[family] {
			fmt.Fprintf(out, "# TYPE %s %s\n", family, kind)
			said[family] = true
		}
		labels := maps.Clone(s.labels)
		delete(labels, "job")
		delete(labels, "instance")
		fmt.Fprintf(out, "%s{%s} %g\n", s.name, labelText(labels), s.value)
	}
}

// query answers the queries that check asks.
func (w *world) query(text string) []any {
	result := []any{}
	add := func(name string, labels map[string]string, value float64) {
		metric := maps.Clone(labels)
		if metric == nil {
			metric = map[string]string{}
		}
		metric["__name__"] = name
		result = append(result, map[string]any{"metric": metric, "value": []any{1.5, fmt.Sprint(value)}})
	}
	switch {
	case text == "vector(1)":
		add("", nil, 1)
	case strings.HasPrefix(text, "{__name__=~"):
		for _, s := range w.series {
			if strings.HasPrefix(s.name, "tienda_") {
				add(s.name, s.labels, s.value)
			}
		}
	case strings.HasPrefix(text, "group by (__name__)"):
		for _, s := range w.series {
			if !strings.HasPrefix(s.name, "tienda_") {
				add(s.name, nil, 1)
			}
		}
		add("scrape_duration_seconds", nil, 1)
	case strings.HasPrefix(text, "up{"):
		add("up", map[string]string{"job": w.d.Service(), "instance": "tienda:9464", "zone": "a"}, 1)
	case strings.HasPrefix(text, "max(max_over_time("):
		name, _, _ := strings.Cut(strings.TrimPrefix(text, "max(max_over_time("), "{")
		if w.past[name] {
			add("", nil, 3)
		}
	default:
		w.t.Errorf("unexpected query %s", text)
	}
	return result
}

// checkAt runs latido check on a server that is nothing of ours.
func checkAt(t *testing.T, path string) (code int, stdout, stderr string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/text/metrics" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "<html>welcome</html>")
	}))
	defer server.Close()
	return latido("check", "-url", strings.Replace(server.URL, "http://", "http://ops:secret@", 1)+path, "testdata/checked.yaml")
}

func tempRunbook(d domain.Domain, o alerting.Options) []byte {
	if text := alerting.Runbook(d, o); len(text) > 0 {
		return text
	}
	var b strings.Builder
	fmt.Fprintln(&b, "slow")
	for _, r := range alerting.Rules(d, o) {
		if r.Alert != "" {
			fmt.Fprintln(&b, "##", r.Alert)
		}
	}
	return []byte(b.String())
}
