package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/latido-dev/latido/e2e/servers"
)

// stack runs services of the Compose file without containers: the commands and
// the environment that it says, the very files that it mounts, the names that
// they have for each other.
type stack struct {
	project *types.Project
	dir     string // for volumes
}

// everywhere are the services' names, all on the loopback interface.
var everywhere = map[string]string{
	"tienda-api": "127.0.0.1", "prometheus": "127.0.0.1", "alertmanager": "127.0.0.1", "pyroscope": "127.0.0.1",
	"tempo": "127.0.0.1", "otel-collector": "127.0.0.1", "victoriametrics": "127.0.0.1", "grafana": "127.0.0.1", "evidence": "127.0.0.1",
}

// run starts a service with the binary in place of its image, and waits until
// addr answers at ready. What the network of containers would do, flags and env
// say in addition.
func (s stack) run(t *testing.T, service, binary, addr, ready string, env []string, flags ...string) *servers.Running {
	t.Helper()
	c, ok := s.project.Services[service]
	if !ok {
		t.Fatalf("the Compose file has no service %s", service)
	}
	args := append(slices.Clone([]string(c.Command)), flags...)
	for i, arg := range args {
		for _, v := range c.Volumes {
			source := v.Source
			if v.Type == types.VolumeTypeVolume {
				source = filepath.Join(s.dir, source)
			}
			if before, after, ok := strings.Cut(arg, "="+v.Target); ok {
				args[i] = before + "=" + source + after
			}
		}
	}
	environment := os.Environ()
	for name, value := range c.Environment {
		if value != nil {
			environment = append(environment, name+"="+*value)
		}
	}
	return servers.Run(t, servers.Process{
		Name: service, Addrs: []string{addr}, Ready: ready,
		Command: func([]string) *exec.Cmd {
			cmd := exec.Command(binary, args...)
			cmd.Env = append(environment, env...)
			cmd.Dir = s.dir
			return cmd
		},
	})
}

// healthy runs the command of a service's health check with the tool that the
// tests have built.
func (s stack) healthy(t *testing.T, service string) {
	t.Helper()
	check := s.project.Services[service].HealthCheck.Test[1:]
	servers.WaitFor(t, servers.Patience, "the health of "+service, func() error {
		out, err := exec.Command(servers.Path(t, check[0]), check[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(check, " "), err, out)
		}
		return nil
	})
}

// pyroscopeAlone are the flags of a Pyroscope that has no network interface but
// the loopback one, where it looks for its own address.
func pyroscopeAlone(dir string) []string {
	flags := []string{
		"-pyroscopedb.data-path=" + dir, "-storage.filesystem.dir=" + dir + "/shared",
		"-memberlist.bind-addr=127.0.0.1", "-memberlist.advertise-addr=127.0.0.1", "-ring.store=inmemory", "-ingester.min-ready-duration=0s",
	}
	for _, ring := range []string{
		"distributor.ring.instance-addr", "ingester.lifecycler.addr", "query-frontend.instance-addr",
		"query-scheduler.ring.instance-addr", "store-gateway.sharding-ring.instance-addr",
		"compactor.ring.instance-addr", "overrides-exporter.ring.instance-addr",
	} {
		flags = append(flags, "-"+ring+"=127.0.0.1")
	}
	return flags
}

// TestStack starts the servers of docker-compose.yml on the very files of
// deploy/, with their own addresses, around the example: it is scraped, its
// rules are evaluated, an alert comes to a mailbox, its profiles are in
// Pyroscope, its spans reach a trace store through the Collector, and its
// exemplars lead there. latido doctor finds nothing wrong.
func TestStack(t *testing.T) {
	t.Parallel()
	program(t, "examples/echo-api")
	program(t, "cmd/latido")
	if !inNamespace(t, everywhere) {
		return
	}
	started := time.Now()
	project, err := loadCompose(passwords, "*")
	if err != nil {
		t.Fatal(err)
	}
	s := stack{project, t.TempDir()}
	// In place of Tempo, which takes and shows the same spans.
	jaeger := servers.StartJaeger(t)
	s.run(t, "otel-collector", servers.Path(t, "collector"), "127.0.0.1:13133", "/", []string{"TRACES_OTLP_ENDPOINT=" + jaeger.OTLP()})
	pyroscope := servers.Pyroscope{Running: s.run(t, "pyroscope", servers.Path(t, "pyroscope"), "127.0.0.1:4040", "/ready", nil,
		pyroscopeAlone(filepath.Join(s.dir, "profiles"))...)}
	alertmanager := servers.Alertmanager{Running: s.run(t, "alertmanager", servers.Path(t, "alertmanager"), "127.0.0.1:9093", "/-/ready", nil)}
	prom := servers.PrometheusIn(t, s.run(t, "prometheus", servers.Path(t, "prometheus"), "127.0.0.1:9090", "/-/ready", nil,
		"--rules.alert.resend-delay=5s")) // a minute, which the mail would wait for
	shop := shopAt(s.run(t, "tienda-api", program(t, "examples/echo-api"), "127.0.0.1:9464", "/healthz",
		[]string{"XDG_CACHE_HOME=" + t.TempDir()})) // in place of /tmp, which a container has for itself
	command := s.project.Services["evidence"].Command
	command[len(command)-1] = filepath.Join(repository, "examples/echo-api/domain.yaml") // its image has it
	s.run(t, "evidence", program(t, "cmd/latido"), "127.0.0.1:9466", "/healthz", nil)
	for _, service := range []string{"prometheus", "alertmanager"} {
		s.healthy(t, service)
	}

	t.Run("scraped", func(t *testing.T) {
		up := prom.WaitForQuery(t, servers.Patience, `up{job="tienda-api"} == 1`)
		if len(up) != 1 || up[0].Labels["instance"] != "tienda-api:9464" {
			t.Errorf("up: %v", up)
		}
		for _, job := range []string{"prometheus", "alertmanager", "otel-collector", "pyroscope", "evidence"} {
			prom.WaitForQuery(t, servers.Patience, `up{job="`+job+`"} == 1`)
		}
		// What the rules on the servers ask for, by the names that these have.
		for _, family := range []string{
			"prometheus_rule_evaluation_failures_total", "prometheus_rule_group_iterations_missed_total", "prometheus_notifications_dropped_total",
			"prometheus_notifications_errors_total", "prometheus_config_last_reload_successful", "alertmanager_config_last_reload_successful",
			"alertmanager_notifications_failed_total", "pyroscope_discarded_samples_total", "latido_evidence_alerts_total", `latido_evidence_request_duration_seconds_count{outcome="failed"}`, `latido_evidence_posts_total{outcome="failed"}`, `{__name__=~"otelcol_receiver_refused_spans(_total)?"}`,
		} {
			prom.WaitForQuery(t, servers.Patience, family)
		}
	})
	t.Run("profiles", func(t *testing.T) {
		pyroscope.WaitForProfile(t, servers.Patience, `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="tienda-api",endpoint="`+burningEndpoint+`"}`, started)
	})
	t.Run("exemplars", func(t *testing.T) {
		var ids []string
		servers.WaitFor(t, servers.Patience, "an exemplar on /metrics", func() error {
			if ids = exemplars(t, shop.Running); len(ids) == 0 {
				return fmt.Errorf("none")
			}
			return nil
		})
		jaeger.WaitForTrace(t, servers.Patience, ids[0], 1)
		servers.WaitFor(t, servers.Patience, "an exemplar in Prometheus", func() error {
			found, err := prom.API().QueryExemplars(t.Context(), `tienda_response_duration_seconds_bucket`, started, time.Now())
			if err == nil && len(found) == 0 {
				err = fmt.Errorf("none")
			}
			return err
		})
	})
	t.Run("alert", func(t *testing.T) {
		servers.WaitFor(t, servers.Patience, "the heartbeat in Alertmanager", func() error {
			for _, a := range alertmanager.Alerts(t) {
				if a.Labels["alertname"] == heartbeat && a.Labels["domain"] == "tienda" {
					return nil
				}
			}
			return fmt.Errorf("alerts %v", alertmanager.Alerts(t))
		})
	})
	t.Run("evidence", func(t *testing.T) {
		sent := prom.WaitForQuery(t, servers.Patience, `prometheus_notifications_sent_total{alertmanager=~"http://evidence:9466/.*"} > 0`)
		t.Logf("Prometheus has sent it %v", sent)
		cmd := exec.Command(program(t, "cmd/latido"), "incidents", "-url", "http://127.0.0.1:9466")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "LATIDO_PASSWORD") {
			t.Errorf("without the password: %v: %s", err, out)
		}
		cmd = exec.Command(program(t, "cmd/latido"), "incidents", "-url", "http://127.0.0.1:9466")
		cmd.Env = append(os.Environ(), passwords[1])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with the password of .env: %v: %s", err, out)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		servers.WaitFor(t, servers.Patience, "a set-up without a broken link", func() error {
			out, err := exec.Command(program(t, "cmd/latido"), "doctor", "-grafana", "none", exampleDomain).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			t.Logf("%s", out)
			return nil
		})
	})
	t.Run("mail", func(t *testing.T) {
		if err := alertmanager.Stop(t); err != nil {
			t.Logf("alertmanager: %v", err)
		}
		mails := startMailbox(t)
		config := filepath.Join(t.TempDir(), "alertmanager")
		alertmanagerWithMail(t, config, mails.addr)
		s.project.Services["alertmanager"].Volumes[0].Source = config
		s.run(t, "alertmanager", servers.Path(t, "alertmanager"), "127.0.0.1:9093", "/-/ready", nil)
		servers.WaitFor(t, servers.Patience, "a mail", func() error {
			_, err := mails.has(heartbeat, nil)
			return err
		})
	})
}

// alertmanagerWithMail writes the Alertmanager's files of the example with one
// receiver more.
func alertmanagerWithMail(t *testing.T, dir, smtp string) {
	t.Helper()
	text, err := os.ReadFile(exampleDomain)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "domain.yaml")
	write(t, file, fmt.Appendf(text, "  - email: {to: [guardia@example.com], smtp: %q, plaintext: true}\n", smtp))
	latido(t, "generate", "alertmanager", "-domain", file, "-out", filepath.Join(dir, "alertmanager.yaml"))
}
