package alerting

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/latido-dev/latido/domain"
)

// Groups are the rules of a domain that is valid, as they are evaluated: its
// thresholds, two groups for each objective, and the rules that every domain
// gets. The second group of an objective reads what the first one recorded, and
// is evaluated every two minutes. A group without rules is left out.
func Groups(d domain.Domain, o Options) []Group {
	b := newBuilder(d, o)
	groups := []Group{{Name: d.Prefix + ".thresholds", Rules: b.thresholds()}}
	for _, s := range d.SLOs {
		groups = append(groups, b.slo(s)...)
	}
	groups = append(groups, Group{Name: d.Prefix + ".defaults", Rules: b.defaults()})
	groups = slices.DeleteFunc(groups, func(g Group) bool { return len(g.Rules) == 0 })
	for i := range groups {
		if o.Fast {
			groups[i].Interval = time.Second
		}
	}
	return groups
}

// Rules are all rules of a domain that is valid, those that record included,
// in the order in which they are evaluated.
func Rules(d domain.Domain, o Options) []Rule {
	var all []Rule
	for _, g := range Groups(d, o) {
		all = append(all, g.Rules...)
	}
	return all
}

// builder makes the rules of one domain.
type builder struct {
	d     domain.Domain
	o     Options
	pace  pace
	words words
	// metrics are the domain's, by key: to name one is dear, and it is asked for
	// hundreds of times.
	metrics map[string]domain.Metric
}

func newBuilder(d domain.Domain, o Options) builder {
	b := builder{d: d, o: o, pace: pace{o.Fast}, words: wordsOf(d), metrics: map[string]domain.Metric{}}
	for _, m := range d.Metrics() {
		b.metrics[m.Key] = m
	}
	return b
}

// metric is one that a valid domain has.
func (b builder) metric(key string) domain.Metric { return b.metrics[key] }

// alert completes a rule that alerts with what all of them have. trials makes
// up its trials; nil is none.
func (b builder) alert(r Rule, trials func(Rule) []trial) Rule {
	r.Severity = cmp.Or(r.Severity, domain.SeverityTicket)
	if r.Source != SourceHeartbeat { // every alert leaves an incident
		r.Evidence = cmp.Or(r.Evidence, EvidenceLatency)
	}
	labels := map[string]string{"severity": string(r.Severity), "domain": b.d.Prefix}
	maps.Copy(labels, r.Labels)
	r.Labels = labels
	r.Annotations = map[string]string{"summary": r.Summary, "description": r.Description}
	maps.Copy(r.Annotations, b.links(r))
	if done := r; trials != nil {
		r.trials = func() []trial { return finished(done, trials(done)) }
	}
	return r
}
