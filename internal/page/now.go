package page

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// nowView is how the service is at this moment.
type nowView struct {
	head
	D               dashboard
	State           string // well, worse or bad
	Sentence        string
	PerSecond       float64
	ErrorRatio, P95 *float64
	Firing, Pending []rule
	Events          []eventRow
	Endpoints       []endpointRow
	Idle            int // endpoints that nobody asked lately
	Budgets         []budget
	Deaf            []sample // receivers that could not be told
	Incidents       []incident
	Pages           []Link
	Busiest         string // where the CPU time goes, in a sentence
	Running         string // the version
}

// eventRow is one business event, in the domain's words.
type eventRow struct {
	Name, Text, Unit string
	Kind             domain.Kind
	Value, PerMinute *float64
	Mean             *float64 // of a histogram's values
	Parts            []part   // its largest series
	Line             []*float64
}

type part struct {
	Name  string
	Value float64
}

type budget struct {
	Name, Text string
	Left       float64
}

// What a view shows at most: a list that nobody reads to its end only costs.
const (
	mostParts     = 4
	mostEndpoints = 12
	mostIncidents = 5
)

func (p *Page) now(r *http.Request) view {
	ctx := r.Context()
	v := nowView{head: p.head(ctx, "now", p.T("Now", "Ahora")), D: p.dashboard(ctx), Pages: p.Links()}
	v.PerSecond, v.ErrorRatio, v.P95 = lately(v.D)
	for _, e := range v.D.Endpoints {
		switch {
		case e.TimeSeconds <= 0 && e.PerSecond <= 0:
			v.Idle++
		case len(v.Endpoints) < mostEndpoints:
			v.Endpoints = append(v.Endpoints, e)
		}
	}
	for i := range p.Domain.Events {
		v.Events = append(v.Events, p.event(&p.Domain.Events[i], v.D))
	}
	if v.Embedded {
		incidents := p.incidents(ctx)
		v.Incidents = incidents[:min(len(incidents), mostIncidents)]
		for _, r := range p.rules(ctx, incidents) {
			switch r.State {
			case "firing":
				v.Firing = append(v.Firing, r)
			case "pending":
				v.Pending = append(v.Pending, r)
			}
		}
		for _, s := range p.Domain.SLOs {
			for _, left := range p.query(ctx, p.Domain.Prefix+`:slo_budget_left:ratio{slo="`+s.Name+`"}`) {
				v.Budgets = append(v.Budgets, budget{humanize.Spoken(s.Name), s.Description, left.Value})
			}
		}
		deliveries, _ := p.Domain.Metric("telemetry_alert_deliveries")
		v.Deaf = p.query(ctx, `round(sum by (receiver) (increase(`+deliveries.Family+`{outcome="failed"}[1h]))) > 0`)
	}
	v.State, v.Sentence = p.health(v)
	v.Busiest, v.Running = p.busiest(v.D), running(v.D)
	return v
}

// running is the version and the revision, as far as they are known.
func running(d dashboard) string {
	known := ""
	for _, text := range []string{d.Version, d.Revision[:min(len(d.Revision), 9)]} {
		if text != "unknown" && text != "(devel)" {
			known += " " + text
		}
	}
	return strings.TrimSpace(known)
}

// busiest says which function the CPU time goes to, "" where there is no profile.
func (p *Page) busiest(d dashboard) string {
	var most endpointRow
	for _, e := range d.Endpoints {
		if e.Profile != nil && len(e.Profile.Functions) > 0 && (most.Profile == nil || e.Profile.CPUShare > most.Profile.CPUShare) {
			most = e
		}
	}
	if most.Profile == nil || most.Profile.CPUShare <= 0 {
		return ""
	}
	f := most.Profile.Functions[0]
	return p.Say("Of the CPU time %s goes to %s; there %s takes %s (%s).", "Del tiempo de CPU, %s se va en %s; ahí %s toma el %s (%s).",
		p.Percent(most.Profile.CPUShare), most.Endpoint, stacks.Short(f.Function), p.Percent(f.Share), p.Place(f.File, f.Line))
}

// lately adds the endpoints' figures up. The p95 is the last one of all
// requests.
func lately(d dashboard) (perSecond float64, ratio, p95 *float64) {
	failed := 0.0
	for _, e := range d.Endpoints {
		perSecond += e.PerSecond
		if e.ErrorRatio != nil {
			failed += e.PerSecond * *e.ErrorRatio
		}
	}
	if perSecond > 0 {
		ratio = new(failed / perSecond)
	}
	if all := d.History.All; all != nil {
		for _, v := range slices.Backward(all.P95) {
			if v != nil {
				return perSecond, ratio, v
			}
		}
	}
	return perSecond, ratio, nil
}

// health is one sentence, of what matters most.
func (p *Page) health(v nowView) (state, sentence string) {
	loud := slices.DeleteFunc(slices.Clone(v.Firing), func(r rule) bool { return r.Severity() == string(domain.SeverityInfo) })
	first := ""
	if len(loud) > 0 {
		first = strings.TrimSuffix(loud[0].Summary(), ".")
	}
	switch {
	case len(loud) > 2:
		return "bad", p.Say("%s, and %d more alerts fire.", "%s, y hay %d alertas más activas.", first, len(loud)-1)
	case len(loud) == 2:
		return "bad", p.Say("%s, and one more alert fires.", "%s, y hay otra alerta activa.", first)
	case len(loud) == 1:
		return "bad", first + "."
	case v.D.App == "":
		return "bad", p.T("The service does not say how it is.", "El servicio no dice cómo está.")
	}
	for _, reason := range v.D.Reasons {
		if what, ok := strings.CutPrefix(reason, "not ready: "); ok {
			return "bad", p.Say("%s is not ready: %s.", "%s no está listo: %s.", v.Service, p.Sentence(what))
		}
	}
	if len(v.D.Reasons) > 0 {
		return "worse", p.Sentence(v.D.Reasons[0]) + "."
	}
	if len(v.Pending) > 0 {
		return "worse", p.Say("%s is well, but %s may fire soon.", "%s está bien, pero %s puede activarse pronto.", v.Service, v.Pending[0].Name)
	}
	return "well", p.Say("%s is well.", "%s está bien.", v.Service)
}

// event adds up what the dashboard says of one event.
func (p *Page) event(e *domain.Event, d dashboard) eventRow {
	row := eventRow{Name: e.Name, Text: cmp.Or(e.Description, humanize.Spoken(e.Name)), Unit: e.Unit, Kind: cmp.Or(e.Kind, domain.KindCounter), Line: d.History.Events[e.Name]}
	var sum, count float64
	found := false
	for _, s := range d.Events {
		if s.Name != e.Name {
			continue
		}
		found = true
		if s.Count != nil {
			count += *s.Count
		}
		sum += s.Value
		if s.Value != 0 && len(s.Labels) > 0 {
			row.Parts = append(row.Parts, part{strings.Join(slices.Sorted(maps.Values(s.Labels)), " "), cmp.Or(value(s.Count), s.Value)})
		}
	}
	slices.SortStableFunc(row.Parts, func(a, b part) int { return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Name, b.Name)) })
	row.Parts = row.Parts[:min(len(row.Parts), mostParts)]
	switch {
	case !found:
	case row.Kind == domain.KindHistogram:
		row.Value = &count
		if count > 0 {
			row.Mean = new(sum / count)
		}
	default:
		row.Value = &sum
	}
	if row.Kind != domain.KindUpDown && row.Kind != domain.KindGauge {
		row.PerMinute = minute(row.Line, d.History.At)
	}
	return row
}

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// minute is what a line says of its last minute, on average.
func minute(line []*float64, at []float64) *float64 {
	sum, seconds := 0.0, 0.0
	for i := min(len(line), len(at)) - 1; i > 0 && seconds < 60; i-- {
		step := at[i] - at[i-1]
		sum, seconds = sum+value(line[i])*step, seconds+step
	}
	if seconds == 0 {
		return nil
	}
	return new(sum / seconds)
}
