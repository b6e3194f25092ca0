package expr

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"pgregory.net/rapid"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
)

// matchers are the filters of a label in an expression.
func matchers(t *rapid.T, text, label string) (all []*labels.Matcher) {
	e, err := Parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			for _, m := range v.LabelMatchers {
				if m.Name == label {
					all = append(all, m)
				}
			}
		}
		return nil
	})
	return all
}

// TestAnyLabelValue: a label's value, whatever is in it, is the same for
// Prometheus as in the domain file, in every statistic and in objectives.
func TestAnyLabelValue(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z"\\{}/'\n\t,=~!]{0,12}`)).Filter(func(s string) bool {
		return strings.TrimSpace(s) == s && strings.TrimLeft(s, "=!~") == s
	})
	limit := domain.Quantity(1)
	rapid.Check(t, func(t *rapid.T) {
		path, op := value.Draw(t, "endpoint"), rapid.SampledFrom([]string{"", "=", "!="}).Draw(t, "operator")
		where := map[string]string{"endpoint": op + path}
		d := domain.Domain{Prefix: "tienda", Entity: "pedido", DefaultRules: domain.DefaultRules{Disable: []string{"all"}}}
		for _, stat := range []domain.Stat{domain.StatP95, domain.StatMean, domain.StatRate, domain.StatIncrease} {
			d.Thresholds = append(d.Thresholds, domain.Threshold{Name: "Limit_" + string(stat), Metric: "response_duration", Stat: stat, Where: where, Above: &limit})
		}
		d.Thresholds = append(d.Thresholds, domain.Threshold{Name: "Ratio", Metric: "requests", Stat: domain.StatRatio, Above: &limit,
			Where: map[string]string{"endpoint": op + path, "status": "=~5.."}})
		d.SLOs = []domain.SLO{
			{Name: "status", Objective: 99, Good: domain.Good{Status: "!~5.."}, Where: where},
			{Name: "fast", Objective: 99, Good: domain.Good{FasterThan: domain.Duration(1e9)}, Where: where},
		}
		seen := 0
		for _, r := range alerting.Rules(d, alerting.Options{}) {
			for _, m := range matchers(t, r.Expr, "endpoint") {
				seen++
				if want := map[string]labels.MatchType{"": labels.MatchEqual, "=": labels.MatchEqual, "!=": labels.MatchNotEqual}[op]; m.Value != path || m.Type != want {
					t.Fatalf("%s%s: filters endpoint%s%q, want %s%q\n%s", r.Alert, r.Record, m.Type, m.Value, want, path, r.Expr)
				}
			}
		}
		if seen < 20 {
			t.Fatalf("%d filters", seen)
		}
	})
}
