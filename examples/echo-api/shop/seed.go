package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// SampleOrder makes up an order, with a value as the shop's orders have it.
func SampleOrder() OrderInput {
	in := OrderInput{
		Customer: fmt.Sprintf("cliente-%03d", rand.IntN(500)),
		Channel:  channels[rand.IntN(len(channels))].String(),
	}
	for range 1 + rand.IntN(4) {
		in.Items = append(in.Items, Item{
			SKU:      fmt.Sprintf("SKU-%d", rand.IntN(catalogueSize)),
			Quantity: 1 + rand.Int64N(3),
			Price:    5000 + 100*rand.Int64N(950),
		})
	}
	return in
}

// Seed stores n orders of earlier days, so that lists and reports have
// something to show from the start. They are no business of today, and are
// not counted.
func (s *Store) Seed(ctx context.Context, n int) error {
	orders := make([]*Order, n)
	for i := range orders {
		in := SampleOrder()
		order := in.order()
		orders[i] = &order
	}
	return s.Insert(ctx, orders...)
}
