package doctor

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// openMetrics is the only form of /metrics, of those in text, that has
// exemplars.
const openMetrics = "application/openmetrics-text;version=1.0.0"

// settled is how old an exemplar must be for Prometheus to have it for certain:
// it comes with a scrape, or with what is sent once a minute.
const settled = 2 * time.Minute

// doctorExemplars follows the exemplars from the service to Prometheus.
func doctorExemplars(x *examination) result.Check {
	var f result.Check
	at, oldest, err := x.exemplarsOfService()
	if err != nil {
		return failed(err)
	}
	x.traced = at > 0
	if at == 0 {
		return x.untraced()
	}
	p := x.parts["prometheus"]
	stored, err := x.exemplarsStored()
	if err != nil {
		return failed(err)
	}
	if stored > 0 {
		f.Detail = fmt.Sprintf("%s in Prometheus of the last 10 minutes, each with its trace", cli.Count(stored, "exemplar"))
		return f
	}
	var flags map[string]string
	known := p.api(x.ctx, "status/flags", nil, &flags) == nil && flags["enable-feature"] != "" || flags["storage.tsdb.path"] != ""
	switch {
	case known && !strings.Contains(flags["enable-feature"], "exemplar-storage"):
		f.Fail("the service shows %s, and Prometheus keeps none: its exemplar storage is off", cli.Count(at, "exemplar")).
			Fix = "start Prometheus with --enable-feature=exemplar-storage"
	case x.clockWrong("url", "prometheus"):
		return result.Skip("not known as long as %s fails", "clock")
	case oldest > settled:
		f.Fail("the service shows %s, the oldest %s old, and Prometheus has none", cli.Count(at, "exemplar"), cli.Spell(oldest)).
			Fix = "have it scrape OpenMetrics, which alone has them: scrape_protocols of the job " + x.job + " begins with OpenMetricsText1.0.0; another store than Prometheus has a limit of its own for exemplars"
	default:
		return result.Skip("the service's exemplars are younger than %s: ask again then", cli.Spell(settled))
	}
	return f
}

// untraced is the finding of a service without exemplars: tracing is an option.
func (x *examination) untraced() result.Check {
	m, _ := x.d.Metric("response_duration")
	requests := uint64(0)
	for _, s := range x.families[m.Family].GetMetric() {
		requests += s.GetHistogram().GetSampleCount()
	}
	switch {
	case requests == 0:
		return result.Skip("the service has answered no request, so there is no trace to lead to")
	case x.given("collector") && x.parts["collector"].base != nil:
		var f result.Check
		f.Fail("there is a Collector, but no request of %d has a trace: the service makes no spans, or samples none", requests).
			Fix = "set OTEL_EXPORTER_OTLP_ENDPOINT for the service, such as http://otel-collector:4318; OTEL_TRACES_EXPORTER=none and OTEL_TRACES_SAMPLER can keep spans away"
		return f
	}
	return result.Skip("tracing is off, or samples nothing: see OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_SAMPLER")
}

// exemplarsOfService counts those that the service shows, and says how old the
// oldest is by the service's clock.
func (x *examination) exemplarsOfService() (n int, oldest time.Duration, err error) {
	answer, err := x.parts["url"].ask(x.ctx, remote.Request{Path: "metrics", Header: map[string]string{"Accept": openMetrics}})
	if err != nil {
		return 0, 0, err
	}
	now := time.Now().Add(x.parts["url"].clock.ahead)
	page := textparse.NewOpenMetricsParser(answer.Body, labels.NewSymbolTable())
	for {
		entry, err := page.Next()
		if err != nil { // the end of the page, or of what can be read of it
			return n, oldest, nil //nolint:nilerr // what was read before it counts
		}
		var e exemplar.Exemplar
		if entry != textparse.EntrySeries || !page.Exemplar(&e) || e.Labels.Get("trace_id") == "" {
			continue
		}
		if n++; e.HasTs {
			oldest = max(oldest, now.Sub(time.UnixMilli(e.Ts)))
		}
	}
}

// exemplarsStored counts those of the service's that Prometheus has.
func (x *examination) exemplarsStored() (int, error) {
	p := x.parts["prometheus"]
	now := time.Now().Add(p.clock.ahead)
	var all []struct {
		Exemplars []struct{ Labels map[string]string }
	}
	err := p.api(x.ctx, "query_exemplars", url.Values{
		"query": {fmt.Sprintf("{__name__=~%q, job=%q}", x.d.Prefix+"_.+_bucket", x.job)},
		"start": {strconv.FormatInt(now.Add(-10*time.Minute).Unix(), 10)}, "end": {strconv.FormatInt(now.Add(time.Minute).Unix(), 10)},
	}, &all)
	n := 0
	for _, s := range all {
		for _, e := range s.Exemplars {
			if e.Labels["trace_id"] != "" {
				n++
			}
		}
	}
	return n, err
}
