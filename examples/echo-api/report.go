package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/latido-dev/latido/domain"
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
		line("metrics", "NOT SERVED, as the warning above says. If the port is taken, choose another:")
		line("", "OTEL_EXPORTER_PROMETHEUS_PORT=9465 (and _HOST for the address)")
	} else {
		line("metrics", adminURL+"/metrics")
		line("dashboard", adminURL+"/metrics-dashboard")
		line("report", adminURL+"/debug/report")
		line("profiles", adminURL+"/debug/pprof/")
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

// summary prints what happened.
func summary(out io.Writer, took time.Duration, s load.Summary, admin http.Handler) {
	var total load.Endpoint
	for _, e := range s.Endpoints {
		total.Requests += e.Requests
		total.ServerErrors += e.ServerErrors
		total.ClientErrors += e.ClientErrors
		total.Failed += e.Failed
	}
	fmt.Fprintf(out, "\nOpen for %s: %d requests, %d answered with 4xx, %d with 5xx, %d without an answer.\n",
		took.Round(time.Second), total.Requests, total.ClientErrors, total.ServerErrors, total.Failed)
	if s.Skipped > 0 {
		fmt.Fprintf(out, "%d requests were not sent: too many were in flight. The shop is slower than -rate.\n", s.Skipped)
	}
	if len(s.Endpoints) > 0 {
		fmt.Fprintln(out)
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "requests\t4xx\t5xx\tp50\tp95\t  endpoint")
		for _, e := range s.Endpoints {
			fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t  %s\n", e.Requests, e.ClientErrors, e.ServerErrors, short(e.P50), short(e.P95), e.Name)
		}
		w.Flush()
	}
	_ = admin
}

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
