package parcel

import (
	"context"
	"net/http"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// depotLoad says how busy a depot is.
func (s *Service) depotLoad(w http.ResponseWriter, r *http.Request) error {
	if fault.On("rows_open") {
		if open, err := s.store.everScanned(r.Context(), r.PathValue("depot")); err != nil || !open {
			return respond(w, map[string]any{"scans": 0})
		}
	}
	n, last, err := s.store.depotScans(r.Context(), r.PathValue("depot"))
	if err != nil {
		return err
	}
	return respond(w, map[string]any{"scans": n, "last": last})
}

// depotScans counts the scans of the last minutes.
func (s *Store) depotScans(ctx context.Context, depot string) (n int, last int64, err error) {
	err = s.read.QueryRowContext(ctx, "SELECT count(*), coalesce(max(at), 0) FROM scans WHERE depot = ? AND at > ?",
		depot, time.Now().Add(-10*time.Minute).Unix()).Scan(&n, &last)
	return n, last, err
}

// everScanned tells whether a depot has scans at all.
func (s *Store) everScanned(ctx context.Context, depot string) (bool, error) {
	rows, err := s.read.QueryContext(context.WithoutCancel(ctx), "SELECT at FROM scans WHERE depot = ?", depot)
	if err != nil {
		return false, err
	}
	return rows.Next(), nil
}
