package main

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// The layout, in pixels. Grafana's grid has 24 columns.
const (
	width     = 1080.0
	margin    = 12.0
	columns   = 24
	rowHeight = 31.0
	gap       = 6.0
	headRoom  = 58.0
	titleRoom = 30.0 // of a panel
	lineRoom  = 17.0 // of a line of a legend
	tickSize  = 11.0
	textSize  = 12.0
)

// picture is the drawing of a dashboard.
type picture struct {
	svg
	dashboard dashboard
	window    window
	marks     []mark
	bottom    float64 // of the lowest panel
}

func newPicture(d dashboard, w window, marks []mark) *picture {
	return &picture{dashboard: d, window: w, marks: marks, bottom: headRoom}
}

// panel draws a panel where it stands, with what its queries find.
func (p *picture) panel(ctx context.Context, a asking, d panel) error {
	column := (width - 2*margin + gap) / columns
	frame := area{margin + d.GridPos.X*column, headRoom + d.GridPos.Y*rowHeight, d.GridPos.W*column - gap, d.GridPos.H*rowHeight - gap}
	p.bottom = max(p.bottom, frame.bottom())
	p.start("g", "id", fmt.Sprint("panel-", d.ID), "class", d.Type)
	defer p.end("g")
	p.element("title", d.Title)
	if d.Description != "" {
		p.element("desc", d.Description)
	}
	if d.Type == "row" {
		p.text(frame.x+2, frame.y+19, "row", d.Title)
		x := frame.x + widthOf(d.Title, 15) + 14
		p.line(x, frame.y+14, frame.right(), frame.y+14, "stroke", edgeColour)
		return nil
	}
	p.rect(frame, "rx", 5, "fill", panelColour, "stroke", edgeColour)
	p.text(frame.x+12, frame.y+20, "name", cut(d.Title, 13, frame.w-24))
	return p.content(ctx, a, d, frame.inset(12, titleRoom, 12, 10))
}

func (p *picture) content(ctx context.Context, a asking, d panel, in area) error {
	if d.TimeShift != "" {
		shifted, err := a.shifted(d.TimeShift)
		if err != nil {
			return err
		}
		a = shifted
	}
	for _, t := range d.Targets {
		if t.ProfileTypeID != "" && a.pyroscope == "none" {
			p.note(in, "Pyroscope was not asked")
			return nil
		}
	}
	if d.Type == "flamegraph" {
		return p.flamegraph(ctx, a, d, in)
	}
	found, err := a.all(ctx, d)
	if err != nil {
		return err
	}
	f, err := d.FieldConfig.field("")
	if err != nil {
		return err
	}
	if len(found) == 0 {
		p.note(in, cmp.Or(f.NoValue, "No data"))
		return nil
	}
	switch d.Type {
	case "stat":
		return p.stat(d, found, in)
	case "timeseries":
		return p.timeseries(d, found, in)
	case "heatmap":
		return p.heatmap(d, f, found, in)
	case "table":
		return p.table(d, found, in)
	}
	return fmt.Errorf("type %q: is not drawn, none of latido generate dashboards has been", d.Type)
}

// note stands in a panel instead of data.
func (p *picture) note(in area, text string) {
	p.text(in.x+in.w/2, in.y+in.h/2, "note", cut(text, 13, in.w), "text-anchor", "middle")
}

// finish returns the whole drawing. file is the dashboard's, command what drew it.
func (p *picture) finish(file, command string) []byte {
	var page svg
	height := p.bottom + 58
	page.start("svg", "xmlns", "http://www.w3.org/2000/svg", "viewBox", "0 0 "+number(width)+" "+number(height), "width", width, "height", height)
	page.element("title", p.dashboard.Title)
	page.element("style", style)
	page.rect(area{0, 0, width, height}, "rx", 8, "fill", pageColour)
	page.text(margin+2, 36, "head", p.dashboard.Title)
	from, until := p.window.from.Format("2006-01-02 15:04:05"), p.window.until.Format("15:04:05 UTC")
	page.text(width-margin-2, 27, "foot", from+" – "+until, "text-anchor", "end")
	page.legendOfMarks(p.marks)
	page.WriteString(p.String())
	left := margin + 2
	page.text(left, p.bottom+24, "foot", cut(file+", drawn by e2e/board from what a Prometheus and a Pyroscope answered to its queries:", textSize, width-2*left))
	page.text(left, p.bottom+42, "foot code", cut(command, textSize, width-2*left))
	page.end("svg")
	return []byte(page.String())
}

// legendOfMarks says what the vertical lines are: the last one in words, and
// how many there are.
func (s *svg) legendOfMarks(marks []mark) {
	if len(marks) == 0 {
		return
	}
	last := marks[len(marks)-1]
	text := last.at.Format(time.TimeOnly) + " " + last.title
	if len(marks) > 1 {
		text += fmt.Sprintf(" (the last of %d)", len(marks))
	}
	text = cut(text, textSize, 620)
	right := width - margin - 2
	s.text(right, 46, "foot", text, "text-anchor", "end")
	x := right - 1.05*widthOf(text, textSize) - 10
	s.line(x, 35, x, 48, "stroke", last.color, "stroke-width", 1.5, "stroke-dasharray", "3 3")
}

// style has what all texts share; the fonts are the reader's own.
const style = `text{font-family:Inter,"Segoe UI",system-ui,-apple-system,"Liberation Sans",sans-serif;font-size:12px;fill:` + textColour + `}` +
	`.head{font-size:21px;font-weight:600}.row{font-size:15px;font-weight:600}.name{font-size:13px;font-weight:600}` +
	`.tick{font-size:11px;fill:` + quietColour + `}.foot{fill:` + quietColour + `}.note{font-size:13px;fill:` + quietColour + `}.quiet{fill:` + quietColour + `}` +
	`.code{font-family:ui-monospace,Menlo,"Liberation Mono",monospace;font-size:11px}.grid{stroke:` + gridColour + `}.in{font-size:11px;fill:#10151b}`
