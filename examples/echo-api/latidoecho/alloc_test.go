//go:build !race

package latidoecho // under the race detector a sync.Pool drops what it is given now and then

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/latido-dev/latido/telemetry"
)

type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

func TestAllocations(t *testing.T) {
	_, measured := start(t, telemetry.Config{NoRequestContext: true})
	bare := echo.New()
	for _, e := range []*echo.Echo{bare, measured} {
		e.GET("/salud", func(c *echo.Context) error { return c.NoContent(http.StatusNoContent) })
	}
	r := httptest.NewRequest("GET", "/salud", nil)
	w := nowhere{http.Header{}}
	count := func(e *echo.Echo) float64 {
		return testing.AllocsPerRun(1000, func() { e.ServeHTTP(w, r) })
	}
	if more := count(measured) - count(bare); more >= 1 {
		t.Errorf("%.1f allocations a request more than echo alone, want none", more)
	}
}
