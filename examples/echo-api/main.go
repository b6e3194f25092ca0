// Command echo-api is a small shop's API that shows what Latido gives a
// service: metrics named after the shop's business, profiles that name the
// function behind a slow endpoint, alert rules and dashboards from domain.yaml.
// It needs no server beside it, and makes its own traffic:
//
//	go run ./examples/echo-api
//
// main.go is the life of a service: flags, start, stop. run.go is the order in
// which its parts come up and go down, report.go what it prints,
// alerts.go what it does about alerts, and receivers.go who is told of them.
// The shop itself is in shop, its customers
// are in load, breaks has the switches that break it, latidoecho is the adapter
// that measures the routes of labstack/echo, and events is generated from
// domain.yaml.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/latido-dev/latido/examples/echo-api/load"
	"github.com/latido-dev/latido/examples/echo-api/shop"
)

func main() {
	o, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flag package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "echo-api:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	addr     string
	db       string
	load     bool
	rate     float64
	mix      load.Mix
	duration time.Duration
	fast     bool
	open     bool

	started func(apiURL, adminURL string) // for tests; nil for none
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	o := options{mix: load.DefaultMix()}
	flags := flag.NewFlagSet("echo-api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` of the API")
	flags.StringVar(&o.db, "db", "", "SQLite `file` of the orders, or "+shop.Memory+"; without one, a temporary file")
	flags.BoolVar(&o.load, "load", true, "send the API the traffic of a shop")
	flags.Float64Var(&o.rate, "rate", 40, "`requests` a second, on average")
	flags.DurationVar(&o.duration, "duration", 0, "stop by itself after this `time`; 0 runs until Ctrl-C")
	flags.BoolVar(&o.fast, "fast", false, "let a minute of the alert rules pass in a second: what you break is told within one minute")
	flags.BoolVar(&o.open, "open", false, "open the page in your browser")
	flags.Func("mix", "how often each `action` is chosen (default "+o.mix.String()+")", func(text string) (err error) {
		o.mix, err = load.ParseMix(text)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("argument %q is not expected: everything is a flag", flags.Arg(0))
	case !(o.rate > 0 && o.rate <= maxRate): // NaN is neither
		err = fmt.Errorf("-rate %g: must be above 0 and at most %d; for no traffic use -load=false", o.rate, maxRate)
	case o.duration < 0:
		err = fmt.Errorf("-duration %s: cannot be negative", o.duration)
	}
	if err != nil {
		fmt.Fprintln(stderr, "echo-api:", err)
	}
	return o, err
}

// maxRate is more than the shop can answer on a laptop.
const maxRate = 10_000
