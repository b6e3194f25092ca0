package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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
	servers.WaitFor(t, time.Minute, "the cause in "+link, func() error {
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
	servers.WaitFor(t, 2*time.Minute, "a healthy set-up", func() error {
		found, code := s.doctor(t, file, flags...)
		for _, c := range found.Checks {
			if c.Status != "ok" && !(but[c.Check] && c.Status == "skip") {
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
	s := startSetup(t)
	t.Run("healthy", func(t *testing.T) {
		s.healthy(t, s.file, lately)
		args := []string{"doctor", "-url", s.service.URL(), "-prometheus", s.prometheus.URL(), "-alertmanager", s.alertmanager.URL(),
			"-pyroscope", s.pyroscope.URL(), "-collector", s.collector.URL(), "-grafana", s.grafana.URL, s.file}
		t.Log("\n" + latido(t, args...)) // what a person sees, without credentials
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

func faultServiceElsewhere(t *testing.T, s *setup) {
	addr := servers.FreeAddr(t)
	s.expect(t, "service", []string{"nothing listens at http://" + addr, "OTEL_EXPORTER_PROMETHEUS_PORT"}, "telemetry", s.file, "-url", "http://"+addr)
}

func faultStranger(t *testing.T, s *setup) {
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>Router setup</title>")
	}))
	defer stranger.Close()
	s.expect(t, "service", []string{"is not the service", `a web page "Router setup"`, "lsof -i :"}, "telemetry", s.file, "-url", stranger.URL)
}

func faultOtherDomain(t *testing.T, s *setup) {
	other := s.start(t, filepath.Join(repository, "dashboards", "testdata", "clinic.yaml"))
	d := loadDomain(t, filepath.Join(repository, "dashboards", "testdata", "clinic.yaml"))
	s.expect(t, "service", []string{"another service", "prefix " + d.Prefix, "have tienda"}, "exemplars", s.file, "-url", other.URL())
}

func faultNoJob(t *testing.T, s *setup) {
	cfg := s.config()
	cfg.Scrape = nil
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "scrape", []string{"no job tienda-api", "job_name: tienda-api", s.service.Addr(0)}, "series", s.file, "-prometheus", p.URL())
}

func faultWrongPort(t *testing.T, s *setup) {
	p := servers.StartPrometheus(t, s.scraping("tienda-api", servers.FreeAddr(t)))
	_, port, _ := strings.Cut(s.service.Addr(0), ":")
	s.expect(t, "scrape", []string{"cannot scrape", "connection refused", "correct the port", "on port " + port}, "series", s.file, "-prometheus", p.URL())
}

func faultOtherJob(t *testing.T, s *setup) {
	p := servers.StartPrometheus(t, s.scraping("shop", s.service.Addr(0)))
	s.expect(t, "scrape", []string{"as the job shop, not as tienda-api", "job_name: tienda-api", "-job shop"}, "series", s.file, "-prometheus", p.URL())
}

// faultReload takes the job away, in a file that does not load: the service is
// scraped as before, and what is new is missing. Only the reload is at fault.
func faultReload(t *testing.T, s *setup) {
	file := filepath.Join(t.TempDir(), "prometheus.yaml")
	write(t, file, []byte("scrape_configs: []\n"))
	cfg := s.config()
	cfg.File = file
	p := servers.StartPrometheus(t, cfg)
	write(t, file, []byte("scrape_configs: [{job_name: tienda-api, static_config: []}]\n"))
	p.Signal(t, syscall.SIGHUP)
	s.expect(t, "config", []string{"the last reload", "failed", "promtool check config"}, "scrape", s.file, "-prometheus", p.URL())
}

// faultTranslation is none in the first strategy.
func faultTranslation(t *testing.T, s *setup, strategy string) {
	p := servers.StartPrometheus(t, s.receiving(strategy))
	file, service := s.another(t, "enviada-"+strings.ToLower(strategy), to(p))
	flags := []string{"-prometheus", p.URL(), "-url", service.URL()}
	example := map[string]string{
		"UnderscoreEscapingWithoutSuffixes": "there is tienda_requests,", "NoUTF8EscapingWithSuffixes": "there is tienda.requests_total,", "NoTranslation": "there is tienda.requests,",
	}[strategy]
	if example == "" {
		s.healthy(t, file, lately, flags...)
		return
	}
	s.expect(t, "series", []string{"translated differently", example, "ask for tienda_requests_total", "it is " + strategy}, "exemplars", file, flags...)
}

func faultTwice(t *testing.T, s *setup) {
	cfg := s.receiving("UnderscoreEscapingWithSuffixes")
	file := filepath.Join(t.TempDir(), "targets.json") // the service, which is not known yet
	cfg.Extra["scrape_configs"] = []map[string]any{{"job_name": "doble", "file_sd_configs": []map[string]any{{"files": []string{file}, "refresh_interval": "1s"}}}}
	p := servers.StartPrometheus(t, cfg)
	domainFile, service := s.another(t, "doble", to(p))
	write(t, file, []byte(fmt.Sprintf(`[{"targets": [%q]}]`, service.Addr(0))))
	s.expect(t, "series", []string{"twice", "doubled", "OTEL_METRICS_EXPORTER=none"}, "", domainFile, "-prometheus", p.URL(), "-url", service.URL())
}

// faultClock has a proxy in front of Prometheus, since the machine has one
// clock: it says another time than it is.
func faultClock(t *testing.T, s *setup) {
	u, err := url.Parse(s.prometheus.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ModifyResponse = func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		return nil
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	s.expect(t, "clock", []string{"the clock of Prometheus", "is 1h0m0s behind", "NTP"}, "", s.file, "-prometheus", server.URL)
}

func faultExemplars(t *testing.T, s *setup) {
	cfg := s.config()
	cfg.Flags = nil
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "exemplars", []string{"exemplar storage is off", "--enable-feature=exemplar-storage"}, "", s.file, "-prometheus", p.URL())
}

func faultRules(t *testing.T, s *setup) {
	cfg := s.config()
	cfg.Rules = nil
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "rules", []string{"none of the domain's", "rule_files", "tienda.rules.yaml"}, "alerts", s.file, "-prometheus", p.URL())
}

func faultUnknownAlertmanager(t *testing.T, s *setup) {
	cfg := s.config()
	cfg.Alertmanagers = nil
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "notify", []string{"knows no Alertmanager", "alerting:"}, "alerts", s.file, "-prometheus", p.URL())
}

func faultOtherAlertmanager(t *testing.T, s *setup) {
	cfg := s.config()
	other := servers.FreeAddr(t)
	cfg.Alertmanagers = []string{other}
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "notify", []string{"sends its alerts to http://" + other, "which is not " + s.alertmanager.URL()}, "alerts", s.file, "-prometheus", p.URL())
}

func faultAlertmanagerDown(t *testing.T, s *setup) {
	cfg := s.config()
	down := servers.FreeAddr(t)
	cfg.Alertmanagers = []string{down}
	p := servers.StartPrometheus(t, cfg)
	s.expect(t, "alertmanager", []string{"nothing listens at http://" + down, "docker compose up -d alertmanager"}, "alerts", s.file,
		"-prometheus", p.URL(), "-alertmanager", "http://"+down)
}

func faultNoProfiles(t *testing.T, s *setup) {
	file, service := s.another(t, "sin-perfiles", "PYROSCOPE_SERVER_ADDRESS=")
	p := servers.StartPrometheus(t, s.scraping("sin-perfiles", service.Addr(0)))
	s.expect(t, "profiles", []string{"no profile of sin-perfiles", "has no PYROSCOPE_SERVER_ADDRESS", "PYROSCOPE_SERVER_ADDRESS to Pyroscope's address"}, "", file,
		"-prometheus", p.URL(), "-url", service.URL())
}

func faultLostProfiles(t *testing.T, s *setup) {
	nowhere := servers.FreeAddr(t)
	file, service := s.another(t, "perfiles-perdidos", "PYROSCOPE_SERVER_ADDRESS=http://"+nowhere)
	p := servers.StartPrometheus(t, s.scraping("perfiles-perdidos", service.Addr(0)))
	s.expect(t, "profiles", []string{"no profile of perfiles-perdidos", "uploads fail", nowhere, "connection refused"}, "", file,
		"-prometheus", p.URL(), "-url", service.URL())
}

func faultPyroscopeDown(t *testing.T, s *setup) {
	down := "http://" + servers.FreeAddr(t)
	grafana := startGrafanaAPI(t, s.d, s.prometheus.URL(), down) // its data source fails too
	s.expect(t, "pyroscope", []string{"nothing listens at " + down, "docker compose up -d pyroscope"}, "datasources", s.file, "-pyroscope", down, "-grafana", grafana.URL)
}

// faultCollectorDown has a service that sends to a Collector which is not
// there, then one whose address is wrong, and then none.
func faultCollectorDown(t *testing.T, s *setup) {
	down := servers.FreeAddr(t)
	file, service := s.another(t, "sin-colector", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+down)
	p := servers.StartPrometheus(t, s.scraping("sin-colector", service.Addr(0)))
	flags := []string{"-prometheus", p.URL(), "-url", service.URL()}
	s.expect(t, "otlp", []string{"by OTLP", "connection refused", "OTEL_EXPORTER_OTLP_ENDPOINT"}, "", file, flags...)
	s.expect(t, "collector", []string{"nothing listens at http://" + down, "docker compose up -d otel-collector"}, "otlp", file, append(flags, "-collector", "http://"+down)...)
	if err := service.Stop(t); err != nil {
		t.Log(err) // it cannot send what is left
	}
	s.expect(t, "service", []string{"nothing listens at " + service.URL()}, "scrape", file, flags...)
}

func faultSource(t *testing.T, s *setup) {
	wrong := "http://" + servers.FreeAddr(t)
	grafana := startGrafanaAPI(t, s.d, wrong, s.pyroscope.URL())
	s.expect(t, "datasources", []string{"data source Prometheus does not work", "it asks " + wrong, "Grafana's own container"}, "", s.file, "-grafana", grafana.URL)
}

// faultPrometheusDown has a data source of the same server: that is no fault of
// Grafana's.
func faultPrometheusDown(t *testing.T, s *setup) {
	down := "http://" + servers.FreeAddr(t)
	grafana := startGrafanaAPI(t, s.d, down, s.pyroscope.URL())
	s.expect(t, "prometheus", []string{"nothing listens at " + down}, "datasources", s.file, "-grafana", grafana.URL, "-prometheus", down)
}

func faultDestinations(t *testing.T, s *setup) {
	grafana := startGrafanaAPI(t, s.d, s.prometheus.URL(), s.pyroscope.URL())
	grafana.destination = "traceID" // as in many examples
	s.expect(t, "datasources", []string{"in the label traceID, but it is in trace_id", "exemplarTraceIdDestinations"}, "", s.file, "-grafana", grafana.URL)
}

func faultDashboards(t *testing.T, s *setup) {
	grafana := startGrafanaAPI(t, s.d, s.prometheus.URL(), s.pyroscope.URL())
	delete(grafana.boards, "tienda-http")
	s.expect(t, "dashboards", []string{"4 of 5 dashboards", "it has not tienda-http", "latido generate dashboards"}, "", s.file, "-grafana", grafana.URL)
}
