package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	heat "github.com/grafana/grafana-foundation-sdk/go/heatmap"
	number1 "github.com/grafana/grafana-foundation-sdk/go/stat"
	states "github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	grid "github.com/grafana/grafana-foundation-sdk/go/table"
	lines "github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// options are those of the panel's type.
func (p panel) options() any {
	switch p.kind {
	case stat:
		o := number1.Options{
			GraphMode: common.BigValueGraphModeArea, ColorMode: common.BigValueColorModeValue, JustifyMode: common.BigValueJustifyModeAuto,
			TextMode: common.BigValueTextModeAuto, WideLayout: true, PercentChangeColorMode: common.PercentChangeColorModeStandard,
			ReduceOptions: common.ReduceDataOptions{Calcs: []string{"lastNotNull"}, Values: new(false)}, Orientation: common.VizOrientationAuto,
		}
		if p.plain {
			o.GraphMode = common.BigValueGraphModeNone
		}
		if p.names {
			o.TextMode = common.BigValueTextModeValueAndName
		}
		return o
	case timeseries:
		o := lines.Options{
			Legend:  common.VizLegendOptions{DisplayMode: common.LegendDisplayModeTable, Placement: common.LegendPlacementBottom, ShowLegend: true, Calcs: []string{"lastNotNull", "max"}},
			Tooltip: common.VizTooltipOptions{Mode: common.TooltipDisplayModeMulti, Sort: common.SortOrderDescending},
		}
		if len(p.queries) == 1 || p.before != "" { // of many series the largest are what is looked for; several queries are in their order
			o.Legend.SortBy, o.Legend.SortDesc = new("Max"), new(true)
		}
		return o
	case timeline:
		return states.Options{
			ShowValue: common.VisibilityModeNever, RowHeight: 0.9, MergeValues: new(true), AlignValue: new(common.TimelineValueAlignmentLeft), PerPage: new(20.0),
			Legend:  common.VizLegendOptions{DisplayMode: common.LegendDisplayModeList, Placement: common.LegendPlacementBottom, ShowLegend: true, Calcs: []string{}},
			Tooltip: common.VizTooltipOptions{Mode: common.TooltipDisplayModeSingle, Sort: common.SortOrderNone},
		}
	case heatmap:
		unit := p.unit
		return heat.Options{
			Calculate: new(false), ShowValue: common.VisibilityModeNever, CellGap: new(uint8(1)),
			Color:      heat.HeatmapColorOptions{Mode: new(heat.HeatmapColorModeScheme), Scheme: "Oranges", Fill: "dark-orange", Scale: new(heat.HeatmapColorScaleExponential), Exponent: 0.5, Steps: 64},
			RowsFrame:  &heat.RowsHeatmapOptions{Layout: new(common.HeatmapCellLayoutAuto)},
			CellValues: &heat.CellValues{Unit: new("short")}, YAxis: heat.YAxisConfig{Unit: &unit, AxisPlacement: new(common.AxisPlacementLeft)},
			FilterValues: &heat.FilterValueRange{Le: new(float32(1e-9))}, Legend: heat.HeatmapLegend{Show: true},
			Tooltip:   heat.HeatmapTooltip{Mode: common.TooltipDisplayModeSingle, YHistogram: new(true), ShowColorScale: new(true)},
			Exemplars: heat.ExemplarConfig{Color: "rgba(255,0,255,0.7)"},
		}
	case table:
		o := grid.Options{ShowHeader: true, CellHeight: new(common.TableCellHeightSm)}
		if p.sortBy != "" {
			o.SortBy = []common.TableSortByFieldState{{DisplayName: p.sortBy, Desc: new(true)}}
		}
		return o
	}
	return nil // a flame graph has none
}

// custom are the options of a panel's fields.
func (p panel) custom() any {
	switch p.kind {
	case timeseries:
		style := common.GraphThresholdsStyleModeOff
		if len(p.lines) > 0 {
			style = common.GraphThresholdsStyleModeDashed
		}
		c := common.GraphFieldConfig{
			DrawStyle: new(common.GraphDrawStyleLine), LineInterpolation: new(common.LineInterpolationLinear), LineWidth: new(1.0), FillOpacity: new(8.0),
			ShowPoints: new(common.VisibilityModeNever), SpanNulls: &common.BoolOrFloat64{Bool: new(false)},
			ThresholdsStyle: &common.GraphThresholdsStyleConfig{Mode: style}, AxisSoftMin: new(0.0), AxisSoftMax: softMax(p.unit, p.lines),
			Stacking: &common.StackingConfig{Mode: new(common.StackingModeNone), Group: new("A")},
		}
		if p.stacked {
			c.Stacking.Mode, c.FillOpacity = new(common.StackingModeNormal), new(40.0)
		}
		if p.axis != "" {
			c.AxisLabel = &p.axis
		}
		return c
	case heatmap:
		return map[string]any{"scaleDistribution": common.ScaleDistributionConfig{Type: common.ScaleDistributionLinear}}
	case table:
		return common.TableFieldOptions{Align: common.FieldTextAlignmentAuto}
	}
	return nil
}
