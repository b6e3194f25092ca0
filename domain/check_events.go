package domain

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/spelling"
)

const (
	maxBuckets    = 100
	maxAttributes = 20 // with one value each they already have too many combinations
	maxValueBytes = 256
)

// unitName is what OpenTelemetry allows for a unit: ASCII, at most 63 letters.
var unitName = regexp.MustCompile(`^[A-Za-z0-9%/{}._\[\]^*'-]{1,63}$`)

// reservedFamilies start the names of metrics that others than the domain
// record: the Go runtime, Latido about itself, and otelhttp.
var reservedFamilies = []string{"go_", "telemetry_", "http_server_", "http_client_"}

// reservedLabels are those that Prometheus, the exporter or an alert adds.
// An attribute of that name comes out twice, or breaks the whole scrape.
var reservedLabels = []string{"le", "quantile", "job", "instance", "alertname", "alertstate"}

func (v *validator) events() {
	if len(v.d.Events) > maxEvents {
		v.add("events", "%d events, at most %d", len(v.d.Events), maxEvents)
		return
	}
	series, idents := v.contractSeries(), make(map[string]string)
	for i := range v.d.Events {
		v.event(&v.d.Events[i], index("events", i), series, idents)
	}
	v.seriesTotal()
}

// seriesTotal checks how many series all events together may have.
func (v *validator) seriesTotal() {
	total, most := 0, Metric{}
	for i := range v.d.Events {
		if e := &v.d.Events[i]; len(e.Attributes) <= maxAttributes && e.Combinations() <= MaxCombinations { // or it has an error of its own
			m := v.named.eventMetric(e)
			total += m.Series()
			if most.Event == nil || m.Series() > most.Series() {
				most = m
			}
		}
	}
	if total > MaxSeries {
		fewer := "leave out an attribute of it, or some of its values"
		if most.Kind == KindHistogram {
			fewer += ", or some of its buckets"
		}
		v.add("events", "the events can make %d series, at most %d: %s alone can make %d, so %s", total, MaxSeries, most.Key, most.Series(), fewer)
	}
}

// contractSeries maps the name of every series of the contract to who has it.
func (v *validator) contractSeries() map[string]string {
	series := make(map[string]string)
	for _, key := range v.keys {
		for _, name := range seriesOf(v.metrics[key]) {
			series[name] = "the metric " + key
		}
	}
	return series
}

// seriesOf lists the names of a metric's series. Prometheus keeps one kind
// and help text a name, so two metrics must not share one.
func seriesOf(m Metric) []string {
	if m.Kind != KindHistogram {
		return []string{m.Family}
	}
	return []string{m.Family, m.Family + "_bucket", m.Family + "_sum", m.Family + "_count"}
}

func (v *validator) event(e *Event, path string, series, idents map[string]string) {
	oneOf(v, path+".kind", e.Kind, KindCounter, KindUpDown, KindHistogram, KindGauge)
	kind := e.kind()
	if e.Unit != "" && !unitName.MatchString(e.Unit) {
		v.add(path+".unit", `%q is no unit: write one of UCUM such as "s", "By", "%%" or "{pedido}", or a currency such as "COP"`, e.Unit)
	} else {
		v.eventName(e, path, series, idents)
	}
	switch {
	case len(e.Buckets) == 0:
	case kind != KindHistogram:
		v.add(path+".buckets", "only a histogram has buckets: add kind: histogram, or leave them out")
	case len(e.Buckets) > maxBuckets:
		v.add(path+".buckets", "%d buckets, at most %d: each is a series", len(e.Buckets), maxBuckets)
	case !v.unread(path + ".buckets"):
		v.rising(path+".buckets", e.Buckets)
	}
	if kind == KindHistogram {
		v.fewBounds(path, len(e.Buckets), v.named.eventMetric(e))
	}
	v.former(e, path, series)
	if e.Endpoint != "" {
		v.endpoint(path+".endpoint", e, kind)
	}
	v.attributes(e, path+".attributes", idents)
}

// endpointMethods are the methods that an event's endpoint may have: those
// that requests are counted under.
var endpointMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"}

// endpoint checks the route that an event comes from.
func (v *validator) endpoint(path string, e *Event, kind Kind) {
	method, route := e.Route()
	switch {
	case kind != KindCounter:
		v.add(path, "only a counter has a cost: leave it out")
	case strings.ContainsAny(route, " \t?#"), !strings.Contains(route, "/"):
		v.add(path, "%q is no route: write its method and pattern, such as POST /pedidos or GET /pedidos/{id}", e.Endpoint)
	case method != "" && !slices.Contains(endpointMethods, method):
		v.add(path, "method %q of %q is unknown: write %s %s", method, e.Endpoint, nearestMethod(method), route)
	case len(e.Endpoint) > maxValueBytes:
		v.add(path, "is too long, %d of at most %d bytes", len(e.Endpoint), maxValueBytes)
	}
}

// nearestMethod is what somebody may have meant: methods are in capitals.
func nearestMethod(method string) string {
	method = strings.ToUpper(method)
	if slices.Contains(endpointMethods, method) {
		return method
	}
	return cmp.Or(spelling.Nearest(method, endpointMethods), "POST")
}

// eventName checks the name with what becomes of it in Prometheus and in Go.
func (v *validator) eventName(e *Event, path string, series, idents map[string]string) {
	at := path + ".name"
	if err := checkName(e.Name, eventName, snakeLetters); err != nil {
		v.check(at, err)
		return
	}
	if slices.Contains(v.keys, e.Name) {
		v.add(at, "%q is a metric that every service has: choose another name", e.Name)
		return
	}
	for _, start := range reservedFamilies {
		if strings.HasPrefix(e.Name, start) {
			v.add(at, "names that start with %s are reserved: choose another name", start)
			return
		}
	}
	ident, who := goName(e.Name), fmt.Sprintf("event %q", e.Name)
	switch other, taken := idents[ident]; {
	case other == who:
		v.add(at, "the name %q is there twice", e.Name)
		return
	case taken:
		v.add(at, "%s and %s have the same name %s in Go: rename one", who, other, ident)
		return
	}
	idents[ident] = who

	m := v.named.eventMetric(e)
	switch plain := v.named.Prefix + "_" + e.Name; {
	case !strings.HasPrefix(m.Family+"_", plain+"_"):
		v.add(at, "Prometheus would call it %s, since words such as total have a meaning there: choose another name", m.Family)
		return
	case (m.Kind == KindUpDown || m.Kind == KindGauge) && slices.ContainsFunc([]string{"_count", "_sum", "_bucket"}, ends(plain)):
		v.add(at, "the ending of %q is a histogram's in Prometheus: choose another name", e.Name)
		return
	case m.Kind != KindCounter && strings.HasSuffix(plain, "_total"):
		v.add(at, "the ending of %q is a counter's in Prometheus: leave out _total, or the kind", e.Name)
		return
	}
	for _, name := range seriesOf(m) {
		if other, taken := series[name]; taken {
			v.add(at, "%q is %s in Prometheus, as is %s: choose another name", e.Name, name, other)
			return
		}
	}
	for _, name := range seriesOf(m) {
		series[name] = "the " + who
	}
}

func ends(name string) func(string) bool {
	return func(suffix string) bool { return strings.HasSuffix(name, suffix) }
}

func (v *validator) attributes(e *Event, path string, idents map[string]string) {
	if len(e.Attributes) > maxAttributes {
		v.add(path, "%d attributes, at most %d: each multiplies the number of series", len(e.Attributes), maxAttributes)
		return
	}
	labels, factors := make(map[string]string), []string(nil)
	for _, name := range e.AttributeNames() {
		at := key(path, name)
		label := promname.Label(name)
		switch err := checkName(name, attributeName, "a-z, 0-9, and single _ or . between them, and starts with a letter"); {
		case slices.Contains(reservedLabels, name), strings.HasPrefix(name, "__"), strings.HasPrefix(name, "otel_"), strings.HasPrefix(name, "otel."):
			v.add(at, "%q is reserved: Prometheus or OpenTelemetry adds a label of this name", name)
		case err != nil:
			v.check(at, err)
		case labels[label] != "":
			v.add(at, "%q and %q are the same label %s in Prometheus: rename one", labels[label], name, label)
		}
		labels[label] = name

		values := e.Attributes[name]
		factors = append(factors, fmt.Sprintf("%s %d+1", name, len(values)))
		if len(values) == 0 {
			v.add(at, "has no values: list all that it may have, the others count as %s", Other)
		}
		if len(values) < MaxCombinations {
			v.values(at, values)
			v.valueNames(at, name, values, idents)
		}
	}
	if combinations := e.Combinations(); combinations > MaxCombinations {
		v.add(path, "%d combinations of values (%s, one each for %s), at most %d: each is a series", combinations, strings.Join(factors, " × "), Other, MaxCombinations)
	}
}

// values checks the values that an attribute may have.
func (v *validator) values(path string, values []string) {
	seen := make(map[string]bool, len(values))
	for i, value := range values {
		at := index(path, i)
		switch {
		case value == "":
			v.add(at, "is empty, which in Prometheus is the same as no label: write a word")
		case value == Other:
			v.add(at, "%q stands for whatever is not listed, and is there without being listed", Other)
		case len(value) > maxValueBytes:
			v.add(at, "is too long, %d of at most %d bytes", len(value), maxValueBytes)
		case strings.TrimSpace(value) != value:
			v.add(at, "%q has space at an end, which nobody sees on a dashboard", value)
		case !utf8.ValidString(value): // told by texts
		case seen[value]:
			v.add(at, "%q is there twice", value)
		}
		seen[value] = true
	}
}

// goWord is a value from which Go's name follows by upper-casing words. What
// has other letters is numbered by the generator, and so cannot clash.
var goWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// valueNames checks that typed event helpers can name the values: canal and
// web make CanalWeb.
func (v *validator) valueNames(path, attribute string, values []string, idents map[string]string) {
	if !attributeName.MatchString(attribute) {
		return
	}
	for i, value := range values {
		if !goWord.MatchString(value) {
			continue
		}
		ident, who := goName(attribute)+goName(value), fmt.Sprintf("%s %q", attribute, value)
		if other, taken := idents[ident]; taken && other != who {
			v.add(index(path, i), "%s and %s have the same name %s in Go: rename one", who, other, ident)
			continue
		}
		idents[ident] = who
	}
}

// goName writes pedidos_procesados as PedidosProcesados.
func goName(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '.' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
