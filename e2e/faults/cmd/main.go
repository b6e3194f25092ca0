// Command parcels is a service that the tests break, and what it depends on:
// parcels serve, parcels peer, parcels dns, parcels seed, parcels sql, parcels burn.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/e2e/faults/fault"
	"github.com/latido-dev/latido/e2e/faults/parcel"
	"github.com/latido-dev/latido/e2e/faults/peer"
	"github.com/latido-dev/latido/embedded"
	"github.com/latido-dev/latido/telemetry"
)

func main() {
	commands := map[string]func(context.Context, *flag.FlagSet, []string) error{
		"serve": serve, "peer": servePeer, "dns": serveDNS, "seed": seed, "sql": execSQL, "burn": burn,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "parcels: serve, peer, dns, seed, sql or burn")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, flag.NewFlagSet(os.Args[1], flag.ExitOnError), os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "parcels:", err)
		os.Exit(1)
	}
}

// fastProfiles is the length of a profile's window with -fast.
const fastProfiles = 2 * time.Second

func serve(ctx context.Context, flags *flag.FlagSet, args []string) (err error) {
	addr := flags.String("addr", "127.0.0.1:8080", "`address` of the API")
	data := flags.String("data", ".", "`folder` of the data")
	spool := flags.String("spool", ".", "`folder` of the labels")
	logFile := flags.String("log", "", "`file` of the log; empty means stderr")
	rates := flags.String("rates", "", "`URL` of the rates")
	geo := flags.String("geo", "", "`URL` of the places")
	dns := flags.String("dns", "", "`address` of the DNS server")
	version := flags.String("version", "1.0.0", "`version` of the service")
	fast := flags.Bool("fast", false, "a minute of the rules passes in a second")
	control := flags.String("control", "", "`socket` of the switch")
	on := flags.String("on", "", "`faults` that are on from the start")
	_ = flags.Parse(args)
	fault.Set(*on)
	if err := fault.Listen(*control); err != nil {
		return err
	}
	sink := os.Stderr
	if *logFile != "" {
		if sink, err = os.OpenFile(*logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		defer sink.Close()
	}
	logger := slog.New(slog.NewJSONHandler(sink, nil))
	slog.SetDefault(logger)

	d, err := parcel.Domain()
	if err != nil {
		return err
	}
	var profiling continuous.Config
	if *fast {
		profiling.Interval = fastProfiles
	}
	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d, Version: *version, Profiling: profiling, DiskPath: *spool})
	if err != nil {
		logger.Error("telemetry is off", "error", err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, tel.Shutdown(stopping))
	}()
	service, err := parcel.New(ctx, parcel.Config{Data: *data, Spool: *spool, Rates: *rates, Geo: *geo, DNS: *dns, Log: logger}, tel)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	alerts, err := embedded.Start(ctx, tel, embedded.Config{Dir: filepath.Join(*data, "latido"), Fast: *fast})
	if err != nil {
		logger.Error("alerts are off", "error", err)
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = errors.Join(err, alerts.Stop(stopping))
	}()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	return serveUntil(ctx, listener, &http.Server{
		Handler: service.Handler(), ConnState: tel.ConnState, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError),
	})
}

// serveUntil serves until ctx is done.
func serveUntil(ctx context.Context, l net.Listener, server *http.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil { // requests that hang are cut
		return server.Close()
	}
	return nil
}

func servePeer(ctx context.Context, flags *flag.FlagSet, args []string) error {
	addr := flags.String("addr", "127.0.0.1:0", "`address`")
	name := flags.String("name", "rates", "which peer: rates or geo")
	control := flags.String("control", "", "`socket` of the switch")
	_ = flags.Parse(args)
	if err := fault.Listen(*control); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	return serveUntil(ctx, l, &http.Server{Handler: peer.Handler(*name), ReadHeaderTimeout: 5 * time.Second})
}

func serveDNS(ctx context.Context, flags *flag.FlagSet, args []string) error {
	addr := flags.String("addr", "127.0.0.1:0", "`address`")
	control := flags.String("control", "", "`socket` of the switch")
	_ = flags.Parse(args)
	if err := fault.Listen(*control); err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", *addr)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := peer.ServeDNS(conn); ctx.Err() == nil {
		return err
	}
	return nil
}

// seed makes the database that each run starts with.
func seed(ctx context.Context, flags *flag.FlagSet, args []string) error {
	data := flags.String("data", ".", "`folder` of the data")
	_ = flags.Parse(args)
	store, err := parcel.OpenStore(ctx, filepath.Join(*data, "parcels.db"), nil)
	if err != nil {
		return err
	}
	return errors.Join(store.Seed(ctx, 12_000, 12), store.Close())
}

// execSQL is what an administrator does to the database by hand.
func execSQL(ctx context.Context, flags *flag.FlagSet, args []string) error {
	data := flags.String("data", ".", "`folder` of the data")
	_ = flags.Parse(args)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(*data, "parcels.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, flags.Arg(0))
	return errors.Join(err, db.Close())
}

// burn uses as many CPUs as it is told to, until it is ended.
func burn(ctx context.Context, flags *flag.FlagSet, args []string) error {
	threads := flags.Int("threads", 4, "how many")
	_ = flags.Parse(args)
	for range *threads {
		go func() {
			for n := 0; ctx.Err() == nil; n++ {
				_ = n * n
			}
		}()
	}
	<-ctx.Done()
	return nil
}
