// Package expr reads PromQL: which metrics an expression asks for, and why it
// can never, or only ever, be true of a domain's metrics.
package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
)

// Parser is Prometheus' own parser, as a server has it by default.
var Parser = parser.NewParser(parser.Options{})

// LeastScrapes is how many a window has, so that one that is late or lost is no
// gap.
const LeastScrapes = 4

// Metric is one that an expression asks for by its name, and the byte of the
// expression where it does.
type Metric struct {
	Name   string
	Offset int
}

// Mistake is what is wrong with an expression, and the byte where.
type Mistake struct {
	Offset  int
	Message string
}

// Parse reads an expression and lists the metrics that it asks for. A metric
// that is chosen by a regular expression is none of them.
func Parse(text string) (parser.Expr, []Metric, *Mistake) {
	expr, err := Parser.ParseExpr(text)
	if err != nil {
		if all, ok := errors.AsType[parser.ParseErrors](err); ok && len(all) > 0 {
			return nil, nil, &Mistake{int(all[0].PositionRange.Start), all[0].Err.Error()}
		}
		return nil, nil, &Mistake{0, err.Error()}
	}
	var names []Metric
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			for _, m := range selector.LabelMatchers {
				if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
					names = append(names, Metric{m.Value, int(selector.PosRange.Start)})
				}
			}
		}
		return nil
	})
	return expr, names, nil
}

// Same compares expressions as the parser writes them: a server has them so.
func Same(a, b string) bool {
	x, err := Parser.ParseExpr(a)
	if err != nil {
		return false
	}
	y, err := Parser.ParseExpr(b)
	return err == nil && x.String() == y.String()
}

// World is what an expression of a domain can ask for.
type World struct {
	Domain   domain.Domain
	Series   *alerting.Series
	Contract *Contract     // of the domain
	Recorded []string      // series that rules record
	Scrape   time.Duration // the time between two scrapes
}

// Mistakes are what is wrong with an alert's expression: it does not parse, it
// asks for a metric that does not exist, or it can never be true.
func (w World) Mistakes(text string, c Condition) []Mistake {
	expr, names, wrong := Parse(text)
	if wrong != nil {
		return []Mistake{{wrong.Offset, "not PromQL: " + wrong.Message}}
	}
	var mistakes []Mistake
	for _, n := range names {
		if !w.Exists(n.Name) {
			mistakes = append(mistakes, Mistake{n.Offset, w.Missing(n.Name)})
		}
	}
	if len(mistakes) > 0 { // of a metric that is not there nothing is known
		return mistakes
	}
	return newReading(w).mistakes(expr, c)
}

// Exists tells whether there is a series of this name, of the domain's or of a
// rule file's.
func (w World) Exists(name string) bool {
	return w.Series.Exists(name) || slices.Contains(w.Recorded, name)
}

// Missing says that a metric does not exist, and which one was meant.
func (w World) Missing(name string) string {
	near := Nearest(w.Domain, name, append(w.Series.Names(), w.Recorded...))
	if near == "" {
		return fmt.Sprintf("there is no metric %s, so this would never be true: declare it as an event, or leave out the prefix %s if it is another service's", name, w.Domain.Prefix)
	}
	return fmt.Sprintf("there is no metric %s, so this would never be true (did you mean %s?)", name, near)
}

// Nearest is the series that was meant. All have the prefix in common, which
// would make any two of them look alike: it is left out.
func Nearest(d domain.Domain, name string, series []string) string {
	short := make([]string, 0, len(series))
	for _, s := range series {
		if rest, ok := strings.CutPrefix(s, d.Prefix+"_"); ok {
			short = append(short, rest)
		}
	}
	if near := spelling.Nearest(strings.TrimPrefix(name, d.Prefix+"_"), short); near != "" {
		return d.Prefix + "_" + near
	}
	return ""
}
