package telemetry

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkexemplar "go.opentelemetry.io/otel/sdk/metric/exemplar"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Text that is not UTF-8 fails a whole export, and strangers can send it: in a
// path, in the User-Agent. What others record is cleaned here, on its way out.

// maxValue is the length in bytes at which an attribute value is cut.
const maxValue = 256

// cleanValue cuts a value of ours and makes it valid UTF-8.
func cleanValue(s string) string {
	if len(s) > maxValue {
		s = s[:maxValue]
		for i := 0; i < utf8.UTFMax && !utf8.ValidString(s); i++ { // don't cut a rune in two
			s = s[:len(s)-1]
		}
	}
	return validText(s)
}

func validText(s string) string { return strings.ToValidUTF8(s, "�") }

// isValid tells whether all the text of a value is UTF-8.
func isValid(v attribute.Value) bool {
	switch v.Type() {
	case attribute.STRING:
		return utf8.ValidString(v.AsString())
	case attribute.STRINGSLICE:
		return !slices.ContainsFunc(v.AsStringSlice(), func(s string) bool { return !utf8.ValidString(s) })
	case attribute.SLICE, attribute.MAP:
		return utf8.ValidString(v.String()) && !strings.Contains(v.String(), "�") // which may have been made valid
	}
	return true
}

// validAttributes are the same attributes, or a copy that is UTF-8.
func validAttributes(attributes []attribute.KeyValue) []attribute.KeyValue {
	ok := func(kv attribute.KeyValue) bool { return utf8.ValidString(string(kv.Key)) && isValid(kv.Value) }
	if !slices.ContainsFunc(attributes, func(kv attribute.KeyValue) bool { return !ok(kv) }) {
		return attributes
	}
	attributes = slices.Clone(attributes)
	for i, kv := range attributes {
		if !ok(kv) {
			attributes[i] = attribute.String(validText(string(kv.Key)), validText(kv.Value.String()))
		}
	}
	return attributes
}

func validSet(set attribute.Set) attribute.Set {
	return attribute.NewSet(validAttributes(set.ToSlice())...)
}

// validExporter sends spans whose text is UTF-8.
type validExporter struct{ sdktrace.SpanExporter }

func (e validExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	valid := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		valid[i] = validSpan{s}
	}
	return e.SpanExporter.ExportSpans(ctx, valid)
}

type validSpan struct{ sdktrace.ReadOnlySpan }

func (s validSpan) Name() string { return validText(s.ReadOnlySpan.Name()) }

func (s validSpan) Attributes() []attribute.KeyValue {
	return validAttributes(s.ReadOnlySpan.Attributes())
}

func (s validSpan) Events() []sdktrace.Event {
	events := slices.Clone(s.ReadOnlySpan.Events())
	for i := range events {
		events[i].Name, events[i].Attributes = validText(events[i].Name), validAttributes(events[i].Attributes)
	}
	return events
}

func (s validSpan) Links() []sdktrace.Link {
	links := slices.Clone(s.ReadOnlySpan.Links())
	for i := range links {
		links[i].Attributes = validAttributes(links[i].Attributes)
	}
	return links
}

func (s validSpan) Status() sdktrace.Status {
	status := s.ReadOnlySpan.Status()
	status.Description = validText(status.Description)
	return status
}

func (s validSpan) InstrumentationScope() instrumentation.Scope {
	scope := s.ReadOnlySpan.InstrumentationScope()
	scope.Name, scope.Version, scope.SchemaURL = validText(scope.Name), validText(scope.Version), validText(scope.SchemaURL)
	scope.Attributes = validSet(scope.Attributes)
	return scope
}

// bareReservoir keeps the attributes that a view left out away from exemplars:
// the very ones that cannot be exported, or that are too long for Prometheus,
// which would then have no exemplar of the series at all.
type bareReservoir struct{ sdkexemplar.Reservoir }

func (r bareReservoir) Offer(ctx context.Context, at time.Time, value sdkexemplar.Value, _ []attribute.KeyValue) {
	r.Reservoir.Offer(ctx, at, value, nil)
}
