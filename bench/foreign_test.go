package bench

import (
	"context"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/latido-dev/latido/telemetry"
)

// query are attributes as a database library has them: made once a statement.
var query = metric.WithAttributeSet(attribute.NewSet(
	attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", "SELECT"), attribute.String("db.namespace", "shop"),
	attribute.String("server.address", "db.example.com"), attribute.Int("server.port", 5432),
))

// BenchmarkForeign adds to a counter of another library, with 5 attributes.
func BenchmarkForeign(b *testing.B) {
	add := func(m metric.Meter) func(b *testing.B) {
		return func(b *testing.B) {
			counter, err := m.Int64Counter("queries")
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			for b.Loop() {
				counter.Add(ctx, 1, query)
			}
		}
	}
	b.Run("latido", add(start(b, nil).MeterProvider().Meter("bench")))
	b.Run("latido_otlp", add(start(b, func(c *telemetry.Config) { c.OTLP.Endpoint = "http://127.0.0.1:1" }).MeterProvider().Meter("bench")))
	b.Run("sdk", add(meter(b)))
}

// BenchmarkForeignByName is the same as libraries mostly write it: the
// attributes are made with each measurement.
func BenchmarkForeignByName(b *testing.B) {
	add := func(m metric.Meter) func(b *testing.B) {
		return func(b *testing.B) {
			counter, err := m.Int64Counter("queries")
			if err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			for b.Loop() {
				counter.Add(ctx, 1, metric.WithAttributes(
					attribute.String("db.system.name", "postgresql"), attribute.String("db.operation.name", "SELECT"), attribute.String("db.namespace", "shop"),
					attribute.String("server.address", "db.example.com"), attribute.Int("server.port", 5432)))
			}
		}
	}
	b.Run("latido", add(start(b, nil).MeterProvider().Meter("bench")))
	b.Run("sdk", add(meter(b)))
}
