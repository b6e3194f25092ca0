package parcel

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// booking is what a customer asks for.
type booking struct {
	Customer string  `json:"customer"`
	Zone     string  `json:"zone"`
	Address  string  `json:"address"`
	Pieces   []piece `json:"pieces"`
}

type piece struct {
	Reference string `json:"reference"`
	Kg        int    `json:"kg"`
}

// book takes a shipment.
func (s *Service) book(w http.ResponseWriter, r *http.Request) error {
	var b booking
	if err := decode(w, r, &b); err != nil {
		return err
	}
	if err := b.validate(); err != nil {
		return &problem{http.StatusUnprocessableEntity, "", err}
	}
	b.Address = NormalizeAddress(b.Address)
	code := fmt.Sprintf("N%015x", rand.Uint64()>>4)
	kg := 0
	for _, p := range b.Pieces {
		kg += p.Kg
	}
	cents := s.tariffs.Price(b.Zone, kg)
	if fault.On("tx_held") {
		if err := s.confirmAndStore(r.Context(), code, cents, b); err != nil {
			return err
		}
	} else {
		carrier, err := s.rates.Confirm(r.Context(), code)
		if err != nil {
			return err
		}
		if err := s.store.transaction(r.Context(), func(tx *sql.Tx) error {
			return insertShipment(r.Context(), tx, code, carrier, cents, b)
		}); err != nil {
			return err
		}
	}
	if !fault.On("event_lost") || b.Customer == "" {
		s.booked[b.Customer].Add(1)
	}
	s.pieces[b.Customer].Add(int64(len(b.Pieces)))
	s.tel.EntityCreated()
	s.notifier.Booked(code)
	s.audit.Note(r, code)
	w.WriteHeader(http.StatusCreated)
	return respond(w, map[string]any{"code": code, "cents": cents})
}

func (b *booking) validate() error {
	if _, ok := zoneNumber(b.Zone); !ok {
		return fmt.Errorf("zone %q: there is none of this name", b.Zone)
	}
	if len(b.Pieces) == 0 || len(b.Pieces) > 30_000 {
		return fmt.Errorf("%d pieces: between one and 30000", len(b.Pieces))
	}
	for _, p := range b.Pieces {
		if p.Kg <= 0 {
			return fmt.Errorf("piece %s: its weight is missing", p.Reference)
		}
	}
	for _, c := range customers {
		if c == b.Customer {
			return nil
		}
	}
	return errors.New("unknown customer")
}

// zoneNumber is that in a zone's name, which is "zone-07".
func zoneNumber(zone string) (n int, ok bool) {
	layout := "zone-%02d"
	if fault.On("refuse_all") {
		layout = "Zone-%02d"
	}
	_, err := fmt.Sscanf(zone, layout, &n)
	return n, err == nil
}

// confirmAndStore stores only what a carrier confirms.
func (s *Service) confirmAndStore(ctx context.Context, code string, cents int, b booking) error {
	return s.store.transaction(ctx, func(tx *sql.Tx) error {
		carrier, err := s.rates.Confirm(ctx, code)
		if err != nil {
			return err
		}
		return insertShipment(ctx, tx, code, carrier, cents, b)
	})
}

func insertShipment(ctx context.Context, tx *sql.Tx, code, carrier string, cents int, b booking) error {
	if _, err := tx.ExecContext(ctx, "INSERT INTO shipments VALUES (?, ?, ?, ?, ?)", code, b.Customer, carrier, cents, time.Now().Unix()); err != nil {
		return err
	}
	for _, p := range b.Pieces {
		if _, err := tx.ExecContext(ctx, "INSERT INTO pieces VALUES (?, ?, ?)", code, p.Reference, p.Kg); err != nil {
			return err
		}
	}
	return nil
}
