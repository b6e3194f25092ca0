package dashboards

// What Grafana 12 and 13 take. Neither runs here: the dashboards are held against
// what both publish, which is their SDK, whose types refuse what they do not know,
// @grafana/schema and @grafana/data, here 12.0.0 and 13.2.3, and their source.

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/dashboardv2"
	"github.com/grafana/grafana-foundation-sdk/go/grafanapyroscope"
	heatpanel "github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	statpanel "github.com/grafana/grafana-foundation-sdk/go/stat"
	statespanel "github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	tablepanel "github.com/grafana/grafana-foundation-sdk/go/table"
	seriespanel "github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/latido-dev/latido/internal/testkit"
)

// lastSchema is the schemaVersion that Grafana 12.2 to 13.2 have themselves, so
// that they migrate nothing, and the last one that this schema is to have. 12.0
// and 12.1 have 41, and migrate nothing that has more
// (public/app/features/dashboard/state/DashboardMigrator.ts).
const lastSchema = 42

type object = map[string]any

// everyBoard runs a test on each dashboard of the tests' domains.
func everyBoard(t *testing.T, test func(t *testing.T, board object)) {
	for _, file := range domainFiles {
		files, err := All(load(t, file), Options{RunbookURL: "https://wiki.example.com/runbook"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			t.Run(f.Name, func(t *testing.T) {
				var board object
				if err := json.Unmarshal(f.JSON, &board); err != nil {
					t.Fatal(err)
				}
				test(t, board)
			})
		}
	}
}

// TestStrict reads every dashboard with the SDK's types: the dashboard, each kind
// of panel, its options and its queries.
func TestStrict(t *testing.T) {
	t.Parallel()
	r := cog.NewRuntime()
	r.RegisterPanelcfgVariant(statpanel.VariantConfig())
	r.RegisterPanelcfgVariant(seriespanel.VariantConfig())
	r.RegisterPanelcfgVariant(tablepanel.VariantConfig())
	r.RegisterPanelcfgVariant(heatpanel.VariantConfig())
	r.RegisterPanelcfgVariant(statespanel.VariantConfig())
	r.RegisterDataqueryVariant(prometheus.VariantConfig())
	profiles := grafanapyroscope.VariantConfig()
	profiles.Identifier = pyroscopeType
	r.RegisterDataqueryVariant(profiles)
	everyBoard(t, func(t *testing.T, board object) {
		testkit.Error(t, strictly(t, board), "")
		if v := board["schemaVersion"]; v != float64(lastSchema) {
			t.Errorf("schemaVersion %v", v)
		}

		// And a mistake is seen, wherever it is.
		panel := board["panels"].([]any)[1].(object)
		places := []object{board, panel, panel["targets"].([]any)[0].(object), board["annotations"].(object)["list"].([]any)[0].(object)}
		if options, ok := panel["options"].(object); ok { // a flame graph has none
			places = append(places, options)
		} else if panel["type"] != string(flamegraph) {
			t.Errorf("%v has no options", panel["title"])
		}
		for _, in := range places {
			in["mistake"] = true
			testkit.Error(t, strictly(t, board), "mistake")
			delete(in, "mistake")
		}
		panel["gridPos"].(object)["w"] = 25
		testkit.Error(t, strictly(t, board), "must be <= 24")
	})
}

// strictly reads a dashboard with the SDK's types, and asks them whether its
// values are within bounds.
func strictly(t *testing.T, board object) error {
	t.Helper()
	text := encode(t, board)
	var fields, values classic
	if err := refused(&fields, text); err != nil {
		return err
	}
	// Of what it reads strictly the SDK keeps no panels.
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	return values.Validate()
}

type strict interface{ UnmarshalJSONStrict([]byte) error }

// refused is what the SDK refuses. Its strict reading always returns errors,
// which may be none.
func refused(to strict, text []byte) error {
	err := to.UnmarshalJSONStrict(text)
	var all cog.BuildErrors
	if errors.As(err, &all) && len(all) == 0 {
		return nil
	}
	return err
}

func encode(t *testing.T, what any) []byte {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// customFields are what fields have beside what all types of panel have.
var customFields = map[string]func() strict{
	"timeseries":     func() strict { return new(seriespanel.FieldConfig) },
	"heatmap":        func() strict { return new(heatpanel.FieldConfig) },
	"table":          func() strict { return new(tablepanel.FieldConfig) },
	"state-timeline": func() strict { return new(statespanel.FieldConfig) },
}

// TestFields reads how fields are shown, strictly: as the panel has it, and with
// each override on top, which is how Grafana applies them. Grafana 13 makes a
// dashboard of its new schema of a classic one, and keeps of it what the types of
// that one have, too.
func TestFields(t *testing.T) {
	t.Parallel()
	everyBoard(t, func(t *testing.T, board object) {
		for _, p := range board["panels"].([]any) {
			panel := p.(object)
			fields, ok := panel["fieldConfig"].(object)
			if !ok { // a row
				continue
			}
			kind, defaults := panel["type"].(string), fields["defaults"].(object)
			testkit.Error(t, refused(new(dashboardv2.FieldConfigSource), encode(t, fields)), "")
			testkit.Error(t, refusedFields(t, kind, defaults), "")
			for _, o := range fields["overrides"].([]any) {
				with := overridden(defaults, o.(object)["properties"].([]any))
				if err := refusedFields(t, kind, with); err != nil {
					t.Errorf("%v: %v", panel["title"], err)
				}
			}
			testkit.Error(t, refusedFields(t, kind, overridden(defaults, []any{object{"id": "mistake", "value": 1}})), "mistake")
			want := "mistake"
			if customFields[kind] == nil {
				want = kind + " has no fields of its own"
			}
			testkit.Error(t, refusedFields(t, kind, overridden(defaults, []any{object{"id": "custom.mistake", "value": 1}})), want)
		}
	})
}

func refusedFields(t *testing.T, kind string, fields object) error {
	t.Helper()
	text := encode(t, fields)
	all := []error{refused(new(dashboard.FieldConfig), text), refused(new(dashboardv2.FieldConfig), text)}
	custom, has := fields["custom"]
	if made := customFields[kind]; has && made != nil {
		all = append(all, refused(made(), encode(t, custom)))
	} else if has {
		all = append(all, errors.New(kind+" has no fields of its own"))
	}
	return errors.Join(all...)
}

// overridden is how fields are shown with an override. A property without a value
// takes away what it overrides.
func overridden(defaults object, properties []any) object {
	all, custom := maps.Clone(defaults), object{}
	own, _ := defaults["custom"].(object)
	maps.Copy(custom, own)
	for _, p := range properties {
		id, value := p.(object)["id"].(string), p.(object)["value"]
		in := all
		if name, ok := strings.CutPrefix(id, "custom."); ok {
			id, in = name, custom
		}
		if value == nil {
			delete(in, id)
		} else {
			in[id] = value
		}
	}
	if len(custom) > 0 {
		all["custom"] = custom
	}
	return all
}

// names are what Grafana looks up, and no type says which there are: plugins, the
// enums DataTransformerID, FieldMatcherID and ReducerID of @grafana/data, and the
// fields that an override has. Both versions have these; a new one is looked up
// there before it is added.
var names = map[string][]string{
	"panels.type":                                {"flamegraph", "heatmap", "row", "stat", "state-timeline", "table", "timeseries"},
	"panels.datasource.type":                     {"grafana-pyroscope-datasource", "prometheus"},
	"panels.targets.datasource.type":             {"grafana-pyroscope-datasource", "prometheus"},
	"annotations.list.datasource.type":           {"prometheus"},
	"templating.list.datasource.type":            {"prometheus"},
	"templating.list.type":                       {"custom", "datasource", "query", "textbox"},
	"panels.transformations.id":                  {"merge", "organize"},
	"panels.options.legend.calcs":                {"lastNotNull", "max"},
	"panels.options.reduceOptions.calcs":         {"lastNotNull"},
	"panels.fieldConfig.overrides.matcher.id":    {"byFrameRefID", "byName"},
	"panels.fieldConfig.overrides.properties.id": {"color", "custom.cellOptions", "custom.fillOpacity", "custom.lineStyle", "custom.lineWidth", "custom.stacking", "decimals", "displayName", "links", "mappings", "max", "thresholds", "unit"},
}

// oneOnly are fields that the SDK's types have, and one of the two versions has
// not.
var oneOnly = map[string]string{
	"gnetId":                                    "a text in 12, a number in 13",
	"links.placement":                           "not in 12.0",
	"panels.links.placement":                    "not in 12.0",
	"annotations.list.placement":                "not in 12.0",
	"templating.list.staticOptions":             "not in 12.0",
	"panels.timeCompare":                        "not in 12.0",
	"panels.options.footer":                     "of a table: in its fields in 13",
	"panels.fieldConfig.defaults.custom.hidden": "of a table: hideFrom in 13",
}

// TestBoth looks for names and fields that one version has not. A name of the
// list that no dashboard has is a mistake, too.
func TestBoth(t *testing.T) {
	t.Parallel()
	used := map[string][]string{}
	everyBoard(t, func(t *testing.T, board object) {
		walk("", board, func(path string, value any) {
			if why, ok := oneOnly[path]; ok {
				t.Errorf("%s: %s", path, why)
			}
			if known, ok := names[path]; ok {
				name, _ := value.(string)
				if used[path] = append(used[path], name); !slices.Contains(known, name) {
					t.Errorf("%s: is there %v in both?", path, value)
				}
			}
		})
	})
	for path, known := range names {
		for _, name := range known {
			if !slices.Contains(used[path], name) {
				t.Errorf("%s: no dashboard has %s", path, name)
			}
		}
	}
}

// walk shows everything in a dashboard, with the keys that lead to it.
func walk(path string, value any, see func(path string, value any)) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			walk(path, one, see)
		}
		return
	case object:
		for key, one := range v {
			walk(strings.TrimPrefix(path+"."+key, "."), one, see)
		}
	}
	see(path, value)
}

// TestConverted: Grafana 13 shows a classic dashboard as one of its new schema.
// These are what its conversion would lose of one, or put elsewhere
// (apps/dashboard/pkg/migration/conversion/v1_to_v2alpha1.go).
func TestConverted(t *testing.T) {
	for _, file := range domainFiles {
		for _, m := range makeAll(t, load(t, file), Options{RunbookURL: "https://wiki.example.com/runbook"}) {
			for _, a := range m.Annotations.List {
				if a.Datasource.Type == "" || a.Datasource.UID == "" {
					t.Errorf("%s: %s has no data source then", m.file, a.Name)
				}
			}
			row, bottom := -1, 0
			for _, p := range m.Panels {
				if p.Type == "row" {
					if p.GridPos.Y < bottom {
						t.Errorf("%s: the row %s begins above the end of the one before", m.file, p.Title)
					}
					row = p.GridPos.Y
				} else if p.GridPos.Y <= row {
					t.Errorf("%s: %s stands above its row", m.file, p.Title)
				}
				bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
				refs := map[string]bool{}
				for _, q := range p.Targets {
					if q.RefID == "" || refs[q.RefID] || q.Datasource != p.Datasource {
						t.Errorf("%s: %s: the query %q has no id of its own, or another data source", m.file, p.Title, q.RefID)
					}
					refs[q.RefID] = true
				}
				for _, l := range p.Links { // the title and the address are kept
					if l.Type != "link" || l.URL == "" || l.IncludeVars || l.KeepTime {
						t.Errorf("%s: %s: the link %s leads elsewhere then", m.file, p.Title, l.Title)
					}
				}
			}
		}
	}
}
