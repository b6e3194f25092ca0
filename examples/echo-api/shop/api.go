package shop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/examples/echo-api/breaks"
	"github.com/latido-dev/latido/examples/echo-api/events"
	"github.com/latido-dev/latido/examples/echo-api/latidoecho"
	"github.com/latido-dev/latido/telemetry"
)

// maxBody is the length of a request's body, in bytes.
const maxBody = 64 << 10

// API is the shop's service. Its parts that depend on others are fields, so
// that tests can make them fast, slow or broken.
type API struct {
	Store    *Store
	Supplier *Supplier
	Gateway  *Gateway
	// Breaks are what is broken of it on purpose. Close them when the API is
	// no longer asked: they may have started goroutines.
	Breaks *breaks.Set

	tel       *telemetry.Telemetry
	metrics   metrics
	carts     carts
	forecasts forecasts
	watchers  atomic.Int64                         // of prices, that awaitPriceChange holds
	stock     func(context.Context) (Stock, error) // Supplier.Stock, monitored
}

// New makes the API on a store, with a supplier and a payment gateway as they
// are on a normal day.
func New(store *Store, tel *telemetry.Telemetry) *API {
	events.Bind(tel)
	api := &API{Store: store, Supplier: NewSupplier(), Gateway: NewGateway(), Breaks: new(breaks.Set), tel: tel, metrics: newMetrics(tel)}
	api.Supplier.Slow, api.Gateway.Down = &api.Breaks.Slow, &api.Breaks.Errors
	api.carts.active = api.metrics.carts
	api.stock = telemetry.Monitor(tel, "consultar_proveedor", func(ctx context.Context) (Stock, error) {
		return api.Supplier.Stock(ctx)
	})
	return api
}

// Handler returns the API's routes. Every request is measured under its route.
func (api *API) Handler() http.Handler {
	e := echo.New()
	e.Logger = slog.Default()
	latidoecho.Use(e, api.tel)

	e.GET("/salud", api.health)
	e.GET("/pedidos", api.listOrders)
	e.POST("/pedidos", api.createOrder)
	e.GET("/pedidos/:id", api.getOrder)
	e.PUT("/pedidos/:id", api.changeOrder)
	e.POST("/pedidos/:id/cancelar", api.cancelOrder)
	e.POST("/carritos", api.openCart)
	e.DELETE("/carritos/:id", api.abandonCart)
	e.GET("/reportes/ventas", api.salesReport)
	e.GET("/inventario/proveedor", api.supplierStock)
	e.GET("/catalogo/exportar", api.exportCatalogue)
	e.GET("/pagos/estado", api.paymentStatus)
	return e
}

func (api *API) health(c *echo.Context) error {
	if err := api.Store.Ready(c.Request().Context()); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return c.JSON(http.StatusOK, map[string]string{"estado": "bien"})
}

// readJSON reads the request's body into value. Unknown fields are errors:
// silently ignoring "cantidda" would sell the wrong thing.
func readJSON(c *echo.Context, value any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(value)
	if err == nil {
		_, err = decoder.Token() // io.EOF if nothing follows
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			return badRequest("el cuerpo tiene más de un valor JSON")
		}
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return &Problem{Status: http.StatusRequestEntityTooLarge, Kind: "validation", Message: fmt.Sprintf("el cuerpo pasa de %d bytes", maxBody)}
	case errors.Is(err, io.EOF):
		return badRequest("el cuerpo está vacío: se espera JSON")
	}
	return badRequest("el cuerpo no es el JSON esperado: %s", err)
}

// pathID reads the id in the path.
func pathID(c *echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, badRequest("el id %.20q no es un número positivo", c.Param("id"))
	}
	return id, nil
}

// queryNumber reads a number from the query; none is what stands for none.
func queryNumber(c *echo.Context, name string, none, low, high int64) (int64, error) {
	text := c.QueryParam(name)
	if text == "" {
		return none, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		return 0, badRequest("%s=%.20q: debe ser un número entre %d y %d", name, text, low, high)
	}
	return n, nil
}
