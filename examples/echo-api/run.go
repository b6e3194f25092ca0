package main

import (
	"context"
	_ "embed" // for domain.yaml
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/examples/echo-api/breaks"
	"github.com/latido-dev/latido/examples/echo-api/load"
	"github.com/latido-dev/latido/examples/echo-api/shop"
	"github.com/latido-dev/latido/telemetry"
)

//go:generate go run ../../cmd/latido generate events -domain domain.yaml -out events/events_gen.go

//go:embed domain.yaml
var domainFile []byte

// seeded is how many orders of earlier days the shop starts with.
const seeded = 1000

// fastProfiles is the length of a profile's window with -fast: an alert that
// looks ten seconds back then has whole windows to look at.
const fastProfiles = 2 * time.Second

// grace is how long each part may take to stop.
const grace = 5 * time.Second

// run starts the shop, drives its traffic, and stops it when ctx is done or
// its time is over. It leaves nothing behind.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	out = &console{out: out}
	d, err := domain.Parse("domain.yaml", domainFile)
	if err != nil {
		return err
	}
	d, wrong := withReceivers(d, os.Getenv)
	for _, err := range wrong {
		slog.Warn("a receiver of alerts is left out", "error", err)
	}
	drain, err := drainTime()
	if err != nil {
		return err
	}
	// First what can fail because of somebody else: the port.
	listener, err := listen(ctx, o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()

	var profiling continuous.Config
	if o.fast {
		profiling.Interval = fastProfiles
	}
	tel, err := telemetry.Init(ctx, telemetry.Config{
		Domain: d, Profiling: profiling,
		Admin: telemetry.AdminConfig{Guarded: true}, // its Handler is mounted nowhere: only the summary asks it
	})
	if err != nil {
		slog.Error("telemetry is off, and the shop works without it", "error", err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := tel.Shutdown(stopping); err != nil { // a server that is down; the shop itself has closed well
			slog.Warn("telemetry could not send all that it had", "error", err)
		}
	}()

	store, remove, err := openStore(ctx, o.db, tel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close(), remove()) }()
	tel.AddReadyCheck("database", store.Ready)
	tel.AddReadyCheck("stopping", func(context.Context) error { return ctx.Err() })

	api := shop.New(store, tel)
	defer api.Breaks.Close()
	tel.Admin().Handle(breaks.Path, "break the shop on purpose, and heal it", api.Breaks.Handler())

	server := &http.Server{
		Handler:           closing(ctx, api.Handler()),
		ConnState:         tel.ConnState,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	apiURL := localURL(listener.Addr())

	start := time.Now()
	working, stop := context.WithCancel(ctx)
	defer stop()
	if o.duration > 0 {
		defer time.AfterFunc(o.duration, stop).Stop()
	}
	customers := load.New(load.Config{URL: apiURL, Rate: o.rate, Mix: o.mix, Seeded: seeded})
	var traffic sync.WaitGroup
	if o.load {
		traffic.Go(func() { customers.Run(working) })
	}
	// Alerts begin after the orders that SinPedidos waits for, and end before.
	stopAlerts := startAlerts(ctx, tel, o, out)
	where(out, o, d, apiURL, tel.Admin().URL())
	if o.open && tel.Admin().URL() != "" {
		if err := openPage(ctx, tel.Admin().URL()); err != nil {
			slog.Warn("no browser can be opened from here", "error", err)
		}
	}
	if o.started != nil {
		o.started(apiURL, tel.Admin().URL())
	}
	select {
	case <-working.Done():
		fmt.Fprintln(out, "\nClosing: what is in flight is answered first.")
		select {
		case <-time.After(drain):
		case err = <-ended:
		}
	case err = <-ended: // by itself, which it should not
		err = fmt.Errorf("api on %s: %w", apiURL, err)
		stop()
	}
	stopAlerts()
	traffic.Wait()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err = errors.Join(err, server.Shutdown(stopping))
	summary(stopping, out, time.Since(start), customers.Summary(), tel.Admin().Handler())
	return err
}

// localURL is where this machine reaches the API.
func localURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + addr.String()
}

// listen takes the API's port, or says how to take another one.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program: stop it, or choose another port, as in -addr 127.0.0.1:8081", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("-addr %s: %w", addr, err)
	}
	return l, nil
}

// openStore opens the orders' database; remove deletes it if it was only for
// this run.
func openStore(ctx context.Context, path string, tel *telemetry.Telemetry) (store *shop.Store, remove func() error, err error) {
	remove = func() error { return nil }
	if path == "" {
		dir, err := os.MkdirTemp("", "tienda-")
		if err != nil {
			return nil, nil, fmt.Errorf("%w: choose a place for the orders with -db", err)
		}
		remove = func() error { return os.RemoveAll(dir) }
		path = filepath.Join(dir, "tienda.db")
	}
	store, err = shop.OpenStore(ctx, path, tel)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	if err := store.Seed(ctx, seeded); err != nil {
		return nil, nil, errors.Join(err, store.Close(), remove())
	}
	return store, remove, nil
}
