// Package telemetry gives a service its metrics, profiles and traces in one
// call:
//
//	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})
//	if err != nil {
//		slog.Error("telemetry is off", "error", err) // the service goes on
//	}
//	defer tel.Shutdown(context.Background())
//
//	mux := tel.NewServeMux() // instead of http.NewServeMux
//	mux.HandleFunc("POST /orders", createOrder)
//	web := tel.Counter("pedidos_procesados").With("canal", "web")
//	web.Add(1)
//
// Every series carries the domain's prefix, whoever records it: ours are made
// with it, and a View puts it on the instruments of other libraries. They are
// served on an admin listener of its own (127.0.0.1:9464), and sent by OTLP
// where OTEL_EXPORTER_OTLP_ENDPOINT asks for it.
//
// The package never harms its host: nothing in it panics, blocks a request or
// grows without bound, a nil or stopped Telemetry records nothing, and no
// goroutine outlives Shutdown.
package telemetry
