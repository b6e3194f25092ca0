package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/domain"
)

// condition is what a rule adds to its expression.
type condition struct {
	op    parser.ItemType // 0 without a comparison beside the expression
	bound float64
	wait  time.Duration // for
}

// conditionOf is what a threshold adds to its expression.
func conditionOf(t domain.Threshold) condition {
	c := condition{wait: time.Duration(t.For)}
	switch {
	case t.Above != nil:
		c.op, c.bound = parser.GTR, float64(*t.Above)
	case t.Below != nil:
		c.op, c.bound = parser.LSS, float64(*t.Below)
	case t.Equals != nil:
		c.op, c.bound = parser.EQLC, float64(*t.Equals)
	}
	return c
}

// exprCheck looks for what can never, or always, be true in one expression.
type exprCheck struct {
	d       domain.Domain
	metrics map[string]domain.Metric // the domain's, by the names of their series
	labels  map[string]bool          // that they have
	scrape  time.Duration            // the time between two scrapes
	found   []mistake
}

func (in *inspection) exprCheck() *exprCheck {
	x := &exprCheck{d: in.d, metrics: map[string]domain.Metric{}, labels: map[string]bool{model.BucketLabel: true}, scrape: in.scrapeInterval()}
	for _, m := range in.d.Metrics() {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			if (suffix == "") != (m.Kind == domain.KindHistogram) {
				x.metrics[m.Family+suffix] = m
			}
		}
		for _, a := range m.Attributes {
			x.labels[domain.Label(a)] = true
		}
	}
	return x
}

func (x *exprCheck) add(at parser.Node, format string, args ...any) {
	x.found = append(x.found, mistake{int(at.PositionRange().Start), fmt.Sprintf(format, args...)})
}

// run looks at the whole of an alert's expression.
func (x *exprCheck) run(e parser.Expr, c condition) []mistake {
	x.labelsOf(e)
	parser.Inspect(e, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			x.window(n, path)
		case *parser.BinaryExpr:
			if bound, ok := literal(n.RHS); ok && n.Op.IsComparisonOperator() {
				x.compared(n, n.LHS, condition{n.Op, bound, c.wait}, len(path) == 0 && c.op == 0)
			}
		}
		return nil
	})
	if c.op != 0 {
		x.compared(e, e, c, true)
	}
	return x.found
}

// window checks that a range has enough samples, and that its function suits the
// metric.
func (x *exprCheck) window(n *parser.MatrixSelector, path []parser.Node) {
	if least := leastScrapes * x.scrape; n.Range < least {
		x.add(n, "%s has less than four scrapes, which come every %s: write [%s] or more", "["+domain.Duration(n.Range).String()+"]", domain.Duration(x.scrape), domain.Duration(least))
	}
	v, ok := n.VectorSelector.(*parser.VectorSelector)
	if !ok || len(path) == 0 {
		return
	}
	call, ok := path[len(path)-1].(*parser.Call)
	m, ours := x.metrics[v.Name]
	if ok && ours && slices.Contains([]string{"rate", "irate", "increase"}, call.Func.Name) && (m.Kind == domain.KindGauge || m.Kind == domain.KindUpDown) {
		x.add(call, "%s goes down too, which %s takes for a restart: write delta or deriv", v.Name, call.Func.Name)
	}
}

// compared checks that a comparison can hold and, if the alert is nothing else,
// that it can also not hold.
func (x *exprCheck) compared(at parser.Node, e parser.Expr, c condition, whole bool) {
	r := x.rangeOf(e)
	never, always := false, false
	switch c.op {
	case parser.GTR:
		never, always = c.bound >= r.high, c.bound < r.low
	case parser.GTE:
		never, always = c.bound > r.high, c.bound <= r.low
	case parser.LSS:
		never, always = c.bound <= r.low, c.bound > r.high
	case parser.LTE:
		never, always = c.bound < r.low, c.bound >= r.high
	case parser.EQLC:
		never = c.bound < r.low || c.bound > r.high
		if r.computed && !never && c.bound != r.low && c.bound != r.high {
			x.add(at, "this is computed, and hardly ever %g exactly: write > or <", c.bound)
			return
		}
	}
	switch {
	case never:
		x.add(at, "this would never be true: its value is from %g to %g", r.low, r.high)
	case always && whole:
		x.add(at, "this would always be true: its value is from %g to %g", r.low, r.high)
	case whole:
		x.whole(at, e, c)
	}
}

// whole checks what only matters where a comparison is all of an alert.
func (x *exprCheck) whole(at parser.Node, e parser.Expr, c condition) {
	switch e := core(e).(type) {
	case *parser.VectorSelector:
		if m, ours := x.metrics[e.Name]; ours && (m.Kind == domain.KindCounter || m.Kind == domain.KindHistogram) && (c.op == parser.GTR || c.op == parser.GTE) {
			x.add(at, "%s only grows, so this would stay true until a restart: write increase(%s[5m])", e.Name, e.Name)
		}
	case *parser.Call:
		window, ok := e.Args[0].(*parser.MatrixSelector)
		if !ok || c.op != parser.GTR || c.wait < window.Range {
			return
		}
		v, ok := window.VectorSelector.(*parser.VectorSelector)
		m := x.metrics[v.Name]
		counts := ok && m.Family != "" && !strings.HasSuffix(v.Name, "_sum") && (m.Kind == domain.KindHistogram || m.Unit != "s" && m.Unit != "By")
		one := e.Func.Name == "increase" && c.bound < 1 || e.Func.Name == "rate" && c.bound*window.Range.Seconds() < 1
		if counts && one {
			x.add(at, "one is counted for %s only, and this would have to hold for %s: write a shorter for, or a range that is longer",
				domain.Duration(window.Range), domain.Duration(c.wait))
		}
	}
}

// core is an expression without brackets and aggregations around it.
func core(e parser.Expr) parser.Expr {
	for {
		switch outer := e.(type) {
		case *parser.ParenExpr:
			e = outer.Expr
		case *parser.StepInvariantExpr:
			e = outer.Expr
		case *parser.AggregateExpr:
			if !slices.Contains([]parser.ItemType{parser.SUM, parser.MAX, parser.MIN, parser.AVG}, outer.Op) {
				return e
			}
			e = outer.Expr
		default:
			return e
		}
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

// valueRange is what a value can be; computed ones are hardly ever a number
// exactly, except at an end.
type valueRange struct {
	low, high float64
	computed  bool
}

var (
	unbounded = valueRange{low: math.Inf(-1), high: math.Inf(1)}
	positive  = valueRange{high: math.Inf(1)}
)

// rangeOf is the range of an expression's value.
func (x *exprCheck) rangeOf(e parser.Expr) valueRange {
	if v, ok := literal(e); ok {
		return valueRange{low: v, high: v}
	}
	switch e := e.(type) {
	case *parser.VectorSelector:
		return x.seriesRange(e.Name)
	case *parser.MatrixSelector:
		return x.rangeOf(e.VectorSelector)
	case *parser.ParenExpr:
		return x.rangeOf(e.Expr)
	case *parser.StepInvariantExpr:
		return x.rangeOf(e.Expr)
	case *parser.SubqueryExpr:
		return x.rangeOf(e.Expr)
	case *parser.AggregateExpr:
		inner := x.rangeOf(e.Expr)
		switch e.Op {
		case parser.MAX, parser.MIN, parser.TOPK, parser.BOTTOMK:
			return inner
		case parser.AVG:
			inner.computed = true
			return inner
		case parser.SUM:
			if inner.low >= 0 {
				inner.high = math.Inf(1)
				return inner
			}
		case parser.COUNT, parser.GROUP:
			return valueRange{low: 1, high: math.Inf(1)}
		}
	case *parser.BinaryExpr:
		return x.resultRange(e)
	case *parser.Call:
		return x.callRange(e)
	}
	return unbounded
}

func (x *exprCheck) seriesRange(name string) valueRange {
	m, ours := x.metrics[name]
	switch {
	case name == "up":
		return valueRange{high: 1}
	case !ours || m.Event != nil && m.Kind != domain.KindCounter && m.Kind != domain.KindHistogram || m.Signed():
		return unbounded
	case m.Event == nil && m.Unit == "%" && m.Kind == domain.KindGauge:
		return valueRange{high: 100}
	}
	return positive
}

func (x *exprCheck) callRange(e *parser.Call) valueRange {
	switch e.Func.Name {
	case "rate", "increase", "irate":
		return valueRange{high: math.Inf(1), computed: true}
	case "max_over_time", "min_over_time", "last_over_time", "sort", "sort_desc":
		return x.rangeOf(e.Args[0])
	case "avg_over_time":
		r := x.rangeOf(e.Args[0])
		r.computed = true
		return r
	case "count_over_time", "changes", "resets", "abs":
		return positive
	case "absent", "absent_over_time":
		return valueRange{low: 1, high: 1}
	case "vector":
		return x.rangeOf(e.Args[0])
	case "histogram_quantile":
		return x.quantileRange(e)
	}
	return unbounded
}

// quantileRange knows that a quantile lies between the first bound and the last:
// below the first one Prometheus takes the values for spread evenly from 0.
func (x *exprCheck) quantileRange(e *parser.Call) valueRange {
	r := valueRange{low: math.Inf(-1), high: math.Inf(1), computed: true}
	q, ok := literal(e.Args[0])
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

func (x *exprCheck) resultRange(e *parser.BinaryExpr) valueRange {
	l, r := x.rangeOf(e.LHS), x.rangeOf(e.RHS)
	switch {
	case e.ReturnBool:
		return valueRange{high: 1}
	case e.Op == parser.LAND || e.Op == parser.LUNLESS || e.Op.IsComparisonOperator() && e.LHS.Type() != parser.ValueTypeScalar:
		return l
	case e.Op == parser.LOR:
		return valueRange{min(l.low, r.low), max(l.high, r.high), l.computed || r.computed}
	case e.Op == parser.DIV && l.low >= 0 && r.low >= 0:
		return valueRange{high: math.Inf(1), computed: true}
	case e.Op == parser.MUL && l.low >= 0 && r.low >= 0:
		return valueRange{high: math.Inf(1), computed: l.computed || r.computed}
	case e.Op == parser.ADD:
		return valueRange{l.low + r.low, l.high + r.high, l.computed || r.computed}
	}
	return unbounded
}
