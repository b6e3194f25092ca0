package prom

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/latido-dev/latido/internal/evidence"
)

const (
	maxQueries      = 4                // at once
	maxQuerySamples = 2_000_000        // in memory at once, of one query: 32 MB
	queryTimeout    = 10 * time.Second // of one query
)

// lookback is how long a sample counts as the present: a server's, so that both
// say the same.
const lookback = 5 * time.Minute

// newEngine makes an engine that runs so many queries at once, and lets others
// wait.
func newEngine(cfg Config, atOnce int) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:               slog.New(slog.DiscardHandler),
		MaxSamples:           maxQuerySamples,
		Timeout:              queryTimeout,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		ActiveQueryTracker:   turns(make(chan struct{}, atOnce)),
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return cfg.EvaluationInterval.Milliseconds()
		},
		Parser: promQL,
	})
}

// turns bounds how many queries run at once. It implements promql.QueryTracker.
type turns chan struct{}

func (t turns) GetMaxConcurrent() int { return cap(t) }

func (t turns) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case t <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (t turns) Delete(int) { <-t }

func (t turns) Close() error { return nil }

// Query evaluates expr at a time, in an engine of its own: what is asked over
// HTTP is not waited for. A scalar is one sample without labels; histograms are
// left out. It is safe for concurrent use.
func (s *Server) Query(ctx context.Context, expr string, at time.Time) ([]evidence.Sample, error) {
	q, err := s.own.NewInstantQuery(ctx, s.store, nil, expr, at)
	if err != nil {
		return nil, err
	}
	defer q.Close()
	r := q.Exec(ctx)
	if r.Err != nil {
		return nil, r.Err
	}
	switch v := r.Value.(type) {
	case promql.Vector:
		out := make([]evidence.Sample, 0, len(v))
		for _, x := range v {
			if x.H == nil {
				out = append(out, evidence.Sample{Labels: x.Metric.Map(), Value: x.F, At: time.UnixMilli(x.T)})
			}
		}
		return out, nil
	case promql.Scalar:
		return []evidence.Sample{{Labels: map[string]string{}, Value: v.V, At: time.UnixMilli(v.T)}}, nil
	}
	return nil, fmt.Errorf("query %q is a %s: write one that has a vector", expr, r.Value.Type())
}

// Exemplars returns those between two times of the series that an expression
// selects, such as tienda_response_duration_seconds_bucket{endpoint="/orders"}.
func (s *Server) Exemplars(ctx context.Context, expr string, from, to time.Time) ([]evidence.Exemplar, error) {
	e, err := promQL.ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	selectors := parser.ExtractSelectors(e)
	if len(selectors) == 0 {
		return nil, nil
	}
	q, err := s.store.ExemplarQuerier(ctx)
	if err != nil {
		return nil, err
	}
	found, err := q.Select(from.UnixMilli(), to.UnixMilli(), selectors...)
	if err != nil {
		return nil, err
	}
	var out []evidence.Exemplar
	for _, series := range found {
		for _, x := range series.Exemplars {
			out = append(out, evidence.Exemplar{Labels: series.SeriesLabels.Map(), TraceID: x.Labels.Get("trace_id"), Value: x.Value, At: time.UnixMilli(x.Ts)})
		}
	}
	return out, nil
}
