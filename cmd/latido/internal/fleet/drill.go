package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/alert"
	"github.com/latido-dev/latido/internal/ruletext"
)

// drillTime is how long the alert of a drill fires.
const drillTime = 2 * time.Minute

// drill has the Alertmanagers hear of an alert as Prometheus would send it, if it
// has the rule. That the condition can be met is not tried here: the rules' own
// tests do.
func (s *alerts) drill(ctx context.Context, rule alerting.Rule) ([]alert.Alert, []string, error) {
	if s.fleet.lacksRule(ctx, rule.Alert) {
		return nil, nil, fmt.Errorf("%s has no rule %s: nobody would be told. See that it reads the file of latido generate rules, as it is now",
			remote.Address(s.fleet.prometheus), rule.Alert)
	}
	a := s.pipeline.WithEvidence(s.drilled(rule, s.fleet.anInstance(ctx), time.Now()))
	handed := s.handed(a)
	handed.EndsAt = a.StartsAt.Add(drillTime) // also where this server is no more
	taken, err := s.post(handed)
	if taken == 0 {
		return nil, nil, cmp.Or(err, errors.New("-alertmanager has no address"))
	}
	receivers, err := s.receiversOf(ctx, a.Labels)
	return []alert.Alert{a}, receivers, err
}

// drilled is the alert that a rule has on the series that make it fire; where that
// is one instance's, of the instance.
func (s *alerts) drilled(rule alerting.Rule, instance string, now time.Time) alert.Alert {
	drill := rule.Drill()
	labels := drill.Labels
	if labels == nil { // nobody knows on what such a rule fires
		labels = map[string]string{"alertname": rule.Alert, "job": s.service}
		maps.Copy(labels, rule.Labels)
	}
	if labels["instance"] != "" && instance != "" {
		labels["instance"] = instance
	} else {
		delete(labels, "instance") // it is made up
	}
	a := alert.Alert{Labels: labels, Annotations: map[string]string{}, Value: drill.Value, ActiveAt: now.Add(-rule.For), StartsAt: now}
	for name, annotation := range rule.Annotations {
		// A text that only Prometheus can write is left out.
		if text, err := ruletext.Parse(annotation); err == nil && !text.Asks() {
			if shown, err := text.Run(labels, a.Value); err == nil {
				a.Annotations[name] = shown
			}
		}
	}
	labels[alert.DrillLabel] = "true"
	return a
}

// resolveDrill tells that a drill is over.
func (s *alerts) resolveDrill(fired []alert.Alert) {
	var all []posted
	for _, a := range fired {
		all = append(all, s.handed(s.recorder.Enrich(s.ctx, a)))
	}
	_, _ = s.post(all...) // it is logged
}

// anInstance is the first of those that Prometheus scrapes; "" for none.
func (s *instances) anInstance(ctx context.Context) (first string) {
	var answer struct{ Result model.Vector }
	if s.ask(ctx, "query", url.Values{"query": {fmt.Sprintf("up{job=%q}", s.domain.Service())}}, &answer) != nil {
		return ""
	}
	for _, one := range answer.Result {
		if name := string(one.Metric["instance"]); first == "" || name < first {
			first = name
		}
	}
	return first
}

// lacksRule tells whether Prometheus says which rules it has, and this is none of
// them. One that does not say may be a store that has its API.
func (s *instances) lacksRule(ctx context.Context, name string) bool {
	var answer struct {
		Groups []struct{ Rules []remote.Rule }
	}
	if s.ask(ctx, "rules", url.Values{"type": {"alert"}}, &answer) != nil {
		return false
	}
	for _, g := range answer.Groups {
		for _, r := range g.Rules {
			if r.Name == name && cmp.Or(r.Labels["domain"], s.domain.Prefix) == s.domain.Prefix {
				return false
			}
		}
	}
	return true
}
