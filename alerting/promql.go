package alerting

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// This file is the only one that writes PromQL.

// question is what a rule asks of a metric: one number for each job, and for
// each instance or value of a label where the metric or the rule has those.
type question struct {
	metric domain.Metric
	stat   domain.Stat
	where  map[string]string
	by     string        // a label that is kept, "" for none
	window time.Duration // of the range that the statistic looks at
	per    time.Duration // that a rate is given for; 0 is a second
	// low is set where few is what is feared: of the series of a gauge the lowest
	// counts then, not the highest.
	low bool
	// absent is the job for which no series at all count as 0; "" for none, and
	// then there is no answer without series.
	absent string
	// least is how many there must be in the window for a statistic of so many to
	// say anything; 0 is any number.
	least int
}

// expr writes the question in PromQL. The answer has no NaN: where nothing
// happened there is no answer, so that a comparison either holds or does not.
func (q question) expr() string {
	switch q.stat {
	case domain.StatP50, domain.StatP95, domain.StatP99:
		// Without traffic a quantile is NaN.
		return fmt.Sprintf("(histogram_quantile(%s, %s) and %s > 0)", number(q.stat.Quantile()),
			q.sum("rate", "_bucket", q.where, "le"), q.sum("rate", "_count", q.where))
	case domain.StatMean:
		if q.metric.Kind == domain.KindHistogram {
			return fmt.Sprintf("%s / (%s > 0)", q.sum("rate", "_sum", q.where), q.sum("rate", "_count", q.where))
		}
		return q.level("avg_over_time(", "["+length(q.window)+"])")
	case domain.StatMax, domain.StatMin:
		return q.level(string(q.stat)+"_over_time(", "["+length(q.window)+"])")
	case domain.StatRate:
		rate := q.counted("rate")
		if s := q.per.Seconds(); s > 0 && s != 1 {
			rate += " * " + number(s)
		}
		return q.orZero(rate)
	case domain.StatIncrease:
		return q.orZero(q.counted("increase"))
	case domain.StatRatio:
		all := q.sum("rate", q.countSuffix(), q.subject())
		// No such series is none of them, which is 0 %; but of nothing there is no ratio.
		return fmt.Sprintf("100 * (%s or 0 * %s) / (%s > 0)", q.counted("rate"), all, all)
	default:
		return q.level("", "")
	}
}

// holds is the condition of a rule: that its value is beyond its bound, and is
// one of enough.
func (q question) holds(r Rule) string {
	condition := compare(r.Value, r.Op, r.Bound)
	if least := q.enough(); least > 0 {
		condition += "\nand " + compare(q.population(), ">=", float64(least))
	}
	return condition
}

// enough is how many requests, calls or events the answer must be of to say
// anything; 0 for an answer that is not of so many, and for any number.
func (q question) enough() int {
	if q.stat.Quantile() > 0 || q.stat == domain.StatRatio || q.stat == domain.StatMean && q.metric.Kind == domain.KindHistogram {
		return q.least
	}
	return 0
}

// population is how many the answer is of.
func (q question) population() string {
	if q.stat == domain.StatRatio {
		return q.sum("increase", q.countSuffix(), q.subject())
	}
	return q.counted("increase")
}

// counted is how much a counter, or the number of values of a histogram, grew.
func (q question) counted(function string) string {
	return q.sum(function, q.countSuffix(), q.where)
}

func (q question) countSuffix() string {
	if q.metric.Kind == domain.KindHistogram {
		return "_count"
	}
	return ""
}

// sum adds up what a function says of each series over the window.
func (q question) sum(function, suffix string, where map[string]string, labels ...string) string {
	return q.named(func(family string) string {
		return fmt.Sprintf("sum by (%s) (%s(%s[%s]))", strings.Join(append(q.labels(), labels...), ", "),
			function, selector(family+suffix, where), length(q.window))
	})
}

// named asks under the former names first: until they end every process has
// them, those of the release before included, and longer series.
func (q question) named(ask func(family string) string) string {
	if len(q.metric.Was) == 0 {
		return ask(q.metric.Family)
	}
	var all []string
	for _, m := range append(slices.Clone(q.metric.Was), q.metric) {
		all = append(all, ask(m.Family))
	}
	return "(" + strings.Join(all, " or ") + ")"
}

// level is how high something stands: what is added up if its series are parts
// of a whole, and else the one that is nearest to what is feared.
func (q question) level(before, after string) string {
	aggregation := "max"
	if q.low && q.metric.Kind == domain.KindGauge {
		aggregation = "min"
	}
	if q.metric.Kind == domain.KindUpDown && (q.metric.Event != nil || len(q.metric.Attributes) > 0) {
		aggregation = "sum"
	}
	return q.named(func(family string) string {
		return fmt.Sprintf("%s by (%s) (%s%s%s)", aggregation, strings.Join(q.labels(), ", "), before, selector(family, q.where), after)
	})
}

// orZero makes one 0 of no series at all: a counter that is not there has not
// counted, and an alert on too few must not fall silent with it.
func (q question) orZero(expr string) string {
	if q.absent == "" {
		return expr
	}
	return fmt.Sprintf(`(%s or on () label_replace(vector(0), "job", %s, "", ""))`, expr, labelmatch.Quote(q.absent))
}

// labels are those of the answer.
func (q question) labels() []string { return q.metric.AlertLabels(q.by) }

// outcomes are the labels of the contract that say how something went, rather
// than what it was.
var outcomes = []string{"status", "error_type"}

// subject are the filters that say of what a ratio is: 5xx of /pay are divided
// by all of /pay. Filters that are only subject are a share of everything, and
// those of an event are its parts.
func (q question) subject() map[string]string {
	rest := maps.Clone(q.where)
	maps.DeleteFunc(rest, func(label, _ string) bool { return slices.Contains(outcomes, label) })
	if q.metric.Event != nil || len(rest) == len(q.where) {
		return nil
	}
	return rest
}

// compare holds where value is beyond the bound.
func compare(value, op string, bound float64) string {
	return value + " " + op + " " + number(bound)
}

// selector names a family and filters its series.
func selector(family string, where map[string]string) string {
	if len(where) == 0 {
		return family
	}
	return family + "{" + strings.Join(labelmatch.PromQL(where), ",") + "}"
}

// number writes a number without an exponent, as people read it.
func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
