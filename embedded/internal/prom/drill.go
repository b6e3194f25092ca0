package prom

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/embedded/alert"
)

// maxDrillSteps bounds how long a drill takes.
const maxDrillSteps = 5000

// Drill evaluates one rule on the series of a drill, and the rules of all that
// record what it reads, as the rules of the server are evaluated, but in a store
// of its own. It returns the alerts that fire at the end; none is not an error.
// Nobody is notified. It is safe for concurrent use.
func (s *Server) Drill(ctx context.Context, all []alerting.Rule, rule alerting.Rule, drill alerting.Drill) ([]alert.Alert, error) {
	fired, err := s.drill(ctx, all, rule, drill)
	if err != nil {
		return nil, fmt.Errorf("drill of %s: %w", rule.Alert, err)
	}
	return fired, nil
}

func (s *Server) drill(ctx context.Context, all []alerting.Rule, rule alerting.Rule, drill alerting.Drill) ([]alert.Alert, error) {
	step, after := drill.Interval, drill.After
	if step <= 0 || after < 0 || after/step > maxDrillSteps {
		return nil, fmt.Errorf("an interval of %v and an end after %v: write 1 to %d steps", step, after, maxDrillSteps)
	}
	series, err := parseSeries(drill.Series)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedRules(all, rule)
	if err != nil {
		return nil, err
	}
	cfg := Config{MaxSeries: s.cfg.MaxSeries, Retention: s.cfg.Retention, MaxBytes: s.cfg.MaxBytes, ExternalURL: s.cfg.ExternalURL,
		EvaluationInterval: step, ScrapeInterval: step, Logger: s.cfg.Logger, Meter: s.cfg.Meter}
	file := &rulefmt.RuleGroups{Groups: []rulefmt.RuleGroup{{Name: "drill", Rules: wanted}}}
	st, err := openStore(cfg, s.store.faults, recordedNames(file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = st.close() }() // it is in memory
	manager := newManager(file, cfg, st, rules.ManagerOptions{
		QueryFunc: rules.EngineQueryFunc(newEngine(cfg, 1), st), NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
	})
	groups, errs := manager.LoadGroups(step, labels.EmptyLabels(), cfg.ExternalURL, nil, false, rulesName)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	group := groups[rules.GroupKey(rulesName, "drill")]
	start := time.Now().Truncate(time.Millisecond).Add(-after)
	for i := 0; ; i++ {
		at := start.Add(time.Duration(i) * step)
		if at.After(start.Add(after)) {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := appendStep(ctx, st, series, i, at); err != nil {
			return nil, err
		}
		group.Eval(ctx, at)
	}
	return s.rules.firing(group)
}

// firing are the alerts of a group that fire now, or why a rule could not be
// evaluated.
func (e *evaluator) firing(g *rules.Group) ([]alert.Alert, error) {
	var out []alert.Alert
	for _, r := range g.Rules() {
		if err := r.LastError(); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name(), err)
		}
	}
	for _, r := range g.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			if a.State == rules.StateFiring {
				out = append(out, e.convert(r.Query().String(), a))
			}
		}
	}
	return out, nil
}

// wantedRules are the recording rules that a rule reads, in the order that they
// have, and then the rule itself.
func wantedRules(all []alerting.Rule, rule alerting.Rule) ([]rulefmt.Rule, error) {
	names := map[string]bool{}
	if err := readNames(rule.Expr, names); err != nil {
		return nil, err
	}
	// Each pass finds what the rules found before read.
	for range maxRecordDepth {
		before := len(names)
		for _, r := range all {
			if r.Record != "" && names[r.Record] {
				if err := readNames(r.Expr, names); err != nil {
					return nil, fmt.Errorf("%s: %w", r.Record, err)
				}
			}
		}
		if len(names) == before {
			break
		}
	}
	var wanted []rulefmt.Rule
	for _, r := range all {
		if r.Record != "" && names[r.Record] {
			wanted = append(wanted, rulefmt.Rule{Record: r.Record, Expr: r.Expr, Labels: r.Labels})
		}
	}
	return append(wanted, rulefmt.Rule{Alert: rule.Alert, Expr: rule.Expr, For: model.Duration(rule.For),
		KeepFiringFor: model.Duration(rule.KeepFiring), Labels: rule.Labels, Annotations: rule.Annotations}), nil
}

// readNames adds the names of the series that an expression reads.
func readNames(expr string, names map[string]bool) error {
	e, err := promQL.ParseExpr(expr)
	if err != nil {
		return err
	}
	for _, name := range selected(e) {
		names[name] = true
	}
	return nil
}

// drillSeries is a series in promtool's notation, read.
type drillSeries struct {
	labels labels.Labels
	values []parser.SequenceValue
}

func parseSeries(list []alerting.DrillSeries) ([]drillSeries, error) {
	if len(list) == 0 {
		return nil, errors.New("it has no series")
	}
	out := make([]drillSeries, 0, len(list))
	for _, d := range list {
		l, values, err := promQL.ParseSeriesDesc(d.Series + " " + d.Values)
		if err != nil {
			return nil, fmt.Errorf("series %s %q: %w", d.Series, d.Values, err)
		}
		out = append(out, drillSeries{l, values})
	}
	return out, nil
}

// appendStep stores the i-th value of each series.
func appendStep(ctx context.Context, st *store, series []drillSeries, i int, at time.Time) error {
	app := recorder{st}.AppenderV2(ctx)
	for _, d := range series {
		if i >= len(d.values) || d.values[i].Omitted {
			continue
		}
		v := d.values[i]
		if _, err := app.Append(0, d.labels, 0, at.UnixMilli(), v.Value, nil, v.Histogram, storage.AppendV2Options{}); err != nil {
			return errors.Join(fmt.Errorf("series %s: %w", d.labels, err), app.Rollback())
		}
	}
	return app.Commit()
}
