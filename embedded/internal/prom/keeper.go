package prom

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
)

// maxKept is the longest that an alert is kept after data are there again. A
// window that is longer is not emptied by the gap.
const maxKept = 10 * time.Minute

// errNoData leaves a rule's alerts as they are. It is no fault of the
// rule's.
var errNoData = errors.New("there are no recent data: its alerts are as they were")

// queryWithData implements rules.QueryFunc. It sees to it that no alert begins or
// is over for lack of data. While there are no recent data, rules on what is
// scraped stay as they are: the process that evaluates them is up, and only its
// answer is late or wrong. When there have not been data again for as long as the
// rule looks back, an alert of before the gap that is missing from the result is
// put back into it.
func (e *evaluator) queryWithData(ctx context.Context, expr string, ts time.Time) (promql.Vector, error) {
	origin := rules.FromOriginContext(ctx)
	result, err := e.query(ctx, expr, ts)
	if err != nil || origin.Kind != rules.KindAlerting || expr != origin.Query { // a recording rule's, or a template's
		return result, err
	}
	// After the query: what a failed scrape stores, it is known of before.
	fresh, covered, before := e.store.fresh.at(ts)
	w, ok := e.rules[ruleKey(origin.Name, origin.Labels)]
	switch {
	case !ok:
		return result, nil
	case !fresh && w.scraped && e.cfg.Metrics != nil:
		return nil, errNoData
	case fresh && covered >= min(w.window, maxKept):
		return result, nil
	}
	for _, a := range missing(w.rule, result) {
		if !a.KeepFiringSince.IsZero() {
			continue // its condition is over: keep_firing_for goes on
		}
		if !fresh && a.State == rules.StatePending {
			return nil, errNoData // it must not go on to fire either
		}
		if fresh && a.ActiveAt.After(before) {
			continue // it began without the data that now say otherwise
		}
		result = append(result, promql.Sample{Metric: a.Labels, F: a.Value, T: ts.UnixMilli()})
	}
	return result, nil
}

// missing are the alerts of a rule, pending or firing, that no sample of a
// result stands for.
func missing(rule *rules.AlertingRule, result promql.Vector) []*rules.Alert {
	active := rule.ActiveAlerts()
	if len(active) == 0 {
		return nil
	}
	templated := map[string]bool{}
	rule.Labels().Range(func(l labels.Label) {
		if strings.Contains(l.Value, "{{") {
			templated[l.Name] = true
		}
	})
	b := labels.NewBuilder(labels.EmptyLabels())
	identity := func(l labels.Labels) string {
		b.Reset(l)
		b.Del(model.MetricNameLabel)
		rule.Labels().Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
		b.Set(labels.AlertName, rule.Name())
		for name := range templated {
			b.Del(name)
		}
		return b.Labels().String()
	}
	there := make(map[string]bool, len(result))
	for _, s := range result {
		there[identity(s.Metric)] = true
	}
	var gone []*rules.Alert
	for _, a := range active {
		if !there[identity(a.Labels)] {
			gone = append(gone, a)
		}
	}
	return gone
}
