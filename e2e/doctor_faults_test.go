package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/latido-dev/latido/e2e/servers"
)

// The faults of TestDoctor, each in a set-up that is well but for it.

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
	grafana := startGrafanaAPI(t, s.d, s.prometheus.URL(), s.pyroscope.URL(), func(g *grafanaAPI) {
		g.destination = "traceID" // as in many examples
	})
	s.expect(t, "datasources", []string{"in the label traceID, but it is in trace_id", "exemplarTraceIdDestinations"}, "", s.file, "-grafana", grafana.URL)
}

func faultDashboards(t *testing.T, s *setup) {
	grafana := startGrafanaAPI(t, s.d, s.prometheus.URL(), s.pyroscope.URL(), func(g *grafanaAPI) { delete(g.boards, "tienda-http") })
	s.expect(t, "dashboards", []string{"4 of 5 dashboards", "it has not tienda-http", "latido generate dashboards"}, "", s.file, "-grafana", grafana.URL)
}
