package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// families are a service's metrics by their family.
type families map[string]*dto.MetricFamily

// sum adds up the series of a counter whose labels are these, given as names
// and values.
func (all families) sum(family string, labels ...string) float64 {
	total := 0.0
	for _, m := range all[family].GetMetric() {
		has, fits := labelsOf(m), true
		for i := 0; i+1 < len(labels); i += 2 {
			fits = fits && has[labels[i]] == labels[i+1]
		}
		if fits {
			total += amount(m)
		}
	}
	return total
}

// by is the sum for each value of a label.
func (all families) by(family, label string) map[string]float64 {
	sums := map[string]float64{}
	for _, m := range all[family].GetMetric() {
		if value, ok := labelsOf(m)[label]; ok {
			sums[value] += amount(m)
		}
	}
	return sums
}

// serviceState is what the page /metrics-dashboard of a service says, as far
// as doctor reads it. Strangers do not get that page: then it is empty.
type serviceState struct {
	UptimeSeconds float64  `json:"uptime_seconds"`
	Problems      []string // lines of the log, the last at the end
}

// problem is the reason in the last problem that has the words in it, "" if
// there is none.
func (s serviceState) problem(words string) string {
	for _, line := range slices.Backward(s.Problems) {
		if strings.Contains(line, words) {
			_, reason, _ := strings.Cut(line, " error=")
			return cli.Safe(reason[:min(len(reason), 300)])
		}
	}
	return ""
}

// doctorService finds out who has the address of the service.
func doctorService(x *examination) result.Check {
	p := x.parts["url"]
	f := result.Check{}
	if p.first != nil {
		return failed(p.first)
	}
	all, err := remote.Families(p.hello.Body)
	if err != nil || len(all) == 0 {
		return failed(trouble{fmt.Sprintf("%s is not the service: /metrics has no metrics, it is from %s", remote.Address(p.base), who(p.hello)), p.whose()})
	}
	here := x.d.Prefix + "_build_info"
	if all[here] == nil {
		if others := prefixes(all); len(others) > 0 {
			return failed(trouble{
				fmt.Sprintf("%s is another service: its metrics have the prefix %s, and those of %s have %s", remote.Address(p.base), strings.Join(others, " and "), x.file, x.d.Prefix),
				"give the service's own address with -url, or the domain file of this one: latido doctor FILE",
			})
		}
		return failed(trouble{fmt.Sprintf("%s is no service of Latido's: it has metrics, but no %s; they are from %s", remote.Address(p.base), here, who(p.hello)), p.whose()})
	}
	x.families = all
	if answer, err := p.ask(x.ctx, remote.Request{Path: "metrics-dashboard"}); err == nil {
		_ = json.Unmarshal(answer.Body, &x.says) // it is only for details
	}
	version := ""
	for _, m := range all[here].GetMetric() {
		version = labelsOf(m)["version"]
	}
	f.Detail = fmt.Sprintf("%s, prefix %s", p.version(version), x.d.Prefix)
	if up := x.says.UptimeSeconds; up > 0 {
		f.Detail = fmt.Sprintf("%s, running for %s", f.Detail, cli.Spell(time.Duration(up*float64(time.Second))))
	}
	return f
}

// prefixes are those of the Latido services whose metrics these are.
func prefixes(all families) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if prefix, ok := strings.CutSuffix(name, "_build_info"); ok && all[prefix+"_telemetry_exports_total"] != nil {
			found = append(found, prefix)
		}
	}
	return found
}

// meaning is what one reason of a counter of the service's means.
type meaning struct {
	loss bool // something is not in the metrics at all
	text string
	next string
}

// The meanings of the reasons of telemetry.refused, telemetry.collect.errors
// and telemetry.store.faults.
var (
	refusedMeans = map[string]meaning{
		"event":      {true, "the domain file does not have the event", "declare the event, or record it with the helpers of latido generate events"},
		"attribute":  {true, "the domain file does not have an attribute", "declare the attribute, or record it with the helpers of latido generate events"},
		"value":      {false, "the domain file does not list the value of an attribute, which counts as _other", ""},
		"number":     {false, "the number cannot be counted, such as NaN or a negative count", ""},
		"error_type": {false, "the domain file does not list the type of error, which counts as _other", ""},
		"route":      {false, "there are more routes or functions than are kept, and the rest counts together", ""},
	}
	collectMeans = map[string]meaning{
		"panic":   {true, "another library's callback panicked", "the service's log has the stack: mend the callback, or take it out"},
		"timeout": {true, "another library's callback took too long", "the service's log names it: mend the callback, or take it out"},
		"clash":   {true, "another library's instrument has a name that is taken", "the service's log names it: rename one of the two, with a View of Config.Views"},
		"text":    {true, "a name or value is not UTF-8", "the service's log names it: mend the text"},
		"other":   {false, "the service's log tells the reason", ""},
	}
	faultMeans = map[string]string{
		"disk": "its disk is full or not writable", "locked": "another process has its folder", "corrupt": "a file was corrupt",
		"clock": "the clock jumped", "series_limit": "there were more series than it takes", "rule": "a rule failed",
		"storm":         "one rule had more alerts than are passed on",
		"samples_limit": "samples were dropped to stay within its size",
	}
)

// doctorTelemetry reads what the service counts of what it could not record.
func doctorTelemetry(x *examination) result.Check {
	name := func(metric string) string { return x.d.Prefix + "_telemetry_" + metric }
	f := result.Check{Detail: "nothing refused, nothing left out"}
	tell := func(family, format, thing string, means map[string]meaning) {
		sums := x.families.by(family, "reason")
		for _, reason := range slices.Sorted(maps.Keys(sums)) {
			n := sums[reason]
			if n == 0 {
				continue
			}
			m, known := means[reason]
			if !known {
				m.text = "the reason is " + cli.Safe(reason)
			}
			text := fmt.Sprintf(format, cli.Count(int(n), thing), m.text)
			if m.loss {
				f.Fail("%s", text).Fix = m.next
			} else {
				f.Note("%s", text)
			}
			f.Detail = "nothing is lost, but see below"
		}
	}
	tell(name("refused_total"), "%s refused: %s", "recording", refusedMeans)
	tell(name("collect_errors_total"), "%s of metrics left something out: %s", "collection", collectMeans)
	if n := x.families.sum(name("profiles_dropped_total")); n > 0 {
		f.Note("%g profiles were dropped, as they could not be uploaded for so long that the queue was full", n)
	}
	for reason, n := range x.families.by(name("store_faults_total"), "reason") {
		if n > 0 {
			f.Note("the embedded store survived %g faults: %s", n, faultMeans[reason])
		}
	}
	if n := x.families.sum(name("incidents_total"), "outcome", "failed"); n > 0 {
		f.Note("%g incidents could not be saved: see the service's log", n)
	}
	x.tellDeliveries(&f)
	slices.Sort(f.Notes)
	return f
}

// tellDeliveries tells of the receivers that the service itself, with alerts in
// the process, could not reach.
func (x *examination) tellDeliveries(f *result.Check) {
	family := x.d.Prefix + "_telemetry_alert_deliveries_total"
	for receiver, all := range x.families.by(family, "receiver") {
		failed := all - x.families.sum(family, "receiver", receiver, "outcome", "success")
		switch {
		case failed > 0 && failed == all:
			f.Fail("the service has delivered no alert to %s: %g tries failed", cli.Safe(receiver), failed).Fix = "the service's log has the receiver's answer; try again with: latido fire"
		case failed > 0:
			f.Note("%g of %g tries to deliver an alert to %s failed", failed, all, cli.Safe(receiver))
		}
	}
}

// uploads are the service's uploads of a signal, metrics or profiles: those of
// the last minutes as far as Prometheus knows them, or else all since its start.
func (x *examination) uploads(signal string) (good, failed float64, since string) {
	family := x.d.Prefix + "_telemetry_exports_total"
	good = x.families.sum(family, "signal", signal, "outcome", "success")
	failed = x.families.sum(family, "signal", signal, "outcome", "failure")
	if len(x.targets) == 0 || failed == 0 {
		return good, failed, "since its start"
	}
	lately, err := x.parts["prometheus"].query(x.ctx, fmt.Sprintf("sum by (outcome) (increase(%s{job=%q, signal=%q}[5m]))", family, x.job, signal))
	g, b := 0.0, 0.0
	for _, s := range lately {
		if s.Labels["outcome"] == "success" {
			g = s.Value
		} else {
			b = s.Value
		}
	}
	if err != nil || g+b < 1 {
		return good, failed, "since its start"
	}
	return g, b, "in the last 5 minutes"
}

// doctorOTLP tells whether what the service sends by OTLP arrives.
func doctorOTLP(x *examination) result.Check {
	good, failed, since := x.uploads("metrics")
	switch {
	case good == 0 && failed == 0:
		return result.Skip("the service sends no metrics by OTLP, which is right when it is scraped; OTEL_EXPORTER_OTLP_ENDPOINT sets where to")
	case good == 0:
		var f result.Check
		p := f.Fail("no export of the service's metrics by OTLP arrived, %.0f failed %s: %s", failed, since, cmp.Or(x.says.problem("metrics cannot be sent by OTLP"), "its log has the reason"))
		p.Fix = "set OTEL_EXPORTER_OTLP_ENDPOINT to the Collector's address as the service reaches it, with its port for HTTP: http://otel-collector:4318"
		return f
	}
	f := result.Check{Detail: fmt.Sprintf("%.0f exports of metrics arrived %s", good, since)}
	if failed >= 1 {
		f.Note("%.0f of %.0f failed %s%s", failed, good+failed, since, cli.Because(x.says.problem("metrics cannot be sent by OTLP")))
	}
	return f
}
