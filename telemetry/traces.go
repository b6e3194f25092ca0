package telemetry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// startTraces makes spans and sends them, where an endpoint is known.
func (t *Telemetry) startTraces(ctx context.Context) error {
	options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false})}
	if t.cfg.OTLP.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(strings.TrimSuffix(t.cfg.OTLP.Endpoint, "/")+"/v1/traces"))
	}
	if len(t.cfg.OTLP.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(t.cfg.OTLP.Headers))
	}
	if t.cfg.OTLP.TLS != nil {
		options = append(options, otlptracehttp.WithTLSClientConfig(t.cfg.OTLP.TLS))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return fmt.Errorf("otlp traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(validExporter{exporter}),
		sdktrace.WithResource(t.resource),
		sdktrace.WithSampler(t.sampler()),
	)
	t.tracers, t.tracing = provider, true
	t.stopTraces = func(ctx context.Context) error {
		err := provider.ForceFlush(ctx)
		// With a context that is done, the SDK would leave its goroutine behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err != nil { // the server hangs: what is on its way is given up
			err = errors.Join(fmt.Errorf("otlp export of spans: %w", err), exporter.Shutdown(ctx))
		}
		return errors.Join(err, provider.Shutdown(ctx))
	}
	return nil
}
