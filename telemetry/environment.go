package telemetry

import (
	"cmp"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// environment is what the OTEL_ variables ask for, as the OpenTelemetry
// specification has them
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/),
// where Config does not say otherwise. The sampler is the SDK's to read; the
// others are read here: the SDK and its exporters would read most of them, but say
// less of what is wrong, and panic on some.
type environment struct {
	disabled   bool
	sdkLevel   slog.Level           // of OpenTelemetry's own log lines
	attributes []attribute.KeyValue // of the resource

	metrics, traces signal
	metricInterval  time.Duration
	metricTimeout   time.Duration
	batch           batch
	limits          sdktrace.SpanLimits
	noExemplars     bool

	noTraceContext, noBaggage bool // are not handed on

	adminAddress string
}

// batch is how spans wait to be sent.
type batch struct {
	delay, timeout time.Duration
	queue, size    int // of spans
}

const (
	// defaultAdminHost and defaultAdminPort are those of the specification.
	defaultAdminHost = "127.0.0.1"
	defaultAdminPort = "9464"

	// maxQueue bounds the memory of spans that wait: some 64 MiB.
	maxQueue = 1 << 16
)

// readEnvironment reads the variables. A value that makes no sense is warned
// of and counts as not set: the environment is no reason for a service to stop.
func readEnvironment(log *slog.Logger, code OTLP) environment {
	r := variables{log, map[string]bool{}}
	e := environment{disabled: r.flag("OTEL_SDK_DISABLED")}
	e.readPropagators(r)
	if e.disabled {
		return e
	}
	r.warnOfUnsupported()
	e.attributes = environmentAttributes(r)
	e.sdkLevel = map[string]slog.Level{
		"none": math.MaxInt, "error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug,
	}[r.choice("OTEL_LOG_LEVEL", "warn", "none", "error", "warn", "info", "debug")]

	e.metrics, e.traces = readSignal(r, "METRICS", code), readSignal(r, "TRACES", code)
	if code.NoTraces {
		e.traces.url = ""
	}
	e.metricInterval = r.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", time.Minute, 1)
	if code.MetricInterval != 0 {
		e.metricInterval = code.MetricInterval
	}
	if e.metricInterval < 0 {
		e.metrics.url = ""
	}
	e.metricTimeout = cmp.Or(r.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT", pushTimeout, 0), noTimeout)
	e.noExemplars = r.choice("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based", "trace_based", "always_on", "always_off") == "always_off"

	e.batch = batch{
		delay:   r.milliseconds("OTEL_BSP_SCHEDULE_DELAY", sdktrace.DefaultScheduleDelay*time.Millisecond, 0),
		timeout: cmp.Or(r.milliseconds("OTEL_BSP_EXPORT_TIMEOUT", sdktrace.DefaultExportTimeout*time.Millisecond, 0), noTimeout),
		queue:   r.number("OTEL_BSP_MAX_QUEUE_SIZE", sdktrace.DefaultMaxQueueSize, 1, maxQueue),
	}
	e.batch.size = r.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", min(sdktrace.DefaultMaxExportBatchSize, e.batch.queue), 1, e.batch.queue)
	e.readLimits(r)
	e.readAdmin(r)
	return e
}

// noTimeout is what a timeout of 0 counts as: no limit in the specification.
const noTimeout = time.Hour

func (e *environment) readLimits(r variables) {
	limit := func(fallback int, names ...string) int {
		for _, name := range names {
			fallback = r.number(name, fallback, 0, math.MaxInt32)
		}
		return fallback
	}
	e.limits = sdktrace.SpanLimits{
		AttributeValueLengthLimit: limit(sdktrace.DefaultAttributeValueLengthLimit, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
		AttributeValueDepthLimit:  limit(sdktrace.DefaultAttributeValueDepthLimit, "OTEL_SPAN_ATTRIBUTE_VALUE_DEPTH_LIMIT"),
		AttributeCountLimit:       limit(sdktrace.DefaultAttributeCountLimit, "OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"),
		EventCountLimit:           limit(sdktrace.DefaultEventCountLimit, "OTEL_SPAN_EVENT_COUNT_LIMIT"),
		LinkCountLimit:            limit(sdktrace.DefaultLinkCountLimit, "OTEL_SPAN_LINK_COUNT_LIMIT"),

		AttributePerEventCountLimit: limit(sdktrace.DefaultAttributePerEventCountLimit, "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
		AttributePerLinkCountLimit:  limit(sdktrace.DefaultAttributePerLinkCountLimit, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
	}
}

// readPropagators reads in which formats a trace is handed on. Those that we
// have not are left out; if that leaves none, the default holds.
func (e *environment) readPropagators(r variables) {
	known := map[string]bool{}
	for _, name := range r.list("OTEL_PROPAGATORS") {
		switch name {
		case "tracecontext", "baggage", "none":
			known[name] = true
		default:
			r.warn("OTEL_PROPAGATORS: this format is not supported: use tracecontext, baggage or none", "value", cleanValue(name))
		}
	}
	if len(known) > 0 {
		e.noTraceContext = known["none"] || !known["tracecontext"]
		e.noBaggage = known["none"] || !known["baggage"]
	}
}

// readAdmin reads where the admin listener is to be.
func (e *environment) readAdmin(r variables) {
	host := r.text("OTEL_EXPORTER_PROMETHEUS_HOST")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]") // as in a URL
	if host == "" || host == "localhost" {                        // a name may resolve to an address of the outside
		host = defaultAdminHost
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, ":/[] *") {
		r.warn("OTEL_EXPORTER_PROMETHEUS_HOST is no host: write an address such as 0.0.0.0 or ::1, or a name; the port is OTEL_EXPORTER_PROMETHEUS_PORT; the default is used",
			"value", cleanValue(host), "default", defaultAdminHost)
		host = defaultAdminHost
	}
	port := r.number("OTEL_EXPORTER_PROMETHEUS_PORT", -1, 0, math.MaxUint16)
	e.adminAddress = net.JoinHostPort(host, defaultAdminPort)
	if port >= 0 {
		e.adminAddress = net.JoinHostPort(host, strconv.Itoa(port))
	}
}
