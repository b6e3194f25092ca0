package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
)

// The environment of the receivers. What a domain file has in place of them
// are the names of such variables.
const (
	webhookEnv = "ALERT_WEBHOOK"  // URL, which may have a secret in it
	mailToEnv  = "ALERT_EMAIL_TO" // addresses, with commas between them
	smtpEnv    = "SMTP_ADDR"      // host:port of the mail server
)

// withReceivers adds the receivers that the environment turns on to those of
// the domain. What is wrong there is left out, and returned: a shop opens
// without its mail.
func withReceivers(d domain.Domain, getenv func(string) string) (domain.Domain, []error) {
	var wrong []error
	if target := getenv(webhookEnv); target != "" {
		// As a part of the domain it is only a name: its value is checked here,
		// by the same rules.
		if err := checkReceiver(d, domain.Receiver{Webhook: &domain.WebhookReceiver{URL: target}}); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", webhookEnv, err))
		} else {
			d = notifying(d, domain.Receiver{Webhook: &domain.WebhookReceiver{URLEnv: webhookEnv}})
		}
	}
	switch to, smtp := getenv(mailToEnv), getenv(smtpEnv); {
	case to == "" && smtp == "":
	case smtp == "":
		wrong = append(wrong, fmt.Errorf("%s: no mail is sent without a server: set %s, as in 127.0.0.1:2525", mailToEnv, smtpEnv))
	case to == "":
		wrong = append(wrong, fmt.Errorf("%s: no mail is sent to nobody: set %s, as in guardia@example.com", smtpEnv, mailToEnv))
	default:
		// People need not hear of the heartbeat, which never ends.
		heard := []domain.Severity{domain.SeverityPage, domain.SeverityTicket}
		mail := domain.Receiver{Severities: heard, Email: &domain.EmailReceiver{To: addresses(to), SMTP: smtp, Plaintext: isLoopback(smtp)}}
		if err := checkReceiver(d, mail); err != nil {
			wrong = append(wrong, fmt.Errorf("%s, %s: %w", mailToEnv, smtpEnv, err))
		} else {
			d = notifying(d, mail)
		}
	}
	return d, wrong
}

func notifying(d domain.Domain, r domain.Receiver) domain.Domain {
	d.Notify = append(slices.Clone(d.Notify), r)
	return d
}

// checkReceiver says what is wrong with a receiver of a domain that is right
// without it.
func checkReceiver(d domain.Domain, r domain.Receiver) error {
	err := notifying(d, r).Validate()
	var mistakes domain.Errors
	if !errors.As(err, &mistakes) {
		return err
	}
	var texts []string
	for _, m := range mistakes { // without their place, which is in no file
		texts = append(texts, m.Message)
	}
	return errors.New(strings.Join(texts, "; "))
}

func addresses(list string) (to []string) {
	for address := range strings.SplitSeq(list, ",") {
		if address = strings.TrimSpace(address); address != "" {
			to = append(to, address)
		}
	}
	return to
}

// isLoopback tells whether a mail server is on this machine, where nobody
// listens on the way: only there may it do without TLS.
func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
