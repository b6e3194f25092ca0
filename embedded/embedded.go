package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/embedded/internal/am"
	"github.com/latido-dev/latido/embedded/internal/prom"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/drills"
	"github.com/latido-dev/latido/internal/du"
	"github.com/latido-dev/latido/internal/evidence"
	"github.com/latido-dev/latido/telemetry"
)

// stopBudget is the longest that Stop takes when its context has more.
const stopBudget = 5 * time.Second

// Embedded is a Prometheus and an Alertmanager in the process. Its methods are
// safe for concurrent use; on a nil Embedded, and on one that Start returned
// with an error, they do nothing.
type Embedded struct {
	cfg   Config
	tel   *telemetry.Telemetry
	log   *slog.Logger
	rules []alerting.Rule
	local bool // only this machine reaches the links

	folder   *folder // nil for memory
	alerts   *am.Server
	evidence *evidence.Recorder
	pipeline *evidence.Pipeline
	store    atomic.Pointer[prom.Server]

	drills   *drills.Server  // nil without receivers
	stopping context.Context // done when Stop begins
	stop     context.CancelFunc
	stopOnce sync.Once
	stopErr  error
	stopped  chan struct{}
}

// Start starts the store, the rules and the receivers for the service that tel
// is the telemetry of. ctx bounds the start; the network is never waited for.
//
// It returns an error for a Config that is wrong, a file that cannot be read
// included. A rule or a receiver that is wrong costs itself, and no other: it is
// logged with its name and the reason, and counted, the rule in
// telemetry.store.faults, the receiver with each delivery that fails in
// telemetry.alert.deliveries. What the environment lacks, a folder, space, a
// server, is logged and costs that function only. Start does not panic.
//
// The Embedded is never nil. For a tel that records nothing, Start starts
// nothing and returns no error. Call Stop before tel.Shutdown.
func Start(ctx context.Context, tel *telemetry.Telemetry, cfg Config) (*Embedded, error) {
	cfg, err := cfg.withDefaults(tel.Logger())
	if err != nil {
		return &Embedded{}, fmt.Errorf("embedded: %w", err)
	}
	if tel == nil || tel.Domain().Prefix == "" {
		return &Embedded{}, nil
	}
	e := &Embedded{cfg: cfg, tel: tel, log: tel.Logger(), stopped: make(chan struct{})}
	e.stopping, e.stop = context.WithCancel(context.Background())
	if err := recovered(func() error { return e.start(ctx) }); err != nil {
		return &Embedded{}, errors.Join(fmt.Errorf("embedded: %w", err), e.Stop(context.WithoutCancel(ctx)))
	}
	return e, nil
}

// start brings up one part after the other, those first that others hand
// something to.
func (e *Embedded) start(ctx context.Context) (err error) {
	d := e.tel.Domain()
	if d.Links.ExternalURL = cmp.Or(e.cfg.ExternalURL, d.Links.ExternalURL); d.Links.ExternalURL == "" {
		d.Links.ExternalURL = e.tel.Admin().URL()
		e.local = loopback(d.Links.ExternalURL)
	}
	d.Links.Prometheus = d.Links.ExternalURL // the process answers as Prometheus does
	o := alerting.Options{Fast: e.cfg.Fast, RunbookURL: cmp.Or(e.cfg.RunbookURL, d.Links.Runbook), Retention: e.cfg.Retention}
	set, err := newRuleSet(d, e.cfg, o)
	if err != nil {
		return err
	}
	d, e.rules = set.domain, set.rules
	if e.cfg.EvidenceOnly {
		set.file, set.leftOut, set.notKept = nil, nil, nil
	}
	for _, l := range set.leftOut {
		e.log.Error("a rule is wrong and is left out; the others are evaluated: mend it, latido check says where", "rule", l.name, "error", l.err)
	}
	for _, name := range set.notKept {
		e.log.Info("an objective is evaluated without its windows that are longer than samples are kept, and without what is left of its budget: set Config.Retention, or evaluate it on a server", "objective", name, "kept", e.cfg.Retention)
	}
	if !e.cfg.Memory {
		if e.folder, err = openFolder(e.cfg.Dir, d.Service()); err != nil {
			e.log.Warn("samples, silences and incidents are kept in memory, and end with the process", "error", err)
		}
		mounts, _ := os.ReadFile("/proc/self/mountinfo") // none outside Linux
		if where := fleeting(string(mounts), e.folder.sub("")); e.folder != nil && where != "" {
			e.log.Warn("samples, silences and incidents end with the container: mount a volume there, or set Config.Dir to a folder on one", "folder", e.folder.sub(""), "in", where)
		}
	}
	if !e.cfg.EvidenceOnly {
		if e.alerts, err = e.startReceivers(ctx, d, o); err != nil {
			return err
		}
	}
	if e.evidence, err = e.startEvidence(ctx, d); err != nil {
		return err
	}
	e.pipeline = evidence.NewPipeline(e.evidence.Enrich, e.alerts.Put, evidence.DefaultTimeout)
	store, err := prom.Start(ctx, prom.Config{
		Dir: e.folder.sub("metrics"), Retention: e.cfg.Retention, MaxBytes: e.cfg.MaxBytes, MaxSeries: e.cfg.MaxSeries,
		ScrapeInterval: e.cfg.ScrapeInterval, EvaluationInterval: e.cfg.EvaluationInterval,
		Job: d.Service(), Instance: e.instance(), Metrics: e.tel.Admin().Handler(), Rules: set.file, WrongRules: len(set.leftOut), ExternalURL: d.Links.ExternalURL,
		Notify: e.pipeline.Notify, Meter: e.tel.MeterProvider().Meter(scope), Logger: e.log,
	})
	if err != nil {
		return err
	}
	e.store.Store(store)
	e.serve()
	return nil
}

// scope is the instrumentation scope of what the parts say of themselves.
const scope = "github.com/latido-dev/latido/embedded"

// loopback tells whether at most this machine reaches an address, that of a
// listener which is not there included.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback()
}

// instance is the label that a Prometheus server would give the process: the
// address that it scrapes.
func (e *Embedded) instance() string {
	if u, err := url.Parse(e.tel.Admin().URL()); err == nil && u.Host != "" {
		return u.Host
	}
	host, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return host
}

// startReceivers starts the Alertmanager, on the file of cfg or else the
// domain's. A domain that tells nobody has its alerts in the log.
func (e *Embedded) startReceivers(ctx context.Context, d domain.Domain, o alerting.Options) (*am.Server, error) {
	if len(d.Notify) == 0 {
		d.Notify = []domain.Receiver{{Log: &domain.LogReceiver{}}}
	}
	cfg := am.Config{
		Dir: e.folder.sub("alerts"), Secrets: map[string]string{}, Actions: map[string]am.Action{},
		ExternalURL: d.Links.ExternalURL, Local: e.local, Meter: e.tel.MeterProvider().Meter(scope), Logger: e.log,
	}
	var err error
	if e.cfg.AlertmanagerFile != "" {
		cfg.File, err = os.ReadFile(e.cfg.AlertmanagerFile)
	} else {
		cfg.File, err = alerting.AlertmanagerFile(d, o)
		cfg.Templates = alerting.Templates(d, o)
	}
	if err != nil {
		return nil, fmt.Errorf("receivers: %w", err)
	}
	for _, s := range alerting.Secrets(d) {
		if s.Env == "" {
			if text, err := os.ReadFile(s.File); err != nil || len(bytes.TrimSpace(text)) == 0 {
				e.log.Warn("a receiver lacks its secret, and cannot be told of alerts: write the file", "file", s.File, "error", err)
			}
			continue
		}
		if cfg.Secrets[s.File] = os.Getenv(s.Env); cfg.Secrets[s.File] == "" {
			e.log.Warn("a receiver lacks its secret, and cannot be told of alerts: set the variable", "variable", s.Env)
		}
	}
	for name, action := range e.cfg.Actions {
		cfg.Actions[name] = am.Action(action)
	}
	for _, r := range alerting.Receivers(d) {
		if server := r.Receiver.Alertmanager; server != nil {
			cfg.Forward = append(cfg.Forward, server.URL)
		}
	}
	return am.Start(ctx, cfg)
}

// startEvidence starts what explains alerts. It asks the store, which is there
// a moment later.
func (e *Embedded) startEvidence(ctx context.Context, d domain.Domain) (*evidence.Recorder, error) {
	version, revision := e.tel.Version()
	releaseAfter := time.Duration(0)
	if e.cfg.Fast {
		releaseAfter = 10 * time.Second
	}
	return evidence.Start(ctx, evidence.Config{
		Domain: d, Rules: e.rules, Profiler: e.tel.Profiler(), Version: version, Revision: revision,
		Series: e.series, Query: e.query, Exemplars: e.exemplars,
		Grown: func(ctx context.Context, since time.Time, share float64) cause.Folder {
			return du.Grown(ctx, e.tel.DiskPath(), since, share)
		},
		Dir: e.folder.sub("incidents"), MaxIncidents: e.cfg.MaxIncidents, MaxBytes: e.cfg.MaxIncidentBytes,
		URL: func() string { return d.Links.ExternalURL }, ReleaseAfter: releaseAfter,
		Meter: e.tel.MeterProvider().Meter(scope), Logger: e.log,
	})
}

// serve puts the pages on the admin listener. They answer 503 once Stop began.
func (e *Embedded) serve() {
	page := func(pattern, description string, h http.Handler) {
		e.tel.Admin().Handle(pattern, description, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if e.stopping.Err() != nil {
				http.Error(w, "the service is stopping", http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		}))
	}
	page("/api/v1/", "", e.store.Load().Handler())
	incidents := e.evidence.Handler()
	page("GET /incidents/", "", incidents)
	page("/api/incidents", "", incidents)
	page("/api/incidents/", "", incidents)
	page("GET /api/findings", "", incidents)
	page("POST /api/evidence", "", incidents)
	if e.alerts != nil {
		page("/api/v2/", "", e.alerts.Handler())
		e.drills = drills.New(e.rules, e.cfg.drillTime, e.drill, e.resolveDrill)
		page("POST "+drills.Path, "", e.drills)
	}
}

// Stop ends the rules, hands on what is under way, and stops every goroutine,
// within ctx and at most five seconds. What is pending or firing goes on at the
// next start. Further calls return the same result.
func (e *Embedded) Stop(ctx context.Context) error {
	if e == nil || e.stopped == nil {
		return nil
	}
	e.stopOnce.Do(func() {
		defer close(e.stopped)
		ctx, cancel := context.WithTimeout(ctx, stopBudget)
		defer cancel()
		e.stop()
		var errs []error
		if store := e.store.Load(); store != nil {
			errs = append(errs, store.Stop(ctx))
		}
		e.drills.Stop()
		if e.pipeline != nil {
			e.pipeline.Close(ctx)
		}
		errs = append(errs, e.evidence.Stop(ctx), e.alerts.Stop(ctx), e.folder.close())
		e.stopErr = errors.Join(errs...)
	})
	<-e.stopped
	return e.stopErr
}
