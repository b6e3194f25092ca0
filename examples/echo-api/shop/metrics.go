package shop

import "github.com/latido-dev/latido/telemetry"

// metrics are business events of domain.yaml bound once, so that recording one
// is an atomic addition. There are two more ways to record one, and
// [API.createOrder] and [API.cancelOrder] use them: the typed functions that
// "latido generate events" writes, where a wrong name or value does not
// compile, and Telemetry.Count, for what is only known at run time.
type metrics struct {
	units telemetry.BoundCounter
	value telemetry.BoundHistogram
	carts telemetry.BoundUpDown
}

func newMetrics(tel *telemetry.Telemetry) metrics {
	return metrics{
		units: tel.Counter("unidades_vendidas").With(),
		value: tel.Histogram("valor_pedido").With(),
		carts: tel.UpDown("carritos_activos").With(),
	}
}
