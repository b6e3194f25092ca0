package am

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/embedded/alert"
)

// A receiver that is wrong costs itself: it is named with the reason, a delivery
// to it fails, and the others are told.
func TestWrongReceiver(t *testing.T) {
	t.Parallel()
	const mail = "{to: a@b.c, from: a@b.c, smarthost: 'h:25'"
	for name, c := range map[string]struct{ receiver, options, want string }{
		"no such option":          {"chat", "discord_configs: [{webhook: 'http://h/x'}]", "field webhook not found"},
		"not a number":            {"chat", "telegram_configs: [{chat_id: '@canal', bot_token: x}]", "@canal"},
		"not a truth value":       {"hook", "webhook_configs: [{url: 'http://h/x', send_resolved: maybe}]", "maybe"},
		"not a list":              {"hook", "webhook_configs: {url: 'http://h/x'}", "cannot unmarshal"},
		"no such template":        {"mail", "email_configs: [" + mail + ", text: '{{ template \"latido.text\" . }}'}]", "latido.text"},
		"half a template":         {"mail", "email_configs: [" + mail + ", text: '{{ if'}]", "text: template"},
		"no such field":           {"chat", "slack_configs: [{api_url: 'http://h/x', channel: c, text: '{{ .Nothing }}'}]", "can't evaluate field Nothing"},
		"no port":                 {"mail", "email_configs: [{to: a@b.c, from: a@b.c, smarthost: 'h:smtp'}]", "the port must be a number"},
		"a user, no word":         {"mail", "email_configs: [" + mail + ", auth_username: u}]", "has no password"},
		"no such function":        {"action/tel", "", `no function \"tel\"`},
		"an address that is none": {"hook", "webhook_configs: [{url: '::'}]", "hook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := make(chan alert.Alert, 10)
			s := observe(t, Config{
				File:    file([2]string{c.receiver, c.options}, [2]string{"action/tell", ""}),
				Actions: map[string]Action{"tell": func(_ context.Context, a alert.Alert) error { told <- a; return nil }},
			})
			if text := s.lines.String(); !strings.Contains(text, "receiver="+c.receiver) || !strings.Contains(text, c.want) {
				t.Errorf("the log says %q", text)
			}
			s.Put(firing("Slow"))
			select {
			case <-told:
			case <-time.After(3 * time.Minute):
				t.Fatal("the other receiver is not told")
			}
			wait(t, "the delivery fails", func() bool {
				return s.outcomes(t)[c.receiver+" failed"] > 0
			})
		})
	}
}

// Where no receiver is right, the log has the alerts.
func TestNoReceiverLeft(t *testing.T) {
	t.Parallel()
	log := &logs{}
	s := start(t, Config{File: file([2]string{"chat", "discord_configs: [{webhook: x}]"}), Logger: log.logger()})
	s.Put(firing("Slow"))
	wait(t, "the alert is in the log", func() bool { return strings.Contains(log.String(), "alert fires") })
}
