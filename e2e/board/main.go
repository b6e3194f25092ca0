// Command board draws a dashboard of deploy/grafana from what a Prometheus and
// a Pyroscope answer to its queries, without a Grafana:
//
//	cd e2e && GOWORK=off go run ./board -out ../docs/dashboard.svg
//
// Every panel stands where the dashboard's file puts it and shows what its own
// queries find. What Grafana has beyond a picture is left out: links, tooltips
// and the traces of single requests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promapi "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

func main() {
	var o options
	flag.StringVar(&o.dashboard, "dashboard", "../deploy/grafana/dashboards/tienda-overview.json", "the `file` of the dashboard")
	flag.StringVar(&o.prometheus, "prometheus", "http://127.0.0.1:9090", "the `URL` of Prometheus")
	flag.StringVar(&o.pyroscope, "pyroscope", "http://127.0.0.1:4040", "the `URL` of Pyroscope, or none")
	flag.DurationVar(&o.scrape, "scrape", 15*time.Second, "the `time` between two scrapes, as Grafana's data source has it")
	flag.DurationVar(&o.last, "last", 10*time.Minute, "the time `range`")
	flag.Func("until", "its `end`, as 2006-01-02T15:04:05Z (default now)", func(text string) (err error) {
		o.until, err = time.Parse(time.RFC3339, text)
		return err
	})
	flag.StringVar(&o.out, "out", "dashboard.svg", "the `file` to write")
	flag.Parse()
	o.command = "go run ./board " + strings.Join(os.Args[1:], " ")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "board:", err)
		os.Exit(1)
	}
}

type options struct {
	dashboard, prometheus, pyroscope, out string
	scrape, last                          time.Duration
	until                                 time.Time // zero is now
	command                               string    // for the foot of the picture
}

func run(ctx context.Context, o options) error {
	if o.last < time.Second || o.scrape <= 0 {
		return fmt.Errorf("-last %s -scrape %s: write a second at least, and a time above 0", o.last, o.scrape)
	}
	if o.until.IsZero() {
		o.until = time.Now()
	}
	d, err := load(o.dashboard)
	if err != nil {
		return err
	}
	client, err := api.NewClient(api.Config{Address: o.prometheus})
	if err != nil {
		return fmt.Errorf("-prometheus: %w", err)
	}
	w := windowOf(o)
	a := asking{prom: promapi.NewAPI(client), pyroscope: o.pyroscope, window: w, variables: variablesOf(d, w)}
	marks, err := a.marks(ctx, d.Annotations.List)
	if err != nil {
		return err
	}
	p := newPicture(d, w, marks)
	for _, panel := range d.Panels {
		if err := p.panel(ctx, a, panel); err != nil {
			return fmt.Errorf("%s: panel %d, %q: %w", path.Base(o.dashboard), panel.ID, panel.Title, err)
		}
	}
	return os.WriteFile(o.out, p.finish(path.Base(o.dashboard), o.command), 0o644)
}

// window is the time that is drawn.
type window struct {
	from, until time.Time
	step        time.Duration // between two points
	scrape      time.Duration
}

// pointsWanted is how many points a curve has at most: more would not be seen
// at the width of a document.
const pointsWanted = 120

// windowOf starts and ends at whole steps, as Grafana does, so that the same
// moments are asked again a little later.
func windowOf(o options) window {
	step := max(o.scrape, (o.last / pointsWanted).Round(time.Second), time.Second)
	until := o.until.UTC().Truncate(step)
	return window{from: until.Add(-o.last), until: until, step: step, scrape: o.scrape}
}

// rateInterval is Grafana's $__rate_interval.
func (w window) rateInterval() time.Duration { return max(w.step+w.scrape, 4*w.scrape) }

// promDuration writes a duration as PromQL wants it.
func promDuration(d time.Duration) string { return model.Duration(d).String() }
