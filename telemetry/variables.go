package telemetry

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/spelling"
)

// variables reads environment variables. An empty one counts as not set. What
// cannot be read is warned of, with what is used instead.
type variables struct {
	log  *slog.Logger
	said map[string]bool // since both signals read the same variables
}

func (r variables) warn(message string, args ...any) {
	if key := message + fmt.Sprint(args...); !r.said[key] {
		r.said[key] = true
		r.log.Warn(message, args...)
	}
}

func (variables) text(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// first is the first of the variables that is set, and its value.
func (r variables) first(names ...string) (name, value string) {
	for _, name := range names {
		if value := r.text(name); value != "" {
			return name, value
		}
	}
	return names[len(names)-1], ""
}

// flag is true for "true" only, as the specification has it.
func (r variables) flag(name string) bool {
	value := r.text(name)
	if value != "" && !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
		r.warn(name+" is neither true nor false, and counts as false: write true", "value", cleanValue(value))
	}
	return strings.EqualFold(value, "true")
}

// choice is one of the known values, in lower case.
func (r variables) choice(name, fallback string, known ...string) string {
	value := strings.ToLower(r.text(name))
	if value == "" || slices.Contains(known, value) {
		return cmp.Or(value, fallback)
	}
	r.warn(name+" is not known: write one of "+strings.Join(known, ", ")+"; "+fallback+" is used",
		"value", cleanValue(value), "nearest", spelling.Nearest(cleanValue(value), known))
	return fallback
}

// list is a list of values in lower case, each once.
func (r variables) list(name string) []string {
	var all []string
	for value := range strings.SplitSeq(r.text(name), ",") {
		if value = strings.ToLower(strings.TrimSpace(value)); value != "" && !slices.Contains(all, value) {
			all = append(all, value)
		}
	}
	return all
}

// number is a whole number between two bounds.
func (r variables) number(name string, fallback, least, most int) int {
	value := r.text(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.Atoi(value)
	if err == nil && n >= least && n <= most {
		return n
	}
	r.warn(fmt.Sprintf("%s is no whole number from %d to %d: the default is used", name, least, most), "value", cleanValue(value))
	return fallback
}

// maxMilliseconds is some 24 days, as the specification bounds its numbers.
const maxMilliseconds = 1<<31 - 1

// milliseconds is a duration.
func (r variables) milliseconds(name string, fallback time.Duration, least int) time.Duration {
	value := r.text(name)
	if value == "" {
		return fallback
	}
	ms, err := strconv.Atoi(value)
	if err == nil && ms >= least && ms <= maxMilliseconds {
		return time.Duration(ms) * time.Millisecond
	}
	r.warn(fmt.Sprintf("%s is no number of milliseconds from %d to %d: %v is used", name, least, maxMilliseconds, fallback), "value", cleanValue(value))
	return fallback
}

// support says how far a variable is obeyed.
type support string

const (
	obeyed    support = "yes"
	partly    support = "partly"
	notObeyed support = "no"
)

// variable is one that somebody may have set for this service: one of the
// OpenTelemetry specification's, or of Pyroscope's. docs/environment.md says
// the same to people.
type variable struct {
	name    string
	support support
	instead string   // what to write instead, or why it has no effect, of those that are not obeyed
	same    []string // the values that ask for what is done anyway
}

const (
	noLogs   = "Latido sends no logs: the service's logger does; LogHandler gives its lines their trace"
	noZipkin = "spans are sent by OTLP, which Zipkin's successors and the Collector take: set OTEL_EXPORTER_OTLP_ENDPOINT"
	noFile   = "Latido reads no configuration file of OpenTelemetry's: use the other variables, or Config"
)

// knownVariables are all of them.
var knownVariables = slices.Concat(
	of(obeyed, "OTEL_SDK_DISABLED", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER_ARG"),
	of(partly, "OTEL_LOG_LEVEL", "OTEL_PROPAGATORS", "OTEL_TRACES_SAMPLER"),
	of(obeyed, "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
	of(partly, "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"),
	of(obeyed, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_DEPTH_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
	of(partly, "OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"),
	of(obeyed, "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT"),
	of(partly, "OTEL_METRICS_EXEMPLAR_FILTER"),
	of(obeyed, "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT"),
	otlp(obeyed, "", "METRICS_", "TRACES_"),
	[]variable{
		{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", notObeyed, "metrics are always sent as cumulative: let the Collector's cumulativetodelta processor change them", []string{"cumulative"}},
		{"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", notObeyed, "histograms have the buckets of the domain file, or of their library: use Config.Views for another aggregation", []string{"explicit_bucket_histogram"}},
	},
	not(noLogs, []string{"none"}, "OTEL_LOGS_EXPORTER"),
	not(noLogs, nil, "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
		"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT"),
	otlp(notObeyed, "LOGS_"),
	not(noZipkin, nil, "OTEL_EXPORTER_ZIPKIN_ENDPOINT", "OTEL_EXPORTER_ZIPKIN_TIMEOUT", "OTEL_EXPORTER_ZIPKIN_PROTOCOL"),
	not(noFile, nil, "OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"),
	not("entities are in development: use OTEL_RESOURCE_ATTRIBUTES", nil, "OTEL_ENTITIES"),
	not("Latido has the stable conventions only", []string{"http"}, "OTEL_SEMCONV_STABILITY_OPT_IN"),
	of(obeyed, "LATIDO_USER", "LATIDO_PASSWORD", "LATIDO_ALERTS"),
	of(obeyed, "PYROSCOPE_SERVER_ADDRESS", "PYROSCOPE_BASIC_AUTH_USER", "PYROSCOPE_BASIC_AUTH_PASSWORD", "PYROSCOPE_TENANT_ID"),
	not("all signals have one name: use OTEL_SERVICE_NAME, or app in the domain file", nil, "PYROSCOPE_APPLICATION_NAME"),
)

func of(s support, names ...string) []variable {
	all := make([]variable, len(names))
	for i, name := range names {
		all[i] = variable{name: name, support: s}
	}
	return all
}

func not(instead string, same []string, names ...string) []variable {
	all := of(notObeyed, names...)
	for i := range all {
		all[i].instead, all[i].same = instead, same
	}
	return all
}

// otlp are the exporter's variables, for all signals ("") or for one.
func otlp(s support, signals ...string) []variable {
	var all []variable
	for _, signal := range signals {
		for _, name := range []string{"ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE", "PROTOCOL", "INSECURE"} {
			v := variable{name: "OTEL_EXPORTER_OTLP_" + signal + name, support: s}
			switch {
			case s == notObeyed:
				v.instead = noLogs
			case name == "PROTOCOL", name == "COMPRESSION", name == "INSECURE":
				v.support = partly
			}
			all = append(all, v)
		}
	}
	return all
}

// warnOfUnsupported says once of each variable that is set that it has no
// effect, and of those that nobody knows.
func (r variables) warnOfUnsupported() {
	names := make([]string, len(knownVariables))
	for i, v := range knownVariables {
		names[i] = v.name
		value := r.text(v.name) // not logged: it may be a secret
		if v.support == notObeyed && value != "" && !slices.Contains(v.same, strings.ToLower(value)) {
			r.warn(v.name + " has no effect: " + v.instead)
		}
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		known := slices.Contains(names, name) || !strings.HasPrefix(name, "OTEL_") ||
			// The SDK's experiments, and what Kubernetes composes the attributes of.
			strings.HasPrefix(name, "OTEL_GO_X_") || strings.HasPrefix(name, "OTEL_RESOURCE_ATTRIBUTES_")
		if known || strings.TrimSpace(value) == "" {
			continue
		}
		if nearest := spelling.Nearest(name, names); nearest != "" {
			r.warn(cleanValue(name)+" is not known, and has no effect: is it a typing mistake?", "nearest", nearest)
		} else {
			r.log.Info(cleanValue(name) + " is not known, and has no effect")
		}
	}
}
