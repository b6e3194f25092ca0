package parcel

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// Rates asks the service of the carriers' rates.
type Rates struct {
	base   string
	client *http.Client
}

// carriers are those that fetch parcels for the company.
var carriers = []string{"atlas", "brisa", "condor"}

// Rate is what the cheapest carrier takes for a way, in cents.
func (s *Rates) Rate(ctx context.Context, from, to string) (int, error) {
	rate := s.rateOf
	if fault.On("bodies_open") {
		rate = s.rateHeader
	}
	least := 0
	for _, carrier := range carriers {
		cents, err := rate(ctx, "/rate?"+url.Values{"from": {from}, "to": {to}, "carrier": {carrier}}.Encode())
		if err != nil {
			return 0, err
		}
		if least == 0 || cents < least {
			least = cents
		}
	}
	return least, nil
}

func (s *Rates) rateOf(ctx context.Context, path string) (int, error) {
	var answer struct{ Cents int }
	err := s.ask(ctx, http.MethodGet, path, &answer)
	return answer.Cents, err
}

// rateHeader reads the rate from the answer's header, where it is as well.
func (s *Rates) rateHeader(ctx context.Context, path string) (int, error) {
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, s.base+path, nil)
	if err != nil {
		return 0, err
	}
	response, err := (&http.Client{Transport: s.client.Transport}).Do(r) //nolint:bodyclose // that it stays open is the fault
	if err != nil {
		return 0, &problem{http.StatusBadGateway, "rates_unavailable", err}
	}
	return strconv.Atoi(response.Header.Get("X-Cents"))
}

// Confirm has a carrier promise to fetch a shipment.
func (s *Rates) Confirm(ctx context.Context, code string) (carrier string, err error) {
	var answer struct{ Carrier string }
	err = s.ask(ctx, http.MethodPost, "/confirm?"+url.Values{"code": {code}}.Encode(), &answer)
	return answer.Carrier, err
}

// Tariffs are the prices by zone. The list is long and takes its time.
func (s *Rates) Tariffs(ctx context.Context) (map[string]int, error) {
	tariffs := map[string]int{}
	err := s.ask(ctx, http.MethodGet, "/tariffs", &tariffs)
	return tariffs, err
}

// ask tries twice: carriers restart now and then.
func (s *Rates) ask(ctx context.Context, method, path string, v any) error {
	tries, pause := 2, 50*time.Millisecond
	if fault.On("retry_storm") {
		tries, pause = 100, 0
	}
	var err error
	for range tries {
		if err = fetch(ctx, s.client, method, s.base+path, v); err == nil {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		if pause > 0 {
			time.Sleep(pause)
		}
	}
	return &problem{http.StatusBadGateway, "rates_unavailable", err}
}
