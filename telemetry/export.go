package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	reader      *sdkmetric.ManualReader
	exporter    *otlpmetrichttp.Exporter
	interval    time.Duration // between exports
	timeout     time.Duration // of one
	diagnostics *diagnostics

	turn chan struct{}      // holds one, who pushes: what is sent later is newer
	stop context.CancelFunc // nil before start
	done sync.WaitGroup
}

// minPushInterval is the shortest time between exports: MetricInterval: 60 is 60
// nanoseconds.
const minPushInterval = 20 * time.Millisecond

// pushTimeout bounds one export, unless OTEL_METRIC_EXPORT_TIMEOUT does. There is
// no retry: the next one has it all, as the data is cumulative.
const pushTimeout = 10 * time.Second

// firstPush is when the first export is, at the latest. A new instance's series
// are new: what is counted before the first export is in no increase().
const firstPush = time.Second

// newPusher makes the exporter and its reader. The loop begins with start.
func (t *Telemetry) newPusher(ctx context.Context, env environment) (*pusher, error) {
	to := env.metrics
	compression := otlpmetrichttp.NoCompression
	if to.gzip {
		compression = otlpmetrichttp.GzipCompression
	}
	// Every option is given: the exporter would read the same variables, and
	// refuse some.
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}),
		otlpmetrichttp.WithTemporalitySelector(sdkmetric.CumulativeTemporalitySelector),
		otlpmetrichttp.WithEndpointURL(to.url),
		otlpmetrichttp.WithHeaders(to.headers),
		otlpmetrichttp.WithCompression(compression),
		otlpmetrichttp.WithTLSClientConfig(to.tls),
		otlpmetrichttp.WithHTTPClient(t.client(to)),
	}
	t.diagnostics.readingEnvironment.Store(true)
	exporter, err := otlpmetrichttp.New(ctx, options...)
	t.diagnostics.readingEnvironment.Store(false)
	if err != nil {
		return nil, fmt.Errorf("otlp metrics: %w", err)
	}
	reader := sdkmetric.NewManualReader(
		sdkmetric.WithProducer(t.foreign), // first, as it may take a while: no point is older than the others
		sdkmetric.WithProducer(&producer{families: t.families, version: t.build.version, start: t.started}),
	)
	return &pusher{
		reader: reader, exporter: exporter, diagnostics: t.diagnostics, turn: make(chan struct{}, 1),
		interval: max(env.metricInterval, minPushInterval), timeout: env.metricTimeout,
	}, nil
}

// start begins to send, if p is not nil.
func (p *pusher) start() {
	if p == nil {
		return
	}
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
	ctx, cancel := context.WithTimeoutCause(ctx, p.timeout, fmt.Errorf("otlp export of metrics took over %v", p.timeout))
	defer cancel()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return fmt.Errorf("otlp export of metrics: another one is under way: %w", context.Cause(ctx))
	}
	defer func() {
		if r := recover(); r != nil { // a View or Producer of the user: callbacks are guarded
			err = fmt.Errorf("collecting metrics panicked: %v", r)
		}
		outcome := exportSuccess
		if err != nil {
			outcome = exportFailure
			p.diagnostics.once("otlp metrics", func(log *slog.Logger) {
				log.Warn("metrics cannot be sent by OTLP; the next export tries again, and further failures are only counted", "error", err)
			})
		}
		p.diagnostics.metricExports[outcome].Add(1)
	}()
	var all metricdata.ResourceMetrics
	if err := p.collect(ctx, &all); err != nil {
		if len(all.ScopeMetrics) == 0 {
			return fmt.Errorf("collect metrics: %w", err)
		}
		p.diagnostics.collectErrors[collectOther].Add(1) // what could be collected is sent
	}
	if err := p.exporter.Export(ctx, &all); err != nil {
		return fmt.Errorf("otlp export of metrics: %w", err)
	}
	return nil
}

// collect reads all metrics. Callbacks that are slow get half of the time that
// there is: what is known is to be sent in the other half.
func (p *pusher) collect(ctx context.Context, all *metricdata.ResourceMetrics) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	return p.reader.Collect(ctx, all)
}

// shutdown sends what has happened since the last export, within ctx, and ends
// the loop. It does nothing for nil.
func (p *pusher) shutdown(ctx context.Context) error {
	if p == nil {
		return nil
	}
	var err error
	if p.stop != nil { // or nothing was ever recorded
		p.stop()
		err = p.push(ctx)
		p.done.Wait()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, p.exporter.Shutdown(ctx))
}
