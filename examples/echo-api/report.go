package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/examples/echo-api/breaks"
	"github.com/latido-dev/latido/examples/echo-api/load"
)

// where prints where everything is. adminURL is empty if the admin listener
// did not get its port.
func where(out io.Writer, o options, d domain.Domain, apiURL, adminURL string) {
	fmt.Fprintf(out, "%s is open. Ctrl-C closes it.\n\n", d.Service())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(what, where string) { fmt.Fprintf(w, "  %s\t%s\n", what, where) }
	line("API", apiURL+"/pedidos")
	if adminURL == "" {
		line("metrics", "NOT SERVED: the log above says why. If the port is taken, choose another one,")
		line("", "as in OTEL_EXPORTER_PROMETHEUS_PORT=9465, or another address by OTEL_EXPORTER_PROMETHEUS_HOST")
	} else {
		line("look at it", adminURL+"   (-open opens it in your browser)")
		line("metrics", adminURL+"/metrics")
		line("report", adminURL+"/debug/report")
		line("break it", breaks.Curl(http.MethodPost, adminURL, "slow"))
		line("", "or cpu, errors, leak, silence: "+adminURL+breaks.Path)
	}
	if pyroscope := os.Getenv("PYROSCOPE_SERVER_ADDRESS"); pyroscope != "" {
		line("Pyroscope", pyroscope+", application "+d.Service())
	} else {
		line("Pyroscope", "none: set PYROSCOPE_SERVER_ADDRESS to see flame graphs there")
	}
	if o.load {
		line("traffic", fmt.Sprintf("%g requests/s: %s", o.rate, o.mix))
	} else {
		line("traffic", "none of its own (-load=false)")
	}
	w.Flush()
}

// openPage opens the page in the person's browser.
func openPage(ctx context.Context, url string) error {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	browser := exec.CommandContext(ctx, command[0], append(command[1:], url)...)
	if err := browser.Start(); err != nil {
		return err
	}
	go func() { _ = browser.Wait() }()
	return nil
}

// row is one line of the summary.
type row struct {
	name           string
	requests, errs int64 // errors of the server
	p50, p95       time.Duration
}

// summary prints what happened: requests as the customers saw them, or, where
// there was no traffic of our own, as telemetry did; events as telemetry
// counted them, and what its profile shows.
func summary(ctx context.Context, out io.Writer, open time.Duration, seen load.Summary, admin http.Handler) {
	d, err := readDashboard(ctx, admin)
	if err != nil {
		fmt.Fprintln(out, "\nNo events:", err)
	}
	var rows []row
	for _, e := range seen.Endpoints {
		rows = append(rows, row{e.Name, e.Requests, e.ServerErrors + e.Failed, e.P50, e.P95})
	}
	if rows == nil {
		for _, e := range d.Endpoints {
			if e.Requests > 0 {
				rows = append(rows, row{e.Method + " " + e.Endpoint, e.Requests, e.Errors, seconds(e.P50), seconds(e.P95)})
			}
		}
	}
	var requests, errs int64
	for _, r := range rows {
		requests += r.requests
		errs += r.errs
	}
	fmt.Fprintf(out, "\nThe shop was open for %s. Requests: %d, failed: %d.\n", open.Round(time.Second), requests, errs)
	if seen.Skipped > 0 {
		fmt.Fprintf(out, "%d requests were not sent, since too many were in flight: the shop is slower than -rate.\n", seen.Skipped)
	}
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	if len(rows) > 0 {
		fmt.Fprintln(w, "\nrequests\tfailed\tp50\tp95\t   endpoint")
		for _, r := range rows {
			fmt.Fprintf(w, "%d\t%d\t%s\t%s\t   %s\n", r.requests, r.errs, short(r.p50), short(r.p95), r.name)
		}
	}
	if len(d.Events) > 0 { // an empty line ends the columns above
		fmt.Fprintln(w, "\ncount\t   event")
		for _, e := range d.Events {
			fmt.Fprintf(w, "%d\t   %s\n", e.occurrences(), e.name())
		}
	}
	w.Flush()
	if len(d.Advice) > 0 {
		fmt.Fprintln(out, "\nWhat the profile of the last minutes says:")
		for _, advice := range d.Advice {
			fmt.Fprintln(out, "  -", advice)
		}
	}
}

// dashboard is what the summary reads of /metrics-dashboard.
type dashboard struct {
	Endpoints []struct {
		Endpoint string  `json:"endpoint"`
		Method   string  `json:"method"`
		Requests int64   `json:"requests"`
		Errors   int64   `json:"errors"`
		P50      float64 `json:"p50_seconds"`
		P95      float64 `json:"p95_seconds"`
	} `json:"endpoints"`
	Events []event  `json:"events"`
	Advice []string `json:"advice"` // from the profile
}

type event struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
	Count  *int64            `json:"count"` // of a histogram, whose Value is the sum
}

func (e event) occurrences() int64 {
	if e.Count != nil {
		return *e.Count
	}
	return int64(e.Value)
}

func (e event) name() string {
	name := e.Name
	for _, label := range slices.Sorted(maps.Keys(e.Labels)) {
		name += " " + label + "=" + e.Labels[label]
	}
	return name
}

// readDashboard asks the admin pages in process: the admin listener may have
// no port.
func readDashboard(ctx context.Context, admin http.Handler) (d dashboard, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics-dashboard", nil)
	if err != nil {
		return d, err
	}
	answer := answer{header: http.Header{}, status: http.StatusOK}
	admin.ServeHTTP(&answer, r)
	if answer.status != http.StatusOK {
		return d, fmt.Errorf("the dashboard answers %d: %s", answer.status, strings.TrimSpace(answer.String()))
	}
	return d, json.Unmarshal(answer.Bytes(), &d)
}

// answer is a ResponseWriter in memory.
type answer struct {
	bytes.Buffer
	header http.Header
	status int
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// short writes a duration with two or three digits.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
