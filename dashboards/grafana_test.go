package dashboards

// What Grafana 12 and 13 take. Neither runs here: the dashboards are held against
// what both publish, which is their SDK, whose types refuse what they do not know,
// @grafana/schema and @grafana/data, here 12.0.0 and 13.2.3, and their source.

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
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
