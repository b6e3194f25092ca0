// Command picture draws the README's picture from what a running shop says of
// itself on /metrics-dashboard:
//
//	go run ./examples/echo-api &
//	cd e2e && go run ./picture -out ../docs/picture.svg
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:9464", "the shop's admin listener")
	out := flag.String("out", "picture.svg", "the `file` to write")
	flag.Parse()
	if err := run(*url, *out); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// dashboard is the part of /metrics-dashboard that is drawn.
type dashboard struct {
	App           string  `json:"app"`
	Domain        string  `json:"domain"`
	SystemStatus  string  `json:"system_status"`
	UptimeSeconds float64 `json:"uptime_seconds"`
	Endpoints     []struct {
		Endpoint    string   `json:"endpoint"`
		Method      string   `json:"method"`
		Requests    int64    `json:"requests"`
		PerSecond   float64  `json:"requests_per_second"`
		ErrorRatio  *float64 `json:"error_ratio"`
		P95         *float64 `json:"p95_seconds"`
		TimeSeconds float64  `json:"time_seconds"`
	} `json:"endpoints"`
	Events []struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
		Value  float64           `json:"value"`
	} `json:"events"`
	Advice []string `json:"advice"`
}

func run(url, out string) error {
	client := &http.Client{Timeout: 30 * time.Second}
	response, err := client.Get(url + "/metrics-dashboard")
	if err != nil {
		return fmt.Errorf("no shop answers: %w; start it with go run ./examples/echo-api", err)
	}
	defer response.Body.Close()
	var d dashboard
	if err := json.NewDecoder(response.Body).Decode(&d); err != nil {
		return fmt.Errorf("read the dashboard: %w", err)
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer file.Close()
	return draw(file, d)
}

// The layout, in pixels.
const (
	width, top, row, rows = 960, 84, 26, 12
	lineLength            = 116 // characters of advice in a line
)

type line struct {
	Y                               int
	Name, Rate, P95, Errors, Colour string
	Bar                             float64
}

type text struct {
	Y    int
	Text string
}

func draw(w io.Writer, d dashboard) error {
	page := struct {
		Width, Height int
		Title, Status string
		Lines         []line
		Texts         []text
	}{Width: width, Title: d.App, Status: fmt.Sprintf("%s after %.0f s; every series starts with %s_", d.SystemStatus, d.UptimeSeconds, d.Domain)}
	most := 0.001
	for _, e := range d.Endpoints {
		most = max(most, e.TimeSeconds)
	}
	y := top
	for i, e := range d.Endpoints {
		if i == rows {
			break
		}
		l := line{Y: y, Name: e.Method + " " + e.Endpoint, Rate: fmt.Sprintf("%.1f/s", e.PerSecond), P95: "no data", Bar: e.TimeSeconds / most * 230, Colour: "#4c8dae"}
		if e.P95 != nil {
			l.P95 = time.Duration(*e.P95 * 1e9).Round(100 * time.Microsecond).String()
		}
		if e.ErrorRatio != nil && *e.ErrorRatio > 0 {
			l.Errors, l.Colour = fmt.Sprintf("%.0f %% errors", *e.ErrorRatio*100), "#c0563b"
		}
		page.Lines = append(page.Lines, l)
		y += row
	}
	y += 34
	for _, advice := range d.Advice {
		for len(advice) > 0 {
			cut := min(len(advice), lineLength)
			for cut < len(advice) && advice[cut-1] != ' ' {
				cut--
			}
			page.Texts = append(page.Texts, text{y, advice[:cut]})
			advice = advice[cut:]
			y += 19
		}
		y += 6
	}
	page.Height = y + 10
	return svg.Execute(w, page)
}

var svg = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="14">
<!-- drawn by e2e/picture from /metrics-dashboard of a running examples/echo-api -->
<rect width="100%" height="100%" rx="10" fill="#fbfaf7"/>
<text x="28" y="38" font-size="20" font-weight="600" fill="#222">{{.Title}}</text>
<text x="932" y="38" text-anchor="end" fill="#555">{{.Status}}</text>
<g fill="#777" font-size="12"><text x="28" y="66">endpoint</text><text x="345" y="66">time spent in it</text><text x="650" y="66" text-anchor="end">requests</text><text x="760" y="66" text-anchor="end">p95</text></g>
{{range .Lines}}<g transform="translate(0 {{.Y}})"><text x="28" y="12" fill="#222">{{.Name}}</text><rect x="345" width="{{printf "%.1f" .Bar}}" height="15" rx="3" fill="{{.Colour}}"/><text x="650" y="12" text-anchor="end" fill="#333">{{.Rate}}</text><text x="760" y="12" text-anchor="end" fill="#333">{{.P95}}</text><text x="932" y="12" text-anchor="end" fill="#c0563b">{{.Errors}}</text></g>
{{end}}<g font-size="13" fill="#222">{{range .Texts}}<text x="28" y="{{.Y}}">{{.Text}}</text>
{{end}}</g></svg>
`))
