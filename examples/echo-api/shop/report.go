package shop

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/continuous"
)

// reportOrders is how many of the latest orders the report is about.
const reportOrders = 1000

// resamples is how often the bootstrap draws as many orders as there are. It
// is what makes the report expensive: some 20 ms of CPU for 1,000 orders.
const resamples = 10_000

// Sales is what the report of sales says of the latest orders.
type Sales struct {
	Orders int   `json:"pedidos"`
	Mean   int64 `json:"promedio"`
	// The mean lies between these two with 95 % confidence.
	Low  int64 `json:"promedio_desde"`
	High int64 `json:"promedio_hasta"`
}

func (api *API) salesReport(c *echo.Context) error {
	ctx := c.Request().Context()
	totals, err := api.Store.Totals(ctx, reportOrders)
	if err != nil {
		return err
	}
	var sales Sales
	continuous.Region(ctx, "estadisticas_ventas", func(context.Context) {
		sales = salesStatistics(totals)
	})
	if api.Breaks.CPU.On() {
		api.forecasts.ask(ctx, &api.Breaks.CPU, totals)
	}
	return c.JSON(http.StatusOK, sales)
}

// salesStatistics computes the mean of the orders' values, and how far it can
// be trusted: a bootstrap, which draws the orders again many times and looks
// at how the mean varies.
func salesStatistics(totals []int64) Sales {
	n := uint64(len(totals))
	if n == 0 {
		return Sales{}
	}
	means := make([]int64, resamples)
	// A generator written out (xorshift, Marsaglia 2003): 10 million draws
	// through math/rand/v2 would take three times as long.
	random := uint64(0x9E3779B97F4A7C15)
	for i := range means {
		var sum int64
		for range n {
			random ^= random << 13
			random ^= random >> 7
			random ^= random << 17
			sum += totals[(random>>32)*n>>32]
		}
		means[i] = sum / int64(n)
	}
	slices.Sort(means)
	var sum int64
	for _, total := range totals {
		sum += total
	}
	return Sales{Orders: len(totals), Mean: sum / int64(n), Low: means[resamples*25/1000], High: means[resamples*975/1000]}
}
