package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// environment is what the OTEL_ variables ask for, as the OpenTelemetry
// specification has them
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
// The exporters and the resource read the others of them by themselves.
type environment struct {
	disabled        bool
	metrics, traces bool // are sent by OTLP
	metricInterval  time.Duration
	adminAddress    string
}

// defaultAdminHost and defaultAdminPort are those of the specification.
const (
	defaultAdminHost = "127.0.0.1"
	defaultAdminPort = "9464"
)

// readEnvironment reads the variables. A value that makes no sense is warned
// of and counts as not set: the environment is no reason for a service to stop.
func readEnvironment(log *slog.Logger) environment {
	e := environment{metricInterval: time.Minute}
	e.disabled = strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true")
	e.metrics = sendsOTLP(log, "METRICS")
	e.traces = sendsOTLP(log, "TRACES")
	if v := os.Getenv("OTEL_METRIC_EXPORT_INTERVAL"); v != "" {
		if ms, err := strconv.Atoi(v); err != nil || ms <= 0 {
			log.Warn("OTEL_METRIC_EXPORT_INTERVAL is no number of milliseconds: a minute is used", "value", v)
		} else {
			e.metricInterval = time.Duration(ms) * time.Millisecond
		}
	}
	host, port := os.Getenv("OTEL_EXPORTER_PROMETHEUS_HOST"), os.Getenv("OTEL_EXPORTER_PROMETHEUS_PORT")
	if host == "" || host == "localhost" { // a name may resolve to an address of the outside
		host = defaultAdminHost
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil {
		log.Warn("OTEL_EXPORTER_PROMETHEUS_PORT is no port: the default is used", "value", port, "default", defaultAdminPort)
		port = defaultAdminPort
	} else if port != "" {
		port = strconv.FormatUint(n, 10)
	} else {
		port = defaultAdminPort
	}
	e.adminAddress = net.JoinHostPort(host, port)
	return e
}

// sendsOTLP tells whether a signal is to be sent by OTLP.
func sendsOTLP(log *slog.Logger, signal string) bool {
	switch exporter := os.Getenv("OTEL_" + signal + "_EXPORTER"); exporter {
	case "", "otlp":
	case "none", "prometheus": // /metrics is served in any case
		return false
	default:
		log.Warn("OTEL_"+signal+"_EXPORTER is not supported: use otlp or none", "value", exporter)
		return false
	}
	name := "OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT"
	if os.Getenv(name) == "" {
		name = "OTEL_EXPORTER_OTLP_ENDPOINT"
	}
	endpoint := os.Getenv(name)
	if endpoint == "" {
		return false
	}
	if err := checkURL(endpoint); err != nil {
		log.Warn(name+" cannot be used: nothing is sent", "error", err)
		return false
	}
	protocol := os.Getenv("OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL")
	if protocol == "" {
		protocol = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
	}
	if protocol != "" && protocol != "http/protobuf" {
		log.Warn("the OTLP protocol is not supported: use http/protobuf, mostly on port 4318; nothing is sent", "protocol", protocol)
		return false
	}
	return true
}

// checkURL refuses what an exporter would take and then fail on at each
// upload: "localhost:4318" has the scheme localhost.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("address %q: not a URL: write one such as http://localhost:4318", redactURL(text))
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("address %q: write it with its scheme: http://%s", redactURL(text), strings.TrimPrefix(redactURL(text), u.Scheme+"://"))
	case u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("address %q: no host: write one such as http://localhost:4318", redactURL(text))
	}
	return nil
}

// redactURL leaves a password out of an address.
func redactURL(text string) string {
	before, after, ok := strings.Cut(text, "@")
	if !ok {
		return text
	}
	if scheme, _, ok := strings.Cut(before, "://"); ok {
		return scheme + "://…@" + after
	}
	return "…@" + after
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
		}
	}
	if c.Admin.Address != "" {
		if _, _, err := net.SplitHostPort(c.Admin.Address); err != nil {
			errs = append(errs, fmt.Errorf("Config.Admin.Address: %q is no host:port: write one such as 127.0.0.1:9464", c.Admin.Address))
		}
	}
	return errors.Join(errs...)
}
