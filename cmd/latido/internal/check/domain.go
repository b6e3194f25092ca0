package check

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/yamlpos"
)

// KindNames are Prometheus' names of the kinds.
var KindNames = map[domain.Kind]string{
	domain.KindCounter: "counter", domain.KindUpDown: "gauge", domain.KindGauge: "gauge", domain.KindHistogram: "histogram",
}

// Domain loads a domain file. Its first mistakes are problems of the result.
func Domain(file string, data []byte) (domain.Domain, result.Check, error) {
	d, err := domain.Parse(file, data)
	c := result.Check{Subject: filepath.Base(file), Detail: fmt.Sprintf("%s, %s, %s",
		cli.Count(len(d.Events), "event"), cli.Count(len(d.Thresholds), "threshold"), cli.Count(len(d.SLOs), "SLO"))}
	var mistakes domain.Errors
	switch {
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			c.Problems = append(c.Problems, result.Problem{File: m.File, Line: m.Line, Column: m.Column, Path: m.Path, Message: m.Message})
		}
	case err != nil:
		c.Fail("%v", err)
	}
	return d, c, err
}

// checkDomain loads the domain file, for itself and for all other checks.
func checkDomain(in *inspection) (c result.Check) {
	if in.d, c, in.err = Domain(in.file, in.data); in.err == nil {
		in.series, in.contract, in.scrape = alerting.SeriesOf(in.d), expr.ContractOf(in.d), in.scrapeInterval()
		for i, e := range in.d.Events {
			if m, _ := in.d.Metric(e.Name); len(m.Was) > 0 && time.Now().After(m.Was[0].Until) {
				path := fmt.Sprintf("events[%d].was", i)
				line, column := yamlpos.Of(in.data, path, 0)
				c.Note("%s", result.Problem{File: in.file, Line: line, Column: column, Path: path, Message: "was until " + e.WasUntil + ": leave was and was_until out"})
			}
		}
	}
	return c
}

// checkExpressions parses the thresholds that are written in PromQL.
func checkExpressions(in *inspection) result.Check {
	var f result.Check
	n, world := 0, in.world()
	for i, t := range in.d.Thresholds {
		if t.Expr == "" {
			continue
		}
		n++
		add := func(field string, mistakes []expr.Mistake) {
			path := fmt.Sprintf("thresholds[%d].%s", i, field)
			for _, m := range mistakes {
				line, column := yamlpos.Of(in.data, path, m.Offset)
				f.Problems = append(f.Problems, result.Problem{File: in.file, Line: line, Column: column, Path: path, Message: m.Message})
			}
		}
		add("expr", world.Mistakes(t.Expr, expr.ConditionOf(t)))
		add("summary", world.TextMistakes(t.Expr, t.Summary))
		add("description", world.TextMistakes(t.Expr, t.Description))
	}
	f.Detail = cli.Count(n, "expression")
	return f
}

// checkCardinality adds up what series the events can make, the value that
// stands for all others included.
func checkCardinality(in *inspection) result.Check {
	var f result.Check
	total, most, name := 0, 0, ""
	for _, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		n := m.Series()
		if total += n; n > most {
			most, name = n, e.Name
		}
	}
	f.Detail = fmt.Sprintf("the events make at most %d series, of %d", total, in.maxSeries)
	if total > in.maxSeries {
		f.Fail("the events can make %d series, and the budget is %d: %s alone makes %d", total, in.maxSeries, name, most).
			Fix = "leave out an attribute of " + name + ", or values of one, or allow more with -max-series"
	}
	return f
}

// checkNames asks Prometheus' own linter, which promtool check metrics runs,
// about the families that the domain file names. What it says is advice: a unit
// such as min works, and everybody who reads it has to know that it is not s.
func checkNames(in *inspection) result.Check {
	f := result.Check{Detail: cli.Count(len(in.d.Events), "event")}
	for i, e := range in.d.Events {
		m, _ := in.d.Metric(e.Name)
		one := &dto.Metric{}
		for _, a := range m.Attributes {
			one.Label = append(one.Label, &dto.LabelPair{Name: new(promname.Label(a))})
		}
		kind := dto.MetricType(dto.MetricType_value[strings.ToUpper(KindNames[m.Kind])])
		found, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{{Name: &m.Family, Help: &m.Description, Type: &kind, Metric: []*dto.Metric{one}}}).Lint()
		if err != nil {
			f.Fail("%s: %v", m.Family, err)
		}
		path := fmt.Sprintf("events[%d]", i)
		line, column := yamlpos.Of(in.data, path, 0)
		for _, p := range found {
			f.Notes = append(f.Notes, result.Problem{File: in.file, Line: line, Column: column, Path: path, Message: m.Family + ": " + p.Text}.String())
		}
	}
	return f
}
