package alerting

import (
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/spelling"
)

// Series are the names of all series that the metrics and recording rules of a
// domain make. It is made once, and then safe for concurrent use.
type Series struct {
	d     domain.Domain
	names []string
	known map[string]bool
	every []string // the names after the prefix that any service's domain has
}

// SeriesOf lists the series of a domain that is valid.
func SeriesOf(d domain.Domain) *Series {
	s := &Series{d: d, known: make(map[string]bool)}
	var metrics []domain.Metric
	for _, m := range d.Metrics() {
		metrics = append(append(metrics, m), m.Was...)
	}
	for _, m := range metrics {
		names := []string{m.Family}
		if m.Kind == domain.KindHistogram {
			names = []string{m.Family + "_bucket", m.Family + "_sum", m.Family + "_count"}
		}
		s.add(names...)
		for _, name := range names {
			if m.Event == nil && m.Until.IsZero() {
				s.every = append(s.every, strings.TrimPrefix(name, d.Prefix+"_"))
			}
		}
	}
	for _, r := range Rules(d, Options{}) {
		if r.Record != "" {
			s.add(r.Record)
		}
	}
	return s
}

func (s *Series) add(names ...string) {
	for _, name := range names {
		if !s.known[name] {
			s.known[name] = true
			s.names = append(s.names, name)
		}
	}
}

// Names lists all names, those of a histogram's parts and of recorded series
// included. The caller may change the list.
func (s *Series) Names() []string { return slices.Clone(s.names) }

// Exists tells whether there is a series of this name. A name that does not
// begin with the domain's prefix is nobody's business here, and exists; so
// does one of another library's instruments, which get the prefix too: these
// names are known by the namespaces of OpenTelemetry's semantic conventions.
// And so does a metric that every service has, of one whose prefix begins with
// this one: tienda_norte_requests_total is no mistake of tienda's.
func (s *Series) Exists(name string) bool {
	return !ours(s.d, name) || s.known[name] || foreign(s.d, name) || s.neighbour(name)
}

// neighbour tells whether a name is a metric of the contract under a longer
// prefix, and no slip of the hand in one of ours.
func (s *Series) neighbour(name string) bool {
	rest, ok := strings.CutPrefix(name, s.d.Prefix+"_")
	if !ok {
		return false
	}
	same := slices.DeleteFunc(slices.Clone(s.every), func(short string) bool { return !strings.HasSuffix(rest, "_"+short) })
	return slices.ContainsFunc(same, func(short string) bool {
		own := strings.TrimSuffix(rest, "_"+short)
		return domain.CheckPrefix(s.d.Prefix+"_"+own) == nil && !slices.ContainsFunc(s.every, func(other string) bool {
			meant, ok := strings.CutSuffix(other, "_"+short)
			return ok && spelling.Nearest(own, []string{meant}) != ""
		})
	})
}

// UnknownMetrics returns those of the names that do not exist, each once, in
// the order given; see [Series.Exists]. A rule that asks for one would never
// fire.
func UnknownMetrics(d domain.Domain, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	s := SeriesOf(d)
	var unknown []string
	for _, name := range names {
		if !s.Exists(name) && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
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
