package parcel

import (
	"database/sql"
	"net/http"
	"time"
)

// scan takes down that a parcel is at a depot.
func (s *Service) scan(w http.ResponseWriter, r *http.Request) error {
	var in struct{ Shipment, Depot string }
	if err := decode(w, r, &in); err != nil {
		return err
	}
	err := s.store.transaction(r.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(r.Context(), "INSERT INTO scans VALUES (?, ?, ?, ?)", in.Shipment, in.Depot, time.Now().Unix(), "")
		return err
	})
	if err != nil {
		return err
	}
	s.scanned[in.Depot].Add(1)
	s.tel.EntityUpdated()
	w.WriteHeader(http.StatusNoContent)
	return nil
}
