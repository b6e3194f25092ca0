package doctor

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// doctorCollector asks the health check extension.
func doctorCollector(x *examination) result.Check {
	p := x.parts["collector"]
	var f result.Check
	if p.first != nil {
		return failed(p.first)
	}
	var state struct{ Status string }
	if json.Unmarshal(p.hello.Body, &state) != nil || !strings.Contains(state.Status, "vailable") { // "Server available"
		return failed(p.stranger(p.hello, ""))
	}
	f.Detail = remote.Address(p.base) + ", " + cli.Safe(state.Status)
	return f
}

// doctorCollectorMetrics reads what the Collector counts of what it could not
// take or hand on. Most Collectors show their metrics only to themselves, so
// that nothing is wrong when they cannot be had, unless somebody asked for them.
func doctorCollectorMetrics(x *examination) result.Check {
	p := x.parts["collector-metrics"]
	var f result.Check
	if p.first != nil && !x.given(p.flag) {
		return result.Skip("%s does not have them; see -%s", remote.Address(p.base), p.flag)
	}
	if p.first != nil {
		return failed(p.first)
	}
	parsed, err := remote.Families(p.hello.Body)
	all := families(parsed)
	if err != nil || !strings.Contains(string(p.hello.Body), "otelcol_") {
		if !x.given(p.flag) {
			return result.Skip("%s has no metrics of a Collector, but is %s", remote.Address(p.base), who(p.hello))
		}
		return failed(p.stranger(p.hello, p.ready))
	}
	f.Detail = remote.Address(p.base) + ", nothing lost"
	accepted := 0.0
	for _, family := range slices.Sorted(maps.Keys(all)) {
		// By version the name has _total at its end, or not.
		short := strings.TrimSuffix(family, "_total")
		what, isSend := strings.CutPrefix(short, "otelcol_exporter_send_failed_")
		refused, isRefused := strings.CutPrefix(short, "otelcol_receiver_refused_")
		if short == "otelcol_receiver_accepted_spans" {
			accepted += all.sum(family)
		}
		switch {
		case isSend:
			x.tellSends(&f, all, family, what)
		case isRefused:
			for receiver, n := range all.by(family, "receiver") {
				if n > 0 {
					f.Note("the receiver %s refused %.0f %s since its start: it had no memory or nobody to hand them to", cli.Safe(receiver), n, spaced(refused))
				}
			}
		}
	}
	if x.traced && accepted == 0 {
		f.Note("it has accepted no span, though the service makes some: they go to another place, or get lost")
	}
	return f
}

// tellSends compares what each exporter could not send with what it sent.
func (x *examination) tellSends(f *result.Check, all families, family, what string) {
	sent := strings.Replace(family, "send_failed", "sent", 1)
	for exporter, failed := range all.by(family, "exporter") {
		good := all.sum(sent, "exporter", exporter)
		switch {
		case failed > 0 && good == 0:
			f.Fail("the Collector's exporter %s has sent nothing: %.0f %s failed", cli.Safe(exporter), failed, spaced(what)).
				Fix = "correct its endpoint in the Collector's configuration; its log has the answer: docker compose logs otel-collector"
		case failed > 0:
			f.Note("the exporter %s could not send %.0f of %.0f %s since its start", cli.Safe(exporter), failed, failed+good, spaced(what))
			f.Detail = remote.Address(x.parts["collector-metrics"].base) + ", see below"
		}
	}
}

// spaced writes a part of a metric's name for people.
func spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }
