package importer

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/latido-dev/latido/domain"
)

// statusLabels are the labels of an answer's status: client_golang's, otelhttp's
// of both conventions, and others'.
var statusLabels = []string{"code", "status", "status_code", "http_status_code", "http_response_status_code", "http_status", "response_code"}

// isRequests tells whether a family is about the HTTP requests that the service
// answers: Latido records those itself.
func isRequests(f *dto.MetricFamily) bool {
	name := f.GetName()
	if strings.Contains(name, "client") || strings.Contains(name, "promhttp") || strings.Contains(name, "upstream") {
		return false
	}
	if strings.HasPrefix(name, "http_server_") || strings.HasPrefix(name, "http_request") || strings.HasPrefix(name, "http_response") {
		return true
	}
	return strings.Contains(name, "_http_request") || strings.Contains(name, "_http_response")
}

// size are the names of what is measured of requests besides their time.
var size = regexp.MustCompile(`_(bytes|size|length|body)(_|$)`)

// objectives are those that the service has kept to so far.
func (d *draft) objectives(requests []*dto.MetricFamily) {
	good, all, slow := 0.0, 0.0, map[float64]float64{} // requests by bound, in seconds
	timed := 0.0
	for _, f := range requests {
		label := statusLabel(f)
		isTime := f.GetType() == dto.MetricType_HISTOGRAM && !size.MatchString(f.GetName())
		if label != "" && (f.GetType() == dto.MetricType_COUNTER || isTime) {
			g, n := answered(f, label)
			if n > all {
				good, all = g, n
			}
		}
		if isTime && total(f) > timed {
			timed, slow = total(f), cumulated(f)
		}
	}
	if len(requests) > 0 {
		d.note("what the service says of its requests is recorded by Latido itself: %s", strings.Join(names(requests), ", "))
	}
	if all >= domain.DefaultMinCount {
		objective := kept(good / all)
		d.d.SLOs = append(d.d.SLOs, domain.SLO{Name: "availability", Objective: objective, Good: domain.Good{Status: "!~5.."}, Description: d.say("Almost all answers are good")})
		d.about["availability"] = []string{d.say("so far %s of %s requests did not fail: %.4g %%", short(good), short(all), 100*good/all)}
	}
	if timed >= domain.DefaultMinCount {
		d.latency(slow, timed)
	}
}

// latency is the objective that the shortest bound with enough below it makes.
func (d *draft) latency(slow map[float64]float64, all float64) {
	times := slices.Sorted(maps.Keys(slow))
	for _, le := range times {
		length := time.Duration(le * float64(time.Second)).Round(time.Millisecond)
		share := slow[le] / all
		if share < 0.95 || length < time.Millisecond || length > 24*time.Hour || math.IsInf(le, 0) {
			continue
		}
		d.d.SLOs = append(d.d.SLOs, domain.SLO{
			Name: "latency", Objective: kept(share), Good: domain.Good{FasterThan: domain.Duration(length)}, Description: d.say("Answers are quick"),
		})
		d.about["latency"] = []string{d.say("so far %.4g %% were answered within %s", 100*share, length)}
		limit := domain.Quantity(2 * length.Seconds())
		d.d.Thresholds = append(d.d.Thresholds, domain.Threshold{
			Name: "SlowResponses", Metric: "response_duration", Stat: domain.StatP95, Above: &limit, For: domain.Duration(5 * time.Minute), Severity: domain.SeverityTicket,
			Summary: d.say("Responses are slow"),
		})
		d.about["SlowResponses"] = []string{d.say("twice the %s within which 95 %% were answered so far", length)}
		return
	}
}

// kept is the highest of the usual objectives that a share keeps with some room.
func kept(share float64) float64 {
	for _, objective := range []float64{99.9, 99.5, 99, 98, 95, 90} {
		if 100*share >= objective+(100-objective)/4 || share == 1 {
			return objective
		}
	}
	return 80
}

func statusLabel(f *dto.MetricFamily) string {
	for _, l := range f.Metric[0].Label {
		if slices.Contains(statusLabels, strings.ToLower(l.GetName())) {
			return l.GetName()
		}
	}
	return ""
}

// answered are the requests that did not fail, and all.
func answered(f *dto.MetricFamily, label string) (good, all float64) {
	for _, m := range f.Metric {
		one := &dto.MetricFamily{Type: f.Type, Metric: []*dto.Metric{m}}
		n := total(one)
		all += n
		i := slices.IndexFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == label })
		if i < 0 || !strings.HasPrefix(m.Label[i].GetValue(), "5") {
			good += n
		}
	}
	return good, all
}

// cumulated are the requests by the bounds of a histogram, in seconds.
func cumulated(f *dto.MetricFamily) map[float64]float64 {
	unit := 1.0
	if strings.HasSuffix(f.GetName(), "_milliseconds") || strings.HasSuffix(f.GetName(), "_ms") {
		unit = 1000
	}
	all := map[float64]float64{}
	for _, m := range f.Metric {
		for _, b := range m.GetHistogram().GetBucket() {
			all[b.GetUpperBound()/unit] += float64(b.GetCumulativeCount())
		}
	}
	return all
}

func names(families []*dto.MetricFamily) []string {
	var all []string
	for _, f := range families {
		all = append(all, f.GetName())
	}
	return all
}
