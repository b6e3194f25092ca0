package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// foreign reads other libraries' instruments, once for all ways out, and
// settles which of two series with one name in Prometheus is served: whoever
// came first, always. The order of the SDK is another one at each collection,
// so that the exporter alone would serve now this one and now that.
type foreign struct {
	reader      *sdkmetric.ManualReader
	prefix      string // with a dot
	diagnostics *diagnostics
	own         names

	mu     sync.Mutex
	known  map[stream]rank
	labels map[attribute.Key]string // the names in Prometheus
}

// stream is what OpenTelemetry tells two instruments apart by.
type stream struct {
	scope                   instrumentation.Scope
	name, unit, description string
	kind                    domain.Kind
	whole                   bool
}

type rank struct {
	order  int
	family string
}

// maxKnown bounds the memory for names that somebody makes up. Those beyond it
// are served in the order of their names.
const maxKnown = 5000

// collectBudget is how long callbacks may take together. The first scrape after
// several of them began to hang still answers in time.
const collectBudget = 5 * time.Second

func newForeign(own []family, prefix string, diagnostics *diagnostics, producers ...sdkmetric.Producer) *foreign {
	var options []sdkmetric.ManualReaderOption
	for _, p := range producers {
		options = append(options, sdkmetric.WithProducer(p))
	}
	return &foreign{
		reader: sdkmetric.NewManualReader(options...), prefix: prefix + ".", diagnostics: diagnostics, own: namesOf(own),
		known: map[stream]rank{}, labels: map[attribute.Key]string{},
	}
}

// Produce is that of an sdkmetric.Producer, for each reader. It never fails:
// what is wrong is counted and logged.
func (f *foreign) Produce(ctx context.Context) (scopes []metricdata.ScopeMetrics, _ error) {
	defer func() {
		if r := recover(); r != nil { // callbacks are guarded: what a View of the user brought along
			f.diagnostics.collectErrors[collectPanic].Add(1)
			f.diagnostics.once("collect panic", func(log *slog.Logger) {
				log.Error("reading the instruments of other libraries panicked: they are missing", "panic", cleanValue(fmt.Sprint(r)))
			})
			scopes = nil
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, collectBudget)
	defer cancel()
	var all metricdata.ResourceMetrics
	if err := f.reader.Collect(ctx, &all); err != nil && !errors.Is(err, sdkmetric.ErrReaderShutdown) {
		f.diagnostics.collectErrors[collectOther].Add(1)
		f.diagnostics.once("collect/"+err.Error(), func(log *slog.Logger) {
			log.Warn("some instruments of other libraries cannot be read", "error", cleanValue(err.Error()))
		})
	}
	return f.settle(all.ScopeMetrics), nil
}

// candidate is a stream as it was collected.
type candidate struct {
	stream
	rank
	*metricdata.Metrics
}

// settle leaves out what another stream has the name of.
func (f *foreign) settle(scopes []metricdata.ScopeMetrics) []metricdata.ScopeMetrics {
	f.mu.Lock()
	defer f.mu.Unlock()
	families := map[string][]candidate{}
	for _, c := range f.inOrder(scopes) {
		if taken := f.own.taken(c.family, prometheusType(c.kind)); taken != "" {
			f.diagnostics.clash(taken)
			c.Data = nil
			continue
		}
		families[c.family] = append(families[c.family], c)
	}
	for _, rivals := range families {
		f.decide(rivals)
	}
	for i := range scopes {
		scopes[i].Metrics = slices.DeleteFunc(scopes[i].Metrics, func(m metricdata.Metrics) bool { return pointsOf(m.Data) == 0 })
	}
	return slices.DeleteFunc(scopes, func(s metricdata.ScopeMetrics) bool { return len(s.Metrics) == 0 })
}

// inOrder lists the streams as they were first seen. New ones are in the order
// of their names, so that it is the same after a restart.
func (f *foreign) inOrder(scopes []metricdata.ScopeMetrics) []candidate {
	var all []candidate
	for i := range scopes {
		for j := range scopes[i].Metrics {
			m := &scopes[i].Metrics[j]
			kind, whole := kindOfData(m.Data)
			all = append(all, candidate{stream: stream{scopes[i].Scope, m.Name, m.Unit, m.Description, kind, whole}, Metrics: m})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.scope.Name, b.scope.Name), cmp.Compare(a.scope.Version, b.scope.Version), cmp.Compare(a.name, b.name),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.unit, b.unit), cmp.Compare(a.description, b.description))
	})
	for i := range all {
		c := &all[i]
		var ok bool
		if c.rank, ok = f.known[c.stream]; !ok {
			c.rank = rank{maxKnown, promname.Family(c.name, c.unit, string(c.kind))}
			if len(f.known) < maxKnown {
				c.order = len(f.known)
				f.known[c.stream] = c.rank
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.order, b.order) })
	return all
}

// decide keeps of several streams with one name what can be told apart.
func (f *foreign) decide(rivals []candidate) {
	first := rivals[0]
	if len(rivals) == 1 && !f.ambiguous(first.Data) {
		return
	}
	served := map[string]string{} // by labels: the attributes that are served
	for i, c := range rivals {
		if prometheusType(c.kind) != prometheusType(first.kind) {
			c.Data = nil
			f.lost(first, c, "of another kind, it is left out")
			continue
		}
		c.Description = first.Description
		mine := map[string]string{}
		total := pointsOf(c.Data)
		eachSet(c.Data, func(set attribute.Set) bool {
			labels, text := f.labelsOf(set), set.Encoded(attribute.DefaultEncoder())
			if _, taken := served[labels]; taken {
				return true
			}
			if other, ok := mine[labels]; !ok || text < other {
				mine[labels] = text
			}
			return true
		})
		c.Data = eachSet(c.Data, func(set attribute.Set) bool {
			text, ok := mine[f.labelsOf(set)]
			return ok && text == set.Encoded(attribute.DefaultEncoder())
		})
		maps.Copy(served, mine)
		switch {
		case pointsOf(c.Data) == total:
		case i == 0: // attributes a.b and a_b
			f.lost(c, c, "series whose attributes have the same names in Prometheus are left out")
		default:
			f.lost(first, c, "series with the same labels are those of the first only")
		}
	}
}

// lost counts and tells what is not served.
func (f *foreign) lost(first, second candidate, what string) {
	f.diagnostics.collectErrors[collectClash].Add(1)
	name := func(c candidate) string { return strings.TrimPrefix(c.name, f.prefix) }
	f.diagnostics.once(fmt.Sprint("claim/", first.family, second.stream), func(log *slog.Logger) {
		log.Warn("two instruments have one name in Prometheus: "+what+"; rename one by a View in Config.Views for its name and scope",
			"family", first.family, "first", name(first), "first_scope", first.scope.Name, "second", name(second), "second_scope", second.scope.Name)
	})
}

// ambiguous tells whether two attributes of a stream are one label.
func (f *foreign) ambiguous(data metricdata.Aggregation) bool {
	keys := map[attribute.Key]bool{}
	eachSet(data, func(set attribute.Set) bool {
		for i := range set.Len() {
			kv, _ := set.Get(i)
			keys[kv.Key] = true
		}
		return true
	})
	labels := map[string]bool{}
	for key := range keys {
		labels[f.label(key)] = true
	}
	return len(labels) < len(keys)
}

func (f *foreign) label(key attribute.Key) string {
	label, ok := f.labels[key]
	if !ok {
		label = promname.Label(string(key))
		if len(f.labels) < maxKnown {
			f.labels[key] = label
		}
	}
	return label
}

// labelsOf is the identity of a series in Prometheus.
func (f *foreign) labelsOf(set attribute.Set) string {
	pairs := make([]string, 0, set.Len())
	for i := range set.Len() {
		kv, _ := set.Get(i)
		pairs = append(pairs, f.label(kv.Key)+"\xff"+kv.Value.String())
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "\xfe")
}

// kindOfData is the kind of a metric, and whether it counts in whole numbers.
func kindOfData(data metricdata.Aggregation) (kind domain.Kind, whole bool) {
	sum := func(monotonic bool) domain.Kind {
		if monotonic {
			return domain.KindCounter
		}
		return domain.KindUpDown
	}
	switch d := data.(type) {
	case metricdata.Sum[int64]:
		return sum(d.IsMonotonic), true
	case metricdata.Sum[float64]:
		return sum(d.IsMonotonic), false
	case metricdata.Gauge[int64]:
		return domain.KindGauge, true
	case metricdata.Gauge[float64]:
		return domain.KindGauge, false
	case metricdata.Histogram[int64], metricdata.ExponentialHistogram[int64]:
		return domain.KindHistogram, true
	}
	return domain.KindHistogram, false
}

func prometheusType(kind domain.Kind) dto.MetricType {
	switch kind {
	case domain.KindHistogram:
		return dto.MetricType_HISTOGRAM
	case domain.KindCounter:
		return dto.MetricType_COUNTER
	}
	return dto.MetricType_GAUGE
}

// eachSet calls keep with the attributes of each point, and returns the metric
// with the points that it keeps.
func eachSet(data metricdata.Aggregation, keep func(attribute.Set) bool) metricdata.Aggregation {
	switch d := data.(type) {
	case metricdata.Gauge[int64]:
		d.DataPoints = keptPoints(d.DataPoints, keep)
		return d
	case metricdata.Gauge[float64]:
		d.DataPoints = keptPoints(d.DataPoints, keep)
		return d
	case metricdata.Sum[int64]:
		d.DataPoints = keptPoints(d.DataPoints, keep)
		return d
	case metricdata.Sum[float64]:
		d.DataPoints = keptPoints(d.DataPoints, keep)
		return d
	case metricdata.Histogram[int64]:
		d.DataPoints = keptHistograms(d.DataPoints, keep)
		return d
	case metricdata.Histogram[float64]:
		d.DataPoints = keptHistograms(d.DataPoints, keep)
		return d
	case metricdata.ExponentialHistogram[int64]:
		d.DataPoints = keptExponentials(d.DataPoints, keep)
		return d
	case metricdata.ExponentialHistogram[float64]:
		d.DataPoints = keptExponentials(d.DataPoints, keep)
		return d
	case metricdata.Summary:
		d.DataPoints = slices.DeleteFunc(d.DataPoints, func(p metricdata.SummaryDataPoint) bool { return !keep(p.Attributes) })
		return d
	}
	return data
}

func keptPoints[N int64 | float64](points []metricdata.DataPoint[N], keep func(attribute.Set) bool) []metricdata.DataPoint[N] {
	return slices.DeleteFunc(points, func(p metricdata.DataPoint[N]) bool { return !keep(p.Attributes) })
}

func keptHistograms[N int64 | float64](points []metricdata.HistogramDataPoint[N], keep func(attribute.Set) bool) []metricdata.HistogramDataPoint[N] {
	return slices.DeleteFunc(points, func(p metricdata.HistogramDataPoint[N]) bool { return !keep(p.Attributes) })
}

func keptExponentials[N int64 | float64](points []metricdata.ExponentialHistogramDataPoint[N], keep func(attribute.Set) bool) []metricdata.ExponentialHistogramDataPoint[N] {
	return slices.DeleteFunc(points, func(p metricdata.ExponentialHistogramDataPoint[N]) bool { return !keep(p.Attributes) })
}
