package dashboards

import (
	"cmp"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/grafanapyroscope"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// kind is a type of panel.
type kind string

const (
	stat       kind = "stat"       // one number
	timeseries kind = "timeseries" // lines over time
	heatmap    kind = "heatmap"    // a histogram over time
	table      kind = "table"
	flamegraph kind = "flamegraph"
	timeline   kind = "state-timeline" // since when, and until when
)

// panel is what a panel says, apart from where it stands.
type panel struct {
	kind          kind
	title, about  string
	unit          string // Grafana's; "" is a plain number
	empty         string // instead of "No data"
	width, height uint32
	queries       []query
	before        string // the same of a week earlier, beside the queries
	min, max      *float64
	lines         []line                // of a time series: bounds
	steps         []dashboard.Threshold // of a number: its colours
	stacked       bool
	plain         bool   // of a number: without the curve behind it
	names         bool   // of a number: with the name of each series
	axis          string // what the axis counts
	shift         string // how much earlier the time range is
	last          string // how much of a time range that ends now it asks for; "" is all
	sortBy        string // of a table: a column
	links         []dashboard.DashboardLink
	seriesLinks   []dashboard.DashboardLink // of each series
	overrides     []dashboard.DashboardFieldConfigSourceOverrides
	transform     []dashboard.DataTransformerConfig
	mappings      []dashboard.ValueMapping
}

// panel makes the panel for Grafana.
func (b *board) panel(p panel) dashboard.Panel {
	from := metricsSource()
	var targets []variants.Dataquery
	if p.before != "" {
		q := query{expr: weekBefore(p.before), legend: b.T("a week before", "una semana antes")}
		p.queries, p.overrides = append(p.queries, q), append(p.overrides, named(q.legend, limitStyle("text")...))
	}
	for i, q := range p.queries {
		ref := string(rune('A' + i))
		if q.profile != "" {
			from = profilesSource()
			targets = append(targets, q.profileTarget(ref))
		} else {
			targets = append(targets, q.target(ref))
		}
	}
	out := dashboard.Panel{
		Type: string(p.kind), Title: &p.title, Description: &p.about, Datasource: from, Targets: targets,
		Links: p.links, Transformations: p.transform, Options: p.options(),
		FieldConfig: &dashboard.FieldConfigSource{
			Defaults: dashboard.FieldConfig{
				Unit: new(cmp.Or(p.unit, "short")), NoValue: new(cmp.Or(p.empty, b.T("Nothing yet", "Nada todavía"))), Min: p.min, Max: p.max,
				Thresholds: p.thresholds(), Color: p.color(), Links: p.seriesLinks, Custom: p.custom(), Mappings: p.mappings,
			},
			Overrides: append([]dashboard.DashboardFieldConfigSourceOverrides{}, p.overrides...), // never null
		},
	}
	if p.shift != "" {
		out.TimeShift = &p.shift
	}
	if p.last != "" {
		out.TimeFrom = &p.last
	}
	return out
}

// target is a query for Prometheus.
func (q query) target(ref string) variants.Dataquery {
	format := prometheus.PromQueryFormatTimeSeries
	switch {
	case q.table:
		format = prometheus.PromQueryFormatTable
	case q.buckets:
		format = prometheus.PromQueryFormatHeatmap
	}
	t := prometheus.Dataquery{
		Expr: q.expr, RefId: &ref, Format: &format, EditorMode: new(prometheus.QueryEditorModeCode), Datasource: metricsSource(),
		Instant: new(q.instant), Range: new(!q.instant), Exemplar: new(q.exemplars),
	}
	if q.legend != "" {
		t.LegendFormat = &q.legend
	}
	return t
}

// profileTarget is a query for Pyroscope, whose expr selects profiles.
func (q query) profileTarget(ref string) variants.Dataquery {
	kind, by := grafanapyroscope.PyroscopeQueryTypeProfile, []string{}
	if len(q.by) > 0 {
		kind, by = grafanapyroscope.PyroscopeQueryTypeMetrics, q.by
	}
	return grafanapyroscope.Dataquery{
		LabelSelector: q.expr, ProfileTypeId: q.profile, GroupBy: by, RefId: &ref, QueryType: new(string(kind)), Datasource: profilesSource(),
	}
}

// thresholds are the lines, or the colours of a number.
func (p panel) thresholds() *dashboard.ThresholdsConfig {
	steps := p.steps
	if len(steps) == 0 {
		steps = append([]dashboard.Threshold{{Color: "green"}}, drawn(p.lines)...)
	}
	return &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: steps}
}

func (p panel) color() *dashboard.FieldColor {
	if p.kind == stat {
		return &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdThresholds}
	}
	return &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdPaletteClassicByName}
}

// colours of a number: the first one below all bounds, then those from a bound on.
func colours(below string, rising ...any) []dashboard.Threshold {
	steps := []dashboard.Threshold{{Color: below}}
	for i := 0; i+1 < len(rising); i += 2 {
		steps = append(steps, dashboard.Threshold{Value: new(rising[i].(float64)), Color: rising[i+1].(string)})
	}
	return steps
}

// named overrides how one series, or one column, is shown.
func named(name string, properties ...any) dashboard.DashboardFieldConfigSourceOverrides {
	return override(dashboard.MatcherConfig{Id: "byName", Options: name}, properties...)
}

func override(m dashboard.MatcherConfig, properties ...any) dashboard.DashboardFieldConfigSourceOverrides {
	o := dashboard.DashboardFieldConfigSourceOverrides{Matcher: m, Properties: []dashboard.DynamicConfigValue{}}
	for i := 0; i+1 < len(properties); i += 2 {
		o.Properties = append(o.Properties, dashboard.DynamicConfigValue{Id: properties[i].(string), Value: properties[i+1]})
	}
	return o
}

// fixed is the property of a series that always has the same colour.
func fixed(color string) dashboard.FieldColor {
	return dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: &color}
}
