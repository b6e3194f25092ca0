package telemetry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
)

// Config says what Init starts. Only Domain is needed. What is set here wins
// over the environment, which wins over the defaults.
type Config struct {
	// Domain is what the service is about, as domain.Load reads it or as a
	// literal. Init validates it.
	Domain domain.Domain

	// Version is the service's version. Empty means service.version of
	// OTEL_RESOURCE_ATTRIBUTES, or else the main module's, as the build recorded
	// it.
	Version string
	// Attributes are added to the resource, after OTEL_RESOURCE_ATTRIBUTES.
	// service.instance.id tells the processes of a service apart in all that
	// is pushed, profiles as well: where neither gives one, it is a random UUID
	// of this start.
	Attributes []attribute.KeyValue
	// Logger gets the few things that a person should know, and what
	// OpenTelemetry says of itself. nil means slog.Default(). The handler that
	// slog starts with is replaced by one that writes text to log.Writer(): see
	// LogHandler.
	Logger *slog.Logger
	// KeepGlobals leaves OpenTelemetry's global providers, propagator and
	// error handler as they are. Several Telemetries may then run side by side.
	KeepGlobals bool

	// Admin is the listener for /metrics, health and the debug pages.
	Admin AdminConfig
	// OTLP sends metrics and traces to a Collector or a backend.
	OTLP OTLP
	// Profiling is the continuous profiler. Its Service and Logger are filled
	// in when empty, and its Tags get the domain's prefix and entity, the
	// version, and service_instance_id.
	Profiling continuous.Config

	// Route names the route of a request for Middleware, where the router
	// does not set http.Request.Pattern: chi.RouteContext(r.Context()).RoutePattern().
	// It is called before the handler, for the profile, and after it, for the
	// metrics; "" means not known. It runs on the request's way, so that a slow
	// one delays the answer. One that panics counts as not known, in the log
	// once, and in telemetry.refused. It must be safe for concurrent use.
	Route func(*http.Request) string
	// NoRequestContext keeps the endpoint out of the request's context. That
	// saves two allocations a request; a pprof.Do inside the handler then
	// loses the endpoint, and a ResponseWriter must not be used after the
	// handler returned (the standard library forbids that as well).
	NoRequestContext bool
	// TrustTraceParent makes the service's spans children of whatever trace
	// the caller names, and keep its sampling decision. Leave it off for a
	// service that strangers can reach: their trace is then only linked to.
	TrustTraceParent bool
	// SemconvMetrics adds otelhttp's own http.server.* metrics, with the
	// prefix. They cost several microseconds a request.
	SemconvMetrics bool
	// Views apply to the instruments of other libraries. The prefix is put on
	// what they return. One that is nil, or panics, has no effect.
	Views []sdkmetric.View

	// Gatherers are registries of client_golang, the service's own or
	// prometheus.DefaultGatherer, whose series /metrics serves beside Latido's.
	// They keep their names, without the prefix: dashboards know them. They are
	// not sent by OTLP. A family with the name of one of Latido's is left out; so
	// is the second of two series that are the same, and what cannot be parsed;
	// each is counted and logged once. One that panics, or takes longer than
	// three seconds, costs its own series only. They are called at each scrape
	// and must be safe for concurrent use; nil ones are passed over.
	Gatherers []prometheus.Gatherer

	// DiskPath is the file system whose use is measured. Empty means "/".
	DiskPath string
}

// AdminConfig configures the admin listener.
type AdminConfig struct {
	// Disabled starts no listener; Admin.Handler still serves the pages.
	Disabled bool
	// Address is host:port; port 0 takes a free one, see Admin.URL. Empty means
	// OTEL_EXPORTER_PROMETHEUS_HOST and _PORT, or else 127.0.0.1:9464.
	Address string
	// WebConfigFile is a file with TLS and basic auth settings, as Prometheus'
	// exporter-toolkit reads it
	// (https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md).
	// Without authentication in it, the listener serves every page only on a
	// loopback address, and only to requests of this machine. To others the pages
	// that show the inside of the service answer 403, or, where the environment has
	// LATIDO_PASSWORD, ask for it: the user is that of LATIDO_USER, or latido. A proxy on this machine
	// that forwards requests without a trace looks like this machine: a listener
	// behind a proxy needs authentication.
	WebConfigFile string
	// Hosts are further names that this machine has for itself, under which a
	// loopback listener may be asked. The loopback names, IP addresses and the
	// listener's own host always are. Under any other name it answers 421. With
	// authentication, and on an address that others reach, any name will do.
	Hosts []string
	// Guarded says that Admin.Handler is mounted behind authentication of your
	// own: it then serves every page to whoever reaches it. Without it,
	// Admin.Handler serves /metrics, /healthz and /readyz only, and the others to
	// who knows LATIDO_PASSWORD. The listener does not heed it.
	Guarded bool
}

// OTLP configures the export by OTLP over HTTP with protobuf. Without an
// endpoint, here or in OTEL_EXPORTER_OTLP_ENDPOINT (or its _METRICS_ and
// _TRACES_ variants), nothing is sent and no span is made.
type OTLP struct {
	// Endpoint is the base URL, http://collector:4318; /v1/metrics and
	// /v1/traces are added to it.
	Endpoint string
	// Headers are sent along: authentication, tenant.
	Headers map[string]string
	// TLS is for https endpoints. nil means the system's certificates.
	TLS *tls.Config
	// MetricInterval is the time between exports of metrics. 0 means
	// OTEL_METRIC_EXPORT_INTERVAL, or else a minute; negative sends none. Values
	// below 20 ms are raised to 20 ms.
	MetricInterval time.Duration
	// NoTraces makes no spans even if there is an endpoint.
	NoTraces bool
}

// validate reports the mistakes in what the code says.
func (c *Config) validate() error {
	var errs []error
	if err := c.Domain.Validate(); err != nil {
		errs = append(errs, err)
	}
	if c.OTLP.Endpoint != "" {
		if err := checkURL(c.OTLP.Endpoint); err != nil {
			errs = append(errs, fmt.Errorf("Config.OTLP.Endpoint: %w", err))
		} else if c.OTLP.TLS != nil && !strings.HasPrefix(strings.ToLower(c.OTLP.Endpoint), "https:") {
			errs = append(errs, fmt.Errorf("Config.OTLP.TLS: the endpoint is %q: write https:// for it, or leave TLS out", redactURL(c.OTLP.Endpoint)))
		}
	}
	if c.Admin.Address != "" {
		if _, _, err := net.SplitHostPort(c.Admin.Address); err != nil {
			errs = append(errs, fmt.Errorf("Config.Admin.Address: %q is no host:port: write one such as 127.0.0.1:9464", c.Admin.Address))
		}
	}
	return errors.Join(errs...)
}
