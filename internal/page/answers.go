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
	"unicode"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/figures"
)

// The answers of the listener that the page reads. Each has the fields that are
// shown, and no more.
type (
	dashboard struct {
		figures.Dashboard
		Endpoints []endpointRow `json:"-"` // those of the Dashboard
	}
	endpointRow struct {
		figures.Route
		Share float64 // of all time spent
	}
	rule struct {
		Name, Query, State, Health, LastError string
		Evaluated                             time.Time `json:"lastEvaluation"`
		Labels, Annotations                   map[string]string
		Alerts                                []struct {
			Value    string
			ActiveAt time.Time
		}

		Left, Op string   // the query without its comparison
		Unit     string   // of Value and Limit
		Limit    *float64 // nil for a rule that is no plain comparison
		Value    *float64
		Since    time.Time
		Cause    string // of the incident that is open
		Incident string
		Silenced string // the comment of the silence, if there is one
	}
	incident struct {
		ID, Kind, Name, Cause, None string
		Drill                       bool
		Starts                      time.Time  `json:"starts_at"`
		Ends                        *time.Time `json:"ends_at"`
	}
	silence struct {
		ID, Comment, CreatedBy string
		Status                 struct{ State string }
		Ends                   time.Time `json:"endsAt"`
		Matchers               []matcher
	}
	matcher struct {
		Name, Value      string
		IsEqual, IsRegex bool
	}
	sample struct {
		Metric map[string]string
		Value  float64
	}
)

// dashboard is how the service is.
func (p *Page) dashboard(ctx context.Context) (d dashboard) {
	p.read(ctx, "/metrics-dashboard?history=1", &d.Dashboard)
	whole := 0.0
	for _, e := range d.Dashboard.Endpoints {
		whole += e.TimeSeconds
	}
	for _, e := range d.Dashboard.Endpoints {
		d.Endpoints = append(d.Endpoints, endpointRow{e, e.TimeSeconds / max(whole, 1e-9)})
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

// rules are those that alert, the firing and most severe ones first, with the
// causes of the incidents.
func (p *Page) rules(ctx context.Context, incidents []incident) []rule {
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
	for _, in := range slices.Backward(incidents) {
		if in.Ends == nil && !in.Drill {
			open[in.Name] = in
		}
	}
	metrics := p.Domain.Metrics()
	for i := range all {
		r := &all[i]
		r.Left, r.Op, r.Limit = compared(r.Query)
		r.Unit = unitOf(r.Query, p.Domain.Prefix, metrics)
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
	urgency := func(r rule) int {
		state := slices.Index([]string{"pending", "firing"}, r.State)
		switch {
		case state < 0 && p.declares(r):
			return -2 // in the order of the rules
		case state < 0:
			return -3
		}
		return 3*state + slices.Index([]string{"ticket", "page"}, r.Severity())
	}
	slices.SortStableFunc(all, func(a, b rule) int { return cmp.Compare(urgency(b), urgency(a)) })
	return all
}

// declares tells whether a rule is the domain file's own, and none of those that
// every service has.
func (p *Page) declares(r rule) bool {
	return r.Labels["slo"] != "" || slices.ContainsFunc(p.Domain.Thresholds, func(t domain.Threshold) bool { return t.Name == r.Name })
}

// unitOf is the unit of the figure that a rule compares: of its first metric, where the
// figure is a level, a mean or a quantile of it.
func unitOf(query, prefix string, metrics []domain.Metric) string {
	switch {
	case strings.HasPrefix(query, "100 * "):
		return "%"
	case strings.Contains(query, prefix+":slo_errors:ratio"):
		return "1"
	}
	at := strings.Index(query, prefix+"_")
	if at < 0 {
		return ""
	}
	name := query[at:]
	if end := strings.IndexFunc(name, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }); end >= 0 {
		name = name[:end]
	}
	for _, m := range metrics {
		histogram := m.Kind == domain.KindHistogram && (name == m.Family+"_bucket" || name == m.Family+"_sum")
		if (histogram || m.Kind != domain.KindCounter && name == m.Family) && !strings.HasPrefix(m.Unit, "{") {
			return m.Unit
		}
	}
	return ""
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

// Severity is page, ticket or info.
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
