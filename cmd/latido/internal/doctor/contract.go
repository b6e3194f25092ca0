package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/cmd/latido/internal/check"
	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/expr"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/promname"
)

// doctorContract compares the metrics of the service with those of the contract:
// every event exists, and every metric has its kind, its labels and the values
// that the domain lists.
func doctorContract(x *examination) result.Check {
	var c result.Check
	metrics := x.d.Metrics()
	for _, m := range metrics {
		family := x.families[m.Family]
		switch {
		case family != nil:
			x.compare(&c, m, family)
		case m.Event != nil:
			x.missing(&c, m)
		}
	}
	x.filters(&c)
	for _, name := range slices.Sorted(maps.Keys(x.families)) {
		if !strings.HasPrefix(name, x.d.Prefix+"_") && !allowed(name) {
			c.Fail("%s has not the prefix %s", name, x.d.Prefix).Fix = "record it with tel.Meter(), or keep its registry out of what is scraped"
		}
	}
	n, most := x.families.series()
	if n > x.maxSeries {
		c.Fail("one process has %d series, and the budget is %d: most are of %s", n, x.maxSeries, most).
			Fix = "find the attribute with too many values, or allow more with -max-series"
	}
	c.Detail = fmt.Sprintf("%d metrics, %d series of one process at most, of %d", len(metrics), n, x.maxSeries)
	return c
}

// allowed are names without the prefix that Prometheus, its libraries and its
// rules make for every service.
func allowed(name string) bool {
	return slices.Contains([]string{"target_info", "otel_scope_info"}, name) || strings.HasPrefix(name, "promhttp_")
}

// missing says that an event does not exist.
func (x *examination) missing(c *result.Check, m domain.Metric) {
	other := ""
	if near := expr.Nearest(x.d, m.Family, slices.Collect(maps.Keys(x.families))); near != "" {
		other = fmt.Sprintf(" (there is %s)", near)
	}
	p := c.Fail("the event %s does not exist: there is no metric %s%s", m.Event.Name, m.Family, other)
	p.Fix = "is the service of a version before the event, or does it load another domain file?"
	if m.Kind == domain.KindGauge {
		p.Fix = "a gauge has no series until it is set or observed: is it, where its level is known?"
	}
}

// compare compares one family.
func (x *examination) compare(c *result.Check, m domain.Metric, family *dto.MetricFamily) {
	if got, want := strings.ToLower(family.GetType().String()), check.KindNames[m.Kind]; got != want {
		says := "in every service of Latido's"
		if m.Event != nil {
			says = x.file + " says of the event " + m.Event.Name
		}
		c.Fail("%s is a %s, but should be a %s, as %s", m.Family, got, want, says).
			Fix = "somebody else records under this name, or the service is of a version before"
	}
	wrong, values := map[string]string{}, x.valuesOf(m) // the fix by the message
	var want []string
	for _, a := range m.Attributes {
		want = append(want, promname.Label(a))
	}
	total, other := 0.0, 0.0
	for _, one := range family.GetMetric() {
		total += amount(one)
		has := labelsOf(one)
		for name, value := range has {
			known, listed := values[name]
			switch {
			case !slices.Contains(want, name):
				fix := "somebody else records under this name"
				if m.Event != nil {
					fix = "record it with the helpers that latido generate events writes"
				}
				wrong[fmt.Sprintf("%s has the label %s, which it should not have", m.Family, name)] = fix
			case value == domain.Other:
				other += amount(one)
			case listed && !slices.Contains(known, value):
				wrong[fmt.Sprintf("%s has %s=%q, which %s does not list", m.Family, name, cli.Safe(value), x.file)] =
					fmt.Sprintf("add it to the values of %s, or record one of: %s", name, strings.Join(known, ", "))
			}
		}
		for _, name := range want {
			if _, ok := has[name]; !ok && m.Event != nil {
				wrong[fmt.Sprintf("%s has a series without the label %s", m.Family, name)] = "record it with the helpers that latido generate events writes"
			}
		}
	}
	for _, message := range slices.Sorted(maps.Keys(wrong)) {
		c.Fail("%s", message).Fix = wrong[message]
	}
	if other > 0 && len(values) > 0 {
		c.Note("%s counts %g as %q: a value that %s does not list", m.Family, other, domain.Other, x.file)
	}
	// What goes up and down has no wrong value.
	if m.Event != nil && total == 0 && (m.Kind == domain.KindCounter || m.Kind == domain.KindHistogram) {
		c.Note("the event %s has counted nothing since the service started: is it recorded where it happens?", m.Event.Name)
	}
}

// valuesOf are the values that the domain lists, by label.
func (x *examination) valuesOf(m domain.Metric) map[string][]string {
	values := map[string][]string{}
	switch {
	case m.Event != nil:
		for _, a := range m.Attributes {
			values[promname.Label(a)] = m.Event.Attributes[a]
		}
	case m.Key == "api_errors":
		values[promname.Label("error.type")] = append(slices.Clone(domain.BuiltinErrors()), x.d.Errors...)
	}
	return values
}

func labelsOf(m *dto.Metric) map[string]string {
	all := map[string]string{}
	for _, l := range m.GetLabel() {
		all[l.GetName()] = l.GetValue()
	}
	return all
}

// amount is how much a series has counted.
func amount(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() + float64(m.GetHistogram().GetSampleCount())
}

// series counts the series as a server stores them, and says which family has
// the most.
func (all families) series() (total int, most string) {
	highest := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		n := 0
		for _, m := range all[name].GetMetric() {
			n++
			if h := m.GetHistogram(); h != nil {
				n += len(h.GetBucket()) + 1
			}
		}
		if total += n; n > highest {
			highest, most = n, name
		}
	}
	return total, most
}
