package shop

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latido-dev/latido/examples/echo-api/events"
)

// The states of an order.
const (
	StateNew       = "nuevo"
	StateWaiting   = "en espera" // not stored: see breaks
	StateCancelled = "cancelado"
)

// channels are where orders come from: those of domain.yaml, so that one which
// is taken out of it no longer compiles here.
var channels = []events.Canal{events.CanalWeb, events.CanalMovil, events.CanalTienda}

// reasons are why orders are cancelled.
var reasons = []string{"cliente", "sin_existencias", "pago_rechazado"}

// channel finds a channel by its name; ok is false if there is none.
func channel(name string) (c events.Canal, ok bool) {
	for _, c := range channels {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// channelNames are the channels as a person reads them: web, movil, tienda.
func channelNames() string {
	names := make([]string, len(channels))
	for i, c := range channels {
		names[i] = c.String()
	}
	return strings.Join(names, ", ")
}

// The limits of an order.
const (
	maxItems    = 50
	maxQuantity = 100
	maxPrice    = 20_000_000 // COP
	maxText     = 100        // characters
)

// Order is one order of the shop. Money is in whole Colombian pesos.
type Order struct {
	ID       int64     `json:"id"`
	Customer string    `json:"cliente"`
	Channel  string    `json:"canal"`
	Items    []Item    `json:"articulos"`
	Total    int64     `json:"total"`
	State    string    `json:"estado"`
	Reason   string    `json:"motivo,omitempty"` // of the cancellation
	Created  time.Time `json:"creado"`
}

// Item is one line of an order.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"cantidad"`
	Price    int64  `json:"precio"`
}

// OrderInput is what a client sends to create or change an order.
type OrderInput struct {
	Customer string `json:"cliente"`
	Channel  string `json:"canal"`
	Items    []Item `json:"articulos"`
	Cart     int64  `json:"carrito,omitempty"` // the cart that the order comes from
}

// validate finds everything that is wrong with the input.
func (in *OrderInput) validate() error {
	var fields []FieldProblem
	wrong := func(field, format string, args ...any) {
		fields = append(fields, FieldProblem{field, fmt.Sprintf(format, args...)})
	}
	if problem := checkText(in.Customer); problem != "" {
		wrong("cliente", "%s", problem)
	}
	if _, ok := channel(in.Channel); !ok {
		wrong("canal", "debe ser uno de: %s", channelNames())
	}
	if n := len(in.Items); n == 0 || n > maxItems {
		wrong("articulos", "un pedido tiene entre 1 y %d artículos", maxItems)
	}
	for i, item := range in.Items[:min(len(in.Items), maxItems)] {
		at := fmt.Sprintf("articulos[%d].", i)
		if problem := checkText(item.SKU); problem != "" {
			wrong(at+"sku", "%s", problem)
		}
		if item.Quantity < 1 || item.Quantity > maxQuantity {
			wrong(at+"cantidad", "debe estar entre 1 y %d", maxQuantity)
		}
		if item.Price < 1 || item.Price > maxPrice {
			wrong(at+"precio", "debe estar entre 1 y %d pesos", maxPrice)
		}
	}
	if len(fields) > 0 {
		return invalid("el pedido no es válido", fields...)
	}
	return nil
}

// checkText says what is wrong with a short text; "" if nothing is.
func checkText(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "no puede estar vacío"
	case utf8.RuneCountInString(s) > maxText:
		return fmt.Sprintf("tiene más de %d caracteres", maxText)
	}
	return ""
}

// order makes the order of a valid input.
func (in *OrderInput) order() Order {
	o := Order{Customer: in.Customer, Channel: in.Channel, Items: in.Items, State: StateNew}
	for _, item := range in.Items {
		o.Total += item.Quantity * item.Price
	}
	return o
}

// units is how many pieces an order has.
func (o *Order) units() (n int64) {
	for _, item := range o.Items {
		n += item.Quantity
	}
	return n
}
