package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/latido-dev/latido/embedded/internal/prom"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/evidence"
)

// errStarting says that the store is not there yet.
var errStarting = errors.New("the store is being opened")

// asked asks the store, once it is there.
func asked[T any](e *Embedded, question func(*prom.Server) (T, error)) (answer T, err error) {
	store := e.store.Load()
	if store == nil {
		return answer, errStarting
	}
	return question(store)
}

func (e *Embedded) query(ctx context.Context, expr string, at time.Time) ([]evidence.Sample, error) {
	return asked(e, func(s *prom.Server) ([]evidence.Sample, error) { return s.Query(ctx, expr, at) })
}

func (e *Embedded) series(ctx context.Context, ranges ...cause.Range) ([]cause.Series, error) {
	return asked(e, func(s *prom.Server) ([]cause.Series, error) { return s.Select(ctx, e.tel.Domain().Prefix, ranges...) })
}

func (e *Embedded) exemplars(ctx context.Context, expr string, from, to time.Time) ([]evidence.Exemplar, error) {
	return asked(e, func(s *prom.Server) ([]evidence.Exemplar, error) { return s.Exemplars(ctx, expr, from, to) })
}
