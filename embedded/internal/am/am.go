package am

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/config"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/latido-dev/latido/embedded/alert"
	"github.com/latido-dev/latido/embedded/internal/quiet"
)

// stopBudget is the longest that Stop takes when its context has more, and
// stopGrace of that is for deliveries that are under way.
const (
	stopBudget = 5 * time.Second
	stopGrace  = time.Second
)

// Action is a receiver that is a Go function. Its context ends after ten
// seconds. It is called once for an alert that fires and once when the alert is
// resolved; an error or a panic is a failed delivery, and it is called again.
type Action = func(context.Context, alert.Alert) error

// Config says what Start starts.
type Config struct {
	// Dir keeps silences, the notification log and the alerts. Empty means
	// memory only.
	Dir string
	// File is Alertmanager's configuration file, Templates the template file
	// that it names: both are read from here, and not from disk. With Templates
	// nil those of File are read.
	File, Templates []byte
	// Secrets are values for options of File whose names end in _file: the path
	// there, to what that file would hold. Other such paths are read from disk
	// at each delivery, as Alertmanager does.
	Secrets map[string]string
	// Actions are the functions of the receivers called action/NAME, by NAME.
	Actions map[string]Action
	// Forward are the base URLs of Alertmanager servers that get the alerts too.
	// If File has receivers called alertmanager, alertmanager-2 and so on, the
	// servers get, in that order, what the routes lead there; otherwise all.
	Forward []string
	// ExternalURL is where people reach this Alertmanager; templates use it. With
	// Local it is an address that only this machine reaches: then no link to it
	// leaves the process but by its log and its actions.
	ExternalURL string
	Local       bool
	// Meter takes the figures. Nil means none.
	Meter metric.Meter
	// Logger takes the lines of the log receiver, and troubles. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// Server is an Alertmanager. Its methods are safe for concurrent use; on a nil
// Server they do nothing.
type Server struct {
	parts     *parts
	handler   http.Handler
	forwards  []*forward
	store     *store
	receivers []*guard
	actions   []*action
	known     *known
	spare     spare
	resolve   time.Duration
	log       *slog.Logger
	base      context.Context // done when the last of Stop begins
	cancel    context.CancelFunc

	running sync.WaitGroup // the goroutines of this package
	once    sync.Once
	err     error
}

// Start starts an Alertmanager. The network is never waited for, and a folder
// that cannot be used costs a warning and its memory of the past.
//
// It returns an error for a file that Alertmanager refuses, unless a receiver is
// what is wrong: an unknown option, a template that cannot be executed, an action
// without its function. That receiver is logged, and each delivery to it fails;
// the others are told. Where none is left, alerts are written to the log.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Meter == nil {
		cfg.Meter = noop.NewMeterProvider().Meter("")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	loaded, err := load(cfg)
	if err != nil {
		return nil, fmt.Errorf("alertmanager: %w", err)
	}
	s := &Server{known: newKnown(), log: cfg.Logger, resolve: time.Duration(cmp.Or(loaded.conf.Global.ResolveTimeout, config.DefaultGlobalConfig().ResolveTimeout))}
	s.base, s.cancel = context.WithCancel(context.Background())
	if err := s.start(cfg, loaded); err != nil {
		return nil, errors.Join(fmt.Errorf("alertmanager: %w", err), s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) start(cfg Config, loaded *loaded) error {
	deliveries, err := newDeliveries(cfg.Meter)
	if err != nil {
		return err
	}
	log := quiet.Logger(cfg.Logger, quiet.Options{Every: time.Minute, Drop: routine, Clean: loaded.secrets.text})
	s.spare.keep()
	s.store = openStore(cfg.Dir, cfg.Logger)
	if s.parts, err = assemble(s, loaded, cfg, deliveries, log); err != nil {
		return err
	}
	for i, base := range cfg.Forward {
		f, err := newForward(s.base, base, s.resolve, deliveries, cfg.Logger)
		if err != nil {
			cfg.Logger.Error("an Alertmanager server is left out; the other receivers are told", "server", i+1, "error", err)
			continue
		}
		f.to = loaded.forwardReceiver(i)
		f.local, f.hides = cfg.ExternalURL, cfg.Local
		f.start(s.running.Go)
		s.forwards = append(s.forwards, f)
	}
	s.parts.run()
	s.handler = newHandler(s.parts.api)
	return nil
}

// routine are messages of Alertmanager's that record says better.
var routine = map[string]bool{
	"Notify for alerts failed":                true,
	"Notify attempt failed, will retry later": true,
}

// Put takes alerts, firing or resolved. It waits for no receiver.
//
// A firing alert counts as resolved if it is not put again for the time that
// the file calls resolve_timeout, five minutes by default.
func (s *Server) Put(alerts ...alert.Alert) {
	if s == nil {
		return
	}
	s.parts.take(s, alerts)
	for _, a := range alerts {
		for _, f := range s.forwards {
			if f.to == "" || slices.Contains(s.ReceiversOf(a), f.to) {
				f.put(a)
			}
		}
	}
}

// Handler answers for Alertmanager's v2 API; it wants the whole path, from
// /api/v2/ on.
func (s *Server) Handler() http.Handler {
	if s == nil {
		return http.NotFoundHandler()
	}
	return s.handler
}

// ReceiversOf names the receivers to which the routes lead an alert.
func (s *Server) ReceiversOf(a alert.Alert) []string {
	if s == nil {
		return nil
	}
	return s.parts.receiversOf(labelSet(a.Labels))
}

// Stop ends every goroutine, lets a delivery that is under way end for a second at
// most, and keeps silences and the notification log. Alerts that wait for their group are not delivered: they
// are kept, and delivered after the next start if they still fire. An action
// that does not return is left behind, with an error that names it.
//
// It takes as long as ctx lets it, at most five seconds. Further calls return
// the same error.
func (s *Server) Stop(ctx context.Context) error {
	if s == nil {
		return nil
	}
	s.once.Do(func() { s.err = s.stop(ctx) })
	return s.err
}

func (s *Server) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopBudget)
	defer cancel()
	grace, cancelGrace := context.WithTimeout(ctx, stopGrace)
	defer cancelGrace()
	s.parts.stop(grace, s.cancel)
	var errs []error
	for _, a := range s.actions {
		errs = append(errs, a.close(ctx))
	}
	for _, f := range s.forwards {
		f.Stop()
	}
	s.running.Wait()
	s.spare.close()
	if s.store != nil {
		s.store.save()
	}
	return errors.Join(errs...)
}
