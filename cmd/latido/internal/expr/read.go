package expr

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

// reading is one expression as it is read: what is known of its parts, and what
// is wrong with them.
type reading struct {
	World
	*Contract
	known map[parser.Expr]facts
	found []Mistake
}

// Contract is what a domain's metrics are called and what labels they have. It
// is made once for all expressions of the domain, and then only read.
type Contract struct {
	metrics map[string]domain.Metric // by the names of their series
	labels  map[string]bool          // that they have
}

// facts are what is known of the result of an expression.
type facts struct {
	labels labelSet
	values valueRange
}

// number are the facts of a number that is not known beforehand.
var number = facts{labelSet{closed: true}, unbounded}

func newReading(w World) *reading {
	return &reading{World: w, Contract: w.Contract, known: map[parser.Expr]facts{}}
}

// ContractOf is the contract of a domain that is valid.
func ContractOf(d domain.Domain) *Contract {
	c := &Contract{metrics: map[string]domain.Metric{}, labels: map[string]bool{model.BucketLabel: true}}
	var metrics []domain.Metric
	for _, m := range d.Metrics() {
		metrics = append(append(metrics, m), m.Was...)
	}
	for _, m := range metrics {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			if (suffix == "") != (m.Kind == domain.KindHistogram) {
				c.metrics[m.Family+suffix] = m
			}
		}
		for _, a := range m.Attributes {
			c.labels[promname.Label(a)] = true
		}
	}
	return c
}

func (x *reading) add(at parser.Node, format string, args ...any) {
	x.found = append(x.found, Mistake{int(at.PositionRange().Start), fmt.Sprintf(format, args...)})
}

// of reads an expression, once: what its result is, and where two sides within
// it can never match.
func (x *reading) of(e parser.Expr) facts {
	if f, done := x.known[e]; done {
		return f
	}
	f := x.read(e)
	if v, ok := literal(e); ok {
		f.values = valueRange{low: v, high: v}
	}
	x.known[e] = f
	return f
}

func (x *reading) read(e parser.Expr) facts {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return facts{x.selected(e), x.seriesRange(e.Name)}
	case *parser.MatrixSelector:
		return x.of(e.VectorSelector)
	case *parser.SubqueryExpr:
		return x.of(e.Expr)
	case *parser.ParenExpr:
		return x.of(e.Expr)
	case *parser.StepInvariantExpr:
		return x.of(e.Expr)
	case *parser.UnaryExpr:
		return facts{x.of(e.Expr).labels, unbounded}
	case *parser.AggregateExpr:
		return x.aggregated(e)
	case *parser.BinaryExpr:
		return x.combined(e)
	case *parser.Call:
		return x.called(e)
	}
	return number
}

func (x *reading) aggregated(e *parser.AggregateExpr) facts {
	inner := x.of(e.Expr)
	values := inner.values
	switch e.Op {
	case parser.TOPK, parser.BOTTOMK:
		return inner
	case parser.LIMITK, parser.LIMIT_RATIO:
		return facts{inner.labels, unbounded}
	case parser.MAX, parser.MIN:
	case parser.AVG:
		values.computed = true
	case parser.COUNT, parser.GROUP:
		values = valueRange{low: 1, high: math.Inf(1)}
	default:
		if e.Op != parser.SUM || values.low < 0 {
			values = unbounded
		}
		values.high, values.percent = math.Inf(1), false
	}
	if e.Without {
		return facts{inner.labels.without(e.Grouping...), values}
	}
	for _, label := range e.Grouping {
		if inner.labels.lacks(label, x) {
			near := ""
			if n := spelling.Nearest(label, slices.Sorted(maps.Keys(inner.labels.has))); n != "" {
				near = fmt.Sprintf(" (did you mean %s?)", n)
			}
			x.add(e, "there is no label %s to group by%s", label, near)
		}
	}
	s := inner.labels.only(e.Grouping, x)
	if name, ok := e.Param.(*parser.StringLiteral); ok { // count_values
		s = s.with(name.Val)
	}
	return facts{s, values}
}

func (x *reading) called(e *parser.Call) facts {
	labels := labelSet{closed: true}
	args := make([]facts, len(e.Args))
	for i, arg := range e.Args {
		args[i] = x.of(arg)
		if t := e.Func.ArgTypes[min(i, len(e.Func.ArgTypes)-1)]; t == parser.ValueTypeVector || t == parser.ValueTypeMatrix {
			labels = args[i].labels
		}
	}
	switch name := e.Func.Name; name {
	case "histogram_quantile":
		if labels.lacks(model.BucketLabel, x) && buckets(e.Args[1]) {
			x.add(e, "the label le is lost before the quantile, which is never known without it: keep it, as in sum by (le)")
			return number
		}
		return facts{labels.without(model.BucketLabel), x.quantileRange(e)}
	case "histogram_fraction":
		return facts{labels.without(model.BucketLabel), unbounded}
	case "label_replace", "label_join":
		if to, ok := e.Args[1].(*parser.StringLiteral); ok {
			labels = labels.with(to.Val)
		}
		return facts{labels, unbounded}
	case "absent", "absent_over_time":
		return facts{absent(e.Args[0]), valueRange{low: 1, high: 1}}
	case "info":
		return facts{labelSet{}, unbounded}
	case "rate", "increase", "irate":
		return facts{labels, valueRange{high: math.Inf(1), computed: true}}
	case "count_over_time", "changes", "resets", "abs":
		return facts{labels, positive}
	case "max_over_time", "min_over_time", "last_over_time", "sort", "sort_desc", "vector", "avg_over_time":
		values := args[0].values
		values.computed = values.computed || name == "avg_over_time"
		return facts{labels, values}
	}
	return facts{labels, unbounded}
}

func (x *reading) combined(e *parser.BinaryExpr) facts {
	l, r := x.of(e.LHS), x.of(e.RHS)
	values := resultRange(e, l.values, r.values)
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return facts{r.labels, values}
	case e.RHS.Type() == parser.ValueTypeScalar:
		return facts{l.labels, values}
	case e.Op == parser.LOR:
		return facts{either(l.labels, r.labels), values}
	}
	x.match(e, l.labels, r.labels)
	x.sameOnBothSides(e, l.values, r.values)
	if m := e.VectorMatching; e.Op == parser.DIV && l.values.low >= 0 && !m.On && len(m.MatchingLabels) == 0 {
		if part, times := multiplied(e.LHS); partOf(part, e.RHS) {
			values = valueRange{high: times, computed: true, percent: times == 100}
		}
	}
	labels, m := l.labels, e.VectorMatching
	switch {
	case e.Op == parser.LAND || e.Op == parser.LUNLESS:
	case m.Card == parser.CardManyToOne:
		labels = labels.with(m.Include...)
	case m.Card == parser.CardOneToMany:
		labels = r.labels.with(m.Include...)
	case m.On:
		labels = labels.only(m.MatchingLabels, x)
	default:
		labels = labels.without(m.MatchingLabels...)
	}
	return facts{labels, values}
}

// mistakes looks at the whole of an alert's expression.
func (x *reading) mistakes(e parser.Expr, c Condition) []Mistake {
	x.of(e)
	parser.Inspect(e, func(node parser.Node, path []parser.Node) error {
		switch n := node.(type) {
		case *parser.MatrixSelector:
			x.window(n, path)
		case *parser.SubqueryExpr:
			x.summedFirst(n, path)
		case *parser.BinaryExpr:
			if bound, ok := literal(n.RHS); ok && n.Op.IsComparisonOperator() {
				x.compared(n, n.LHS, Condition{Op: n.Op, Bound: bound, Wait: c.Wait}, len(path) == 0 && c.Op == 0)
			}
		}
		return nil
	})
	switch {
	case c.Op != 0:
		x.compared(e, e, c, true)
	case c.Alert && len(x.found) == 0:
		x.unconditional(e)
	}
	return x.found
}

// window checks that a range has enough samples, and that its function suits the
// metric.
func (x *reading) window(n *parser.MatrixSelector, path []parser.Node) {
	if least := LeastScrapes * x.Scrape; n.Range < least {
		x.add(n, "%s has less than four scrapes, which come every %s: write [%s] or more", "["+domain.Duration(n.Range).String()+"]", domain.Duration(x.Scrape), domain.Duration(least))
	}
	v, ok := n.VectorSelector.(*parser.VectorSelector)
	if !ok || len(path) == 0 {
		return
	}
	call, ok := path[len(path)-1].(*parser.Call)
	m, ours := x.metrics[v.Name]
	if !ok || !ours {
		return
	}
	level := m.Kind == domain.KindGauge || m.Kind == domain.KindUpDown
	switch call.Func.Name {
	case "rate", "irate", "increase":
		if level {
			x.add(call, "%s goes down too, which %s takes for a restart: write delta or deriv", v.Name, call.Func.Name)
		}
	case "delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing":
		if !level {
			x.add(call, "%s begins at 0 again with every restart, which %s takes for a fall: write rate or increase", v.Name, call.Func.Name)
		}
	}
}

// compared checks that a comparison can hold and, if the alert is nothing else,
// that it can also not hold.
func (x *reading) compared(at parser.Node, e parser.Expr, c Condition, whole bool) {
	r := x.of(e).values
	never, always := false, false
	switch c.Op {
	case parser.GTR:
		never, always = c.Bound >= r.high, c.Bound < r.low
	case parser.GTE:
		never, always = c.Bound > r.high, c.Bound <= r.low
	case parser.LSS:
		never, always = c.Bound <= r.low, c.Bound > r.high
	case parser.LTE:
		never, always = c.Bound < r.low, c.Bound >= r.high
	case parser.EQLC:
		never = c.Bound < r.low || c.Bound > r.high
		if r.computed && !never && c.Bound != r.low && c.Bound != r.high {
			x.add(at, "this is computed, and hardly ever %g exactly: write > or <", c.Bound)
			return
		}
	}
	switch {
	case never:
		x.add(at, "this would never be true: its value is from %g to %g", r.low, r.high)
	case r.percent && c.Bound > 0 && c.Bound < 1:
		x.add(at, "its value is in percent, from 0 to 100: write %g, or %g * 1 if you mean less than one percent", math.Round(c.Bound*1e8)/1e6, c.Bound) // 0.07 * 100 is a little more than 7
	case always && whole:
		x.add(at, "this would always be true: its value is from %g to %g", r.low, r.high)
	case whole:
		x.whole(at, e, c)
	}
}

// whole checks what only matters where a comparison is all of an alert.
func (x *reading) whole(at parser.Node, e parser.Expr, c Condition) {
	switch e := core(e).(type) {
	case *parser.VectorSelector:
		if m, ours := x.metrics[e.Name]; ours && (m.Kind == domain.KindCounter || m.Kind == domain.KindHistogram) && (c.Op == parser.GTR || c.Op == parser.GTE) {
			x.add(at, "%s only grows, so this would stay true until a restart: write increase(%s[5m])", e.Name, e.Name)
		}
	case *parser.Call:
		if len(e.Args) == 0 {
			return
		}
		window, ok := e.Args[0].(*parser.MatrixSelector)
		if !ok || c.Op != parser.GTR || c.Wait < window.Range {
			return
		}
		v, ok := window.VectorSelector.(*parser.VectorSelector)
		if !ok {
			return
		}
		m, ours := x.metrics[v.Name]
		counts := ours && !strings.HasSuffix(v.Name, "_sum") && (m.Kind == domain.KindHistogram || m.Unit != "s" && m.Unit != "By")
		one := e.Func.Name == "increase" && c.Bound < 1 || e.Func.Name == "rate" && c.Bound*window.Range.Seconds() < 1
		if counts && one {
			x.add(at, "one is counted for %s only, and this would have to hold for %s: write a shorter for, or a range that is longer",
				domain.Duration(window.Range), domain.Duration(c.Wait))
		}
	}
}

// Condition is what a rule adds to its expression.
type Condition struct {
	Alert bool            // the rule alerts, so that its expression must be true at times only
	Op    parser.ItemType // 0 without a comparison beside the expression
	Bound float64
	Wait  time.Duration // for
}

// ConditionOf is what a threshold adds to its expression.
func ConditionOf(t domain.Threshold) Condition {
	c := Condition{Alert: true, Wait: time.Duration(t.For)}
	switch {
	case t.Above != nil:
		c.Op, c.Bound = parser.GTR, float64(*t.Above)
	case t.Below != nil:
		c.Op, c.Bound = parser.LSS, float64(*t.Below)
	case t.Equals != nil:
		c.Op, c.Bound = parser.EQLC, float64(*t.Equals)
	}
	return c
}
