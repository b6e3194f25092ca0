package alerting

import (
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// Exists tells whether the domain has a series of this name: of a metric, a
// histogram's parts included, or one that a rule records. A name that does not
// begin with the domain's prefix is nobody's business here, and exists; so
// does one of another library's instruments, whose names are known by the
// namespaces of OpenTelemetry's semantic conventions.
//
// For many names use [UnknownMetrics], which makes the list of names once.
func Exists(d domain.Domain, name string) bool { return len(UnknownMetrics(d, []string{name})) == 0 }

// UnknownMetrics returns those of the names that begin with the domain's
// prefix and that no series has, each once, in the order given; see [Exists].
// A rule that asks for one would never fire.
func UnknownMetrics(d domain.Domain, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	known := make(map[string]bool)
	for _, name := range SeriesNames(d) {
		known[name] = true
	}
	var unknown []string
	for _, name := range names {
		if ours(d, name) && !known[name] && !foreign(d, name) && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// SeriesNames lists the names of all series that the domain's metrics and
// recording rules make, those of a histogram's parts included.
func SeriesNames(d domain.Domain) []string {
	var names []string
	for _, m := range d.Metrics() {
		if m.Kind == domain.KindHistogram {
			names = append(names, m.Family+"_bucket", m.Family+"_sum", m.Family+"_count")
		} else {
			names = append(names, m.Family)
		}
	}
	for _, r := range Rules(d, Options{}) {
		if r.Record != "" && !slices.Contains(names, r.Record) {
			names = append(names, r.Record)
		}
	}
	return names
}

// ours tells whether a name is one that only this domain may use: a metric's,
// or a recorded series'.
func ours(d domain.Domain, name string) bool {
	rest, ok := strings.CutPrefix(name, d.Prefix)
	return ok && rest != "" && (rest[0] == '_' || rest[0] == ':')
}

// namespaces are those of the OpenTelemetry semantic conventions in which
// libraries for Go record (https://opentelemetry.io/docs/specs/semconv/general/metrics/).
// Their instruments get the prefix too, and which of them a service has is
// only seen when it runs.
var namespaces = []string{
	"aws", "azure", "container", "db", "dns", "faas", "feature_flag", "gen_ai", "graphql", "http", "k8s", "kestrel",
	"messaging", "nfs", "otel", "process", "rpc", "signalr", "system", "tls",
}

// foreign tells whether another library may record under a name of ours.
func foreign(d domain.Domain, name string) bool {
	rest := strings.TrimPrefix(name, d.Prefix+"_")
	return rest != name && slices.ContainsFunc(namespaces, func(n string) bool { return strings.HasPrefix(rest, n+"_") })
}
