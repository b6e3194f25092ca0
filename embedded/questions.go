package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/latido-dev/latido/embedded/internal/evidence"
	"github.com/latido-dev/latido/internal/cause"
)

// errStarting says that the store is not there yet.
var errStarting = errors.New("the store is being opened")

// now is the store's time.
func (e *Embedded) now() time.Time {
	if store := e.store.Load(); store != nil {
		return store.Now()
	}
	return time.Now()
}

func (e *Embedded) query(ctx context.Context, expr string, at time.Time) ([]evidence.Sample, error) {
	store := e.store.Load()
	if store == nil {
		return nil, errStarting
	}
	found, err := store.Query(ctx, expr, at)
	samples := make([]evidence.Sample, len(found))
	for i, s := range found {
		samples[i] = evidence.Sample{Labels: s.Labels, Value: s.Value, At: s.Time}
	}
	return samples, err
}

func (e *Embedded) series(ctx context.Context, ranges ...cause.Range) ([]cause.Series, error) {
	store := e.store.Load()
	if store == nil {
		return nil, errStarting
	}
	return store.Select(ctx, e.tel.Domain().Prefix, ranges...)
}

func (e *Embedded) exemplars(ctx context.Context, expr string, from, to time.Time) ([]evidence.Exemplar, error) {
	store := e.store.Load()
	if store == nil {
		return nil, errStarting
	}
	found, err := store.Exemplars(ctx, expr, from, to)
	exemplars := make([]evidence.Exemplar, len(found))
	for i, x := range found {
		exemplars[i] = evidence.Exemplar{Labels: x.Series, TraceID: x.Labels["trace_id"], Value: x.Value, At: x.Time}
	}
	return exemplars, err
}
