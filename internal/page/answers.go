package page

import (
	"cmp"
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The answers of the listener that the page reads. Each has the fields that are
// shown, and no more.
type (
	dashboard struct {
		App, Version, Revision, Entity string
		Uptime                         float64  `json:"uptime_seconds"`
		Status                         string   `json:"system_status"`
		Reasons, Problems              []string // in English
		Window                         float64  `json:"window_seconds"`
		System                         struct {
			CPU    *float64 `json:"cpu_percent"`
			Memory *float64 `json:"memory_bytes"`
			Disk   *float64 `json:"disk_percent"`
			Active int64    `json:"active_requests"`
		}
		Endpoints []endpointRow
		Events    []eventSeries
		Errors    []eventSeries
		History   struct {
			At     []float64
			All    lines
			Events map[string][]*float64
		}
	}
	endpointRow struct {
		Endpoint, Method string
		Requests, Errors int64
		PerSecond        float64  `json:"requests_per_second"`
		ErrorRatio       *float64 `json:"error_ratio"`
		P50              *float64 `json:"p50_seconds"`
		P95              *float64 `json:"p95_seconds"`
		P99              *float64 `json:"p99_seconds"`
		Time             float64  `json:"time_seconds"`
		Statuses         map[string]int64
		Failures         []struct {
			Site, Status string
			Count        int64
		}
		Slowest *struct {
			TraceID string `json:"trace_id"`
			Seconds float64
			At      time.Time
		}
		Profile *struct {
			CPUShare  float64 `json:"cpu_share"`
			Functions []function
			Waits     []struct {
				Reason, Function, File string
				Line                   int64
				Share                  float64
			}
		}
		History lines
		Share   float64 `json:"-"` // of all time spent
	}
	function struct {
		Function, File string
		Line           int64
		Share, Self    float64
	}
	lines struct {
		PerSecond  []*float64 `json:"per_second"`
		ErrorRatio []*float64 `json:"error_ratio"`
		P95        []*float64 `json:"p95_seconds"`
	}
	eventSeries struct {
		Name   string
		Labels map[string]string
		Value  float64
		Count  *float64
	}
	rule struct {
		Name, Query, State, Type, Health string
		LastError                        string    `json:"lastError"`
		Evaluated                        time.Time `json:"lastEvaluation"`
		Duration                         float64
		Labels, Annotations              map[string]string
		Alerts                           []struct {
			State, Value string
			ActiveAt     time.Time `json:"activeAt"`
			Labels       map[string]string
		}

		Left, Op string   // the query without its comparison
		Limit    *float64 // nil for a rule that is no plain comparison
		Value    *float64
		Since    time.Time
		Cause    string // of the incident that is open
		Incident string
		Silenced string // the comment of the silence, if there is one
	}
	incident struct {
		ID, Kind, Name, Severity, Cause, None string
		Drill                                 bool
		Starts                                time.Time  `json:"starts_at"`
		Ends                                  *time.Time `json:"ends_at"`
	}
	silence struct {
		ID, Comment, CreatedBy string
		Status                 struct{ State string }
		Starts                 time.Time `json:"startsAt"`
		Ends                   time.Time `json:"endsAt"`
		Matchers               []struct{ Name, Value string }
	}
	sample struct {
		Metric map[string]string
		Value  float64
	}
)

// dashboard is how the service is. Endpoints that nobody asked are left out.
func (p *Page) dashboard(ctx context.Context) (d dashboard) {
	p.read(ctx, "/metrics-dashboard?history=1", &d)
	whole := 0.0
	for _, e := range d.Endpoints {
		whole += e.Time
	}
	for i := range d.Endpoints {
		d.Endpoints[i].Share = d.Endpoints[i].Time / max(whole, 1e-9)
	}
	return d
}

// comparison is the end of a plain rule: X > 2.
var comparison = regexp.MustCompile(`(?s)^(.*?)\s*(>=|<=|==|>|<)\s*(-?[0-9.]+(?:e[+-]?[0-9]+)?)\s*$`)

// compared takes a rule's expression apart: what is compared, how, and with
// what. Of several conditions that must all hold it is the first one; the others
// say of how many it must be, or for how long.
func compared(query string) (left, op string, limit *float64) {
	depth, quoted := 0, rune(0)
	for i, c := range query {
		switch {
		case quoted != 0:
			if c == quoted {
				quoted = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quoted = c
		case strings.ContainsRune("({[", c):
			depth++
		case strings.ContainsRune(")}]", c):
			depth--
		case depth == 0 && (c == ' ' || c == '\n'):
			word, _, _ := strings.Cut(query[i+1:], " ")
			if word == "or" || word == "unless" {
				return "", "", nil
			}
			if word == "and" {
				return compared(query[:i])
			}
		}
	}
	m := comparison.FindStringSubmatch(query)
	if m == nil {
		return "", "", nil
	}
	v, ok := number(m[3])
	if !ok {
		return "", "", nil
	}
	return m[1], m[2], &v
}

// rules are those that alert, the firing ones first.
func (p *Page) rules(ctx context.Context) []rule {
	var answer struct {
		Data struct{ Groups []struct{ Rules []rule } }
	}
	p.read(ctx, "/api/v1/rules?type=alert", &answer)
	var all []rule
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Labels["heartbeat"] != "true" {
				all = append(all, r)
			}
		}
	}
	open := map[string]incident{}
	for _, in := range slices.Backward(p.incidents(ctx)) {
		if in.Ends == nil && !in.Drill {
			open[in.Name] = in
		}
	}
	for i := range all {
		r := &all[i]
		r.Left, r.Op, r.Limit = compared(r.Query)
		for _, a := range r.Alerts {
			if value, ok := number(a.Value); ok && (r.Value == nil || r.worse(value)) {
				r.Value = &value
			}
			if r.Since.IsZero() || a.ActiveAt.Before(r.Since) {
				r.Since = a.ActiveAt
			}
		}
		if r.State == "firing" {
			r.Cause, r.Incident = open[r.Name].Cause, open[r.Name].ID
		}
	}
	order := map[string]int{"firing": 0, "pending": 1}
	slices.SortStableFunc(all, func(a, b rule) int {
		at := func(r rule) int {
			if n, ok := order[r.State]; ok {
				return n
			}
			return len(order)
		}
		return cmp.Compare(at(a), at(b))
	})
	return all
}

// worse tells whether a value is nearer to what is feared than the rule's.
func (r *rule) worse(value float64) bool {
	return strings.HasPrefix(r.Op, "<") == (value < *r.Value)
}

// number reads a figure. What is no number, or infinite, is none.
func number(text string) (float64, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, false
	}
	return float(v)
}

// Severity and Summary are the alert's.
func (r rule) Severity() string { return r.Labels["severity"] }

// Summary says what is wrong, in the domain's words.
func (r rule) Summary() string { return cmp.Or(r.Annotations["summary"], r.Name) }

func (p *Page) incidents(ctx context.Context) []incident {
	var answer struct{ Incidents []incident }
	p.read(ctx, "/api/incidents", &answer)
	return answer.Incidents
}

// query asks PromQL for one moment. There is nothing where no store is.
func (p *Page) query(ctx context.Context, expr string) (found []sample) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	p.read(ctx, "/api/v1/query?query="+url.QueryEscape(expr), &answer)
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if value, ok := number(text); ok {
			found = append(found, sample{r.Metric, value})
		}
	}
	return found
}
