package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/e2e/servers"
)

// setup is a whole set-up of real servers around a service. Nothing is wrong
// with it; a fault takes a part of it for another one.
type setup struct {
	d            domain.Domain
	file         string // the domain file
	service      *servers.Running
	prometheus   *servers.Prometheus
	alertmanager *servers.Alertmanager
	pyroscope    *servers.Pyroscope
	collector    *servers.Collector
	grafana      *grafanaAPI
}

// startSetup starts all of it, with a Grafana that is none: see grafanaAPI.
func startSetup(t *testing.T) *setup {
	t.Helper()
	s := &setup{d: loadDomain(t, exampleDomain), file: exampleDomain}
	s.pyroscope = servers.StartPyroscope(t)
	s.alertmanager = servers.StartAlertmanager(t, exampleConfig)
	config := filepath.Join(t.TempDir(), "collector.yaml")
	write(t, config, []byte(`
extensions: {health_check: {}}
receivers: {otlp: {protocols: {http: {}, grpc: {}}}}
exporters: {debug: {}}
service:
  extensions: [health_check]
  pipelines:
    metrics: {receivers: [otlp], exporters: [debug]}
    traces: {receivers: [otlp], exporters: [debug]}
`))
	s.collector = servers.StartCollector(t, servers.CollectorConfig{Files: []string{config}})
	s.service = s.start(t, s.file)
	s.prometheus = servers.StartPrometheus(t, s.config())
	s.grafana = startGrafanaAPI(t, s.d, s.prometheus.URL(), s.pyroscope.URL())
	return s
}

// start runs a service of a domain file. env wins over what a service of a
// healthy set-up has.
func (s *setup) start(t *testing.T, file string, env ...string) *servers.Running {
	t.Helper()
	return startAnyDomain(t, file, append([]string{
		"PYROSCOPE_SERVER_ADDRESS=" + s.pyroscope.URL(),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + s.collector.OTLP(),
		"OTEL_METRIC_EXPORT_INTERVAL=1000",
	}, env...))
}

// another starts a service of the same domain under another name, and makes a
// domain file for it.
func (s *setup) another(t *testing.T, app string, env ...string) (file string, service *servers.Running) {
	t.Helper()
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "domain.yaml")
	write(t, file, []byte(strings.Replace(string(text), "app: "+s.d.Service(), "app: "+app, 1)))
	return file, s.start(t, file, env...)
}

// config is that of a Prometheus which does all that is wanted of it.
func (s *setup) config() servers.PrometheusConfig {
	return servers.PrometheusConfig{
		Scrape: []servers.Scrape{{Job: s.d.Service(), Targets: []string{s.service.Addr(0)}}},
		Rules:  []string{exampleRules}, Alertmanagers: []string{s.alertmanager.Addr(0)},
		Flags: []string{"--enable-feature=exemplar-storage"},
	}
}

// scraping is that of one that scrapes another service.
func (s *setup) scraping(job, addr string) servers.PrometheusConfig {
	cfg := s.config()
	cfg.Scrape = []servers.Scrape{{Job: job, Targets: []string{addr}}}
	return cfg
}

// receiving is that of one that gets metrics by OTLP, and translates their
// names in one of its ways.
func (s *setup) receiving(strategy string) servers.PrometheusConfig {
	cfg := s.config()
	cfg.Scrape = nil
	cfg.Flags = append(cfg.Flags, "--web.enable-otlp-receiver")
	cfg.Extra = map[string]any{"otlp": map[string]any{"translation_strategy": strategy}}
	return cfg
}

// to is the environment of a service that sends its metrics to a Prometheus.
func to(p *servers.Prometheus) string {
	return "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=" + p.URL() + "/api/v1/otlp/v1/metrics"
}

// diagnosis is what doctor finds, as it prints it in JSON.
type diagnosis struct {
	OK     bool
	Checks []struct {
		Check, Subject, Status, Detail string
		Notes                          []string
		Problems                       []struct{ Message, Fix string }
	}
}

// doctor runs latido doctor on the set-up. Flags given here win.
func (s *setup) doctor(t *testing.T, file string, flags ...string) (found diagnosis, code int) {
	t.Helper()
	args := append([]string{
		"doctor", "-format", "json", "-url", s.service.URL(), "-prometheus", s.prometheus.URL(), "-alertmanager", s.alertmanager.URL(),
		"-pyroscope", s.pyroscope.URL(), "-collector", s.collector.URL(), "-collector-metrics", "http://" + s.collector.MetricsAddr(), "-grafana", s.grafana.URL,
	}, flags...)
	cmd := exec.Command(program(t, "cmd/latido"), append(args, file)...)
	cmd.Env = append(os.Environ(), "LATIDO_GRAFANA_TOKEN="+grafanaToken)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || stderr.Len() > 0 {
		t.Fatalf("latido doctor: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(output, &found); err != nil {
		t.Fatalf("latido doctor: %v\n%s", err, output)
	}
	return found, cmd.ProcessState.ExitCode()
}

// expect waits until doctor finds one thing, and nothing else, to be wrong: in
// that link, with these words in what it says. skipped is a link that must say
// that it is not known for that reason, if it is not "".
func (s *setup) expect(t *testing.T, link string, words []string, skipped, file string, flags ...string) {
	t.Helper()
	var said string
	servers.WaitFor(t, servers.Patience, "the cause in "+link, func() error {
		found, code := s.doctor(t, file, flags...)
		var failed []string
		said = ""
		because := skipped == ""
		for _, c := range found.Checks {
			because = because || c.Check == skipped && c.Status == "skip" && strings.Contains(c.Detail, "as long as "+link)
			for _, p := range c.Problems {
				failed = append(failed, c.Check+": "+p.Message)
			}
			if c.Check == link && len(c.Problems) == 1 {
				said = c.Problems[0].Message + "\n  " + c.Problems[0].Fix
			}
		}
		for _, w := range words {
			if !strings.Contains(said, w) {
				return fmt.Errorf("no %q in %q; problems: %q", w, said, failed)
			}
		}
		if len(failed) != 1 || code != 1 || found.OK {
			return fmt.Errorf("exit %d, ok %v, problems: %q", code, found.OK, failed)
		}
		if !because {
			return fmt.Errorf("%s does not say that it is because of %s: %+v", skipped, link, found.Checks)
		}
		return nil
	})
	t.Logf("%s: %s", link, said)
}

// healthy waits until doctor finds nothing wrong, and every link looked at but
// for those named.
func (s *setup) healthy(t *testing.T, file string, but map[string]bool, flags ...string) {
	t.Helper()
	servers.WaitFor(t, servers.Patience, "a healthy set-up", func() error {
		found, code := s.doctor(t, file, flags...)
		for _, c := range found.Checks {
			if c.Status != "ok" && (!but[c.Check] || c.Status != "skip") {
				return fmt.Errorf("%s: %s %s %v", c.Check, c.Status, c.Detail, c.Problems)
			}
		}
		if code != 0 || !found.OK || len(found.Checks) < 20 {
			return fmt.Errorf("exit %d, ok %v, %d links", code, found.OK, len(found.Checks))
		}
		return nil
	})
}

// lately has nothing to look at in a set-up that is younger than two minutes.
var lately = map[string]bool{"alerts": true}

// TestDoctor runs latido doctor on a set-up of real servers: a healthy one, and
// then with one fault at a time. Each must be told with its own cause, and
// nothing else may fail.
func TestDoctor(t *testing.T) {
	t.Parallel()
	s := startSetup(t)
	t.Run("healthy", func(t *testing.T) {
		s.healthy(t, s.file, lately)
		args := []string{"doctor", "-url", s.service.URL(), "-prometheus", s.prometheus.URL(), "-alertmanager", s.alertmanager.URL(),
			"-pyroscope", s.pyroscope.URL(), "-collector", s.collector.URL(), "-grafana", s.grafana.URL, s.file}
		servers.WaitFor(t, servers.Patience, "what a person sees, without credentials", func() error {
			out, err := exec.Command(program(t, "cmd/latido"), args...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			t.Logf("\n%s", out)
			return nil
		})
	})
	t.Run("faults", func(t *testing.T) {
		for name, fault := range map[string]func(t *testing.T, s *setup){
			"service elsewhere": faultServiceElsewhere, "stranger on the port": faultStranger, "other domain": faultOtherDomain,
			"no scrape job": faultNoJob, "wrong port": faultWrongPort, "other job": faultOtherJob, "bad reload": faultReload,
			"sent and scraped": faultTwice, "clock": faultClock, "no exemplar storage": faultExemplars,
			"no rules": faultRules, "no Alertmanager known": faultUnknownAlertmanager, "another Alertmanager known": faultOtherAlertmanager,
			"Alertmanager down": faultAlertmanagerDown, "no profiles sent": faultNoProfiles, "profiles sent elsewhere": faultLostProfiles,
			"Pyroscope down": faultPyroscopeDown, "Collector down, then the service": faultCollectorDown,
			"data source broken": faultSource, "Prometheus down": faultPrometheusDown, "no traces behind exemplars": faultDestinations, "no dashboards": faultDashboards,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				fault(t, s)
			})
		}
		for _, strategy := range []string{"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "NoUTF8EscapingWithSuffixes", "NoTranslation"} {
			t.Run("translation "+strategy, func(t *testing.T) {
				t.Parallel()
				faultTranslation(t, s, strategy)
			})
		}
	})
}
