// Package promname translates the names of OpenTelemetry to those of Prometheus.
package promname

import "github.com/prometheus/otlptranslator"

// Label is the name in Prometheus of an OpenTelemetry attribute: error_type.
func Label(attribute string) string {
	namer := otlptranslator.LabelNamer{}
	label, err := namer.Build(attribute)
	if err != nil { // no letter or digit at all
		return ""
	}
	return label
}

// Family is the name in Prometheus of an OpenTelemetry instrument: with its
// unit and, for a counter, _total. kind is one of domain.Kind. The result is ""
// for a name without a letter. The Collector and Prometheus' OTLP receiver
// translate with the same library: the name is the same on every way.
func Family(name, unit, kind string) string {
	types := map[string]otlptranslator.MetricType{
		"counter":   otlptranslator.MetricTypeMonotonicCounter,
		"updown":    otlptranslator.MetricTypeNonMonotonicCounter,
		"histogram": otlptranslator.MetricTypeHistogram,
		"gauge":     otlptranslator.MetricTypeGauge,
	}
	namer := otlptranslator.MetricNamer{WithMetricSuffixes: true}
	f, err := namer.Build(otlptranslator.Metric{Name: name, Unit: unit, Type: types[kind]})
	if err != nil { // a name that validation refuses
		return ""
	}
	return f
}
