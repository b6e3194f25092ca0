package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// dashboard is what is drawn of a dashboard's file.
type dashboard struct {
	Title, Description string
	Panels             []panel
	Templating         struct{ List []variable }
	Annotations        struct{ List []annotation }
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H float64 }
	TimeShift                string
	Targets                  []target
	Transformations          []transformation
	FieldConfig              fieldConfig
	Options                  struct {
		Legend struct {
			ShowLegend, SortDesc bool
			SortBy               string
			Calcs                []string
		}
		GraphMode, TextMode string
		SortBy              []struct {
			DisplayName string
			Desc        bool
		}
		FilterValues struct{ Le float64 }
		Color        struct{ Exponent float64 }
	}
}

// target is a query: of Prometheus if it has an expression, else of Pyroscope.
type target struct {
	RefID, Expr, Format, LegendFormat       string
	Instant                                 bool
	LabelSelector, ProfileTypeID, QueryType string
	GroupBy                                 []string
}

type transformation struct {
	ID      string
	Options struct {
		ExcludeByName map[string]bool
		IndexByName   map[string]int
	}
}

type variable struct {
	Name, Type, AllValue string
	Current              struct{ Value any }
}

type annotation struct {
	Name, Expr, Step, IconColor, TitleFormat string
	Enable                                   bool
}

// fieldConfig says how values look. The defaults stay as they are written: an
// override is decoded on top of a copy.
type fieldConfig struct {
	Defaults  json.RawMessage
	Overrides []struct {
		Matcher    struct{ ID, Options string }
		Properties []struct {
			ID    string
			Value json.RawMessage
		}
	}
}

// field is how the values of a series or of a column look.
type field struct {
	Unit, NoValue, DisplayName string
	Min, Max, Decimals         *float64
	Thresholds                 struct{ Steps []step }
	Color                      struct{ Mode, FixedColor string }
	Mappings                   []struct {
		Type    string
		Options map[string]struct{ Color, Text string }
	}
	Custom struct {
		FillOpacity, LineWidth   float64
		LineStyle                struct{ Dash []float64 }
		ThresholdsStyle          struct{ Mode string }
		AxisSoftMin, AxisSoftMax *float64
		AxisLabel                string
		Stacking                 struct{ Mode string }
		CellOptions              struct{ Type string }
	}
}

// step is a colour from a value on; the first has no value.
type step struct {
	Value *float64
	Color string
}

func load(file string) (dashboard, error) {
	var d dashboard
	text, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("%s: %w", file, err)
	}
	if len(d.Panels) == 0 {
		return d, fmt.Errorf("%s: has no panels; write a file of latido generate dashboards", file)
	}
	return d, nil
}

// field is how the series or the column of a name looks.
func (c fieldConfig) field(name string) (field, error) {
	var f field
	if len(c.Defaults) > 0 {
		if err := json.Unmarshal(c.Defaults, &f); err != nil {
			return f, fmt.Errorf("fieldConfig.defaults: %w", err)
		}
	}
	for _, o := range c.Overrides {
		if o.Matcher.ID != "byName" {
			return f, fmt.Errorf("matcher %q: is not drawn, only byName is", o.Matcher.ID)
		}
		if o.Matcher.Options != name {
			continue
		}
		for _, property := range o.Properties {
			if property.ID == "links" {
				continue
			}
			if err := json.Unmarshal(nested(property.ID, property.Value), &f); err != nil {
				return f, fmt.Errorf("override of %q: %s: %w", name, property.ID, err)
			}
		}
	}
	return f, nil
}

// nested is the object that has value at a path such as "custom.fillOpacity".
func nested(path string, value json.RawMessage) []byte {
	keys := strings.Split(path, ".")
	for i := len(keys) - 1; i >= 0; i-- {
		value, _ = json.Marshal(map[string]json.RawMessage{keys[i]: value}) // was JSON before
	}
	return value
}

// colourAt is the colour that the thresholds give a value.
func (f field) colourAt(v float64) string {
	name := "green"
	for _, s := range f.Thresholds.Steps {
		if s.Value == nil || v >= *s.Value {
			name = s.Color
		}
	}
	return colour(name)
}
