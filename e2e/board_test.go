package e2e

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/dashboards"
)

// element is one of a drawing.
type element struct {
	XMLName    xml.Name
	ID         string     `xml:"id,attr"`
	Class      string     `xml:"class,attr"`
	Attributes []xml.Attr `xml:",any,attr"`
	Text       string     `xml:",chardata"`
	Inside     []element  `xml:",any"`
}

// all are the elements of a name, in whatever depth.
func (e element) all(name string) (found []element) {
	for _, in := range e.Inside {
		if in.XMLName.Local == name {
			found = append(found, in)
		}
		found = append(found, in.all(name)...)
	}
	return found
}

// drawn has the board program draw a dashboard as it was at a time, and reads
// the drawing.
func (ask asking) drawn(t *testing.T, f dashboards.File, until time.Time) (text string, drawing element) {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), filepath.Base(f.Name)), filepath.Join(t.TempDir(), "out.svg")
	if err := os.WriteFile(in, f.JSON, 0o600); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command(own(t, "board"), "-dashboard", in, "-prometheus", ask.prom.URL(), "-pyroscope", ask.pyroscope.URL(),
		"-scrape", "1s", "-last", "2m", "-until", until.Format(time.RFC3339), "-out", out).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", f.Name, err, output)
	}
	svg, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(svg, &drawing); err != nil {
		t.Fatalf("%s: %v", f.Name, err)
	}
	return string(svg), drawing
}

// shapes are what a panel of a type draws its data with.
var shapes = map[string]string{"timeseries": "polyline", "stat": "text", "table": "line", "heatmap": "rect", "flamegraph": "rect"}

// drawnPanel is a panel of a dashboard's file as its drawing is held against it.
type drawnPanel struct {
	ID                       int
	Type, Title, Description string
	Targets                  []struct{ RefID, Expr string }
}

// panelsOf are the panels of a dashboard's file.
func panelsOf(t *testing.T, file []byte) []drawnPanel {
	t.Helper()
	var board struct{ Panels []drawnPanel }
	if err := json.Unmarshal(file, &board); err != nil {
		t.Fatal(err)
	}
	return board.Panels
}

// TestDashboardPicture fails when the picture in the documents is of another
// dashboard than the one in deploy: draw it again, as docs/dashboards.md says.
func TestDashboardPicture(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile(filepath.Join(repository, "deploy/grafana/dashboards/tienda-overview.json"))
	if err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(repository, "docs/dashboard.svg"))
	if err != nil {
		t.Fatal(err)
	}
	var drawing element
	if err := xml.Unmarshal(svg, &drawing); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, p := range panelsOf(t, file) {
		want = append(want, fmt.Sprintf("panel-%d, a %s: %s. %s", p.ID, p.Type, p.Title, p.Description))
	}
	for _, g := range drawing.all("g") {
		about := ""
		for _, e := range g.all("desc") {
			about = e.Text
		}
		got = append(got, fmt.Sprintf("%s, a %s: %s. %s", g.ID, g.Class, g.all("title")[0].Text, about))
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/dashboard.svg has\n%s\nand the dashboard\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// mayBeEmpty says that a query of the panel may find nothing.
func (p drawnPanel) mayBeEmpty() bool {
	for _, q := range p.Targets {
		if maybeEmpty[p.Title+" "+q.RefID] != "" {
			return true
		}
	}
	return p.Type == "flamegraph" // of a while before, where nothing ran
}

// testDrawings has every dashboard drawn: each panel is there with its title,
// and shows data or says why there is none. The figures are Prometheus's.
func (ask asking) testDrawings(t *testing.T, files []dashboards.File) {
	until := time.Now().UTC().Truncate(time.Second).Add(2 * time.Second)
	ask.prom.WaitForQuery(t, time.Minute, fmt.Sprintf("min(timestamp(up)) > %d", until.Unix()+1)) // what is scraped from then on changes nothing
	same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }
	for _, f := range files {
		text, drawing := ask.drawn(t, f, until)
		for _, wrong := range []string{"NaN", "Inf,", "%!"} {
			if strings.Contains(text, wrong) {
				t.Errorf("%s: the drawing has %q", f.Name, wrong)
			}
		}
		groups := map[string]element{}
		for _, g := range drawing.all("g") {
			groups[g.ID] = g
		}
		for _, p := range panelsOf(t, f.JSON) {
			g := groups[fmt.Sprint("panel-", p.ID)]
			if titles := g.all("title"); len(titles) == 0 || titles[0].Text != p.Title || g.Class != p.Type {
				t.Errorf("%s: %q, a %s, is drawn as %v, a %q", f.Name, p.Title, p.Type, titles, g.Class)
				continue
			}
			if p.Type == "row" {
				continue
			}
			empty := slices.ContainsFunc(g.all("text"), func(e element) bool { return e.Class == "note" })
			switch {
			case empty && !p.mayBeEmpty():
				t.Errorf("%s: %q has no data", f.Name, p.Title)
			case !empty && len(g.all(shapes[p.Type])) == 0:
				t.Errorf("%s: %q, a %s, has no %s", f.Name, p.Title, p.Type, shapes[p.Type])
			case !empty && p.Type == "stat":
				if drawn, asked := drawnFigures(t, g), ask.figures(t, p, until); !slices.EqualFunc(drawn, asked, same) {
					t.Errorf("%s: %q shows %v, and Prometheus has %v", f.Name, p.Title, drawn, asked)
				}
			}
		}
	}
}

// drawnFigures are the values of a stat, as exact as they were asked.
func drawnFigures(t *testing.T, g element) (all []float64) {
	t.Helper()
	for _, e := range g.all("text") {
		for _, a := range e.Attributes {
			if a.Name.Local != "data-value" {
				continue
			}
			v, err := strconv.ParseFloat(a.Value, 64)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
		}
	}
	slices.Sort(all)
	return all
}

// figures are what Prometheus answers to a panel at a time.
func (ask asking) figures(t *testing.T, p drawnPanel, at time.Time) (all []float64) {
	t.Helper()
	variables := map[string]string{"job": ".+", "instance": ".+", "endpoint": ".+", "__rate_interval": "4s", "__range": "2m"}
	for _, q := range p.Targets {
		for _, s := range ask.prom.QueryRange(t, expanded(q.Expr, variables), at, at, time.Second) {
			if v := s.Points[len(s.Points)-1].Value; !math.IsNaN(v) {
				all = append(all, v)
			}
		}
	}
	slices.Sort(all)
	return all
}
