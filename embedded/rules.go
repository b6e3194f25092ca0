package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// ruleFile is what the rules are: the file of cfg, or else the domain's. A
// rule that does not parse, or asks for a metric of the domain's prefix that
// does not exist and so could never fire, is an error.
func ruleFile(d domain.Domain, cfg Config, o alerting.Options) ([]byte, error) {
	name := "the domain's rules"
	var text []byte
	var err error
	if cfg.RuleFile != "" {
		name = cfg.RuleFile
		text, err = os.ReadFile(cfg.RuleFile)
	} else {
		text, err = alerting.RuleFile(d, o)
	}
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	promql := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, promql, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, fmt.Errorf("%s: %w", name, errors.Join(errs...))
	}
	recorded := map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			recorded[r.Record] = true
		}
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			expr, err := promql.ParseExpr(r.Expr)
			if err != nil {
				return nil, fmt.Errorf("%s: %s%s: %w", name, r.Alert, r.Record, err)
			}
			for _, unknown := range alerting.UnknownMetrics(d, metricNames(expr)) {
				if !recorded[unknown] {
					errs = append(errs, fmt.Errorf("%s: %s%s: there is no metric %s, so the rule would never fire%s",
						name, r.Alert, r.Record, unknown, didYouMean(d, unknown)))
				}
			}
		}
	}
	return text, errors.Join(errs...)
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
	if near := domain.Nearest(name, families); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return ""
}
