package importer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/domain"
)

// maxValues is with how many values a label is still taken for a closed list.
const maxValues = 12

// units are the ends of names that are units, as OpenTelemetry has them.
var units = []struct{ suffix, unit string }{
	{"_milliseconds", "ms"}, {"_seconds", "s"}, {"_bytes", "By"}, {"_percent", "%"}, {"_ratio", "1"}, {"_celsius", "Cel"}, {"_meters", "m"},
	{"_joules", "J"}, {"_volts", "V"}, {"_amperes", "A"}, {"_hertz", "Hz"},
}

// event takes a family over as an event.
func (d *draft) event(f *dto.MetricFamily, space string) {
	name := f.GetName()
	e := domain.Event{Name: strings.ToLower(strings.TrimPrefix(name, space)), Description: sentence(f.GetHelp())}
	switch f.GetType() {
	case dto.MetricType_COUNTER:
		e.Name = strings.TrimSuffix(e.Name, "_total")
	case dto.MetricType_GAUGE:
		e.Kind = domain.KindGauge
	case dto.MetricType_HISTOGRAM:
		e.Kind = domain.KindHistogram
	case dto.MetricType_SUMMARY:
		d.note("%s is a summary, whose quantiles cannot be added up: record it as a histogram", name)
		return
	default:
		d.note("%s has no type", name)
		return
	}
	for _, u := range units {
		if short, ok := strings.CutSuffix(e.Name, u.suffix); ok && short != "" {
			e.Name, e.Unit = short, u.unit
			break
		}
	}
	e.Name = strings.Trim(strings.Join(strings.FieldsFunc(e.Name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "_"), "_")
	var said []string
	said = append(said, d.attributes(f, &e)...)
	if e.Kind == domain.KindHistogram {
		e.Buckets = bounds(f)
	}
	err := valid(d.d.Prefix, e)
	if err != nil { // a name of the contract, say
		other := e
		other.Name = strings.Trim(strings.TrimSuffix(space, "_")+"_"+e.Name, "_")
		if valid(d.d.Prefix, other) == nil {
			e, err = other, nil
		}
	}
	if err != nil && len(e.Buckets) > 0 {
		e.Buckets = nil
		err = valid(d.d.Prefix, e)
	}
	if err != nil {
		d.note("%s is no event: %v", name, err)
		return
	}
	m, _ := domain.Domain{Prefix: d.d.Prefix, Events: []domain.Event{e}}.Metric(e.Name)
	said = append([]string{name + " -> " + m.Family + d.sofar(f)}, said...)
	d.about[e.Name] = said
	d.seen[e.Name] = total(f)
	d.d.Events = append(d.d.Events, e)
}

// sofar says how much there is of it now.
func (d *draft) sofar(f *dto.MetricFamily) string {
	switch f.GetType() {
	case dto.MetricType_COUNTER, dto.MetricType_GAUGE:
		return ": " + d.say("%s at the moment", short(total(f)))
	case dto.MetricType_HISTOGRAM:
		return ": " + d.say("%s so far", short(total(f)))
	}
	return ""
}

// attributes are the labels that have few values. The values are those that are
// there: what was not seen yet has to be added.
func (d *draft) attributes(f *dto.MetricFamily, e *domain.Event) (said []string) {
	values := map[string]map[string]bool{}
	for _, m := range f.Metric {
		for _, l := range m.Label {
			if values[l.GetName()] == nil {
				values[l.GetName()] = map[string]bool{}
			}
			values[l.GetName()][l.GetValue()] = true
		}
	}
	for _, label := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(label, "otel_scope") {
			continue
		}
		list := slices.DeleteFunc(slices.Sorted(maps.Keys(values[label])), func(v string) bool { return strings.TrimSpace(v) != v || v == "" || v == domain.Other })
		one := domain.Event{Name: "evento", Attributes: map[string][]string{label: list}}
		switch err := valid("import", one); {
		case len(values[label]) > maxValues:
			said = append(said, d.say("label %s has %d values: no closed list", label, len(values[label])))
			continue
		case len(list) == 0:
			continue
		case err != nil:
			said = append(said, d.say("label %s is left out: %v", label, oneLine(err)))
			continue
		}
		if e.Attributes == nil {
			e.Attributes = map[string][]string{}
		}
		e.Attributes[label] = list
	}
	for e.Combinations() > domain.MaxCombinations || len(e.Attributes) > 8 {
		most := ""
		for _, label := range e.AttributeNames() {
			if most == "" || len(e.Attributes[label]) > len(e.Attributes[most]) {
				most = label
			}
		}
		delete(e.Attributes, most)
		said = append(said, d.say("label %s is left out: too many combinations", most))
	}
	return said
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// sentence is a help text in one line.
func sentence(text string) string {
	text = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}

// bounds are the upper bounds of a histogram.
func bounds(f *dto.MetricFamily) []float64 {
	var all []float64
	for _, m := range f.Metric {
		for _, b := range m.GetHistogram().GetBucket() {
			if le := b.GetUpperBound(); !math.IsInf(le, 0) && !slices.Contains(all, le) {
				all = append(all, le)
			}
		}
	}
	slices.Sort(all)
	return all
}

// total adds up what a family says: values, or how many a histogram has.
func total(f *dto.MetricFamily) float64 {
	sum := 0.0
	for _, m := range f.Metric {
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			sum += m.GetCounter().GetValue()
		case dto.MetricType_GAUGE:
			sum += m.GetGauge().GetValue()
		case dto.MetricType_HISTOGRAM:
			sum += float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// age is how long ago the process began.
func age(f *dto.MetricFamily) float64 {
	start := f.Metric[0].GetGauge().GetValue()
	if at := f.Metric[0].GetTimestampMs(); at > 0 {
		return max(0, float64(at)/1000-start)
	}
	return max(0, float64(time.Now().Unix())-start)
}

// short is a number as people read it: with three digits that matter, or whole.
func short(v float64) string {
	if math.Abs(v) >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return fmt.Sprintf("%.3g", v)
}
