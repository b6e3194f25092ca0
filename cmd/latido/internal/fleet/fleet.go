// Package fleet is the verb evidence: a server that says why the alerts of a
// service fire whose rules are in Prometheus, and which of its instances it is.
package fleet

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/drills"
	"github.com/latido-dev/latido/internal/evidence"
)

const (
	// evidenceTimeout is how long the evidence of an alert may take where nobody says:
	// some of the 10 seconds that a group of alerts waits for its first message.
	evidenceTimeout = 7 * time.Second
	// stopTimeout is how long the server takes to end.
	stopTimeout = 10 * time.Second
)

// client follows no redirect, and keeps its connections.
var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// unwrapped is an error without the address, which may have a password in it.
func unwrapped(err error) error {
	if trouble, ok := errors.AsType[*url.Error](err); ok {
		return trouble.Err
	}
	return err
}

// options are those of the verb.
type options struct {
	listen, prometheus, pyroscope, externalURL, dir string
	alertmanagers                                   []string
	timeout                                         time.Duration
}

// Command serves the evidence of a fleet.
func Command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use: "evidence [FILE]", ValidArgsFunction: cli.CompleteDomain,
		Short: "serve the evidence of a fleet: say why alerts of Prometheus fire, and of which instance, to Alertmanager",
		Long: "Serve the evidence of a service whose alerts Prometheus evaluates. Prometheus sends alerts to Alertmanager and to this server " +
			"(alerting.alertmanagers has both); it reads the samples and the profiles of the instances, and posts the same alerts with their cause to Alertmanager. " +
			"`latido incidents` and `latido fire` ask it with -url; they and its pages want the user and password of LATIDO_USER and LATIDO_PASSWORD; PYROSCOPE_TENANT_ID, PYROSCOPE_BASIC_AUTH_USER and " +
			"PYROSCOPE_BASIC_AUTH_PASSWORD are as the service has them.",
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:9466", "the `address` to listen at")
	f.StringVar(&o.prometheus, "prometheus", usual["prometheus"], "Prometheus, or what has its API, with the samples")
	f.StringVar(&o.pyroscope, "pyroscope", usual["pyroscope"], "Pyroscope with the profiles, or none")
	f.StringSliceVar(&o.alertmanagers, "alertmanager", []string{usual["alertmanager"]}, "the Alertmanagers that Prometheus sends alerts to; each address of a name is one")
	f.StringVar(&o.externalURL, "external-url", "", "where people reach this server, for links; empty means where it listens, none that alerts have no links to incidents")
	f.StringVar(&o.dir, "dir", "", "the `folder` in which incidents are kept; empty means in memory")
	f.DurationVar(&o.timeout, "timeout", evidenceTimeout, "how long the evidence of an alert may take: less than the group_wait of Alertmanager, or the first message is without it")
	cli.Files(cmd, "dir")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := cli.FileOf(args)
		if err != nil {
			return err
		}
		data, err := cli.ReadDomain(cmd.InOrStdin(), file)
		if err != nil {
			return err
		}
		d, err := domain.Parse(file, data)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return serve(ctx, d, o, slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
	}
	return cmd
}

// usual are the addresses of the servers where nobody says, by option.
var usual = map[string]string{"prometheus": "http://127.0.0.1:9090", "pyroscope": "http://127.0.0.1:4040", "alertmanager": "http://127.0.0.1:9093"}

// address reads the URL of a server. What is wrong with one stays unsaid: there
// may be a password in it.
func address(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, cli.UsageError("-" + flag + " is no address: write one such as " + usual[flag])
	}
	return u, nil
}

// reached is where this machine itself reaches what listens at an address.
func reached(at net.Addr) string {
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return at.String()
}

// serve runs until ctx is done.
func serve(ctx context.Context, d domain.Domain, o options, log *slog.Logger) (err error) {
	user, password := cmp.Or(os.Getenv("LATIDO_USER"), "latido"), os.Getenv("LATIDO_PASSWORD")
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	if at, ok := listener.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() && password == "" {
		return errors.New("others can reach " + o.listen + ": set LATIDO_PASSWORD for the pages of incidents, or listen at 127.0.0.1")
	}
	if o.timeout <= 0 {
		return cli.UsageError("-timeout is to be positive: write one such as " + evidenceTimeout.String())
	}
	own := newMeasures()
	fleet := &instances{domain: d, measures: own}
	if fleet.prometheus, err = address("prometheus", o.prometheus); err != nil {
		return err
	}
	if o.pyroscope != "" && o.pyroscope != "none" {
		if fleet.pyroscope, err = address("pyroscope", o.pyroscope); err != nil {
			return err
		}
	}
	to := &alerts{fleet: fleet, service: d.Service(), log: log, measures: own}
	for _, text := range o.alertmanagers {
		u, err := address("alertmanager", text)
		if err != nil {
			return err
		}
		to.targets = append(to.targets, u)
	}
	link := o.externalURL
	if to.unlinked = link == "none"; to.unlinked || link == "" {
		link = "http://" + reached(listener.Addr())
	}
	rules := alerting.Rules(d, alerting.Options{})
	to.recorder, err = evidence.Start(ctx, evidence.Config{
		Domain: d, Rules: rules, Fleet: fleet, Exemplars: fleet.exemplars, Dir: o.dir,
		URL: func() string { return link }, Timeout: o.timeout, ReleaseAfter: -1, Logger: log,
	})
	if err != nil {
		return err
	}
	to.ctx = ctx
	to.pipeline = evidence.NewPipeline(to.enrich, to.put, 3*o.timeout)
	to.drills = drills.New(rules, drillTime, to.drill, to.resolveDrill)
	server := &http.Server{
		Handler: to.handler(user, password), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	log.Info("evidence is served", "address", listener.Addr().String(), "domain", d.Prefix)
	select {
	case <-ctx.Done():
	case err = <-ended:
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err = errors.Join(err, server.Shutdown(ctx))
	to.drills.Stop()
	to.pipeline.Close(ctx)
	err = errors.Join(err, to.recorder.Stop(ctx))
	client.CloseIdleConnections()
	return err
}

// handler takes alerts from anybody and shows its metrics to anybody, as
// Alertmanager does, and incidents to those who have the password.
func (s *alerts) handler(user, password string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("POST /api/v2/alerts", s.take)
	if s.measures != nil {
		mux.Handle("GET /metrics", s.measures.handler())
	}
	pages := http.NewServeMux()
	pages.Handle("/", s.recorder.Handler())
	pages.Handle("POST "+drills.Path, s.drills)
	pages.HandleFunc("GET "+drills.DeliveriesPath, s.deliveries)
	// What latido report asks is in others' hands here.
	pages.HandleFunc("GET /debug/report", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this server has the incidents of a fleet, and no profiles: they are in Pyroscope, where Grafana's dashboard of profiles shows them. "+
			"The report of one instance: latido report -url http://INSTANCE:9464; in Kubernetes after: kubectl port-forward POD 9464", http.StatusNotImplemented)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		u, p, _ := r.BasicAuth()
		if password != "" && subtle.ConstantTimeCompare([]byte(u), []byte(user))&subtle.ConstantTimeCompare([]byte(p), []byte(password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="latido", charset="UTF-8"`)
			http.Error(w, "log in with LATIDO_USER and LATIDO_PASSWORD", http.StatusUnauthorized)
			return
		}
		pages.ServeHTTP(w, r)
	})
	return mux
}
