package dashboards

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestGolden keeps one dashboard whole, and of the others what a person reads:
// deploy/grafana/dashboards has the whole ones of the example.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := All(load(t, "testdata/clinic.yaml"), Options{RunbookURL: "https://wiki.example.com/runbook"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == "clinic-business.json" {
			testkit.Golden(t, "testdata/"+f.Name, f.JSON)
		}
	}
	var outline bytes.Buffer
	for _, m := range makeAll(t, load(t, "testdata/academia.yaml"), Options{}) {
		fmt.Fprintf(&outline, "# %s: %s. %s\n", m.file, m.Title, m.Description)
		for _, p := range m.Panels {
			if p.Type == "row" {
				fmt.Fprintf(&outline, "\n## %s\n", p.Title)
				continue
			}
			fmt.Fprintf(&outline, "\n%s (%s, %s)", p.Title, p.Type, p.FieldConfig.Defaults.Unit)
			for _, s := range p.FieldConfig.Defaults.Thresholds.Steps[1:] {
				fmt.Fprintf(&outline, " %s=%s", s.Color, number(*s.Value))
			}
			fmt.Fprintf(&outline, "\n  %s\n", p.Description)
			for _, q := range p.Targets {
				fmt.Fprintf(&outline, "  %s\n", strings.TrimSpace(q.ProfileTypeID+" "+q.Expr+q.LabelSelector))
			}
		}
		fmt.Fprintln(&outline)
	}
	testkit.Golden(t, "testdata/academia.outline.txt", outline.Bytes())
}

// TestSame makes everything twice: maps are walked in another order each time.
func TestSame(t *testing.T) {
	t.Parallel()
	for _, file := range domainFiles {
		first, err := All(load(t, file), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			again, err := All(load(t, file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range first {
				if first[i].Name != again[i].Name || !bytes.Equal(first[i].JSON, again[i].JSON) {
					t.Fatalf("%s is not the same a second time", first[i].Name)
				}
			}
		}
	}
}

// TestUID holds the uids that links and bookmarks have, and that no two are the
// same where they are cut.
func TestUID(t *testing.T) {
	want := []string{"clinic-overview", "clinic-http", "clinic-runtime", "clinic-business", "clinic-profiles"}
	for i, m := range makeAll(t, load(t, "testdata/clinic.yaml"), Options{}) {
		if m.UID != want[i] || m.file != want[i]+".json" {
			t.Errorf("%s has uid %q, want %q", m.file, m.UID, want[i])
		}
	}
	d := load(t, "testdata/clinic.yaml")
	d.Prefix = strings.Repeat("p", 32) // the longest that a domain file may have
	testkit.Error(t, domain.CheckPrefix(d.Prefix), "")
	testkit.Error(t, domain.CheckPrefix(d.Prefix+"p"), "at most 32")
	seen := map[string]bool{}
	for _, m := range makeAll(t, d, Options{}) {
		if len(m.UID) > 40 { // https://grafana.com/docs/grafana/latest/developers/http_api/dashboard/
			t.Errorf("%s is too long for Grafana", m.UID)
		}
		if seen[m.UID] {
			t.Errorf("two dashboards have the uid %s", m.UID)
		}
		seen[m.UID] = true
	}
}

// A domain that says next to nothing has all five.
func TestSmallest(t *testing.T) {
	all := makeAll(t, parsed(t, "prefix: tienda\nentity: pedido\n"), Options{})
	if len(all) != 5 {
		t.Fatalf("%d dashboards", len(all))
	}
	for _, m := range all {
		if len(m.shown()) == 0 {
			t.Errorf("%s has no panel", m.file)
		}
	}
}

// What a domain that was put together by hand lacks is an error, and no file.
func TestUnknownMetric(t *testing.T) {
	d := load(t, "testdata/clinic.yaml")
	d.Thresholds[0].Event = "appointments_sheduled"
	files, err := All(d, Options{})
	testkit.Error(t, err, `dashboards of clinic: unknown metric "appointments_sheduled"`)
	if files != nil {
		t.Errorf("%d files", len(files))
	}
}
