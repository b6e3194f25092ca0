package telemetry

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdkexemplar "go.opentelemetry.io/otel/sdk/metric/exemplar"

	"github.com/latido-dev/latido/internal/promname"
)

// prefixView puts the domain's prefix on the instruments of other libraries.
// It is one function rather than one view of several: two views that match
// make two streams, one of them without the prefix. The unit and description
// are copied, since a Stream that only has a name loses them and with them its
// name in Prometheus; without an Aggregation the bucket advice holds. Of the
// user's own views, the first that matches applies, inside.
func prefixView(prefix string, users []sdkmetric.View, diagnostics *diagnostics) sdkmetric.View {
	return func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		stream := userStream(i, users, diagnostics)
		stream.Name, stream.Unit = cmp.Or(stream.Name, i.Name), cmp.Or(stream.Unit, i.Unit)
		stream.Description = cmp.Or(stream.Description, i.Description)
		if !strings.HasPrefix(stream.Name, prefix+".") && !strings.HasPrefix(stream.Name, prefix+"_") {
			stream.Name = prefix + "." + stream.Name
		}
		stream.Description, stream.Unit = validText(stream.Description), validText(stream.Unit)
		name, inner := stream.Name, stream.AttributeFilter
		switch {
		case inner != nil:
			stream.AttributeFilter = recovered(inner, name, diagnostics)
		case strings.HasPrefix(i.Name, "http.server."):
			stream.AttributeFilter = notHost
		}
		if observed(i.Kind) {
			wanted := stream.AttributeFilter
			stream.AttributeFilter = func(kv attribute.KeyValue) bool {
				return (wanted == nil || wanted(kv)) && exportable(kv, name, diagnostics)
			}
		}
		if stream.AttributeFilter != nil { // what it leaves out would be in the exemplars
			stream.ExemplarReservoirProviderSelector = bare(stream.ExemplarReservoirProviderSelector)
		}
		return stream, true
	}
}

// observed tells whether an instrument is read by a callback. Its attributes
// are looked at by a filter of its stream: nobody waits for that. Those of the
// others are looked at as they are recorded.
func observed(kind sdkmetric.InstrumentKind) bool {
	switch kind {
	case sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindHistogram, sdkmetric.InstrumentKindGauge:
		return false
	}
	return true
}

// recovered is a user's filter. One that panics would do so wherever something
// is recorded: it keeps the attribute.
func recovered(filter attribute.Filter, instrument string, diagnostics *diagnostics) attribute.Filter {
	return func(kv attribute.KeyValue) (keep bool) {
		defer func() {
			if r := recover(); r != nil {
				keep = true
				diagnostics.once("filter/"+instrument, func(log *slog.Logger) {
					log.Error("the attribute filter of a view panicked and leaves nothing out: mend Config.Views", "instrument", instrument, "panic", cleanValue(fmt.Sprint(r)))
				})
			}
		}()
		return filter(kv)
	}
}

// userStream is what the first of the user's views that matches makes of an
// instrument. One that panics matches nothing, and is said once: it runs where
// other libraries make their instruments, in Init too.
func userStream(i sdkmetric.Instrument, users []sdkmetric.View, diagnostics *diagnostics) sdkmetric.Stream {
	for n, view := range users {
		if s, ok := applyView(i, n, view, diagnostics); ok {
			return s
		}
	}
	return sdkmetric.Stream{}
}

func applyView(i sdkmetric.Instrument, n int, view sdkmetric.View, diagnostics *diagnostics) (stream sdkmetric.Stream, ok bool) {
	if view == nil {
		return stream, false
	}
	defer func() {
		if r := recover(); r != nil {
			stream, ok = sdkmetric.Stream{}, false
			diagnostics.once("view/"+strconv.Itoa(n), func(log *slog.Logger) {
				log.Error("a view panicked and has no effect on the instrument: mend Config.Views", "view", n, "instrument", cleanValue(i.Name), "panic", cleanValue(fmt.Sprint(r)))
			})
		}
	}()
	return view(i)
}

// bare is what selects the reservoirs of exemplars, with bare ones.
func bare(inner sdkmetric.ExemplarReservoirProviderSelector) sdkmetric.ExemplarReservoirProviderSelector {
	if inner == nil {
		inner = sdkmetric.DefaultExemplarReservoirProviderSelector
	}
	return func(a sdkmetric.Aggregation) sdkexemplar.ReservoirProvider {
		provider := inner(a)
		return func(attributes attribute.Set) sdkexemplar.Reservoir { return bareReservoir{provider(attributes)} }
	}
}

// notHost leaves out of a server's metrics what a stranger writes into the Host
// header: a series for each (the conventions have these attributes on request).
// In those of a client they are hosts that the service itself chose.
func notHost(kv attribute.KeyValue) bool {
	return kv.Key != "server.address" && kv.Key != "server.port"
}

// reservedLabel says why an attribute's name cannot be a label: "" if it can.
func reservedLabel(name string) string {
	label := ""
	if utf8.ValidString(name) {
		label = promname.Label(name)
	}
	switch {
	case label == "":
		return "not a label name"
	case label == "le", label == "quantile":
		return "Prometheus uses it for buckets and quantiles"
	case strings.HasPrefix(name, "__"), strings.HasPrefix(label, "__"):
		return "Prometheus keeps names with two underscores for itself"
	}
	return ""
}
