package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
)

// ruleSet is what is evaluated.
type ruleSet struct {
	file    []byte          // as Prometheus reads it
	domain  domain.Domain   // without what no rule can be made of
	rules   []alerting.Rule // those of the domain: for evidence and drills
	leftOut []leftOut
	notKept []string // objectives with windows that are longer than samples are kept
}

// leftOut is a rule that is not evaluated, and why.
type leftOut struct {
	name string
	err  error
}

// newRuleSet reads the file of cfg, or makes the rules of the domain. A rule that
// cannot be made, does not parse, or asks for a metric of the domain's prefix that
// does not exist and so could never fire, is left out: it costs itself and no other.
// The error is that of a file that is not there, or is no rule file at all.
func newRuleSet(d domain.Domain, cfg Config, o alerting.Options) (ruleSet, error) {
	set := makeable(d, o)
	d = set.domain
	set.rules = alerting.Rules(d, o)
	set.notKept = notKept(d, o)
	var text []byte
	var err error
	if cfg.RuleFile != "" {
		text, err = os.ReadFile(cfg.RuleFile)
	} else {
		text, err = alerting.RuleFile(d, o)
	}
	if err != nil {
		return set, fmt.Errorf("rules: %w", err)
	}
	wrong, err := set.parse(text, d)
	if err != nil {
		return set, fmt.Errorf("%s: %w", cmp.Or(cfg.RuleFile, "the domain's rules"), err)
	}
	set.leftOut = append(set.leftOut, wrong...)
	set.rules = slices.DeleteFunc(set.rules, func(r alerting.Rule) bool {
		return slices.ContainsFunc(wrong, func(w leftOut) bool { return w.name == r.Alert+r.Record })
	})
	return set, nil
}

// notKept are the objectives of which something is left out since samples are
// not kept for long enough.
func notKept(d domain.Domain, o alerting.Options) (names []string) {
	forever := o
	forever.Retention = 0
	for _, s := range d.SLOs {
		one := d
		one.Thresholds, one.SLOs = nil, []domain.SLO{s}
		if len(alerting.Rules(one, o)) < len(alerting.Rules(one, forever)) {
			names = append(names, s.Name)
		}
	}
	return names
}

// makeable has the domain without the thresholds and objectives of which no rule
// can be made.
func makeable(d domain.Domain, o alerting.Options) ruleSet {
	made := func(d domain.Domain) error {
		return recovered(func() error {
			_, err := alerting.RuleFile(d, o)
			return err
		})
	}
	set := ruleSet{domain: d}
	if made(d) == nil {
		return set
	}
	alone := d // without what it is tried with
	alone.Thresholds, alone.SLOs = nil, nil
	kept := &set.domain
	*kept = alone
	for _, t := range d.Thresholds {
		one := alone
		one.Thresholds = []domain.Threshold{t}
		if err := made(one); err != nil {
			set.leftOut = append(set.leftOut, leftOut{t.Name, err})
			continue
		}
		kept.Thresholds = append(kept.Thresholds, t)
	}
	for _, s := range d.SLOs {
		one := alone
		one.SLOs = []domain.SLO{s}
		if err := made(one); err != nil {
			set.leftOut = append(set.leftOut, leftOut{s.Name, err})
			continue
		}
		kept.SLOs = append(kept.SLOs, s)
	}
	return set
}

// recovered calls f and returns what it panicked with as an error.
func recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}

// promQL reads expressions as a Prometheus server does.
var promQL = parser.NewParser(parser.Options{})

func parseFile(text []byte) (groups *rulefmt.RuleGroups, err error) {
	err = recovered(func() error {
		var errs []error
		groups, errs = rulefmt.Parse(text, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
		return errors.Join(errs...)
	})
	return groups, err
}

// parse sets the file to text, without the rules that are wrong.
func (s *ruleSet) parse(text []byte, d domain.Domain) (wrong []leftOut, err error) {
	s.file = text
	groups, err := parseFile(text)
	if err != nil {
		if s.file, wrong, err = splitRules(text); err != nil {
			return nil, err
		}
		if groups, err = parseFile(s.file); err != nil {
			return nil, err
		}
	}
	// A rule on what exists nowhere is left out, and so may be those that build on
	// what it would have recorded.
	for {
		blind := blindRules(groups, d)
		if len(blind) == 0 {
			return wrong, nil
		}
		wrong = append(wrong, blind...)
		if s.file, err = withoutRules(s.file, blind); err != nil {
			return nil, err
		}
		if groups, err = parseFile(s.file); err != nil {
			return nil, err
		}
	}
}

// blindRules are those that ask for a metric of the domain's that does not exist.
func blindRules(groups *rulefmt.RuleGroups, d domain.Domain) (blind []leftOut) {
	recorded := map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			recorded[r.Record] = true
		}
	}
	series := alerting.SeriesOf(d)
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			expr, err := promQL.ParseExpr(r.Expr)
			if err != nil { // rulefmt has parsed it
				continue
			}
			for _, name := range metricNames(expr) {
				if !series.Exists(name) && !recorded[name] {
					blind = append(blind, leftOut{r.Alert + r.Record,
						fmt.Errorf("there is no metric %s, so the rule would never fire%s", name, didYouMean(d, name))})
					break
				}
			}
		}
	}
	return blind
}

// metricNames are the metrics that an expression asks for by name.
func metricNames(expr parser.Expr) []string {
	var names []string
	for _, selector := range parser.ExtractSelectors(expr) {
		for _, m := range selector {
			if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
				names = append(names, m.Value)
			}
		}
	}
	return names
}

func didYouMean(d domain.Domain, name string) string {
	var families []string
	for _, m := range d.Metrics() {
		families = append(families, m.Family)
	}
	if near := spelling.Nearest(name, families); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}
