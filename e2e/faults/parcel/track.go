package parcel

import (
	"context"
	"net/http"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// stop is a place that a parcel was at.
type stop struct {
	Depot string    `json:"depot"`
	Place string    `json:"place"`
	At    time.Time `json:"at"`
}

// track shows where a parcel was.
func (s *Service) track(w http.ResponseWriter, r *http.Request) error {
	stops, err := s.store.history(r.Context(), r.PathValue("code"))
	if err != nil {
		return err
	}
	for i := range stops {
		p, err := s.geocoder.Place(r.Context(), stops[i].Depot)
		if err != nil {
			return err
		}
		stops[i].Place = p.Name
	}
	s.notifier.Tracked(r.PathValue("code"))
	s.audit.Note(r, r.PathValue("code"))
	answer := map[string]any{"stops": stops}
	if fault.On("arrival") {
		answer["arrival"] = arrival(stops)
	}
	return respond(w, answer)
}

func (s *Store) history(ctx context.Context, code string) ([]stop, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT depot, at FROM scans WHERE shipment = ? ORDER BY at LIMIT 12", code)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var stops []stop
	for rows.Next() {
		var p stop
		var at int64
		if err := rows.Scan(&p.Depot, &at); err != nil {
			return nil, err
		}
		p.At = time.Unix(at, 0)
		stops = append(stops, p)
	}
	return stops, rows.Err()
}
