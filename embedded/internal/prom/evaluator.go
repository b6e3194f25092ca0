package prom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	promvalue "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/latido-dev/latido/embedded/alert"
)

const (
	// maxResend is the longest that a firing alert is not passed on again.
	maxResend = time.Minute
	// maxAlerts is how many firing alerts of one rule are passed on at once. More
	// of them say the same.
	maxAlerts = 100
	// maxOutage is how long a process may be gone for its alerts to go on, as a
	// server's --rules.alert.for-outage-tolerance.
	maxOutage = time.Hour
)

// evaluator is Prometheus' manager of rules, and what it does not do: it lets no
// alert begin or end for lack of data, has alerts go on that fired when the
// process ended, and survives a rule that panics.
type evaluator struct {
	*rules.Manager
	cfg    Config
	store  *store
	faults *faults
	resend time.Duration
	query  rules.QueryFunc
	rules  map[string]watched // by ruleKey
	ctx    context.Context    // done when the rules end
	cancel context.CancelFunc
}

func newEvaluator(cfg Config, file *rulefmt.RuleGroups, s *store) (*evaluator, error) {
	e := &evaluator{cfg: cfg, store: s, faults: s.faults, resend: min(maxResend, 4*cfg.EvaluationInterval)}
	// An engine of their own: rules do not wait for what people ask.
	e.query = rules.EngineQueryFunc(newEngine(cfg, 1), s)
	if cfg.breakQuery != nil {
		e.query = cfg.breakQuery(e.query)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.Manager = newManager(file, cfg, s, rules.ManagerOptions{
		Context: e.ctx, QueryFunc: e.queryWithData, NotifyFunc: e.notify, ResendDelay: e.resend, OutageTolerance: maxOutage,
	})
	err := e.Update(cfg.EvaluationInterval, []string{rulesName}, labels.EmptyLabels(), cfg.ExternalURL, e.iterate)
	e.rules = watch(e.RuleGroups())
	return e, err
}

// run evaluates until stop is called. It begins with the first scrape, so that no
// rule finds a process without data.
func (e *evaluator) run() {
	if e.cfg.Metrics != nil {
		patience := time.NewTimer(3 * e.cfg.ScrapeInterval)
		defer patience.Stop()
		select {
		case <-e.ctx.Done():
		case <-e.store.fresh.first:
		case <-patience.C:
		}
	}
	e.faults.count(faultRule, e.cfg.WrongRules)
	e.Run()
}

// stop ends the evaluations. run has been called, or is.
func (e *evaluator) stop() {
	e.cancel()
	e.Stop()
}

// iterate implements rules.GroupEvalIterationFunc.
func (e *evaluator) iterate(ctx context.Context, g *rules.Group, at time.Time) {
	if err := recovered(func() error {
		var err error
		if g.GetLastEvalTimestamp().IsZero() {
			err = e.restore(ctx, g, at)
		}
		rules.DefaultEvalIterationFunc(ctx, g, at)
		return err
	}); err != nil { // a template function, an operator: not the service's end
		e.faults.add(faultRule, "the evaluation of "+g.Name()+" failed", err)
	}
	if ctx.Err() != nil {
		return
	}
	for _, r := range g.Rules() {
		failed := r.Name() + " cannot be evaluated"
		err := r.LastError()
		switch {
		case err == nil || r.Health() != rules.HealthBad:
			e.faults.over(faultRule, failed)
			continue
		case errors.Is(err, errNoData), refusedSample(err), isDiskError(err): // it is said elsewhere
		default:
			e.faults.add(faultRule, failed, err)
		}
		if a, ok := r.(*rules.AlertingRule); ok {
			e.sendAgain(ctx, a, at)
		}
	}
}

// refusedSample tells whether only a result was not stored.
func refusedSample(err error) bool {
	for _, refused := range []error{storage.ErrOutOfOrderSample, storage.ErrDuplicateSampleForTimestamp, storage.ErrTooOldSample, storage.ErrOutOfBounds, errSeriesLimit} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// restore has the alerts of a group go on that were there when the process ended.
// Prometheus itself restores since when a condition holds, two evaluations later;
// by then an alert that fired would have begun anew. A rule takes alerts from a
// result only, so it is evaluated once more at the time of its last evaluation.
func (e *evaluator) restore(ctx context.Context, g *rules.Group, at time.Time) error {
	all := g.AlertingRules()
	were, last := make([]map[string]promql.Sample, len(all)), make([]time.Time, len(all))
	q, err := e.store.Querier(at.Add(-maxOutage).UnixMilli(), at.UnixMilli())
	if err != nil {
		return err
	}
	for i, r := range all {
		were[i], last[i], err = lastAlerts(ctx, r, q)
		if err != nil {
			return errors.Join(err, q.Close())
		}
	}
	if err := q.Close(); err != nil { // before other queries: the store may wait for it to let them in
		return err
	}
	for i, r := range all {
		r.SetRestored(true)
		if len(were[i]) > 0 {
			if err := e.restoreRule(ctx, r, were[i], last[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *evaluator) restoreRule(ctx context.Context, r *rules.AlertingRule, were map[string]promql.Sample, last time.Time) error {
	var kept promql.Vector // what fires on although no result has it
	query := func(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
		result, err := e.query(ctx, expr, ts)
		if expr == r.Query().String() {
			result = append(result, kept...)
		}
		return result, err
	}
	eval := func() error {
		_, err := r.Eval(ctx, 0, last, query, externalURL(e.cfg), 0)
		return err
	}
	if err := eval(); err != nil {
		return err
	}
	missing := maps.Clone(were)
	r.ForEachActiveAlert(func(a *rules.Alert) { delete(missing, a.Labels.String()) })
	for _, a := range missing {
		kept = append(kept, promql.Sample{Metric: a.Metric})
	}
	if len(kept) > 0 {
		if err := eval(); err != nil {
			return err
		}
	}
	over := e.overSince(ctx, r, missing, last)
	r.ForEachActiveAlert(func(a *rules.Alert) {
		was, ok := were[a.Labels.String()]
		if !ok {
			return
		}
		a.ActiveAt, a.State = time.UnixMilli(was.T), rules.StatePending
		if fired := a.ActiveAt.Add(r.HoldDuration()); !fired.After(last) {
			a.State, a.FiredAt = rules.StateFiring, fired
			a.KeepFiringSince = over[a.Labels.String()]
		}
	})
	return nil
}

// keepSteps is how finely it is found out since when an alert fires on although
// its condition is over: to a twentieth of keep_firing_for.
const keepSteps = 20

// overSince is since when the conditions of alerts are over that fire on, by
// their labels. No series has it, so the rule is asked again at earlier times, as far
// back as the alert began: a condition may have held for less than a step. With the
// time of the start instead, such an alert would fire for ever in a process that
// starts often enough. It is zero where the rule cannot be asked.
func (e *evaluator) overSince(ctx context.Context, r *rules.AlertingRule, alerts map[string]promql.Sample, last time.Time) map[string]time.Time {
	since, keep := map[string]time.Time{}, r.KeepFiringFor()
	step := max(keep/keepSteps, e.cfg.EvaluationInterval)
	for at := last.Add(-step); len(since) < len(alerts) && keep > 0; at = at.Add(-step) {
		held, err := e.query(ctx, r.Query().String(), at)
		if err != nil {
			break
		}
		over := map[string]bool{}
		for _, a := range missing(r, held) {
			over[a.Labels.String()] = true
		}
		for key, a := range alerts {
			if _, known := since[key]; !known && (!over[key] || at.UnixMilli() < a.T || last.Sub(at) >= keep) {
				since[key] = at.Add(step)
			}
		}
	}
	return since
}

// lastAlerts are the alerts of a rule that were there at its last evaluation, by
// their labels, and the time of that. The time of an alert is since when its
// condition held.
func lastAlerts(ctx context.Context, r *rules.AlertingRule, q storage.Querier) (all map[string]promql.Sample, last time.Time, err error) {
	found, err := r.QueryForStateSeries(ctx, q)
	if err != nil {
		return nil, last, err
	}
	all = map[string]promql.Sample{}
	for found.Next() {
		series := found.At()
		t, active := lastOf(series.Iterator(nil))
		if promvalue.IsStaleNaN(active) {
			continue // it was over
		}
		l := series.Labels().DropReserved(func(name string) bool { return name == model.MetricNameLabel })
		all[l.String()] = promql.Sample{Metric: l, T: int64(active) * 1000}
		if t := time.UnixMilli(t); t.After(last) {
			last = t
		}
	}
	return all, last, found.Err()
}

// sendAgain passes on the firing alerts of a rule that failed. Prometheus leaves
// them as they are, and sends nothing, until an Alertmanager takes them for over.
func (e *evaluator) sendAgain(ctx context.Context, r *rules.AlertingRule, now time.Time) {
	var due []*rules.Alert
	r.ForEachActiveAlert(func(a *rules.Alert) {
		if a.State == rules.StateFiring && !a.LastSentAt.Add(e.resend).After(now) {
			a.LastSentAt = now
			again := *a
			due = append(due, &again)
		}
	})
	e.notify(ctx, r.Query().String(), due...)
}

// notify implements rules.NotifyFunc. Of too many alerts the worst are passed on.
func (e *evaluator) notify(_ context.Context, expr string, alerts ...*rules.Alert) {
	if len(alerts) == 0 {
		return
	}
	slices.SortStableFunc(alerts, func(a, b *rules.Alert) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), labels.Compare(a.Labels, b.Labels))
	})
	out := make([]alert.Alert, 0, min(len(alerts), maxAlerts))
	firing := 0
	for _, a := range alerts {
		if a.ResolvedAt.IsZero() {
			if firing++; firing > maxAlerts {
				continue
			}
		}
		out = append(out, e.convert(expr, a))
	}
	if firing > maxAlerts {
		e.faults.add(faultStorm, fmt.Sprintf("%s has more than %d alerts; the worst are passed on", alerts[0].Labels.Get(labels.AlertName), maxAlerts), nil)
	}
	e.cfg.Notify(out)
}

// convert says in our words what Prometheus says in its.
func (e *evaluator) convert(expr string, a *rules.Alert) alert.Alert {
	return alert.Alert{
		Labels:       a.Labels.Map(),
		Annotations:  maps.Clone(a.Annotations.Map()),
		Value:        a.Value,
		ActiveAt:     a.ActiveAt,
		StartsAt:     a.FiredAt,
		EndsAt:       a.ResolvedAt,
		GeneratorURL: strings.TrimSuffix(e.cfg.ExternalURL, "/") + strutil.TableLinkForExpression(expr),
	}
}
