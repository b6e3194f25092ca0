package shop

import (
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/labstack/echo/v5"
)

// catalogueSize is how many articles the shop sells.
const catalogueSize = 5000

func (api *API) exportCatalogue(c *echo.Context) error {
	api.watchPrices()
	c.Response().Header().Set(echo.HeaderContentType, "text/csv; charset=utf-8")
	w := csv.NewWriter(c.Response())
	if err := w.WriteAll(catalogueRows(catalogueSize)); err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	return nil
}

// catalogueRows makes the whole catalogue in memory before the first byte is
// sent, as many an export does: some 2 MB each time, for the garbage
// collector to take away again.
func catalogueRows(n int) [][]string {
	rows := [][]string{{"sku", "nombre", "precio", "descripcion"}}
	for i := range n {
		description := make([]byte, 0, 256)
		for len(description) < 200 {
			description = append(description, "Producto de la región, empacado a mano. "...)
		}
		rows = append(rows, []string{
			"SKU-" + strconv.Itoa(i),
			"Artículo " + strconv.Itoa(i),
			strconv.Itoa(5000 + 100*(i%950)),
			string(description),
		})
	}
	return rows
}
