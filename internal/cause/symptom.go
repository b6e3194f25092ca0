package cause

import (
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/labelmatch"
)

// symptom is what an alert is about, and what others may stand behind.
type symptom int

const (
	noSymptom  symptom = iota
	latency            // requests take longer, or never end
	failures           // requests are answered with an error
	gone               // clients leave before the answer
	cpu                // CPU time is used
	memory             // memory is used
	goroutines         // there are more of them
	files              // file descriptors are open
	disk               // the disk fills
	traffic            // requests come, or do not
	event              // a business event moved
	symptoms
)

// symptomOf is what a rule is about: by its metric, or else by those in its
// expression.
func symptomOf(d domain.Domain, a Alert) symptom {
	if s := symptomOfKey(d, a, a.Metric); s != noSymptom || a.Metric != "" {
		return s
	}
	for _, m := range d.Metrics() {
		if strings.Contains(a.Expr, m.Family) {
			if s := symptomOfKey(d, a, m.Key); s != noSymptom {
				return s
			}
		}
	}
	return noSymptom
}

func symptomOfKey(d domain.Domain, a Alert, key string) symptom {
	m, ok := d.Metric(key)
	if !ok {
		return noSymptom
	}
	if m.Event != nil || strings.HasPrefix(key, "entities_") {
		return event
	}
	switch key {
	case "requests":
		bad := badStatus(d, a)
		switch {
		case bad == nil && strings.Contains(a.Expr, m.Family):
			return traffic
		case bad == nil: // an objective, by what is recorded of it
			return failures
		case bad("499") && !bad("500") && !bad("404"):
			return gone
		}
		return failures
	case "api_errors", "client_requests", "function_calls", "failures":
		return failures
	case "requests_gone_time":
		return gone
	case "process_open_fds", "process_max_fds":
		return files
	case "disk_usage":
		return disk
	case "go_goroutine_count", "go_goroutine_states", "process_threads":
		return goroutines
	case "response_duration", "client_duration", "function_duration", "go_schedule_duration", "active_requests", "active_connections", "go_mutex_wait_time":
		return latency
	}
	switch {
	case strings.HasPrefix(key, "pool_"):
		return latency
	case key == "cpu_usage", key == "event_cpu", key == "process_cpu_time", key == "go_cpu_time", strings.HasPrefix(key, "container_cpu"):
		return cpu
	case strings.Contains(key, "memory"), key == "event_allocated":
		return memory
	}
	return noSymptom
}

var statusMatcher = regexp.MustCompile(`status(=~|!~|!=|=)"([^"]*)"`)

// badStatus tells which statuses a rule holds against the service: those that
// its expression or objective names, also where it names them to leave them out.
// Where it names those that are good, it is all other failures. It is nil for a
// rule that names none.
func badStatus(d domain.Domain, a Alert) func(status string) bool {
	expr := a.Expr
	for _, o := range d.SLOs { // a rule on a budget reads what other rules have recorded
		if m, err := labelmatch.Parse(o.Good.Status); o.Name == a.Labels["slo"] && o.Good.Status != "" && err == nil {
			expr = "status" + m.Op + `"` + m.Value + `"`
		}
	}
	var bad, good []*regexp.Regexp
	for _, m := range statusMatcher.FindAllStringSubmatch(expr, -1) {
		text := m[2]
		if m[1] == "=" || m[1] == "!=" {
			text = regexp.QuoteMeta(text)
		}
		p, err := regexp.Compile("^(?:" + text + ")$")
		switch {
		case err != nil:
		case p.MatchString("200"):
			good = append(good, p)
		default:
			bad = append(bad, p)
		}
	}
	among := func(list []*regexp.Regexp, status string) bool {
		return slices.ContainsFunc(list, func(p *regexp.Regexp) bool { return p.MatchString(status) })
	}
	switch {
	case len(bad) > 0:
		return func(status string) bool { return among(bad, status) }
	case len(good) > 0:
		return func(status string) bool { return failed(status) && !among(good, status) }
	}
	return nil
}

// badFor tells which answers an alert holds against the service.
func badFor(d domain.Domain, a Alert) func(status string) bool {
	bad := badStatus(d, a)
	switch {
	case bad != nil:
		return bad
	case a.Metric == "api_errors", a.Metric == "failures", a.Metric == "function_calls":
		return failed
	}
	return serverError
}

// serverError is the usual failure, where a rule does not say.
func serverError(status string) bool { return strings.HasPrefix(status, "5") }

// failed is any answer that the client had no use for.
func failed(status string) bool {
	return strings.HasPrefix(status, "5") || strings.HasPrefix(status, "4")
}
