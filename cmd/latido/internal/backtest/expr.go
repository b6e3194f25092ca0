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
	e, err := expr.Parser.ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("not PromQL: %w", err)
	}
	s := substitution{replay: b, ctx: ctx, step: step}
	e = s.expr(e, 0)
	if s.err != nil {
		return nil, s.err
	}
	// Printed and read again, it is what the server will read.
	if e, err = expr.Parser.ParseExpr(e.String()); err != nil {
		return nil, fmt.Errorf("with its recording rules it is not PromQL: %w", err)
	}
	return e, nil
}

// substitution puts expressions in the place of recorded series.
type substitution struct {
	*replay
	ctx  context.Context
	step time.Duration
	err  error // the first one
}

// mostRecords is how deep recording rules may read one another.
const mostRecords = 10

func (s *substitution) expr(e parser.Expr, depth int) parser.Expr {
	switch n := e.(type) {
	case *parser.VectorSelector:
		if by := s.recordedBy(n, depth); by != nil {
			return by
		}
	case *parser.MatrixSelector:
		v, _ := n.VectorSelector.(*parser.VectorSelector)
		if v == nil {
			return e
		}
		if by := s.recordedBy(v, depth); by != nil {
			return &parser.SubqueryExpr{Expr: by, Range: n.Range, Step: s.step}
		}
	case *parser.AggregateExpr:
		n.Expr = s.expr(n.Expr, depth)
		if n.Param != nil {
			n.Param = s.expr(n.Param, depth)
		}
	case *parser.BinaryExpr:
		n.LHS, n.RHS = s.expr(n.LHS, depth), s.expr(n.RHS, depth)
	case *parser.Call:
		for i := range n.Args {
			n.Args[i] = s.expr(n.Args[i], depth)
		}
	case *parser.ParenExpr:
		n.Expr = s.expr(n.Expr, depth)
	case *parser.SubqueryExpr:
		n.Expr = s.expr(n.Expr, depth)
	case *parser.UnaryExpr:
		n.Expr = s.expr(n.Expr, depth)
	case *parser.StepInvariantExpr:
		n.Expr = s.expr(n.Expr, depth)
	}
	return e
}

// recordedBy is the expression for a recorded series; nil for a series that is
// none, or that is stored.
func (s *substitution) recordedBy(v *parser.VectorSelector, depth int) parser.Expr {
	rules, others := s.records(v)
	if s.err != nil || len(rules) == 0 || s.isRecorded(v) {
		return nil
	}
	switch {
	case depth == mostRecords:
		s.err = fmt.Errorf("recording rules read one another, %d deep", depth)
	case len(others) > 0:
		s.err = fmt.Errorf("%s is not stored, and cannot be computed: the filter %s is on labels that only the recorded series has", v, others[0])
	case v.OriginalOffset != 0 || v.Timestamp != nil || v.StartOrEnd != 0:
		s.err = fmt.Errorf("%s is not stored, and cannot be computed for another time", v)
	}
	if s.err != nil {
		return nil
	}
	var all parser.Expr
	for _, r := range rules {
		e, err := expr.Parser.ParseExpr(r.Expr)
		if err != nil {
			s.err = fmt.Errorf("recording rule %s: %w", r.Record, err)
			return nil
		}
		e = s.expr(e, depth+1)
		for _, name := range slices.Sorted(maps.Keys(r.Labels)) {
			e = &parser.Call{Func: parser.Functions["label_replace"], Args: parser.Expressions{
				e, &parser.StringLiteral{Val: name}, &parser.StringLiteral{Val: r.Labels[name]}, &parser.StringLiteral{}, &parser.StringLiteral{},
			}}
		}
		if all == nil {
			all = e
			continue
		}
		all = &parser.BinaryExpr{Op: parser.LOR, LHS: all, RHS: e, VectorMatching: &parser.VectorMatching{Card: parser.CardManyToMany}}
	}
	return &parser.ParenExpr{Expr: all}
}

// isRecorded tells whether the store has a recorded series for as long as it
// has data.
func (s *substitution) isRecorded(v *parser.VectorSelector) bool {
	plain := (&parser.VectorSelector{Name: v.Name, LabelMatchers: v.LabelMatchers}).String()
	stored, known := s.recorded[plain]
	if !known {
		first, any, err := s.first(s.ctx, []string{plain}, s.from, s.to)
		if err != nil {
			s.err = err
			return false
		}
		// It may begin a little later: when the rules were first evaluated.
		stored = any && first.Sub(s.from) <= s.to.Sub(s.from)/10
		s.recorded[plain] = stored
	}
	return stored
}
