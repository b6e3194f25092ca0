package am

import (
	"context"
	"log/slog"

	amalert "github.com/prometheus/alertmanager/alert"

	"github.com/latido-dev/latido/embedded/alert"
)

// logReceiver is the receiver that writes to the service's log.
const logReceiver = "log"

// maxLines is how many alerts of one message have a line of their own.
const maxLines = 10

// logged writes a line for each alert that fires and each that is resolved.
type logged struct {
	log   *slog.Logger
	known *known
}

// Notify implements notify.Notifier.
func (l *logged) Notify(ctx context.Context, alerts ...*amalert.Alert) (bool, error) {
	fresh := freshOf(ctx, alerts)
	for i, a := range fresh {
		if i == maxLines {
			l.log.WarnContext(ctx, "more alerts of the same group", "name", a.Name(), "alerts", len(fresh)-maxLines)
			break
		}
		one := l.known.alertOf(a)
		l.log.LogAttrs(ctx, levelOf(one), messageOf(one), attrsOf(one)...)
	}
	return false, nil
}

func messageOf(a alert.Alert) string {
	message := "alert fires"
	if a.Resolved() {
		message = "alert is resolved"
	}
	if a.Drill() {
		message = "drill: " + message
	}
	return message
}

// levelOf says how much an alert matters: a drill, or one that is over, is only
// for information.
func levelOf(a alert.Alert) slog.Level {
	if a.Resolved() || a.Drill() {
		return slog.LevelInfo
	}
	switch a.Labels["severity"] {
	case "page":
		return slog.LevelError
	case "info":
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

func attrsOf(a alert.Alert) []slog.Attr {
	attrs := []slog.Attr{slog.String("name", a.Name())}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("severity", a.Labels["severity"])
	add("endpoint", a.Labels["endpoint"])
	add("summary", a.Annotations["summary"])
	for _, name := range []string{"cause", "next", "also_1", "also_2"} {
		add(name, a.Annotations[name])
	}
	add("hot", a.Annotations["hot_1"])
	add("waits", a.Annotations["waits_1"])
	add("evidence", a.Annotations["evidence"])
	add("incident", a.Annotations["incident"])
	add("dashboard", a.Annotations["dashboard"])
	add("runbook", a.Annotations["runbook_url"])
	attrs = append(attrs, slog.Time("since", a.StartsAt))
	if a.Resolved() {
		attrs = append(attrs, slog.Time("until", a.EndsAt))
	}
	return attrs
}
