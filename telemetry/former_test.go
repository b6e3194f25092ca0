package telemetry

import (
	"testing"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TestFormerNames: until the last day an event is served under its former names
// too, whatever its kind and under whichever name it was recorded; after that
// under its own only.
func TestFormerNames(t *testing.T) {
	t.Parallel()
	for last, both := range map[time.Duration]bool{0: true, 48 * time.Hour: true, -48 * time.Hour: false} {
		day := time.Now().UTC().Add(last).Format(time.DateOnly)
		tel := start(t, func(c *Config) {
			c.Domain.Events = []domain.Event{
				{Name: "nuevos", Was: []string{"viejos"}, WasUntil: day, Attributes: map[string][]string{"canal": {"web"}}},
				{Name: "nivel", Kind: domain.KindGauge, Was: []string{"altura"}, WasUntil: day},
				{Name: "valor", Kind: domain.KindHistogram, Buckets: []float64{1, 10}, Was: []string{"precio"}, WasUntil: day},
			}
			c.Domain.Thresholds, c.Domain.SLOs = nil, nil
		})
		tel.Counter("nuevos").With("canal", "web").Add(2)
		tel.Counter("viejos").With("canal", "web").Add(1) // code that was not renamed
		tel.Gauge("nivel").With().Set(7)
		tel.Histogram("valor").With().Record(t.Context(), 5)
		all := scrape(t, tel)
		want := series{`tienda_nuevos_total{canal="web"}`: 3, "tienda_nivel": 7, "tienda_valor_count": 1}
		all.want(t, want)
		if both {
			all.want(t, series{`tienda_viejos_total{canal="web"}`: 3, "tienda_altura": 7, "tienda_precio_count": 1, `tienda_precio_bucket{le="10"}`: 1})
			continue
		}
		for _, gone := range []string{"tienda_viejos_total", "tienda_altura", "tienda_precio_count"} {
			all.of(gone).wantOnly(t, series{})
		}
	}
}
