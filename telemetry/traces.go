package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// startTraces makes spans and sends them, where an endpoint is known.
func (t *Telemetry) startTraces(ctx context.Context, env environment) error {
	if env.traces.url == "" {
		return nil
	}
	to := env.traces
	compression := otlptracehttp.NoCompression
	if to.gzip {
		compression = otlptracehttp.GzipCompression
	}
	// Every option is given: the exporter would read the same variables, and
	// refuse some.
	options := []otlptracehttp.Option{
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}),
		otlptracehttp.WithEndpointURL(to.url),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithHeaders(to.headers),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithTLSClientConfig(to.tls),
		otlptracehttp.WithHTTPClient(t.client(to)),
	}
	t.self.readingEnvironment.Store(true)
	exporter, err := otlptracehttp.New(ctx, options...)
	t.self.readingEnvironment.Store(false)
	if err != nil {
		return fmt.Errorf("otlp traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(validExporter{exporter}, sdktrace.WithMaxQueueSize(env.batch.queue), sdktrace.WithMaxExportBatchSize(env.batch.size),
			sdktrace.WithBatchTimeout(env.batch.delay), sdktrace.WithExportTimeout(env.batch.timeout)),
		sdktrace.WithRawSpanLimits(env.limits),
		sdktrace.WithResource(t.resource),
		sdktrace.WithSampler(t.sampler()),
	)
	t.tracers, t.tracing = provider, true
	t.flushTraces = provider.ForceFlush
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
