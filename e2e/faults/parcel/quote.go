package parcel

import (
	"net/http"
	"strconv"
)

// quote says what a shipment would cost.
func (s *Service) quote(w http.ResponseWriter, r *http.Request) error {
	kg, err := strconv.Atoi(r.FormValue("kg"))
	if err != nil {
		return &problem{http.StatusBadRequest, "", err}
	}
	rate, err := s.rates.Rate(r.Context(), r.FormValue("from"), r.FormValue("to"))
	if err != nil {
		return err
	}
	return respond(w, map[string]any{"cents": rate + s.tariffs.Price(r.FormValue("to"), kg)})
}
