package am

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	amalert "github.com/prometheus/alertmanager/alert"
	apiv2 "github.com/prometheus/alertmanager/api/v2"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/embedded/alert"
)

// Alertmanager's own defaults, as its command has them, except for the time that
// alerts are kept once they are resolved: they count towards the bound.
const (
	retention           = 120 * time.Hour
	maintenanceInterval = 15 * time.Minute
	// saveInterval is how soon what has changed is on disk: a message that was
	// delivered just before a kill comes twice.
	saveInterval        = 200 * time.Millisecond
	gcInterval          = 10 * time.Minute
	dispatchMaintenance = 30 * time.Second
)

// noNameLimit: Alertmanager's own bound on the alerts of a name makes room for
// all of them at the first, 60 KiB for a bound of 1,000. See watch.
const noNameLimit = 0

const (
	maxGroups       = 2000
	maxSilences     = 1000
	maxSilenceBytes = 16 << 10
)

// parts are Alertmanager's parts, put together. This file is the only one that
// knows its wide constructors.
type parts struct {
	api        *apiv2.API
	alerts     *mem.Alerts
	silences   *silence.Silences
	nflog      *nflog.Log
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
	routes     *dispatch.Route
	store      *store
	log        *slog.Logger

	started     bool
	maintenance chan struct{}  // closed to end it
	running     sync.WaitGroup // what run started
	flushes     gate           // groups that are delivering
}

// assemble puts Alertmanager together for s, as its command does; run starts it.
func assemble(s *Server, l *loaded, cfg Config, deliveries deliveries, log *slog.Logger) (*parts, error) {
	var (
		registry = prometheus.NewRegistry() // its figures are not ours to publish
		flags    = featurecontrol.NoopFlags{}
		events   = eventrecorder.NopRecorder()
		groups   = marker.NewGroupMarker()
		metrics  = notify.NewMetrics(registry, flags)
		p        = &parts{maintenance: make(chan struct{}), routes: dispatch.NewRoute(l.conf.Route, nil)}
		err      error
	)
	p.nflog, err = restore(s.store, "nflog", func(r io.Reader) (*nflog.Log, error) {
		return nflog.New(nflog.Options{SnapshotReader: r, Retention: retention, Logger: log, Metrics: prometheus.NewRegistry()})
	})
	if err != nil {
		return p, fmt.Errorf("notification log: %w", err)
	}
	p.silences, err = restore(s.store, "silences", func(r io.Reader) (*silence.Silences, error) {
		return silence.New(silence.Options{
			SnapshotReader: r, Retention: retention, Logger: log, Metrics: prometheus.NewRegistry(), EventRecorder: events,
			Limits: silence.Limits{MaxSilences: func() int { return maxSilences }, MaxSilenceSizeBytes: func() int { return maxSilenceBytes }},
		})
	})
	if err != nil {
		return p, fmt.Errorf("silences: %w", err)
	}
	silencer := silence.NewSilencer(p.silences, log, events)
	p.alerts, err = mem.NewAlerts(context.Background(), gcInterval, noNameLimit,
		&watch{silencer, s.known, s.store.changed, deliveries}, log, events, registry, flags)
	if err != nil {
		return p, fmt.Errorf("alerts: %w", err)
	}
	p.log, p.store = log, s.store
	s.store.files = []kept{{name: "nflog", save: p.nflog.Snapshot}, {name: "silences", save: p.silences.Snapshot}, {name: "alerts.json", save: s.saveAlerts}}
	p.nflog.SetBroadcast(func([]byte) { s.store.changed() })
	p.silences.SetBroadcast(func([]byte) { s.store.changed() })

	receivers, err := integrations(s, l, cfg, deliveries, log)
	if err != nil {
		return p, err
	}
	p.inhibitor = inhibit.NewInhibitor(p.alerts, l.conf.InhibitRules, log, events)
	intervals := timeinterval.NewIntervener(timeIntervals(l.conf))
	stages := notify.RoutingStage{}
	for name, integrations := range receivers {
		var fanout notify.FanoutStage
		for _, integration := range integrations {
			recv := &nflogpb.Receiver{GroupName: name, Integration: integration.Name(), Idx: uint32(integration.Index())}
			fanout = append(fanout, &delivery{
				dedup: notify.NewDedupStage(integration, p.nflog, recv),
				retry: notify.NewRetryStage(*integration, name, metrics, events),
				set:   notify.NewSetNotifiesStage(p.nflog, recv),
				log:   p.nflog, recv: recv, missed: newMissed(), newest: p.newest,
			})
		}
		stages[name] = notify.MultiStage{
			notify.NewMuteStage(p.inhibitor, metrics),
			notify.NewTimeActiveStage(intervals, groups, metrics),
			notify.NewTimeMuteStage(intervals, groups, metrics),
			notify.NewMuteStage(silencer, metrics),
			fanout,
		}
	}
	p.dispatcher = dispatch.NewDispatcher(p.alerts, p.routes, p.counted(stages), groups, flushTimeout,
		dispatchMaintenance, groupLimit{}, log, events, dispatch.NewDispatcherMetrics(false, registry, flags), l.tmpl)
	p.api, err = apiv2.NewAPI(p.alerts, p.dispatcher.Groups, groups.Muted, p.silences, nil, log, registry)
	if err != nil {
		return p, fmt.Errorf("API: %w", err)
	}
	p.api.Update(l.shown, func(ctx context.Context, labels model.LabelSet) {
		p.inhibitor.Mutes(ctx, labels)
		silencer.Mutes(ctx, labels)
	})
	return p, s.store.load("alerts.json", func(r io.Reader) error { return s.loadAlerts(p, r) })
}

// integrations builds the receivers that the routes lead to: Alertmanager's
// own, except for mail and the two kinds that it lacks.
func integrations(s *Server, l *loaded, cfg Config, d deliveries, log *slog.Logger) (map[string][]*notify.Integration, error) {
	used := map[string]bool{}
	dispatch.NewRoute(l.conf.Route, nil).Walk(func(r *dispatch.Route) { used[r.RouteOpts.Receiver] = true })
	all := map[string][]*notify.Integration{}
	var broken []config.Receiver
	for _, r := range l.conf.Receivers {
		if !used[r.Name] {
			continue
		}
		err := l.broken[r.Name]
		var built []notify.Integration
		if err == nil {
			err = recovered(func() (err error) { built, err = integrationsOf(s, l, cfg, r, log); return err })
		}
		if err != nil {
			text := l.secrets.text(err.Error())
			cfg.Logger.Error("a receiver is wrong and hears of no alert; the others do: mend it, latido check says where", "receiver", r.Name, "error", text)
			built = []notify.Integration{notify.NewIntegration(unbuilt{text}, always{}, "broken", 0, r.Name)}
			broken = append(broken, r)
		}
		all[r.Name] = []*notify.Integration{} // that of a receiver that tells nobody
		for _, one := range built {
			all[r.Name] = append(all[r.Name], s.guarded(one, r.Name, d, l, cfg))
		}
	}
	if working := len(s.receivers) - len(broken); working == 0 && len(cfg.Forward) == 0 {
		for _, r := range broken {
			to := notify.NewIntegration(&logged{log: cfg.Logger, known: s.known}, always{}, "log", 1, r.Name)
			all[r.Name] = append(all[r.Name], s.guarded(to, r.Name, d, l, cfg))
		}
	}
	return all, nil
}

// guarded has a guard before an integration.
func (s *Server) guarded(one notify.Integration, receiver string, d deliveries, l *loaded, cfg Config) *notify.Integration {
	if kind := one.Name(); cfg.Local && kind != "log" && kind != "action" {
		linked := one
		one = notify.NewIntegration(unlinked{&linked, cfg.ExternalURL}, &linked, kind, linked.Index(), receiver)
	}
	g := newGuard(s.base, &one, &s.spare, &record{receiver: receiver, kind: one.Name(), deliveries: d, secrets: l.secrets, log: cfg.Logger})
	s.receivers = append(s.receivers, g)
	guarded := notify.NewIntegration(g, &one, one.Name(), one.Index(), receiver)
	return &guarded
}

// integrationsOf builds what one receiver has.
func integrationsOf(s *Server, l *loaded, cfg Config, r config.Receiver, log *slog.Logger) ([]notify.Integration, error) {
	var own []notify.Integration
	add := func(n notify.Notifier, rs notify.ResolvedSender, kind string, i int) {
		own = append(own, notify.NewIntegration(n, rs, kind, i, r.Name))
	}
	for i, c := range r.WebhookConfigs {
		add(&webhooks{conf: c, tmpl: l.tmpl, log: log}, c, "webhook", i)
	}
	for i, c := range r.EmailConfigs {
		e, err := newEmail(c, l.tmpl, log)
		if err != nil {
			return nil, err
		}
		add(e, c, "email", i)
	}
	if isLog(r.Name) {
		add(&logged{log: cfg.Logger, known: s.known}, always{}, "log", 0)
	}
	if name, do := actionOf(r.Name, cfg.Actions); name != "" {
		if do == nil {
			return nil, fmt.Errorf("there is no function %q: give it in Config.Actions", name)
		}
		function := newAction(s.base, name, do, s.known)
		s.actions = append(s.actions, function)
		add(function, always{}, "action", 0)
	}
	r.WebhookConfigs, r.EmailConfigs = nil, nil
	theirs, err := receiver.BuildReceiverIntegrations(r, l.tmpl, log, httpOptions()...)
	return append(own, theirs...), err
}

func timeIntervals(c *config.Config) map[string][]timeinterval.TimeInterval {
	all := map[string][]timeinterval.TimeInterval{}
	for _, i := range c.MuteTimeIntervals {
		all[i.Name] = i.TimeIntervals
	}
	for _, i := range c.TimeIntervals {
		all[i.Name] = i.TimeIntervals
	}
	return all
}

// flushTimeout is how long a group may try to deliver.
func flushTimeout(groupInterval time.Duration) time.Duration {
	return max(groupInterval, notify.MinTimeout)
}

type groupLimit struct{}

// MaxNumberOfAggregationGroups implements dispatch.Limits.
func (groupLimit) MaxNumberOfAggregationGroups() int { return maxGroups }

// counted lets stop wait for the groups that are delivering: the dispatcher
// cancels them, and does not wait.
func (p *parts) counted(stage notify.Stage) notify.Stage {
	return notify.StageFunc(func(ctx context.Context, log *slog.Logger, alerts ...*amalert.Alert) (context.Context, []*amalert.Alert, error) {
		if !p.flushes.enter() {
			return ctx, nil, errStopped
		}
		defer p.flushes.leave()
		return stage.Exec(ctx, log, alerts...)
	})
}

func (p *parts) run() {
	p.started = true
	p.running.Go(func() {
		p.nflog.Maintenance(saveInterval, "", p.maintenance, func() (int64, error) {
			p.store.save()
			return 0, nil
		})
	})
	p.running.Go(func() {
		p.silences.Maintenance(maintenanceInterval, "", p.maintenance, func() (int64, error) {
			_, log := p.nflog.GC()
			_, silences := p.silences.GC()
			return 0, errors.Join(log, silences)
		})
	})
	// The inhibitor has to know the alerts before the dispatcher tells of one
	// that it would inhibit.
	p.running.Go(p.inhibitor.Run)
	p.inhibitor.WaitForLoading()
	p.running.Go(func() { p.dispatcher.Run(time.Now()) })
	p.dispatcher.WaitForLoading()
}

// stop ends all of it. Attempts under way may end well until ctx is done: their
// receivers have the message, and would get it again after a start. Then abort,
// which ends them.
func (p *parts) stop(ctx context.Context, abort func()) {
	if p == nil {
		abort()
		return
	}
	if p.started {
		p.inhibitor.Stop()
		p.dispatcher.Stop()
		p.flushes.close(ctx, abort)
		close(p.maintenance)
		p.running.Wait()
	}
	abort()
	if p.alerts != nil {
		p.alerts.Close()
	}
}

// take puts alerts into Alertmanager's store.
func (p *parts) take(s *Server, alerts []alert.Alert) {
	now := time.Now()
	taken := make([]*amalert.Alert, 0, len(alerts))
	for _, a := range alerts {
		converted, err := convert(a, now, s.resolve)
		if err != nil {
			p.log.Warn("an alert was refused", "error", err)
			continue
		}
		s.known.learn(converted.Fingerprint(), a)
		taken = append(taken, converted)
	}
	if err := p.alerts.Put(context.Background(), taken...); err != nil {
		p.log.Warn("alerts were refused", "error", err)
	}
}

func (p *parts) receiversOf(labels model.LabelSet) []string {
	var names []string
	for _, route := range p.routes.Match(labels) {
		names = append(names, route.RouteOpts.Receiver)
	}
	return names
}

// always says that resolved alerts are told too.
type always struct{}

// SendResolved implements notify.ResolvedSender.
func (always) SendResolved() bool { return true }
