package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"

	"github.com/latido-dev/latido/internal/page"
)

// Admin is what serves metrics, health and the debug pages: the admin listener,
// and the handler of the same pages. Telemetry.Admin returns it. Its methods are
// safe for concurrent use; a nil Admin has no pages.
type Admin struct {
	mux         *http.ServeMux
	diagnostics *diagnostics
	guarded     bool // Handler is behind authentication of the user's
	login       login

	mu     sync.Mutex
	listed []page.Link // pages that were added, with a description

	server *http.Server // nil without a listener
	url    string
	done   chan struct{} // closed when the listener has ended
}

// Admin is the admin listener and its pages. It is nil, which serves nothing,
// where nothing is recorded.
func (t *Telemetry) Admin() *Admin {
	if !t.recording() {
		return nil
	}
	return t.admin
}

// newAdminServer has the limits without which one slow client could hold the
// listener for ever. Writing may take long: whoever asks for a CPU profile
// waits up to a minute, and for the windows around it. The pages that wait end
// with the server.
func newAdminServer(h http.Handler, profileWindow time.Duration) *http.Server {
	ctx, cancel := context.WithCancel(context.Background())
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2*time.Minute + 2*max(profileWindow, 0),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	s.RegisterOnShutdown(cancel)
	return s
}

// listenTimeout bounds the look-up of a listener's host name.
const listenTimeout = 2 * time.Second

// listen serves the pages on a listener of their own. A port that is taken is no
// reason for a service to stop: it is logged, and there is no listener. A wrong
// web configuration is an error: pages that were to be protected are not served
// without.
func (a *Admin) listen(ctx context.Context, cfg AdminConfig, address string, profileWindow time.Duration) error {
	if cfg.Disabled {
		return nil
	}
	if cfg.Address != "" {
		address = cfg.Address
	}
	file := cfg.WebConfigFile
	secured, err := readWebConfig(file)
	if err != nil {
		return fmt.Errorf("Config.Admin.WebConfigFile: %s: %w", file, err)
	}
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		a.diagnostics.log.Warn("the admin listener cannot start, so that /metrics is not served: choose another address by "+
			"OTEL_EXPORTER_PROMETHEUS_HOST and OTEL_EXPORTER_PROMETHEUS_PORT, or Config.Admin.Address", "address", address, "error", err)
		return nil
	}
	who := adminAccess{loopback: isLoopback(listener.Addr()), hosts: cfg.Hosts}
	if host, _, err := net.SplitHostPort(address); err == nil {
		who.hosts = append([]string{host}, who.hosts...)
	}
	who.authenticates = func() bool { // the toolkit, too, reads the file anew for each request
		now, err := readWebConfig(file)
		return err == nil && now.authenticates()
	}
	a.server = newAdminServer(a.behind(who.of), profileWindow)
	a.url, a.done = localURL(secured.https(), listener.Addr()), make(chan struct{})
	a.server.ErrorLog = slog.NewLogLogger(a.diagnostics.log.Handler(), slog.LevelDebug) // what clients do wrong
	go func() {
		defer close(a.done)
		defer listener.Close() // the toolkit leaves it open when it cannot start
		err := serveAdmin(a.server, netutil.LimitListener(listener, maxAdminConns), file, a.diagnostics.log)
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			a.diagnostics.log.Error("the admin listener ended", "address", address, "error", err)
		}
	}()
	return nil
}

func serveAdmin(server *http.Server, listener net.Listener, webConfigFile string, log *slog.Logger) error {
	if webConfigFile == "" {
		return server.Serve(listener)
	}
	return web.Serve(listener, server, &web.FlagConfig{WebConfigFile: &webConfigFile}, slog.New(warnings{log.Handler()}))
}

// warnings leaves out what the toolkit says at each start.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// shutdown lets the pages in flight finish until ctx is done.
func (a *Admin) shutdown(ctx context.Context) error {
	if a == nil || a.server == nil {
		return nil
	}
	err := a.server.Shutdown(ctx)
	if err != nil {
		err = fmt.Errorf("admin listener: %w", errors.Join(err, a.server.Close()))
	}
	<-a.done
	return err
}

// localURL is where this machine reaches the listener.
func localURL(https bool, addr net.Addr) string {
	scheme := "http://"
	if https {
		scheme = "https://"
	}
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return scheme + fmt.Sprintf("localhost:%d", tcp.Port)
	}
	return scheme + addr.String()
}

// maxAdminConns is how many connections may be open at once. Each costs a file
// descriptor of the service; a Prometheus needs one. Further ones wait in the
// system's queue until one of them ends.
const maxAdminConns = 256

// URL is where this machine reaches the admin listener, http://127.0.0.1:9464 or
// with https. It is "" where there is none.
func (a *Admin) URL() string {
	if a == nil {
		return ""
	}
	return a.url
}

// Handler serves the pages of the admin listener on a listener of the user's,
// also with AdminConfig.Disabled. Where there is nothing to serve, after a failed
// Init, it answers 503.
//
//	/                   the page: how the service is, for people; its other views are
//	                    /endpoint, /flame, /graph, /alerts, /domain and /findings
//	/metrics            Prometheus' text, OpenMetrics with exemplars, or protobuf
//	/healthz            200 while the process runs
//	/readyz             the checks of AddReadyCheck: 200, or 503 with what failed
//	/metrics-dashboard  how the service is, in JSON
//	/debug/report       where its time and memory go
//	/debug/pprof/       profiles for go tool pprof
//
// Everybody gets /metrics, /healthz and /readyz, under any host name. The other
// pages show the inside of the service: they answer 403 unless
// AdminConfig.Guarded says that authentication of yours stands before the handler. The handler
// cannot find out by itself who asks. A proxy may stand before your server, and
// what it forwards looks like a request of this machine. To see the pages
// without authentication, ask the admin listener.
func (a *Admin) Handler() http.Handler {
	if a == nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "telemetry is off", http.StatusServiceUnavailable)
		})
	}
	shown := accessPublic
	if a.guarded {
		shown = accessInside
	}
	return a.behind(func(*http.Request) access { return shown })
}
