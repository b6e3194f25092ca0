package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
)

// adminServer is the listener for metrics, health and the debug pages.
type adminServer struct {
	server *http.Server
	url    string
	done   chan struct{}
}

// newAdminServer has the limits without which one slow client could hold the
// listener for ever. Writing may take long: a CPU profile is waited for.
func newAdminServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// startAdmin listens and serves. A port that is taken is no reason for a
// service to stop: it is warned of, and nil is returned. A wrong web
// configuration is an error: pages that were to be protected are not served
// without.
func (t *Telemetry) startAdmin(address string) (*adminServer, error) {
	if t.cfg.Admin.Disabled {
		return nil, nil
	}
	if t.cfg.Admin.Address != "" {
		address = t.cfg.Admin.Address
	}
	file := t.cfg.Admin.WebConfigFile
	secured, err := readWebConfig(file)
	if err != nil {
		return nil, fmt.Errorf("Config.Admin.WebConfigFile: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.self.log.Warn("the admin listener cannot start, so that /metrics is not served: choose another address by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT, or Config.Admin.Address", "address", address, "error", err)
		return nil, nil
	}
	access := access{loopback: isLoopback(listener.Addr()), authenticated: secured.authenticates(), hosts: t.cfg.Admin.Hosts}
	if host, _, err := net.SplitHostPort(address); err == nil {
		access.hosts = append([]string{host}, access.hosts...)
	}
	a := &adminServer{server: newAdminServer(t.pages(access)), done: make(chan struct{})}
	a.url = "http://" + listener.Addr().String()
	if secured.TLS.CertFile != "" || secured.TLS.Cert != "" {
		a.url = "https://" + listener.Addr().String()
	}
	a.server.ErrorLog = slog.NewLogLogger(t.self.log.Handler(), slog.LevelDebug) // what clients do wrong
	go func() {
		defer close(a.done)
		err := a.serve(listener, file, t.self.log)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			t.self.log.Error("the admin listener ended", "address", address, "error", err)
		}
	}()
	return a, nil
}

func (a *adminServer) serve(listener net.Listener, webConfigFile string, log *slog.Logger) error {
	if webConfigFile == "" {
		return a.server.Serve(listener)
	}
	return web.Serve(listener, a.server, &web.FlagConfig{WebConfigFile: &webConfigFile}, slog.New(warnings{log.Handler()}))
}

// warnings leaves out what the toolkit says at each start.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// shutdown lets the pages in flight finish until ctx is done.
func (a *adminServer) shutdown(ctx context.Context) error {
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("admin listener: %w", errors.Join(err, a.server.Close()))
	}
	<-a.done
	return err
}

// webConfig is what has to be known of the toolkit's file.
type webConfig struct {
	Users map[string]string `yaml:"basic_auth_users"`
	TLS   struct {
		Cert       string `yaml:"cert"`
		CertFile   string `yaml:"cert_file"`
		ClientAuth string `yaml:"client_auth_type"`
	} `yaml:"tls_server_config"`
}

func readWebConfig(file string) (c webConfig, err error) {
	if file == "" {
		return c, nil
	}
	if err := web.Validate(file); err != nil {
		return c, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	return c, yaml.Unmarshal(data, &c)
}

// authenticates tells whether a stranger is kept out.
func (c webConfig) authenticates() bool {
	return len(c.Users) > 0 || c.TLS.ClientAuth == "RequireAndVerifyClientCert"
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// AdminURL is where the admin listener is reached, http://127.0.0.1:9464 or
// with https. It is "" where there is none.
func (t *Telemetry) AdminURL() string {
	if !t.recording() || t.admin == nil {
		return ""
	}
	return t.admin.url
}

// AdminHandler serves the pages of the admin listener on a listener of the
// user's, who sees to who may reach it: every page is served to anybody who
// asks under a host name that Config.Admin.Hosts lists, the loopback names or
// an IP address. It is safe for concurrent use.
//
//	/                   what there is
//	/metrics            Prometheus' text, OpenMetrics with exemplars, or protobuf
//	/healthz            200 while the process runs
//	/readyz             the checks of AddReadyCheck: 200, or 503 with what failed
//	/metrics-dashboard  how the service is, in JSON
//	/debug/report       where its time and memory go
//	/debug/pprof/       profiles for go tool pprof
func (t *Telemetry) AdminHandler() http.Handler {
	if !t.recording() {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "telemetry is off", http.StatusServiceUnavailable)
		})
	}
	return t.pages(access{loopback: true, hosts: t.cfg.Admin.Hosts})
}
