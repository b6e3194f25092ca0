// Command levels is a service for tests: its two business events stand as high
// as its flags say, also after a restart, and each has a threshold of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/embedded"
	"github.com/latido-dev/latido/telemetry"
)

func main() {
	quick := flag.Int64("quick", 0, "level of the event that alerts after a second")
	patient := flag.Int64("patient", 0, "level of the event that alerts after a minute")
	dir := flag.String("dir", "", "`folder` of the data")
	series := flag.Int("series", 0, "further series, whose values change all the time")
	flag.Parse()
	if err := run(*quick, *patient, *dir, *series); err != nil {
		fmt.Fprintln(os.Stderr, "levels:", err)
		os.Exit(1)
	}
}

func run(quick, patient int64, dir string, series int) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: levels(series)})
	if err != nil {
		return err
	}
	defer tel.Shutdown(context.WithoutCancel(ctx))
	tel.UpDown("quick").With().Add(quick)
	tel.UpDown("patient").With().Add(patient)
	alerts, err := embedded.Start(ctx, tel, embedded.Config{Dir: dir, ScrapeInterval: time.Second, EvaluationInterval: time.Second})
	if err != nil {
		return err
	}
	defer func() {
		if err := alerts.Stop(context.WithoutCancel(ctx)); err != nil {
			slog.Error("stop", "error", err)
		}
	}()
	change(ctx, tel, series)
	return nil
}

// levels is the domain.
func levels(series int) domain.Domain {
	above := domain.Quantity(5)
	d := domain.Domain{
		Prefix: "levels", Entity: "level",
		Events: []domain.Event{
			{Name: "quick", Kind: domain.KindUpDown},
			{Name: "patient", Kind: domain.KindUpDown},
		},
		Thresholds: []domain.Threshold{
			{Name: "Quick", Event: "quick", Above: &above, For: domain.Duration(time.Second), Severity: domain.SeverityPage},
			{Name: "Patient", Event: "patient", Above: &above, For: domain.Duration(time.Minute), Severity: domain.SeverityPage},
		},
		DefaultRules: domain.DefaultRules{Disable: []string{"all"}},
	}
	if os.Getenv("ALERT_WEBHOOK") != "" {
		d.Notify = append(d.Notify, domain.Receiver{Webhook: &domain.WebhookReceiver{URLEnv: "ALERT_WEBHOOK"}})
	}
	if series > 0 {
		d.Events = append(d.Events, domain.Event{Name: "busy", Attributes: map[string][]string{"n": names(series)}})
	}
	return d
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("n%d", i)
	}
	return list
}

// change counts until ctx is done.
func change(ctx context.Context, tel *telemetry.Telemetry, series int) {
	if series == 0 {
		<-ctx.Done()
		return
	}
	busy := tel.Counter("busy")
	for tick := time.Tick(500 * time.Millisecond); ; {
		for i, name := range names(series) {
			busy.With("n", name).Add(int64(i*i + 1))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}
