package shop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/examples/echo-api/breaks"
)

// Supplier stands for the system of somebody else that the shop asks for its
// stock, and that takes its time. Its fields are set before it is used.
type Supplier struct {
	// Delay is how long the next answer takes.
	Delay func() time.Duration
	// Timeout is when the shop gives up.
	Timeout time.Duration
	// Slow makes the supplier take SlowDelay, and the shop wait for it; nil
	// means never.
	Slow      *breaks.Switch
	SlowDelay time.Duration
}

// NewSupplier returns a supplier that takes 250 to 850 ms, and three seconds
// when it is slow, with five seconds of patience.
func NewSupplier() *Supplier {
	return &Supplier{
		Delay:     func() time.Duration { return 250*time.Millisecond + rand.N(600*time.Millisecond) },
		Timeout:   5 * time.Second,
		SlowDelay: 3 * time.Second,
	}
}

// Stock is what a supplier has of each article.
type Stock map[string]int

// Stock asks the supplier.
func (s *Supplier) Stock(ctx context.Context) (Stock, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return s.awaitAnswer(ctx, s.ask())
}

// ask sends the question, and returns where the answer will come.
func (s *Supplier) ask() <-chan Stock {
	answer := make(chan Stock, 1) // nobody may be waiting any more
	delay := s.Delay()
	if s.Slow.On() {
		delay = s.SlowDelay
	}
	time.AfterFunc(delay, func() {
		answer <- Stock{"CAFE-500": 40 + rand.IntN(60), "CACAO-250": 20 + rand.IntN(40), "PANELA-1K": rand.IntN(30)}
	})
	return answer
}

// awaitAnswer is where a request for the stock spends its time: it waits and
// computes nothing, so that a CPU profile does not show it and a goroutine
// profile does.
func (s *Supplier) awaitAnswer(ctx context.Context, answer <-chan Stock) (Stock, error) {
	select {
	case stock := <-answer:
		return stock, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("supplier: %w", ctx.Err())
	}
}

func (api *API) supplierStock(c *echo.Context) error {
	ctx := c.Request().Context()
	stock, err := api.stock(ctx)
	switch {
	case err == nil:
		return c.JSON(http.StatusOK, stock)
	case ctx.Err() != nil: // the client has left
		return err
	}
	return &Problem{Status: http.StatusGatewayTimeout, Message: "el proveedor no responde", Kind: "proveedor_sin_respuesta"}
}
