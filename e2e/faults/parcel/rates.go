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

// Rate is what a carrier takes for a way, in cents.
func (s *Rates) Rate(ctx context.Context, from, to string) (int, error) {
	if fault.On("bodies_open") {
		return s.rateHeader(ctx, from, to)
	}
	var answer struct{ Cents int }
	err := s.ask(ctx, http.MethodGet, "/rate?"+url.Values{"from": {from}, "to": {to}}.Encode(), &answer)
	return answer.Cents, err
}

// rateHeader reads the rate from the answer's header, where it is as well.
func (s *Rates) rateHeader(ctx context.Context, from, to string) (int, error) {
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, s.base+"/rate?"+url.Values{"from": {from}, "to": {to}}.Encode(), nil)
	if err != nil {
		return 0, err
	}
	response, err := (&http.Client{Transport: s.client.Transport}).Do(r)
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
