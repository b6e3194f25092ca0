package telemetry

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdkexemplar "go.opentelemetry.io/otel/sdk/metric/exemplar"

	"github.com/latido-dev/latido/domain"
)

// prefixView puts the domain's prefix on the instruments of other libraries.
// It is one function rather than one view of several: two views that match
// make two streams, one of them without the prefix. The unit and description
// are copied, since a Stream that only has a name loses them and with them its
// name in Prometheus; without an Aggregation the bucket advice holds. Of the
// user's own views, the first that matches applies, inside.
func prefixView(prefix string, users []sdkmetric.View, self *self) sdkmetric.View {
	return func(i sdkmetric.Instrument) (sdkmetric.Stream, bool) {
		stream := userStream(i, users, self)
		if stream.Name == "" {
			stream.Name = i.Name
		}
		if stream.Description == "" {
			stream.Description = i.Description
		}
		if stream.Unit == "" {
			stream.Unit = i.Unit
		}
		if !strings.HasPrefix(stream.Name, prefix+".") && !strings.HasPrefix(stream.Name, prefix+"_") {
			stream.Name = prefix + "." + stream.Name
		}
		name, inner := stream.Name, stream.AttributeFilter
		if inner == nil && i.Scope.Name == otelhttp.ScopeName {
			inner = notHost
		}
		stream.Description, stream.Unit = validText(stream.Description), validText(stream.Unit)
		stream.ExemplarReservoirProviderSelector = bare(stream.ExemplarReservoirProviderSelector)
		stream.AttributeFilter = func(kv attribute.KeyValue) bool {
			return (inner == nil || inner(kv)) && exportable(kv, name, self)
		}
		return stream, true
	}
}

// userStream is what the first of the user's views that matches makes of an
// instrument. One that panics matches nothing, and is said once: it runs where
// other libraries make their instruments, in Init too.
func userStream(i sdkmetric.Instrument, users []sdkmetric.View, self *self) sdkmetric.Stream {
	for n, view := range users {
		if s, ok := applyView(i, n, view, self); ok {
			return s
		}
	}
	return sdkmetric.Stream{}
}

func applyView(i sdkmetric.Instrument, n int, view sdkmetric.View, self *self) (stream sdkmetric.Stream, ok bool) {
	if view == nil {
		return stream, false
	}
	defer func() {
		if r := recover(); r != nil {
			stream, ok = sdkmetric.Stream{}, false
			self.once("view/"+strconv.Itoa(n), func(log *slog.Logger) {
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

// notHost leaves out of otelhttp's metrics what a stranger writes into the Host
// header: a series for each (the conventions have these attributes on request).
func notHost(kv attribute.KeyValue) bool {
	return kv.Key != "server.address" && kv.Key != "server.port"
}

// maxForeignValue is the length in bytes beyond which an attribute value of
// another library's instrument is dropped with its attribute. A view cannot
// cut it.
const maxForeignValue = 1024

// exportable tells whether an attribute can be exported. One that is not
// UTF-8, or whose name Prometheus reserves, would fail the whole export, and
// as data is cumulative every later one.
func exportable(kv attribute.KeyValue, instrument string, self *self) bool {
	ok := reservedLabel(string(kv.Key)) == "" && isValid(kv.Value) &&
		(kv.Value.Type() != attribute.STRING || len(kv.Value.AsString()) <= maxForeignValue)
	if !ok {
		self.collectErrors[collectText].Add(1)
		self.once("foreign attribute/"+instrument+"/"+string(kv.Key), func(log *slog.Logger) {
			log.Warn("an attribute of another library's instrument cannot be exported and is left out",
				"instrument", instrument, "attribute", cleanValue(string(kv.Key)), "value", cleanValue(kv.Value.String()))
		})
	}
	return ok
}

// reservedLabel says why an attribute's name cannot be a label: "" if it can.
func reservedLabel(name string) string {
	switch {
	case name == "" || !utf8.ValidString(name) || domain.Label(name) == "":
		return "not a label name"
	case name == "le", name == "quantile":
		return "Prometheus uses it for buckets and quantiles"
	case strings.HasPrefix(name, "__"):
		return "Prometheus keeps names with two underscores for itself"
	}
	return ""
}
