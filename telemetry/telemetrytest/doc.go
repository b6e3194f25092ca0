// Package telemetrytest tells a service's own tests what the service recorded:
// events, requests and errors, by name and attributes. Nothing listens, nothing
// is sent, and no text is parsed.
//
//	func TestOrder(t *testing.T) {
//		rec := telemetrytest.New(t, telemetry.Config{Domain: d})
//		shop := NewShop(rec.Telemetry)
//		shop.Order("web", 52_000)
//
//		if got := rec.Value("pedidos_procesados", "canal", "web"); got != 1 {
//			t.Errorf("%v orders counted, want 1", got)
//		}
//		if n := rec.Refused(); n != 0 {
//			t.Errorf("%d recordings do not fit the domain", n)
//		}
//	}
//
// The values are read from /metrics, in Prometheus' protobuf format. A test sees
// what a server would see.
//
// A test cannot pass because of a slip: a metric, an attribute or a value that the
// domain does not declare fails the test, and the message has the nearest name.
//
// Each Recorder has a state of its own and leaves OpenTelemetry's globals alone,
// so that tests may run in parallel.
package telemetrytest
