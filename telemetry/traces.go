package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// retry is for answers that ask for it, 429, 502, 503 and 504: after what
// Retry-After says, or else at growing intervals
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). Meanwhile the
// queue fills. No export takes longer than OTEL_BSP_EXPORT_TIMEOUT, 30 s by
// default, and the end of Shutdown's context ends it.
var retry = otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 10 * time.Second, MaxElapsedTime: 30 * time.Second}

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
		otlptracehttp.WithRetry(retry),
		otlptracehttp.WithEndpointURL(to.url),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithHeaders(to.headers),
		otlptracehttp.WithCompression(compression),
		otlptracehttp.WithTLSClientConfig(to.tls),
		otlptracehttp.WithHTTPClient(t.client(to)),
	}
	t.diagnostics.readingEnvironment.Store(true)
	exporter, err := otlptracehttp.New(ctx, options...)
	t.diagnostics.readingEnvironment.Store(false)
	if err != nil {
		return fmt.Errorf("otlp traces: %w", err)
	}
	queue := newSpanQueue(validExporter{exporter}, env.batch, t.diagnostics)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSpanProcessor(queue),
		sdktrace.WithRawSpanLimits(env.limits),
		sdktrace.WithResource(t.resource),
	)
	t.tracers, t.tracing = provider, true
	t.flushTraces = func(ctx context.Context) error {
		_ = queue.takeFailure() // an old one, which was logged
		err := provider.ForceFlush(ctx)
		if err = errors.Join(err, queue.takeFailure()); err != nil {
			return fmt.Errorf("otlp export of spans: %w", err)
		}
		return nil
	}
	t.stopTraces = func(ctx context.Context) error {
		err := t.flushTraces(ctx)
		// With a context that is done, the SDK would leave its goroutine behind.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		if err != nil { // what is on its way is given up
			err = errors.Join(err, exporter.Shutdown(ctx))
		}
		return errors.Join(err, provider.Shutdown(ctx))
	}
	return nil
}
