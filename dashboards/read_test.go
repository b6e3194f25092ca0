package dashboards

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// domainFiles are the domains of the tests: two with everything in it, in
// Spanish and in English, and the example.
var domainFiles = []string{"testdata/academia.yaml", "testdata/clinic.yaml", "../examples/echo-api/domain.yaml"}

func load(t testing.TB, file string) domain.Domain {
	t.Helper()
	d, err := domain.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func parsed(t testing.TB, text string) domain.Domain {
	t.Helper()
	d, err := domain.Parse("domain.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// made is a dashboard as Grafana reads it: what is not looked at is left out.
type made struct {
	file string

	UID, Title, Description string
	Refresh                 string
	Time                    struct{ From string }
	Editable                bool
	Tags                    []string
	Panels                  []madePanel
	Templating              struct{ List []madeVariable }
	Annotations             struct {
		List []struct {
			Name, Expr string
			Datasource madeSource
		}
	}
	Links []madeLink
}

type madePanel struct {
	ID                       int
	Type, Title, Description string
	Datasource               madeSource
	GridPos                  struct{ X, Y, W, H int }
	TimeShift, TimeFrom      string
	Targets                  []madeTarget
	Links                    []madeLink
	FieldConfig              struct {
		Defaults struct {
			Unit, NoValue string
			Links         []madeLink
			Thresholds    struct{ Steps []madeStep }
			Mappings      []json.RawMessage
			Custom        struct {
				ThresholdsStyle struct{ Mode string }
				AxisSoftMax     *float64
			}
		}
		Overrides []struct {
			Properties []struct {
				ID    string
				Value json.RawMessage
			}
		}
	}
}

type madeStep struct {
	Value *float64
	Color string
}

type madeTarget struct {
	Expr, LabelSelector, ProfileTypeID, RefID, LegendFormat string

	Datasource madeSource
	Exemplar   bool
}

type madeSource struct{ Type, UID string }

type madeVariable struct {
	Name, Label, Description, Type, Query, AllValue string

	Multi, IncludeAll bool
	Refresh           int
	Datasource        madeSource
}

type madeLink struct {
	Title, Type, URL      string
	IncludeVars, KeepTime bool
}

// makeAll makes the dashboards of a domain, and reads them.
func makeAll(t testing.TB, d domain.Domain, o Options) []made {
	t.Helper()
	files, err := All(d, o)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]made, len(files))
	for i, f := range files {
		if err := json.Unmarshal(f.JSON, &all[i]); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		all[i].file = f.Name
	}
	return all
}

// shown are the panels without the headings.
func (m made) shown() []madePanel {
	var all []madePanel
	for _, p := range m.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
	}
	return all
}

// panel finds a panel by the dashboard and its title.
func find(t testing.TB, all []made, dashboard, title string) madePanel {
	t.Helper()
	for _, m := range all {
		if !strings.HasSuffix(m.file, "-"+dashboard+".json") {
			continue
		}
		for _, p := range m.shown() {
			if p.Title == title {
				return p
			}
		}
	}
	t.Fatalf("dashboard %s has no panel %q", dashboard, title)
	return madePanel{}
}

// links are all those of a panel: its own, those of its series and of its cells.
func (p madePanel) links(t testing.TB) []madeLink {
	t.Helper()
	all := append(append([]madeLink(nil), p.Links...), p.FieldConfig.Defaults.Links...)
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID != "links" {
				continue
			}
			var more []madeLink
			if err := json.Unmarshal(property.Value, &more); err != nil {
				t.Fatal(err)
			}
			all = append(all, more...)
		}
	}
	return all
}
