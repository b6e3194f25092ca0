package shop

import (
	"math/rand/v2"
	"net/http"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/examples/echo-api/breaks"
)

// Gateway stands for the payment gateway, which fails now and then. Its
// fields are set before it is used.
type Gateway struct {
	// FailureRate is the share of questions that fail, from 0 to 1.
	FailureRate float64
	// Down makes every question fail; nil means never.
	Down *breaks.Switch
}

// NewGateway returns a gateway that fails twice in a hundred times. Its alert
// fires when half of them fail, and with -fast looks at 24 questions at a time:
// at a tenth it would call somebody for nothing now and then, at this it does
// not in a year.
func NewGateway() *Gateway { return &Gateway{FailureRate: 0.02} }

// Status asks the gateway how it is.
func (g *Gateway) Status() (string, error) {
	if g.Down.On() || rand.Float64() < g.FailureRate {
		return "", &Problem{Status: http.StatusBadGateway, Message: "la pasarela de pagos no responde", Kind: "pasarela_no_disponible"}
	}
	return "disponible", nil
}

func (api *API) paymentStatus(c *echo.Context) error {
	status, err := api.Gateway.Status()
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"pasarela": status})
}
