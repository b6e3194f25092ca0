package shop

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/examples/echo-api/events"
)

// maxPage is how many orders a page of the list has at most.
const maxPage = 100

// Page is one page of the list of orders.
type Page struct {
	Orders []Order `json:"pedidos"`
	Next   int64   `json:"siguiente,omitempty"` // antes= of the next page, none on the last
}

func (api *API) listOrders(c *echo.Context) error {
	limit, err := queryNumber(c, "limite", 20, 1, maxPage)
	if err != nil {
		return err
	}
	before, err := queryNumber(c, "antes", math.MaxInt64, 1, math.MaxInt64)
	if err != nil {
		return err
	}
	orders, err := api.Store.List(c.Request().Context(), before, int(limit))
	if err != nil {
		return err
	}
	page := Page{Orders: orders}
	if len(orders) == int(limit) {
		page.Next = orders[len(orders)-1].ID
	}
	return c.JSON(http.StatusOK, page)
}

func (api *API) getOrder(c *echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	order, err := api.Store.Get(c.Request().Context(), id)
	if err != nil {
		return orderError(id, err)
	}
	return c.JSON(http.StatusOK, order)
}

func (api *API) createOrder(c *echo.Context) error {
	var in OrderInput
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	order := in.order()
	if api.Breaks.Silence.On() {
		// The trap of every queue: the customer gets a good answer, and
		// nobody takes the order out again. No error, no latency, no sale.
		api.carts.close(in.Cart)
		order.State = StateWaiting
		return c.JSON(http.StatusAccepted, order)
	}
	ctx := c.Request().Context()
	if err := api.Store.Insert(ctx, &order); err != nil {
		return err
	}
	api.carts.close(in.Cart) // one that is gone already does not spoil a sale
	api.tel.EntityCreated()
	if from, ok := channel(order.Channel); ok {
		events.PedidosProcesados(ctx, from)
	}
	api.metrics.units.Add(order.units())
	api.metrics.value.Record(ctx, float64(order.Total))
	return c.JSON(http.StatusCreated, order)
}

func (api *API) changeOrder(c *echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in OrderInput
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if err := in.validate(); err != nil {
		return err
	}
	order, err := api.Store.Change(c.Request().Context(), id, func(o *Order) error {
		if o.State == StateCancelled {
			return conflict("el pedido %d está cancelado y ya no cambia", id)
		}
		changed := in.order()
		o.Customer, o.Channel, o.Items, o.Total = changed.Customer, changed.Channel, changed.Items, changed.Total
		return nil
	})
	if err != nil {
		return orderError(id, err)
	}
	api.tel.EntityUpdated()
	return c.JSON(http.StatusOK, order)
}

func (api *API) cancelOrder(c *echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	var in struct {
		Reason string `json:"motivo"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if !slices.Contains(reasons, in.Reason) {
		return invalid("la cancelación no es válida", FieldProblem{"motivo", "debe ser uno de: " + strings.Join(reasons, ", ")})
	}
	ctx := c.Request().Context()
	order, err := api.Store.Change(ctx, id, func(o *Order) error {
		if o.State == StateCancelled {
			return conflict("el pedido %d ya estaba cancelado", id)
		}
		o.State, o.Reason = StateCancelled, in.Reason
		return nil
	})
	if err != nil {
		return orderError(id, err)
	}
	api.tel.EntityUpdated()
	// The reason is only known at run time: the way in by name.
	api.tel.Count("pedidos_cancelados", "motivo", in.Reason)
	return c.JSON(http.StatusOK, order)
}

// orderError turns the store's error into the answer's.
func orderError(id int64, err error) error {
	if errors.Is(err, errNoOrder) {
		return notFound("no hay un pedido %d", id)
	}
	return err
}
