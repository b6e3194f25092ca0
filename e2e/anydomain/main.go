// Command anydomain is a service of any domain, for tests: it serves a few
// routes, asks them itself, and makes every event of the domain happen again
// and again with every value of its attributes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/embedded"
	"github.com/latido-dev/latido/telemetry"
)

func main() {
	file := flag.String("domain", "domain.yaml", "the domain `file`")
	addr := flag.String("addr", "127.0.0.1:0", "`address` of the service")
	dir := flag.String("evidence", "", "keep evidence for an Alertmanager server, in this `folder`")
	alerts := flag.Bool("alerts", false, "have rules and receivers in the process")
	flag.Parse()
	if err := run(*file, *addr, *dir, *alerts); err != nil {
		fmt.Fprintln(os.Stderr, "anydomain:", err)
		os.Exit(1)
	}
}

func run(file, addr, dir string, alerts bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d, err := domain.Load(file)
	if err != nil {
		return err
	}
	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})
	if err != nil {
		return err
	}
	defer tel.Shutdown(context.WithoutCancel(ctx))
	if dir != "" || alerts {
		inside, err := embedded.Start(ctx, tel, embedded.Config{Dir: dir, Memory: dir == "", EvidenceOnly: !alerts, Fast: true})
		if err != nil {
			return err
		}
		defer inside.Stop(context.WithoutCancel(ctx))
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes(tel), ConnState: tel.ConnState, ReadHeaderTimeout: time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.Error("serve", "error", err)
		}
	}()
	defer server.Close()
	work(ctx, tel, d, "http://"+listener.Addr().String())
	return nil
}

// routes are one of each class of status, and one that computes.
func routes(tel *telemetry.Telemetry) http.Handler {
	mux := tel.NewServeMux()
	answer := func(pattern string, status int) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
	plural := tel.Domain().Entity + "s"
	answer("GET /"+plural+"/{id}", http.StatusOK)
	answer("GET /old", http.StatusMovedPermanently)
	answer("GET /refused", http.StatusBadRequest)
	answer("GET /failing", http.StatusInternalServerError)
	mux.HandleFunc("POST /"+plural, func(w http.ResponseWriter, _ *http.Request) {
		for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
			_ = strings.Repeat("x", 1000)
		}
		tel.EntityCreated()
		tel.EntityUpdated()
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}

// work makes everything happen until ctx is done.
func work(ctx context.Context, tel *telemetry.Telemetry, d domain.Domain, url string) {
	plural := d.Entity + "s"
	monitored := tel.Monitor("work", func(context.Context) error { return nil })
	failing := tel.Monitor("fail", func(context.Context) error { return errors.New("always") })
	client := &http.Client{Transport: tel.Transport(nil), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for tick := time.Tick(100 * time.Millisecond); ; {
		for _, call := range []string{"GET /" + plural + "/7", "GET /old", "GET /refused", "GET /failing", "GET /nowhere", "POST /" + plural} {
			method, path, _ := strings.Cut(call, " ")
			ask(ctx, client, method, url+path)
		}
		for _, e := range d.Events {
			happen(ctx, tel, e)
		}
		for _, name := range append(d.Errors, "validation", "panic") {
			tel.APIError(telemetry.ErrorType(name))
		}
		_ = monitored(ctx)
		_ = failing(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

func ask(ctx context.Context, client *http.Client, method, url string) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return
	}
	if response, err := client.Do(r); err == nil {
		_ = response.Body.Close()
	}
}

// happen records an event once for each combination of its attributes' values.
func happen(ctx context.Context, tel *telemetry.Telemetry, e domain.Event) {
	combinations := [][]string{nil}
	for _, name := range e.AttributeNames() {
		var longer [][]string
		for _, c := range combinations {
			for _, value := range e.Attributes[name] {
				longer = append(longer, append(append([]string(nil), c...), name, value))
			}
		}
		combinations = longer
	}
	for i, c := range combinations {
		switch e.Kind {
		case domain.KindUpDown:
			tel.UpDown(e.Name).With(c...).Add(1)
		case domain.KindGauge:
			tel.Gauge(e.Name).With(c...).Set(float64(2 + i))
		case domain.KindHistogram:
			tel.Histogram(e.Name).With(c...).Record(ctx, float64(2+i))
		default:
			tel.Counter(e.Name).With(c...).Add(1)
		}
	}
}
