package parcel

import (
	"context"
	"net/http"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// listed is how many shipments a customer sees.
const listed = 200

// line is a shipment in a customer's list.
type line struct {
	Code  string `json:"code"`
	Cents int    `json:"cents"`
	Scans int    `json:"scans"`
}

// list shows a customer's last shipments.
func (s *Service) list(w http.ResponseWriter, r *http.Request) error {
	find := s.store.recent
	if fault.On("n_plus_one") {
		find = s.store.recentWithScans
	}
	lines, err := find(r.Context(), r.PathValue("customer"))
	if err != nil {
		return err
	}
	s.audit.Note(r, r.PathValue("customer"))
	return respond(w, map[string]any{"shipments": lines, "newest": newest(lines)})
}

// newest is the code of the last shipment.
func newest(lines []line) string {
	if fault.On("panic") {
		return lines[0].Code
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[0].Code
}

func (s *Store) recent(ctx context.Context, customer string) ([]line, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT code, cents, (SELECT count(*) FROM scans WHERE shipment = code)
		FROM shipments WHERE customer = ? ORDER BY at DESC LIMIT ?`, customer, listed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lines := []line{}
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.Code, &l.Cents, &l.Scans); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// recentWithScans asks for each shipment's scans.
func (s *Store) recentWithScans(ctx context.Context, customer string) ([]line, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT code FROM shipments WHERE customer = ? ORDER BY at DESC LIMIT ?", customer, listed)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lines := []line{}
	for rows.Next() {
		var l line
		if err := rows.Scan(&l.Code); err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range lines {
		for _, depot := range depots {
			var n int
			if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM scans WHERE shipment = ? AND depot = ?", lines[i].Code, depot).Scan(&n); err != nil {
				return nil, err
			}
			lines[i].Scans += n
		}
		if err := s.read.QueryRowContext(ctx, "SELECT cents FROM shipments WHERE code = ?", lines[i].Code).Scan(&lines[i].Cents); err != nil {
			return nil, err
		}
	}
	return lines, nil
}
