package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/otlptranslator"
	goruntime "go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// newResource describes the process. What was found out is the weakest, then
// the environment, then the code: an attribute that the user gave is never
// written over by a guess. The command line is left out, since people pass
// passwords in flags.
func newResource(ctx context.Context, cfg Config, b build, environment []attribute.KeyValue) (*resource.Resource, error) {
	found := []attribute.KeyValue{
		semconv.ServiceName(cfg.Domain.Service()), semconv.ServiceVersion(b.version), semconv.VCSRefHeadRevision(b.revision),
	}
	var said []attribute.KeyValue
	if cfg.Domain.App != "" {
		said = append(said, semconv.ServiceName(cfg.Domain.App))
	}
	if cfg.Version != "" {
		said = append(said, semconv.ServiceVersion(cleanValue(cfg.Version)))
	}
	r, err := resource.New(ctx,
		resource.WithHost(),
		resource.WithOSType(),
		resource.WithProcessPID(),
		resource.WithProcessExecutableName(),
		resource.WithProcessRuntimeName(),
		resource.WithProcessRuntimeVersion(),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(found...),
		resource.WithAttributes(environment...),
		resource.WithAttributes(said...),
		resource.WithAttributes(cfg.Attributes...),
	)
	attributes := r.Attributes()
	if instanceOf(r) == "" {
		generated, failed := resource.New(ctx, resource.WithService())
		attributes = append(attributes, semconv.ServiceInstanceID(instanceOf(generated)))
		err = errors.Join(err, failed)
	}
	return resource.NewWithAttributes(r.SchemaURL(), validAttributes(attributes)...), err
}

// instanceOf is service.instance.id, "" where nobody gave one: then it is a
// random UUID of this start, as the semantic conventions recommend. The host's
// name with the process id is no substitute: in containers both repeat. Without
// it two replicas that push write the same series, each over the other's.
func instanceOf(r *resource.Resource) string {
	id, _ := r.Set().Value(semconv.ServiceInstanceIDKey)
	return id.String()
}

// startMeters makes the MeterProvider for other libraries' instruments, and
// registers the Go runtime's. They are read in one place, from where a registry
// of its own serves them, and the OTLP reader sends them, where there is one.
func (t *Telemetry) startMeters(otlp sdkmetric.Reader) error {
	registry := prometheus.NewRegistry()
	t.registry = registry
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithoutTargetInfo(), // it cannot carry the prefix; build_info says as much
		otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithProducer(t.foreign),
	)
	if err != nil {
		return fmt.Errorf("prometheus exporter: %w", err)
	}
	// A reader wants a provider. That of the two ways out has no instruments.
	out := []sdkmetric.Option{sdkmetric.WithResource(t.resource), sdkmetric.WithReader(exporter)}
	if otlp != nil {
		out = append(out, sdkmetric.WithReader(otlp))
	}
	readers := sdkmetric.NewMeterProvider(out...)
	view := prefixView(t.cfg.Domain.Prefix, t.cfg.Views, t.diagnostics)
	provider := sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(t.resource),
		sdkmetric.WithReader(t.foreign.reader),
		sdkmetric.WithView(view),
	)
	t.stopMeters = func(ctx context.Context) error {
		return errors.Join(readers.Shutdown(ctx), provider.Shutdown(ctx))
	}
	t.meters = &guardedProvider{provider, t.diagnostics, view}
	if err := goruntime.Start(goruntime.WithMeterProvider(t.meters), goruntime.WithMinimumReadMemStatsInterval(hostTTL)); err != nil {
		return fmt.Errorf("go runtime metrics: %w", err)
	}
	return nil
}

// runtimeProducer is the part of the Go runtime's metrics that does not come
// through an instrument, and so not through the View: it gets the prefix here.
// Its some 150 buckets are folded into few.
func (t *Telemetry) runtimeProducer() sdkmetric.Producer {
	waits, _ := t.cfg.Domain.Metric("go_schedule_duration")
	var options []goruntime.ProducerOption
	// Else it is read once in 15 seconds. The option is typed as one for Start.
	if every, ok := goruntime.WithMinimumReadMemStatsInterval(hostTTL).(goruntime.ProducerOption); ok {
		options = append(options, every)
	}
	return prefixedProducer{goruntime.NewProducer(options...), t.cfg.Domain.Prefix + ".", waits.Buckets}
}

type prefixedProducer struct {
	sdkmetric.Producer
	prefix string
	bounds []float64 // of its histogram
}

func (p prefixedProducer) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	scopes, err := p.Producer.Produce(ctx)
	now := time.Now()
	for _, scope := range scopes {
		for i := range scope.Metrics {
			m := &scope.Metrics[i]
			m.Name = p.prefix + m.Name
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				for j := range h.DataPoints {
					fold(&h.DataPoints[j], p.bounds)
					// The producer says when it last looked. One point that is older
					// than the others makes Prometheus' OTLP receiver refuse an
					// export: its target_info goes back to the oldest.
					h.DataPoints[j].Time = now
				}
			}
		}
	}
	return scopes, err
}

// fold adds the counts of many buckets up into few. A bucket that straddles a
// bound goes to the one above, so that no wait is made to look shorter.
func fold(p *metricdata.HistogramDataPoint[float64], bounds []float64) {
	counts := make([]uint64, len(bounds)+1)
	for i, n := range p.BucketCounts {
		to := len(bounds)
		if i < len(p.Bounds) {
			for to = 0; to < len(bounds) && p.Bounds[i] > bounds[to]; to++ {
			}
		}
		counts[to] += n
	}
	p.Bounds, p.BucketCounts = bounds, counts
}
