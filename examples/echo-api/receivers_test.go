package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

func TestReceivers(t *testing.T) {
	d, err := domain.Parse("domain.yaml", domainFile)
	if err != nil {
		t.Fatal(err)
	}
	webhook := domain.Receiver{Webhook: &domain.WebhookReceiver{URLEnv: "ALERT_WEBHOOK"}}
	mail := func(smtp string, plaintext bool, to ...string) domain.Receiver {
		return domain.Receiver{Severities: []domain.Severity{domain.SeverityPage, domain.SeverityTicket}, Email: &domain.EmailReceiver{To: to, SMTP: smtp, Plaintext: plaintext}}
	}
	for environment, want := range map[string]struct {
		added []domain.Receiver
		wrong string
	}{
		"":                                     {},
		"ALERT_WEBHOOK=http://127.0.0.1:5001/": {added: []domain.Receiver{webhook}},
		"ALERT_WEBHOOK=127.0.0.1:5001":         {wrong: "ALERT_WEBHOOK: is no URL"},
		"ALERT_WEBHOOK=hooks.example.com/secreto":                          {wrong: "ALERT_WEBHOOK: has no http:// or https:// in front"},
		"ALERT_EMAIL_TO=ana@example.com SMTP_ADDR=127.0.0.1:2525":          {added: []domain.Receiver{mail("127.0.0.1:2525", true, "ana@example.com")}},
		"ALERT_EMAIL_TO=ana@example.com,eva@example.com SMTP_ADDR=[::1]:1": {added: []domain.Receiver{mail("[::1]:1", true, "ana@example.com", "eva@example.com")}},
		"ALERT_EMAIL_TO=ana@example.com SMTP_ADDR=localhost:25":            {added: []domain.Receiver{mail("localhost:25", true, "ana@example.com")}},
		"ALERT_EMAIL_TO=ana@example.com SMTP_ADDR=smtp.example.com:587":    {added: []domain.Receiver{mail("smtp.example.com:587", false, "ana@example.com")}},
		"ALERT_EMAIL_TO=ana@example.com":                                   {wrong: "ALERT_EMAIL_TO: no mail is sent without a server: set SMTP_ADDR"},
		"SMTP_ADDR=127.0.0.1:2525":                                         {wrong: "SMTP_ADDR: no mail is sent to nobody: set ALERT_EMAIL_TO"},
		"ALERT_EMAIL_TO=, SMTP_ADDR=127.0.0.1:2525":                        {wrong: "write at least one address"},
		"ALERT_EMAIL_TO=ana SMTP_ADDR=127.0.0.1":                           {wrong: `"ana" is no mail address: write one such as guardia@example.com; "127.0.0.1" is no host and port`},
		"ALERT_EMAIL_TO=ana SMTP_ADDR=127.0.0.1:25 ALERT_WEBHOOK=https://a": {
			added: []domain.Receiver{webhook}, wrong: `"ana" is no mail address`},
	} {
		t.Run(environment, func(t *testing.T) {
			values := map[string]string{}
			for part := range strings.FieldsSeq(environment) {
				name, value, _ := strings.Cut(part, "=")
				values[name] = value
			}
			got, errs := withReceivers(d, func(name string) string { return values[name] })
			if added := got.Notify[len(d.Notify):]; !reflect.DeepEqual(added, append([]domain.Receiver{}, want.added...)) {
				t.Errorf("added %+v, want %+v", added, want.added)
			}
			if err := got.Validate(); err != nil {
				t.Error(err)
			}
			if text := fmt.Sprint(errs); (want.wrong == "") != (len(errs) == 0) || !strings.Contains(text, want.wrong) {
				t.Errorf("warnings %s, want %q", text, want.wrong)
			} else if strings.Contains(text, "secreto") {
				t.Errorf("the secret is told: %s", text)
			}
		})
	}
}
