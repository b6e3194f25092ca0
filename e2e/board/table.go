package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cell is a text, or a number if that is there.
type cell struct {
	text  string
	value *float64
}

// column is one of a table, by the name that it has before it is renamed.
type column struct {
	name   string
	field  field
	widest float64 // of its texts
}

// table draws the first rows that fit.
func (p *picture) table(d panel, found []series, in area) error {
	rows := rowsOf(d, found)
	columns, err := columnsOf(d, rows)
	if err != nil || len(columns) == 0 {
		return err
	}
	for _, sort := range d.Options.SortBy {
		if i := slices.IndexFunc(columns, func(c column) bool { return c.title() == sort.DisplayName }); i >= 0 {
			slices.SortStableFunc(rows, func(x, y map[string]cell) int {
				order := compared(x[columns[i].name], y[columns[i].name])
				if sort.Desc {
					return -order
				}
				return order
			})
		}
	}
	const room = 23.0
	fit := max(1, int((in.h-room)/room))
	more := 0
	if len(rows) > fit {
		rows, more = rows[:fit-1], len(rows)-fit+1
	}
	x := in.x
	spare := in.w
	for i := range columns {
		columns[i].measure(rows)
		spare -= columns[i].widest
	}
	for _, c := range columns {
		w := c.widest + spare/float64(len(columns))
		p.text(x, in.y+13, "quiet", cut(c.title(), textSize, w-8))
		for i, row := range rows {
			p.cell(c, row[c.name], rows, area{x, in.y + room*float64(i+1), w, room})
		}
		x += w
	}
	for i := range rows {
		y := in.y + room*float64(i+1) - 1
		p.line(in.x, y, in.right(), y, "class", "grid")
	}
	if more > 0 {
		p.text(in.x, in.y+room*float64(len(rows)+1)+15, "quiet", fmt.Sprintf("… %d more", more))
	}
	return nil
}

// cell draws a value of a column as its field wants: as a text, in a colour, or
// with a bar as long as it is beside the others.
func (p *picture) cell(c column, v cell, rows []map[string]cell, in area) {
	text, hue := c.field.shown(v)
	in = in.inset(0, 0, 10, 0)
	if c.field.Custom.CellOptions.Type == "gauge" && v.value != nil {
		var most float64
		for _, row := range rows {
			if other := row[c.name].value; other != nil {
				most = max(most, *other)
			}
		}
		bar := area{in.x, in.y + 5, max(10, in.w-c.widest), 12}
		p.rect(bar, "rx", 2, "fill", gridColour)
		if most > 0 {
			bar.w *= max(0, *v.value) / most
			p.rect(bar, "rx", 2, "fill", hue)
		}
		p.text(in.right(), in.y+15, "", text, "text-anchor", "end")
		return
	}
	if c.field.Custom.CellOptions.Type != "color-text" {
		hue = textColour
	}
	p.text(in.x, in.y+15, "", cut(text, textSize, in.w), "style", "fill:"+hue)
}

// shown is the text of a cell, and the colour of its mapping or its thresholds.
func (f field) shown(v cell) (text, hue string) {
	text, hue = v.text, textColour
	if v.value != nil {
		text, hue = f.formatted(*v.value), f.colourAt(*v.value)
	}
	for _, m := range f.Mappings {
		if to, ok := m.Options[v.text]; ok && m.Type == "value" {
			text, hue = cmp.Or(to.Text, text), cmp.Or(colour(to.Color), hue)
		}
	}
	return text, hue
}

func (c column) title() string { return cmp.Or(c.field.DisplayName, c.name) }

func (c *column) measure(rows []map[string]cell) {
	c.widest = widthOf(c.title(), textSize) + 14
	for _, row := range rows {
		text, _ := c.field.shown(row[c.name])
		c.widest = max(c.widest, widthOf(text, textSize)+14)
	}
}

// rowsOf are the series with a cell for each label and for the value. With the
// transformation "merge", those of the same labels are one row.
func rowsOf(d panel, found []series) []map[string]cell {
	merged := slices.ContainsFunc(d.Transformations, func(t transformation) bool { return t.ID == "merge" })
	rows := []map[string]cell{}
	by := map[string]map[string]cell{}
	for _, s := range found {
		key := fmt.Sprint(s.labels) // maps are printed in the order of their keys
		row := by[key]
		if row == nil || !merged {
			row = map[string]cell{}
			for name, value := range s.labels {
				row[name] = cell{text: value}
			}
			rows, by[key] = append(rows, row), row
		}
		name, value := "Value", s.last()
		if len(d.Targets) > 1 {
			name += " #" + s.ref
		}
		row[name] = cell{value: &value}
	}
	return rows
}

// columnsOf are the columns of the rows, in the order and without those that
// the transformation "organize" says.
func columnsOf(d panel, rows []map[string]cell) ([]column, error) {
	names := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			names[name] = true
		}
	}
	sorted := slices.Sorted(maps.Keys(names))
	for _, t := range d.Transformations {
		if t.ID != "organize" {
			continue
		}
		sorted = slices.DeleteFunc(sorted, func(name string) bool { return t.Options.ExcludeByName[name] })
		place := func(name string) int {
			if i, ok := t.Options.IndexByName[name]; ok {
				return i
			}
			return len(names) // after those that are named
		}
		slices.SortStableFunc(sorted, func(x, y string) int { return place(x) - place(y) })
	}
	var columns []column
	for _, name := range sorted {
		f, err := d.FieldConfig.field(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column{name: name, field: f})
	}
	return columns, nil
}

// compared orders two cells of a column; an empty one is the least.
func compared(x, y cell) int {
	switch {
	case x.value != nil && y.value != nil:
		return cmp.Compare(*x.value, *y.value)
	case x.value != nil:
		return 1
	case y.value != nil:
		return -1
	}
	return strings.Compare(x.text, y.text)
}
