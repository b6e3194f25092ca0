package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/domain"
)

// promql is Prometheus' own parser, as a server has it by default.
var promql = parser.NewParser(parser.Options{})

// selected is a metric that an expression asks for by its name, and the byte
// of the expression where it does.
type selected struct {
	name   string
	offset int
}

// mistake is what is wrong with an expression, and the byte where.
type mistake struct {
	offset  int
	message string
}

// parseExpr reads an expression and lists the metrics that it asks for. A
// metric that is chosen by a regular expression is none of them.
func parseExpr(text string) ([]selected, *mistake) {
	expr, err := promql.ParseExpr(text)
	if err != nil {
		var all parser.ParseErrors
		if errors.As(err, &all) && len(all) > 0 {
			return nil, &mistake{int(all[0].PositionRange.Start), all[0].Err.Error()}
		}
		return nil, &mistake{0, err.Error()}
	}
	var names []selected
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			for _, m := range selector.LabelMatchers {
				if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
					names = append(names, selected{m.Value, int(selector.PosRange.Start)})
				}
			}
		}
		return nil
	})
	return names, nil
}

// exprMistakes are what is wrong with an expression of this domain: it does
// not parse, it asks for a metric that does not exist, or it can never be true.
func (in *inspection) exprMistakes(text string, c condition) []mistake {
	names, wrong := parseExpr(text)
	if wrong != nil {
		return []mistake{{wrong.offset, "not PromQL: " + wrong.message}}
	}
	var mistakes []mistake
	for _, n := range names {
		if !in.exists(n.name) {
			mistakes = append(mistakes, mistake{n.offset, in.missing(n.name)})
		}
	}
	expr, err := promql.ParseExpr(text)
	if err != nil || len(mistakes) > 0 { // of a metric that is not there nothing is known
		return mistakes
	}
	return in.exprCheck().run(expr, c)
}

// exists tells whether there is a series of this name, of the domain's or of a
// rule file's.
func (in *inspection) exists(name string) bool {
	return in.series.Exists(name) || slices.Contains(in.rules.recorded, name)
}

// missing says that a metric does not exist, and which one was meant.
func (in *inspection) missing(name string) string {
	near := nearest(in.d, name, append(in.series.Names(), in.rules.recorded...))
	if near == "" {
		return fmt.Sprintf("there is no metric %s, so this would never be true: declare it as an event, or leave out the prefix %s if it is another service's", name, in.d.Prefix)
	}
	return fmt.Sprintf("there is no metric %s, so this would never be true (did you mean %s?)", name, near)
}

// nearest is the series that was meant. All have the prefix in common, which
// would make any two of them look alike: it is left out.
func nearest(d domain.Domain, name string, series []string) string {
	short := make([]string, 0, len(series))
	for _, s := range series {
		if rest, ok := strings.CutPrefix(s, d.Prefix+"_"); ok {
			short = append(short, rest)
		}
	}
	if near := domain.Nearest(strings.TrimPrefix(name, d.Prefix+"_"), short); near != "" {
		return d.Prefix + "_" + near
	}
	return ""
}
