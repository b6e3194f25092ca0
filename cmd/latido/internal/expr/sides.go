package expr

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// bare is an expression without brackets around it.
func bare(e parser.Expr) parser.Expr {
	for {
		switch outer := e.(type) {
		case *parser.ParenExpr:
			e = outer.Expr
		case *parser.StepInvariantExpr:
			e = outer.Expr
		default:
			return e
		}
	}
}

// subject is what comparisons with numbers are about: x of (x > 3) < 5.
func subject(e parser.Expr) parser.Expr {
	e = bare(e)
	if b, ok := e.(*parser.BinaryExpr); ok && b.Op.IsComparisonOperator() && !b.ReturnBool {
		if _, number := literal(b.RHS); number {
			return subject(b.LHS)
		}
	}
	return e
}

// sameOnBothSides finds conditions on one value that exclude each other, or of
// which one includes the other.
func (x *reading) sameOnBothSides(e *parser.BinaryExpr, l, r valueRange) {
	if e.Op != parser.LAND && e.Op != parser.LUNLESS {
		return
	}
	about := subject(e.LHS).String()
	if about != subject(e.RHS).String() {
		return
	}
	m := e.VectorMatching
	switch {
	case e.Op == parser.LAND && !m.On && len(m.MatchingLabels) == 0 && (l.low > r.high || r.low > l.high):
		x.add(e, "this would never be true: %s cannot be both", about)
	case e.Op == parser.LUNLESS && r.low <= l.low && r.high >= l.high:
		x.add(e, "this would never be true: unless leaves out all that is on its left")
	}
}

// whatever tells whether one of two conditions on a value always holds.
func (x *reading) whatever(e *parser.BinaryExpr) bool {
	about := subject(e.LHS)
	if e.Op != parser.LOR || about.String() != subject(e.RHS).String() {
		return false
	}
	all, l, r := x.of(about).values, x.of(e.LHS).values, x.of(e.RHS).values
	return min(l.low, r.low) <= all.low && max(l.high, r.high) >= all.high && max(l.low, r.low) < min(l.high, r.high)
}

// multiplied is what a number above 0 multiplies, and the number.
func multiplied(e parser.Expr) (parser.Expr, float64) {
	if b, ok := bare(e).(*parser.BinaryExpr); ok && b.Op == parser.MUL {
		if n, number := literal(b.LHS); number && n > 0 {
			return b.RHS, n
		}
		if n, number := literal(b.RHS); number && n > 0 {
			return b.LHS, n
		}
	}
	return e, 1
}

// partOf tells whether an expression counts some of what another counts, in the
// same way: those with a filter more.
func partOf(part, whole parser.Expr) bool {
	switch p := bare(part).(type) {
	case *parser.AggregateExpr:
		w, ok := bare(whole).(*parser.AggregateExpr)
		return ok && p.Op == w.Op && (p.Op == parser.SUM || p.Op == parser.COUNT) && p.Without == w.Without &&
			slices.Equal(slices.Sorted(slices.Values(p.Grouping)), slices.Sorted(slices.Values(w.Grouping))) && partOf(p.Expr, w.Expr)
	case *parser.Call:
		w, ok := bare(whole).(*parser.Call)
		return ok && p.Func.Name == w.Func.Name && slices.Contains([]string{"rate", "irate", "increase"}, p.Func.Name) && partOf(p.Args[0], w.Args[0])
	case *parser.MatrixSelector:
		w, ok := bare(whole).(*parser.MatrixSelector)
		return ok && p.Range == w.Range && partOf(p.VectorSelector, w.VectorSelector)
	case *parser.VectorSelector:
		w, ok := bare(whole).(*parser.VectorSelector)
		return ok && p.Name == w.Name && p.OriginalOffset == w.OriginalOffset && p.Timestamp == nil && w.Timestamp == nil &&
			!slices.ContainsFunc(w.LabelMatchers, func(m *labels.Matcher) bool {
				return !slices.ContainsFunc(p.LabelMatchers, func(n *labels.Matcher) bool { return n.String() == m.String() })
			})
	}
	return false
}

// unconditional finds an alert whose expression is true as long as its metrics
// are there. What is there of others' metrics nobody knows, and vector(1) is how
// an alert is written that always fires.
func (x *reading) unconditional(e parser.Expr) {
	if call, ok := bare(e).(*parser.Call); ok && call.Func.Name == "vector" {
		return
	}
	if b, ok := bare(e).(*parser.BinaryExpr); ok && x.whatever(b) {
		x.add(e, "this would always be true: one of the two sides holds for every value")
	} else if !x.conditional(e) {
		x.add(e, "this compares nothing, so it would be true as long as there are such series: write a comparison into it, or above, below or equals beside it")
	}
}

// conditional tells whether the result of an expression is empty at times.
func (x *reading) conditional(e parser.Expr) bool {
	switch e := bare(e).(type) {
	case *parser.VectorSelector:
		_, ours := x.metrics[e.Name]
		return !ours && e.Name != "up"
	case *parser.MatrixSelector:
		return x.conditional(e.VectorSelector)
	case *parser.SubqueryExpr:
		return x.conditional(e.Expr)
	case *parser.AggregateExpr:
		return x.conditional(e.Expr)
	case *parser.UnaryExpr:
		return x.conditional(e.Expr)
	case *parser.BinaryExpr:
		switch {
		case e.Op == parser.LUNLESS || e.Op.IsComparisonOperator() && !e.ReturnBool:
			return true
		case e.Op == parser.LOR:
			return x.conditional(e.LHS) && x.conditional(e.RHS)
		}
		return x.conditional(e.LHS) || x.conditional(e.RHS)
	case *parser.Call:
		return strings.HasPrefix(e.Func.Name, "absent") || slices.ContainsFunc(e.Args, x.conditional)
	}
	return false
}

// summedFirst finds a rate of a sum: what it takes for a restart of all is the
// restart of one.
func (x *reading) summedFirst(n *parser.SubqueryExpr, path []parser.Node) {
	if len(path) == 0 {
		return
	}
	call, ok := path[len(path)-1].(*parser.Call)
	sum, aggregated := bare(n.Expr).(*parser.AggregateExpr)
	if ok && aggregated && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) {
		x.add(call, "%s of a %s takes the restart of one instance for one of all: write %s(%s(...))", call.Func.Name, sum.Op, sum.Op, call.Func.Name)
	}
}

// buckets tells whether an expression is about the buckets of a histogram.
func buckets(e parser.Expr) (found bool) {
	parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok && strings.HasSuffix(v.Name, "_bucket") {
			found = true
		}
		return nil
	})
	return found
}

// absent are the labels of absent(e): those that e asks for by their value.
func absent(e parser.Expr) labelSet {
	s := labelSet{has: map[string]string{}, closed: true}
	e = bare(e)
	if matrix, ok := e.(*parser.MatrixSelector); ok {
		e = matrix.VectorSelector
	}
	if v, ok := e.(*parser.VectorSelector); ok {
		for _, m := range v.LabelMatchers {
			if m.Name != model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != "" {
				s.has[m.Name] = m.Value
			}
		}
	}
	return s
}
