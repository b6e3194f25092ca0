package prom

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/strutil"

	"github.com/latido-dev/latido/embedded/alert"
)

const (
	// maxResend is the longest that a firing alert is not passed on again.
	maxResend = time.Minute
	// maxAlerts is how many firing alerts of one rule are passed on. More of
	// them say the same.
	maxAlerts = 100
)

// evaluator evaluates the rules, at the store's time. Prometheus' own manager
// would do so by the wall clock, and would forget the alerts of rules without
// `for` at every start.
type evaluator struct {
	cfg     Config
	store   *store
	faults  *faults
	keeper  *keeper
	groups  []*rules.Group
	options *rules.ManagerOptions
	state   *stateFile // nil for none
	resend  time.Duration
	last    map[*rules.Group]time.Time // evaluation; only the loop's

	mu   sync.Mutex
	sent map[string]map[uint64]bool // alerts that are passed on and not over, by rule
}

func newEvaluator(cfg Config, s *store) (*evaluator, error) {
	file, err := parseRules(cfg.Rules)
	if err != nil {
		return nil, err
	}
	e := &evaluator{cfg: cfg, store: s, faults: s.faults, last: map[*rules.Group]time.Time{}, sent: map[string]map[uint64]bool{}}
	// An engine of their own: rules do not wait for what people ask.
	engine := newEngine(cfg, 1)
	query := rules.EngineQueryFunc(engine, s)
	if cfg.breakQuery != nil {
		query = cfg.breakQuery(query)
	}
	e.keeper = &keeper{query: query, fresh: s.fresh, rules: map[string]*rules.AlertingRule{}}
	e.resend = min(maxResend, 4*cfg.EvaluationInterval)
	e.options = &rules.ManagerOptions{
		ExternalURL: parseExternalURL(cfg.ExternalURL),
		QueryFunc:   e.keeper.Query,
		NotifyFunc:  e.notify,
		Context:     context.Background(),
		Appendable:  s,
		Queryable:   s,
		ResendDelay: e.resend,
		Logger:      quiet(cfg.Logger),
		Metrics:     rules.NewGroupMetrics(nil),
	}
	if e.groups, err = loadGroups(file, cfg.EvaluationInterval, cfg.ExternalURL, e.options); err != nil {
		return nil, err
	}
	e.keeper.windows = windows(e.groups)
	if cfg.Metrics != nil {
		e.keeper.scraped = onScraped(e.groups)
	}
	for _, r := range e.AlertingRules() {
		e.keeper.rules[ruleKey(r.Name(), r.Labels())] = r
	}
	return e, nil
}

// RuleGroups implements the API's RulesRetriever.
func (e *evaluator) RuleGroups() []*rules.Group { return e.groups }

// AlertingRules implements the API's RulesRetriever.
func (e *evaluator) AlertingRules() []*rules.AlertingRule {
	var all []*rules.AlertingRule
	for _, g := range e.groups {
		for _, r := range g.Rules() {
			if r, ok := r.(*rules.AlertingRule); ok {
				all = append(all, r)
			}
		}
	}
	return all
}

// run evaluates until ctx is done. It begins with the first scrape, so that no
// rule finds a process without data.
func (e *evaluator) run(ctx context.Context) {
	if len(e.groups) == 0 && e.cfg.WrongRules == 0 {
		return
	}
	if e.cfg.Metrics != nil {
		patience := time.NewTimer(3 * e.cfg.ScrapeInterval)
		defer patience.Stop()
		select {
		case <-ctx.Done():
			return
		case <-e.store.fresh.first:
		case <-patience.C:
		}
	}
	e.faults.count(faultRule, e.cfg.WrongRules)
	for {
		next := e.evaluate(ctx)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// evaluate evaluates the groups that are due, and returns the time until the
// next one is.
func (e *evaluator) evaluate(ctx context.Context) time.Duration {
	next := time.Hour
	for _, g := range e.groups {
		now := e.store.clock.Now().Truncate(time.Millisecond)
		due := e.last[g].Add(g.Interval())
		if wait := due.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		// On a grid, unless an evaluation was missed: windows and `for` then hold
		// the same number of evaluations each time.
		if now.Sub(due) < g.Interval() {
			e.last[g] = due
		} else {
			e.last[g] = now
		}
		e.group(ctx, g, now)
		next = min(next, e.last[g].Add(g.Interval()).Sub(e.store.clock.Now()))
	}
	if e.state != nil && ctx.Err() == nil {
		if err := e.state.save(e); err != nil {
			e.faults.add(faultState, "the state of the alerts cannot be written", err)
		} else {
			e.faults.over(faultState, "the state of the alerts cannot be written")
		}
	}
	return max(next, time.Millisecond)
}

// group evaluates one group, and looks after its rules that failed.
func (e *evaluator) group(ctx context.Context, g *rules.Group, now time.Time) {
	defer func() {
		if p := recover(); p != nil { // a template function, an operator: not the service's end
			e.faults.add(faultRule, "the evaluation of "+g.Name()+" panicked", fmt.Errorf("%v", p))
		}
	}()
	rules.DefaultEvalIterationFunc(ctx, g, now)
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
		case errors.Is(err, errNoData), refusedSample(err):
		default:
			e.faults.add(faultRule, failed, err)
		}
		if a, ok := r.(*rules.AlertingRule); ok {
			e.sendAgain(ctx, a, now)
		}
	}
}

// refusedSample tells whether only a result was not stored.
func refusedSample(err error) bool {
	return errors.Is(err, storage.ErrOutOfOrderSample) || errors.Is(err, storage.ErrDuplicateSampleForTimestamp) || errors.Is(err, storage.ErrTooOldSample)
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

// notify implements rules.NotifyFunc.
func (e *evaluator) notify(_ context.Context, expr string, alerts ...*rules.Alert) {
	if len(alerts) == 0 {
		return
	}
	// The worst first: they are the ones that are passed on.
	slices.SortStableFunc(alerts, func(a, b *rules.Alert) int {
		switch {
		case a.Value > b.Value:
			return -1
		case a.Value < b.Value:
			return 1
		}
		return labels.Compare(a.Labels, b.Labels)
	})
	out := make([]alert.Alert, 0, min(len(alerts), maxAlerts))
	dropped := 0
	e.mu.Lock()
	for _, a := range alerts {
		if !e.admit(a) {
			dropped++
			continue
		}
		out = append(out, e.convert(expr, a))
	}
	e.mu.Unlock()
	if dropped > 0 {
		e.faults.add(faultStorm, fmt.Sprintf("%s has more than %d alerts; the worst are passed on", alerts[0].Labels.Get(labels.AlertName), maxAlerts), nil)
	}
	if len(out) > 0 {
		e.cfg.Notify(out)
	}
}

// admit tells whether an alert is passed on. One that was, goes on to be until
// it is over. The caller holds the lock.
func (e *evaluator) admit(a *rules.Alert) bool {
	rule, id := a.Labels.Get(labels.AlertName), a.Labels.Hash()
	sent := e.sent[rule]
	if sent == nil {
		sent = map[uint64]bool{}
		e.sent[rule] = sent
	}
	if firing, known := sent[id]; known {
		over := !a.ResolvedAt.IsZero()
		if over && firing {
			sent[id] = false // it is sent some more times, but leaves its place
		} else if !over {
			sent[id] = true
		}
		return true
	}
	if !a.ResolvedAt.IsZero() { // nobody heard that it fired
		return false
	}
	firing := 0
	for id, f := range sent {
		if f {
			firing++
		} else if len(sent) > 10*maxAlerts {
			delete(sent, id)
		}
	}
	if firing >= maxAlerts {
		return false
	}
	sent[id] = true
	return true
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
