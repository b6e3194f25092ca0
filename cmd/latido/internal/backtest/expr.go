package backtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
)

// withoutLimit is a rule's expression without the comparison with its limit,
// so that one answer tells of every limit; and whether the rule has one.
func withoutLimit(r alerting.Rule) (expr string, limited bool) {
	compared := r.Value + " " + r.Op + " "
	if r.Op == "" || !strings.HasPrefix(r.Expr, compared) {
		return r.Expr, false
	}
	_, rest, _ := strings.Cut(r.Expr[len(compared):], "\n") // what must hold beside it
	return strings.TrimSpace("(\n" + r.Value + "\n)\n" + rest), true
}

// readBy are the series that an expression reads, as selectors, each once.
func readBy(text string) []string {
	expr, err := expr.Parser.ParseExpr(text)
	if err != nil {
		return nil
	}
	return selectorsOf(expr)
}

func selectorsOf(expr parser.Expr) []string {
	var all []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			plain := parser.VectorSelector{Name: s.Name, LabelMatchers: s.LabelMatchers} // without its offset
			if text := plain.String(); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
		return nil
	})
	return all
}

// stepFor is the step for an expression with its longest range.
func (b *replay) stepFor(expr parser.Expr, r alerting.Rule, step time.Duration) time.Duration {
	var longest time.Duration
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			longest = max(longest, n.Range)
		case *parser.SubqueryExpr:
			longest = max(longest, n.Range)
		}
		return nil
	})
	if b.step > 0 { // asked for
		return b.step
	}
	return stepOf(step, longest, r.For)
}

// records finds a recording rule of the domain by the series that it makes.
func (b *replay) records(s *parser.VectorSelector) (rules []alerting.Rule, others []*labels.Matcher) {
	for _, r := range b.rules {
		if r.Record == "" {
			continue
		}
		named, fits := false, true
		var left []*labels.Matcher
		for _, m := range s.LabelMatchers {
			value, own := r.Labels[m.Name]
			switch {
			case m.Name == model.MetricNameLabel:
				named = m.Type == labels.MatchEqual && m.Value == r.Record
			case own:
				fits = fits && m.Matches(value)
			default:
				left = append(left, m)
			}
		}
		if named && fits {
			rules, others = append(rules, r), left
		}
	}
	return rules, others
}

// withRecords reads an expression. Series that recording rules of the domain
// make are put in its place by the rules' own expressions, unless the store has
// them for as long as it has data.
func (b *replay) withRecords(ctx context.Context, text string, step time.Duration) (parser.Expr, error) {
	text, err := b.substituted(ctx, text, step, 0)
	if err != nil {
		return nil, err
	}
	e, err := expr.Parser.ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("with its recording rules it is not PromQL: %w", err)
	}
	return e, nil
}

// mostRecords is how deep recording rules may read one another.
const mostRecords = 10

// substituted puts expressions in the place of recorded series, from the end of
// the text to its beginning, so that the places before stay where they are.
func (b *replay) substituted(ctx context.Context, text string, step time.Duration, depth int) (string, error) {
	e, err := expr.Parser.ParseExpr(text)
	if err != nil {
		return "", fmt.Errorf("not PromQL: %w", err)
	}
	by := map[posrange.PositionRange]string{}
	parser.Inspect(e, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		var instead string
		if instead, err = b.recordedBy(ctx, v, step, depth); instead == "" {
			return err
		}
		at := v.PositionRange()
		if len(path) > 0 {
			if m, ok := path[len(path)-1].(*parser.MatrixSelector); ok {
				at, instead = m.PositionRange(), fmt.Sprintf("%s[%s:%s]", instead, model.Duration(m.Range), model.Duration(step))
			}
		}
		by[at] = instead
		return nil
	})
	if err != nil {
		return "", err
	}
	for _, at := range slices.SortedFunc(maps.Keys(by), func(a, b posrange.PositionRange) int { return int(b.Start - a.Start) }) {
		text = text[:at.Start] + by[at] + text[at.End:]
	}
	return text, nil
}

// recordedBy is the expression for a recorded series, in brackets; "" for a
// series that is none, or that is stored.
func (b *replay) recordedBy(ctx context.Context, v *parser.VectorSelector, step time.Duration, depth int) (string, error) {
	rules, others := b.records(v)
	if len(rules) == 0 {
		return "", nil
	}
	if stored, err := b.isRecorded(ctx, v); stored || err != nil {
		return "", err
	}
	switch {
	case depth == mostRecords:
		return "", fmt.Errorf("recording rules read one another, %d deep", depth)
	case len(others) > 0:
		return "", fmt.Errorf("%s is not stored, and cannot be computed: the filter %s is on labels that only the recorded series has", v, others[0])
	case v.OriginalOffset != 0 || v.Timestamp != nil || v.StartOrEnd != 0:
		return "", fmt.Errorf("%s is not stored, and cannot be computed for another time", v)
	}
	var all []string
	for _, r := range rules {
		text, err := b.substituted(ctx, r.Expr, step, depth+1)
		if err != nil {
			return "", err
		}
		for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
			text = fmt.Sprintf(`label_replace(%s, %q, %q, "", "")`, text, name, r.Labels[name])
		}
		all = append(all, text)
	}
	return "(" + strings.Join(all, " or ") + ")", nil
}

// isRecorded tells whether the store has a recorded series for as long as it
// has data.
func (b *replay) isRecorded(ctx context.Context, v *parser.VectorSelector) (bool, error) {
	plain := (&parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}).String()
	stored, known := b.recorded[plain]
	if !known {
		first, any, err := b.first(ctx, []string{plain}, b.from, b.to)
		if err != nil {
			return false, err
		}
		// It may begin a little later: when the rules were first evaluated.
		stored = any && first.Sub(b.from) <= b.to.Sub(b.from)/10
		b.recorded[plain] = stored
	}
	return stored, nil
}
