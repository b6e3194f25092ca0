package parcel

import (
	"context"
	"sync"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// Tariffs are the prices by zone, as they were fetched last.
type Tariffs struct {
	rates *Rates

	mu     sync.RWMutex
	prices map[string]int
}

// NewTariffs has prices once it was refreshed.
func NewTariffs(rates *Rates) *Tariffs {
	return &Tariffs{rates: rates, prices: map[string]int{}}
}

// Price is that of a weight in a zone, in cents.
func (t *Tariffs) Price(zone string, kg int) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if price, ok := t.prices[zone]; ok {
		return price * max(kg, 1)
	}
	return 500 * max(kg, 1)
}

// Refresh fetches the prices.
func (t *Tariffs) Refresh(ctx context.Context) error {
	if fault.On("lock_io") {
		t.mu.Lock()
		defer t.mu.Unlock()
		prices, err := t.rates.Tariffs(ctx)
		if err == nil {
			t.prices = prices
		}
		return err
	}
	prices, err := t.rates.Tariffs(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.prices = prices
	return nil
}
