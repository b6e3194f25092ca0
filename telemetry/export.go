package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// pusher sends all metrics by OTLP. It is a loop of ours over a ManualReader,
// since OpenTelemetry's periodic one ends the process when a callback panics,
// and waits 30 seconds for a server that hangs.
type pusher struct {
	reader   *sdkmetric.ManualReader
	exporter *otlpmetrichttp.Exporter
	interval time.Duration
	self     *self

	stop context.CancelFunc
	done sync.WaitGroup
}

// pushTimeout bounds one export. There is no retry: the next one has it all,
// as the data is cumulative.
const pushTimeout = 10 * time.Second

// firstPush is when the first export is, at the latest. A new instance's series
// are new: what is counted before the first export is in no increase().
const firstPush = time.Second

// startPush makes the exporter and its reader. The loop begins with run.
func (t *Telemetry) newPusher(ctx context.Context, interval time.Duration) (*pusher, error) {
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}),
		otlpmetrichttp.WithTemporalitySelector(sdkmetric.CumulativeTemporalitySelector),
	}
	if t.cfg.OTLP.Endpoint != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(strings.TrimSuffix(t.cfg.OTLP.Endpoint, "/")+"/v1/metrics"))
	}
	if len(t.cfg.OTLP.Headers) > 0 {
		options = append(options, otlpmetrichttp.WithHeaders(t.cfg.OTLP.Headers))
	}
	if t.cfg.OTLP.TLS != nil {
		options = append(options, otlpmetrichttp.WithTLSClientConfig(t.cfg.OTLP.TLS))
	}
	exporter, err := otlpmetrichttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("otlp metrics: %w", err)
	}
	reader := sdkmetric.NewManualReader(
		sdkmetric.WithProducer(&producer{families: t.families, version: t.build.version, start: t.started}),
		sdkmetric.WithProducer(t.runtimeProducer()),
	)
	return &pusher{reader: reader, exporter: exporter, interval: interval, self: t.self}, nil
}

func (p *pusher) start() {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.done.Go(func() {
		ticker := time.NewTicker(min(firstPush, p.interval))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				ticker.Reset(p.interval)
				_ = p.push(ctx) // logged and counted
			}
		}
	})
}

// push collects and sends everything once.
func (p *pusher) push(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pushTimeout, fmt.Errorf("otlp export of metrics took over %v", pushTimeout))
	defer cancel()
	defer func() {
		if r := recover(); r != nil { // a View or Producer of the user: callbacks are guarded
			err = fmt.Errorf("collecting metrics panicked: %v", r)
		}
		outcome := exportSuccess
		if err != nil {
			outcome = exportFailure
			p.self.once("otlp metrics", func(log *slog.Logger) {
				log.Warn("metrics cannot be sent by OTLP; the next export tries again, and further failures are only counted", "error", err)
			})
		}
		p.self.metricExports[outcome].Add(1)
	}()
	var all metricdata.ResourceMetrics
	if err := p.reader.Collect(ctx, &all); err != nil {
		if len(all.ScopeMetrics) == 0 {
			return fmt.Errorf("collect metrics: %w", err)
		}
		p.self.collectErrors[collectOther].Add(1) // what could be collected is sent
	}
	if err := p.exporter.Export(ctx, &all); err != nil {
		return fmt.Errorf("otlp export of metrics: %w", err)
	}
	return nil
}

// shutdown sends what has happened since the last export, within ctx, and ends
// the loop.
func (p *pusher) shutdown(ctx context.Context) error {
	p.stop()
	p.done.Wait()
	err := p.push(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, p.exporter.Shutdown(ctx))
}
