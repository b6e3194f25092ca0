package servers

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// PrometheusConfig says what a Prometheus does. Its zero value makes one that
// scrapes nothing, which is enough for what is written to it.
type PrometheusConfig struct {
	// Scrape lists the jobs.
	Scrape []Scrape

	// ScrapeSelf adds the job "prometheus", which scrapes the server itself.
	ScrapeSelf bool

	// Interval is between two scrapes, and between two evaluations of the
	// rules. 0 is a second.
	Interval time.Duration

	// Rules are the paths of rule files.
	Rules []string

	// Alertmanagers are the addresses, host and port, that alerts are sent to.
	Alertmanagers []string

	// Extra has further sections of the configuration file by their key at its
	// top level, such as "otlp", with whatever encoding/json can write. A key
	// that a field above writes is replaced.
	Extra map[string]any

	// File is the path of a configuration file to use as it is, instead of all
	// the fields above.
	File string

	// Data is the folder of its samples, "" for a new one.
	Data string

	// Flags are added to the command line, such as
	// "--web.enable-otlp-receiver" or "--enable-feature=exemplar-storage".
	Flags []string
}

// Scrape is a job of a Prometheus.
type Scrape struct {
	Job     string            // the label job of its series
	Targets []string          // addresses, host and port
	Path    string            // "" is /metrics
	Labels  map[string]string // put on every series of the targets
}

// Prometheus is a running Prometheus server, empty at first.
type Prometheus struct {
	*Running
	api promapi.API
}

// Sample is a series at one time.
type Sample struct {
	Labels map[string]string // with __name__, if the expression keeps the name
	Value  float64           // NaN for a native histogram
	Time   time.Time
}

// Point is a value of a series at one time.
type Point struct {
	Time  time.Time
	Value float64
}

// Series is a series over time.
type Series struct {
	Labels map[string]string // with __name__, if the expression keeps the name
	Points []Point           // in order of time
}

// StartPrometheus starts a Prometheus server and waits until it is ready.
// Its OTLP receiver, if Flags enable it, is at URL() + "/api/v1/otlp".
func StartPrometheus(t testing.TB, cfg PrometheusConfig) *Prometheus {
	t.Helper()
	binary := Path(t, "prometheus")
	dir := t.TempDir()
	running := Run(t, Process{
		Name:  "prometheus",
		Ports: 1,
		Ready: "/-/ready",
		Command: func(addrs []string) *exec.Cmd {
			file := cfg.File
			if file == "" {
				file = filepath.Join(dir, "prometheus.yml")
				if err := os.WriteFile(file, cfg.file(t, addrs[0]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return exec.Command(binary, append([]string{
				"--config.file=" + file,
				"--storage.tsdb.path=" + cmp.Or(cfg.Data, filepath.Join(dir, "data")),
				"--web.listen-address=" + addrs[0],
			}, cfg.Flags...)...)
		},
	})
	return PrometheusIn(t, running)
}

// PrometheusIn is the Prometheus, or whatever else has its API, that listens on
// the first address of a process.
func PrometheusIn(t testing.TB, running *Running) *Prometheus {
	t.Helper()
	return &Prometheus{Running: running, api: prometheusAPI(t, running.URL())}
}

// prometheusAPI is the client of the HTTP API that Prometheus has, and with it
// whatever else answers PromQL.
func prometheusAPI(t testing.TB, url string) promapi.API {
	t.Helper()
	client, err := api.NewClient(api.Config{Address: url, Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return promapi.NewAPI(client)
}

// file writes the configuration of a server that listens on addr. It is in
// JSON, which is YAML too.
func (cfg PrometheusConfig) file(t testing.TB, addr string) []byte {
	t.Helper()
	interval := cmp.Or(cfg.Interval, time.Second)
	jobs := cfg.Scrape
	if cfg.ScrapeSelf {
		jobs = append([]Scrape{{Job: "prometheus", Targets: []string{addr}}}, jobs...)
	}
	type object = map[string]any
	scrapes := []object{}
	for _, job := range jobs {
		scrape := object{
			"job_name":       job.Job,
			"static_configs": []object{{"targets": job.Targets, "labels": job.Labels}},
		}
		if job.Path != "" {
			scrape["metrics_path"] = job.Path
		}
		scrapes = append(scrapes, scrape)
	}
	rules := []string{}
	for _, path := range cfg.Rules { // a relative path would start at the configuration file
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatalf("rule file: %v", err)
		}
		rules = append(rules, path)
	}
	file := object{
		"global": object{
			"scrape_interval":     model.Duration(interval),
			"evaluation_interval": model.Duration(interval),
		},
		"rule_files":     rules,
		"scrape_configs": scrapes,
	}
	if len(cfg.Alertmanagers) > 0 {
		file["alerting"] = object{"alertmanagers": []object{
			{"static_configs": []object{{"targets": cfg.Alertmanagers}}},
		}}
	}
	maps.Copy(file, cfg.Extra)
	text, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		t.Fatalf("prometheus configuration: %v", err)
	}
	return text
}

// API returns the client of the server's HTTP API, for questions that have no
// method here: exemplars, metadata, rules. It is safe for concurrent use.
func (p *Prometheus) API() promapi.API { return p.api }

// Query evaluates a PromQL expression now. A scalar is one sample without
// labels; an expression that finds nothing gives none.
func (p *Prometheus) Query(t testing.TB, promql string) []Sample {
	t.Helper()
	samples, err := p.query(t, promql)
	if err != nil {
		t.Fatal(err)
	}
	return samples
}

// WaitForQuery evaluates a PromQL expression until it gives at least one
// sample, and returns what it gave. A comparison in the expression says what to
// wait for: `up{job="tienda"} == 1`. It fails the test after timeout, or at
// once if the expression is wrong.
func (p *Prometheus) WaitForQuery(t testing.TB, timeout time.Duration, promql string) []Sample {
	t.Helper()
	var samples []Sample
	WaitFor(t, timeout, promql, func() error {
		var err error
		samples, err = p.query(t, promql)
		if refused, ok := errors.AsType[*promapi.Error](err); ok && refused.Type == promapi.ErrBadData {
			t.Fatal(err)
		}
		if err == nil && len(samples) == 0 {
			err = errors.New("no sample")
		}
		return err
	})
	return samples
}

func (p *Prometheus) query(t testing.TB, promql string) ([]Sample, error) {
	t.Helper()
	value, warnings, infos, err := p.api.Query(t.Context(), promql, time.Now())
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", promql, err)
	}
	logRemarks(t, promql, warnings, infos)
	switch value := value.(type) {
	case model.Vector:
		var samples []Sample
		for _, s := range value {
			sample := Sample{Labels: labels(s.Metric), Value: float64(s.Value), Time: s.Timestamp.Time()}
			if s.Histogram != nil {
				sample.Value = math.NaN()
			}
			samples = append(samples, sample)
		}
		return samples, nil
	case *model.Scalar:
		return []Sample{{Value: float64(value.Value), Time: value.Timestamp.Time()}}, nil
	default:
		return nil, fmt.Errorf("query %s: gives a %s, not an instant vector or a scalar", promql, value.Type())
	}
}

// QueryRange evaluates a PromQL expression from start to end, every step.
func (p *Prometheus) QueryRange(t testing.TB, promql string, start, end time.Time, step time.Duration) []Series {
	t.Helper()
	value, warnings, infos, err := p.api.QueryRange(t.Context(), promql, promapi.Range{Start: start, End: end, Step: step})
	if err != nil {
		t.Fatalf("query %s: %v", promql, err)
	}
	logRemarks(t, promql, warnings, infos)
	var all []Series
	for _, stream := range value.(model.Matrix) { // what the API says a range query gives
		series := Series{Labels: labels(stream.Metric)}
		for _, v := range stream.Values {
			series.Points = append(series.Points, Point{Time: v.Timestamp.Time(), Value: float64(v.Value)})
		}
		all = append(all, series)
	}
	return all
}

// Targets returns what the server scrapes, with its health and the error of the
// last scrape.
func (p *Prometheus) Targets(t testing.TB) []promapi.ActiveTarget {
	t.Helper()
	targets, err := p.api.Targets(t.Context())
	if err != nil {
		t.Fatalf("targets: %v", err)
	}
	return targets.Active
}

// Alerts returns the alerts that are pending or firing.
func (p *Prometheus) Alerts(t testing.TB) []promapi.Alert {
	t.Helper()
	alerts, err := p.api.Alerts(t.Context())
	if err != nil {
		t.Fatalf("alerts: %v", err)
	}
	return alerts.Alerts
}

func labels(metric model.Metric) map[string]string {
	labels := make(map[string]string, len(metric))
	for name, value := range metric {
		labels[string(name)] = string(value)
	}
	return labels
}

// logRemarks shows what Prometheus thinks is odd about an expression, such as a
// rate() of something that is not a counter.
func logRemarks(t testing.TB, promql string, warnings promapi.Warnings, infos promapi.Infos) {
	t.Helper()
	for _, remark := range slices.Concat([]string(warnings), []string(infos)) {
		t.Logf("query %s: %s", promql, remark)
	}
}
