package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/latido-dev/latido/embedded"
	"github.com/latido-dev/latido/telemetry"
)

// startAlerts has the rules of the domain evaluated, and its receivers told, in
// the process. stop ends that; it must come before the telemetry's end.
func startAlerts(ctx context.Context, tel *telemetry.Telemetry, o options, out io.Writer) (stop func()) {
	alerts, err := embedded.Start(ctx, tel, embedded.Config{Fast: o.fast, Actions: map[string]embedded.Action{
		"anotar": func(_ context.Context, a embedded.Alert) error {
			return note(out, a.Labels, a.Annotations, a.Resolved())
		},
	}})
	if err != nil {
		slog.Error("alerts are off, and the shop works without them", "error", err)
	}
	return func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := alerts.Stop(stopping); err != nil {
			slog.Warn("alerts did not stop as they should", "error", err)
		}
	}
}

// console lets alerts be noted down while the rest of the program prints. Each
// Write comes out in one piece.
type console struct {
	mu  sync.Mutex
	out io.Writer
}

func (c *console) Write(text []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(text)
}

// note writes an alert down with its cause: it is what the action "anotar" of
// domain.yaml does. A service may as well open a ticket here, or shed load.
func note(out io.Writer, labels, annotations map[string]string, resolved bool) error {
	var b strings.Builder
	b.WriteString("\nALERT ")
	if resolved {
		b.WriteString("over: ")
	}
	b.WriteString(labels["alertname"])
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		switch label {
		case "alertname", "domain", "job", "instance", "severity": // the same for all, or of no interest to who is here
		default:
			fmt.Fprintf(&b, " %s=%s", label, labels[label])
		}
	}
	fmt.Fprintf(&b, ": %s\n", annotations["summary"])
	if !resolved {
		for _, a := range []struct{ name, says string }{
			{"cause", "because"}, {"next", "next"}, {"also_1", "also"}, {"also_2", "also"}, {"hot_1", "hot"}, {"waits_1", "waits"}, {"changed", "changed"}, {"evidence", "evidence"}, {"incident", "more"},
		} {
			if text := annotations[a.name]; text != "" {
				fmt.Fprintf(&b, "  %-9s %s\n", a.says, text)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
