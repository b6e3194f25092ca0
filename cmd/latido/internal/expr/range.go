package expr

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/domain"
)

// valueRange is what a value can be; computed ones are hardly ever a number
// exactly, except at an end.
type valueRange struct {
	low, high float64
	computed  bool
	percent   bool // from 0 to 100, and no share of 1
}

var (
	unbounded = valueRange{low: math.Inf(-1), high: math.Inf(1)}
	positive  = valueRange{high: math.Inf(1)}
)

func (x *reading) seriesRange(name string) valueRange {
	m, ours := x.metrics[name]
	switch {
	case name == "up":
		return valueRange{high: 1}
	case ours && m.Key == "build_info":
		return valueRange{low: 1, high: 1}
	case ours && m.Event != nil && m.Unit == "%" && m.Kind == domain.KindGauge:
		return valueRange{low: math.Inf(-1), high: math.Inf(1), percent: true}
	case !ours || m.Event != nil && m.Kind != domain.KindCounter && m.Kind != domain.KindHistogram || m.Signed():
		return unbounded
	case m.Event == nil && m.Unit == "%" && m.Kind == domain.KindGauge:
		return valueRange{high: 100, percent: true}
	}
	return positive
}

// quantileRange knows that a quantile lies between the first bound and the last:
// below the first one Prometheus takes the values for spread evenly from 0.
func (x *reading) quantileRange(e *parser.Call) valueRange {
	r := valueRange{low: math.Inf(-1), high: math.Inf(1), computed: true}
	q, ok := literal(e.Args[0])
	if ok && (q < 0 || q > 1) {
		x.add(e.Args[0], "the quantile %g is not from 0 to 1, so its value would be infinite: write one such as 0.95", q)
	}
	if !ok || q < 0 || q > 1 {
		return r
	}
	parser.Inspect(e.Args[1], func(node parser.Node, _ []parser.Node) error {
		if v, ok := node.(*parser.VectorSelector); ok {
			if m := x.metrics[v.Name]; len(m.Buckets) > 0 && strings.HasSuffix(v.Name, "_bucket") {
				r.low, r.high = m.Buckets[0], m.Buckets[len(m.Buckets)-1]
				if r.low > 0 {
					r.low *= q
				}
			}
		}
		return nil
	})
	return r
}

func resultRange(e *parser.BinaryExpr, l, r valueRange) valueRange {
	switch {
	case e.ReturnBool:
		return valueRange{high: 1}
	case e.Op.IsComparisonOperator() && e.LHS.Type() != parser.ValueTypeScalar:
		if bound, ok := literal(e.RHS); ok {
			return l.kept(e.Op, bound)
		}
		return l
	case e.Op == parser.LAND || e.Op == parser.LUNLESS:
		return l
	case e.Op == parser.LOR:
		return valueRange{min(l.low, r.low), max(l.high, r.high), l.computed || r.computed, l.percent && r.percent}
	case e.Op == parser.DIV && l.low >= 0 && r.low >= 0:
		return valueRange{high: math.Inf(1), computed: true}
	case e.Op == parser.MUL && l.low >= 0 && r.low >= 0:
		high := math.Inf(1)
		if l.high < high && r.high < high {
			high = l.high * r.high
		}
		return valueRange{high: high, computed: l.computed || r.computed, percent: high == 100}
	case e.Op == parser.ADD:
		return valueRange{low: l.low + r.low, high: l.high + r.high, computed: l.computed || r.computed}
	}
	return unbounded
}

// kept is what a comparison leaves of a range.
func (r valueRange) kept(op parser.ItemType, bound float64) valueRange {
	switch op {
	case parser.GTR, parser.GTE:
		r.low = max(r.low, bound)
	case parser.LSS, parser.LTE:
		r.high = min(r.high, bound)
	case parser.EQLC:
		r.low, r.high = bound, bound
	}
	return r
}

// core is an expression without brackets and aggregations around it.
func core(e parser.Expr) parser.Expr {
	for {
		e = bare(e)
		outer, ok := e.(*parser.AggregateExpr)
		if !ok || !slices.Contains([]parser.ItemType{parser.SUM, parser.MAX, parser.MIN, parser.AVG}, outer.Op) {
			return e
		}
		e = outer.Expr
	}
}

// literal is the value of a number, signed or in brackets.
func literal(e parser.Expr) (float64, bool) {
	switch e := e.(type) {
	case *parser.NumberLiteral:
		return e.Val, true
	case *parser.ParenExpr:
		return literal(e.Expr)
	case *parser.StepInvariantExpr:
		return literal(e.Expr)
	case *parser.UnaryExpr:
		v, ok := literal(e.Expr)
		if e.Op == parser.SUB {
			v = -v
		}
		return v, ok
	}
	return 0, false
}
