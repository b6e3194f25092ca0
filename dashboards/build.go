package dashboards

import (
	"cmp"
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/latido-dev/latido/alerting"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
)

// board makes the dashboards of one domain.
type board struct {
	humanize.Language
	d     domain.Domain
	o     Options
	rules []alerting.Rule
	err   error // the first metric that was asked for in vain

	drawn map[string]bool // thresholds that are lines of a panel
}

func newBoard(d domain.Domain, o Options) *board {
	return &board{Language: humanize.Of(d.Language), d: d, o: o, rules: alerting.Rules(d, alerting.Options{}), drawn: map[string]bool{}}
}

// page is one dashboard.
type page struct {
	name         string // overview, http ...
	part         int    // of a page that is several dashboards, from 1; 0 of one that is one
	title, about string
	from         string // the time range: now-3h
	refresh      string // how often all is asked again; "" is each half minute
	endpoint     bool   // there is a variable of this name
	profiles     bool   // it asks Pyroscope
	variables    []dashboard.VariableModel
	sections     []section
}

// section is a row of a dashboard. One without a title has no heading, one
// without panels is left out.
type section struct {
	title  string
	panels []panel
}

// metric finds a metric of the contract by its key.
func (b *board) metric(key string) domain.Metric {
	m, ok := b.d.Metric(key)
	if !ok {
		b.err = cmp.Or(b.err, fmt.Errorf("dashboards of %s: unknown metric %q", b.d.Prefix, key))
	}
	return m
}

// uid is that of a dashboard.
func (b *board) uid(name string) string { return alerting.DashboardUID(b.d, name) }

// address is the page's name in uids: the number stands first, where it is not
// cut.
func (p page) address() string {
	if p.part > 1 {
		return fmt.Sprintf("%d-%s", p.part, p.name)
	}
	return p.name
}

// dashboard puts a page together.
func (b *board) dashboard(p page) classic {
	c := *dashboard.NewDashboard()
	about := p.about + " " + b.T("Written by latido generate dashboards.", "Escrito por latido generate dashboards.")
	title := b.d.Service() + " · " + p.title
	if p.part > 0 {
		title = fmt.Sprintf("%s %d", title, p.part)
	}
	c.Uid, c.Title, c.Description = new(b.uid(p.address())), &title, &about
	c.Tags = []string{"latido", b.d.Prefix}
	c.Editable = new(false) // it is generated: what is changed by hand would be lost
	c.GraphTooltip = new(dashboard.DashboardCursorSyncCrosshair)
	c.Refresh = new(cmp.Or(p.refresh, "30s"))
	c.Time = &dashboard.DashboardDashboardTime{From: p.from, To: "now"}
	c.Panels = layout(p.sections, b.panel)
	c.Templating.List = b.variables(p)
	c.Annotations.List = []dashboard.AnnotationQuery{b.releases(), b.alerts()}
	c.Links = []dashboard.DashboardLink{b.siblings()}
	return c
}

// layout places the panels from left to right, in rows of 24 columns.
func layout(sections []section, make func(panel) dashboard.Panel) []dashboard.PanelOrRowPanel {
	var all []dashboard.PanelOrRowPanel
	var x, y, tallest, id uint32
	newline := func() { x, y, tallest = 0, y+tallest, 0 }
	for _, s := range sections {
		if len(s.panels) == 0 {
			continue
		}
		newline()
		if s.title != "" {
			id++
			all = append(all, dashboard.PanelOrRowPanel{RowPanel: &dashboard.RowPanel{
				Type: "row", Title: &s.title, Id: id, Panels: []dashboard.Panel{}, GridPos: &dashboard.GridPos{X: 0, Y: y, W: 24, H: 1},
			}})
			y++
		}
		for _, p := range s.panels {
			if x+p.width > 24 {
				newline()
			}
			id++
			made := make(p)
			made.Id, made.GridPos = new(id), &dashboard.GridPos{X: x, Y: y, W: p.width, H: p.height}
			all = append(all, dashboard.PanelOrRowPanel{Panel: &made})
			x, tallest = x+p.width, max(tallest, p.height)
		}
	}
	return all
}

// The data sources are variables: Grafana fills in the first of each type. That
// of the metrics is named as grafana/dashboard-linter wants it where there are
// two.
const (
	prometheusType   = "prometheus"
	metricsVariable  = "prometheus_datasource"
	pyroscopeType    = "grafana-pyroscope-datasource"
	profilesVariable = "pyroscope"
)

func source(kind, variable string) *common.DataSourceRef {
	return &common.DataSourceRef{Type: new(kind), Uid: new("${" + variable + "}")}
}

func metricsSource() *common.DataSourceRef  { return source(prometheusType, metricsVariable) }
func profilesSource() *common.DataSourceRef { return source(pyroscopeType, profilesVariable) }

// variables are those of a page, the ones that others depend on first.
func (b *board) variables(p page) []dashboard.VariableModel {
	all := []dashboard.VariableModel{datasource(metricsVariable, b.T("Prometheus data source", "Fuente de datos Prometheus"), prometheusType)}
	if p.profiles {
		all = append(all, datasource(profilesVariable, b.T("Profiles", "Perfiles"), pyroscopeType))
	}
	info := b.metric("build_info").Family
	all = append(all,
		b.labelValues("job", "Job", info, b.T("Services of the domain", "Servicios del dominio")),
		b.labelValues("instance", b.T("Instance", "Instancia"), info+`{job=~"$job"}`, b.T("Processes of the service", "Procesos del servicio")))
	if p.endpoint {
		all = append(all, b.labelValues("endpoint", "Endpoint", b.series(b.metric("requests"), ""), b.T("Route patterns", "Patrones de ruta")))
	}
	return append(all, p.variables...)
}

func datasource(name, label, kind string) dashboard.VariableModel {
	return dashboard.VariableModel{
		Type: dashboard.VariableTypeDatasource, Name: name, Label: &label, Query: text(kind),
		Refresh: new(dashboard.VariableRefreshOnDashboardLoad), Multi: new(false), IncludeAll: new(false),
	}
}

// labelValues is a variable of all values that a label has now.
func (b *board) labelValues(name, label, selector, about string) dashboard.VariableModel {
	query := "label_values(" + selector + ", " + name + ")"
	return dashboard.VariableModel{
		Type: dashboard.VariableTypeQuery, Name: name, Label: &label, Description: &about,
		Query: text(query), Definition: &query, Datasource: metricsSource(),
		Multi: new(true), IncludeAll: new(true), AllValue: new(".+"), Current: &dashboard.VariableOption{Selected: new(true), Text: oneOf("All"), Value: oneOf("$__all")},
		Refresh: new(dashboard.VariableRefreshOnTimeRangeChanged), Sort: new(dashboard.VariableSortNaturalAsc),
	}
}

func text(s string) *dashboard.StringOrMap { return &dashboard.StringOrMap{String: &s} }

func oneOf(s string) dashboard.StringOrArrayOfString {
	return dashboard.StringOrArrayOfString{String: &s}
}

// releaseStep is how finely the releases are looked for.
const releaseStep = "60s"

// releases marks when a version appeared that was not there a step before.
func (b *board) releases() dashboard.AnnotationQuery {
	info := b.metric("build_info")
	by := "group by (job, version, revision) "
	now := by + "(" + b.series(info, "") + ")"
	expr := now + " unless " + by + "(" + b.series(info, "") + " offset " + releaseStep + ")"
	a := b.marks(b.T("Releases", "Versiones"), "blue", expr)
	a.TagKeys, a.TitleFormat, a.TextFormat = new("job"), new("{{job}} {{version}}"), new("{{revision}}")
	return a
}

// alerts marks when an alert fired, from its beginning to its end.
func (b *board) alerts() dashboard.AnnotationQuery {
	a := b.marks(b.T("Alerts", "Alertas"), "red", b.alerting("firing"))
	a.TagKeys, a.TitleFormat, a.TextFormat = new("severity"), new("{{alertname}}"), new("{{endpoint}} {{instance}}")
	return a
}

// marks are vertical marks on all panels where a query has a result.
func (b *board) marks(name, color, expr string) dashboard.AnnotationQuery {
	return dashboard.AnnotationQuery{
		Name: name, Datasource: metricsSource(), Enable: true, IconColor: color, Expr: &expr, Step: new(releaseStep),
		Target: prometheus.Dataquery{Expr: expr, RefId: new("Anno"), Interval: new(releaseStep), Range: new(true), Datasource: metricsSource()},
	}
}
