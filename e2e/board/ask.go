package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// asking is who is asked, and for which time.
type asking struct {
	prom      promapi.API
	pyroscope string // the URL, or ""
	window    window
	variables map[string]string
}

type point struct {
	at    time.Time
	value float64 // a number: neither NaN nor an infinity
}

// series is what a query found.
type series struct {
	ref    string // the query's letter
	name   string // as the legend has it
	labels map[string]string
	points []point // at least one
	step   time.Duration
}

func (s series) last() float64 { return s.points[len(s.points)-1].value }

func (s series) most() float64 {
	return slices.MaxFunc(s.points, func(x, y point) int { return cmp.Compare(x.value, y.value) }).value
}

// all asks every query of a panel. A series without a single number is left out.
func (a asking) all(ctx context.Context, p panel) ([]series, error) {
	var found []series
	for _, t := range p.Targets {
		if t.ProfileTypeID != "" {
			profiles, err := a.profileSeries(ctx, t)
			if err != nil {
				return nil, err
			}
			found = append(found, profiles...)
			continue
		}
		matrix, err := a.query(ctx, t.Expr, t.Instant, a.window.step)
		if err != nil {
			return nil, err
		}
		for _, stream := range matrix {
			s := series{ref: t.RefID, step: a.window.step, labels: map[string]string{}}
			for name, value := range stream.Metric {
				s.labels[string(name)] = string(value)
			}
			s.name = legend(t.LegendFormat, s.labels)
			for _, v := range stream.Values {
				if value := float64(v.Value); !math.IsNaN(value) && !math.IsInf(value, 0) {
					s.points = append(s.points, point{v.Timestamp.Time().UTC(), value})
				}
			}
			if len(s.points) > 0 {
				found = append(found, s)
			}
		}
	}
	return found, nil
}

// query asks Prometheus over the window, or at its end alone.
func (a asking) query(ctx context.Context, expr string, instant bool, step time.Duration) (model.Matrix, error) {
	expr, err := a.expanded(expr)
	if err != nil {
		return nil, err
	}
	if !instant {
		from := a.window.from.Truncate(step)
		value, _, _, err := a.prom.QueryRange(ctx, expr, promapi.Range{Start: from, End: a.window.until, Step: step})
		if err != nil {
			return nil, fmt.Errorf("query %s: %w", expr, err)
		}
		matrix, ok := value.(model.Matrix)
		if !ok {
			return nil, fmt.Errorf("query %s: gives a %s", expr, value.Type())
		}
		return matrix, nil
	}
	value, _, _, err := a.prom.Query(ctx, expr, a.window.until)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %s: gives a %s", expr, value.Type())
	}
	var matrix model.Matrix
	for _, s := range vector {
		matrix = append(matrix, &model.SampleStream{Metric: s.Metric, Values: []model.SamplePair{{Timestamp: s.Timestamp, Value: s.Value}}})
	}
	slices.SortFunc(matrix, func(x, y *model.SampleStream) int { return strings.Compare(x.Metric.String(), y.Metric.String()) })
	return matrix, nil
}

var inLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// legend is the name of a series: the format with its labels filled in, or
// else all labels.
func legend(format string, labels map[string]string) string {
	if format == "" {
		metric := model.Metric{}
		for name, value := range labels {
			metric[model.LabelName(name)] = model.LabelValue(value)
		}
		return metric.String()
	}
	return strings.TrimSpace(inLegend.ReplaceAllStringFunc(format, func(text string) string {
		return labels[inLegend.FindStringSubmatch(text)[1]]
	}))
}

// mark is an annotation at a time.
type mark struct {
	at           time.Time
	title, color string
}

// marks asks the annotations. As in Grafana, what holds for several steps in a
// row is one mark.
func (a asking) marks(ctx context.Context, annotations []annotation) ([]mark, error) {
	var all []mark
	for _, n := range annotations {
		if !n.Enable || n.Expr == "" {
			continue
		}
		step, err := model.ParseDuration(n.Step)
		if err != nil {
			return nil, fmt.Errorf("annotation %q: step: %w", n.Name, err)
		}
		matrix, err := a.query(ctx, n.Expr, false, time.Duration(step))
		if err != nil {
			return nil, fmt.Errorf("annotation %q: %w", n.Name, err)
		}
		for _, stream := range matrix {
			labels := map[string]string{}
			for name, value := range stream.Metric {
				labels[string(name)] = string(value)
			}
			var before time.Time
			for _, v := range stream.Values {
				at := v.Timestamp.Time().UTC()
				if at.Sub(before) > time.Duration(step) && !at.Before(a.window.from) {
					all = append(all, mark{at, n.Name + ": " + legend(n.TitleFormat, labels), colour(n.IconColor)})
				}
				before = at
			}
		}
	}
	slices.SortFunc(all, func(x, y mark) int { return x.at.Compare(y.at) })
	return all, nil
}
