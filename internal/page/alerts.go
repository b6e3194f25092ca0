package page

import (
	"context"
	"net/http"
	"slices"
	"time"
)

type alertsView struct {
	head
	Rules     []rule
	Silences  []silence
	Incidents []incident
	Rule      string // that the forms begin with
}

const mostListed = 100

func (p *Page) alerts(r *http.Request) view {
	ctx := r.Context()
	v := alertsView{head: p.head(ctx, "alerts", p.T("Alerts", "Alertas")), Rule: r.FormValue("rule")}
	if !v.Embedded {
		return v
	}
	p.read(ctx, "/api/v2/silences", &v.Silences)
	v.Silences = slices.DeleteFunc(v.Silences, func(s silence) bool { return s.Status.State == "expired" })
	v.Incidents = p.incidents(ctx)
	v.Rules = p.rules(ctx, v.Incidents)
	for i := range v.Rules {
		p.measure(ctx, &v.Rules[i])
		v.Rules[i].Silenced = silencedBy(v.Rules[i], v.Silences)
	}
	v.Incidents = v.Incidents[:min(len(v.Incidents), mostListed)]
	return v
}

// measure asks what a rule that does not fire would compare.
func (p *Page) measure(ctx context.Context, r *rule) {
	if r.Value != nil || r.Left == "" {
		return
	}
	for _, s := range p.query(ctx, r.Left) {
		if r.Value == nil || r.worse(s.Value) {
			r.Value = &s.Value
		}
	}
}

// silencedBy is the comment of a silence of all alerts of a rule.
func silencedBy(r rule, silences []silence) string {
	for _, s := range silences {
		if s.Status.State == "active" && len(s.Matchers) == 1 && s.Matchers[0] == (matcher{"alertname", r.Name, true, false}) {
			return s.Comment
		}
	}
	return ""
}

// Matches says what a silence is about.
func (s silence) Matches() string {
	text := ""
	for _, m := range s.Matchers {
		if op := m.op(); m.Name != "alertname" || op != "=" {
			text += m.Name + op
		}
		text += m.Value + " "
	}
	return text
}

// op is PromQL's.
func (m matcher) op() string {
	switch {
	case m.IsEqual && m.IsRegex:
		return "=~"
	case m.IsEqual:
		return "="
	case m.IsRegex:
		return "!~"
	}
	return "!="
}

type graphView struct {
	head
	Expr, Left string
	Rule       *rule // whose expression it is
	Limit      *float64
	Data       string // for graph.js
}

// graph is at the address that every alert carries: /graph?g0.expr=...
func (p *Page) graph(r *http.Request) view {
	ctx := r.Context()
	v := graphView{head: p.head(ctx, "graph", p.T("Graph", "Gráfica")), Expr: r.FormValue("g0.expr")}
	if requests, _ := p.Domain.Metric("requests"); v.Expr == "" {
		v.Expr = "sum by (endpoint) (rate(" + requests.Family + "[1m]))"
	}
	if v.Embedded {
		for _, one := range p.rules(ctx, nil) {
			if one.Query == v.Expr {
				v.Rule = &one
			}
		}
	}
	name, unit := "", ""
	if v.Rule != nil {
		name, unit = v.Rule.Name, map[string]string{"s": "s", "1": "%"}[v.Rule.Unit] // what chart.js writes
	}
	if v.Left, _, v.Limit = compared(v.Expr); v.Left == "" {
		v.Left = v.Expr
	}
	v.Data = jsonText(map[string]any{"expr": v.Left, "limit": v.Limit, "alert": name, "unit": unit, "lang": p.Lang(), "prefix": p.Domain.Prefix,
		"empty": p.T("No series answers that in this time.", "Ninguna serie responde a eso en este tiempo."),
		"many":  p.T("The first 20 series are drawn; there are more.", "Se dibujan las primeras 20 series; hay más."), "copied": p.T("Copied", "Copiado")})
	return v
}

type findingsView struct {
	head
	At       time.Time
	Findings []struct {
		Sentence, Next string
		Rests          []string
	}
	None  string
	Notes []string
}

// findings are what stands out now, though no alert need fire.
func (p *Page) findings(r *http.Request) view {
	v := findingsView{head: p.head(r.Context(), "findings", p.T("What stands out", "Qué destaca"))}
	p.read(r.Context(), "/api/findings", &v)
	return v
}
