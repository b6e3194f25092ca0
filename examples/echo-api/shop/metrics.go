package shop

import "github.com/latido-dev/latido/telemetry"

// metrics are the business events of domain.yaml whose attributes are known
// beforehand. They are bound once, so that counting one is an atomic addition.
type metrics struct {
	processed map[string]telemetry.BoundCounter // by channel
	units     telemetry.BoundCounter
	value     telemetry.BoundHistogram
	carts     telemetry.BoundUpDown
}

func newMetrics(tel *telemetry.Telemetry) metrics {
	m := metrics{
		processed: map[string]telemetry.BoundCounter{},
		units:     tel.Counter("unidades_vendidas").With(),
		value:     tel.Histogram("valor_pedido").With(),
		carts:     tel.UpDown("carritos_activos").With(),
	}
	for _, channel := range channels {
		m.processed[channel] = tel.Counter("pedidos_procesados").With("canal", channel)
	}
	return m
}
