package scaffold

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/domain"
)

// The variables of .env that a new service's receiver takes its secret from.
const (
	webhookVariable = "ALERT_WEBHOOK"
	slackVariable   = "ALERT_SLACK_URL"
	mailVariable    = "SMTP_PASSWORD"
)

// hears is the person who hears of alerts: an e-mail address with its server, or
// the address of a webhook. The zero value has the webhook's address written
// into .env later.
type hears struct{ who, smtp string }

// checkWho reports what is wrong with who is to hear of alerts.
func checkWho(who string) error {
	if who == "" {
		return nil
	}
	if address, err := mail.ParseAddress(who); err == nil && address.Address == who {
		return nil
	}
	if u, err := url.Parse(who); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
		return nil
	}
	return errors.New("is neither an e-mail address nor that of a webhook: write guardia@example.com, or https://hooks.example.com/x")
}

func (h hears) mail() bool { return h.who != "" && !strings.Contains(h.who, "://") }

// slack tells whether the webhook takes Slack's messages.
func (h hears) slack() bool {
	u, err := url.Parse(h.who)
	return err == nil && u.Hostname() == "hooks.slack.com"
}

// server is the mail server, a usual one where nobody has said which.
func (h hears) server() string {
	if h.smtp != "" {
		return h.smtp
	}
	_, host, _ := strings.Cut(h.who, "@")
	return "smtp." + host + ":587"
}

// receiver is the line of the domain file, and the variable of its secret.
func (h hears) receiver() (line, variable string) {
	switch {
	case h.mail():
		return fmt.Sprintf("  - email: {to: [%q], from: %[1]q, smtp: %q, password_env: %s}\n", h.who, h.server(), mailVariable), mailVariable
	case h.slack():
		return fmt.Sprintf("  - slack: {url_env: %s, channel: \"#alerts\"}\n", slackVariable), slackVariable
	}
	return fmt.Sprintf("  - webhook: {url_env: %s}\n", webhookVariable), webhookVariable
}

// checkSMTP reports what is wrong with a mail server, in the domain's own words.
func checkSMTP(address string) error {
	email := &domain.EmailReceiver{To: []string{"x@example.com"}, SMTP: address}
	return mistakeAt(domain.Domain{Prefix: "prefix0", Entity: "x", Notify: []domain.Receiver{{Email: email}}}, "notify[0].email.smtp")
}

// askWho asks who hears of alerts, unless a flag says so.
func (s *starter) askWho() (err error) {
	if s.hears.who == "" {
		if s.hears.who, err = s.asker.ask("Who hears of alerts: an e-mail address, or the address of a webhook, Slack's too", "", checkWho); err != nil {
			return fmt.Errorf("%w: say -notify", err)
		}
	}
	if s.hears.mail() && s.hears.smtp == "" {
		if s.hears.smtp, err = s.asker.ask("Mail server, with its port", s.hears.server(), checkSMTP); err != nil {
			return fmt.Errorf("%w: say -smtp", err)
		}
	}
	return nil
}

// secrets plans .env: passwords that nobody needs to think of, and what the
// receiver logs in with as far as it is known. One that is there is its owner's.
func (s *starter) secrets(p *plan, example []byte) error {
	if err := ignoreSecrets(p); err != nil {
		return err
	}
	if exists(filepath.Join(p.dir, ".env")) {
		p.say(".env", "ok", "is there, and stays")
		return nil
	}
	text := regexp.MustCompile(`(?m)^(GRAFANA_PASSWORD|LATIDO_PASSWORD)=$`).ReplaceAllFunc(example, func(line []byte) []byte {
		return slices.Concat(line, []byte(password())) // line is a part of example
	})
	text = bytes.Replace(text, []byte("# Copy it to .env, which stays out of version control.\n"), []byte("# The service's secrets: it stays out of version control.\n"), 1)
	if _, variable := s.hears.receiver(); s.hears.who != "" && !s.hears.mail() {
		text = bytes.Replace(text, []byte("\n"+variable+"=\n"), []byte("\n"+variable+"="+s.hears.who+"\n"), 1)
	}
	p.files = append(p.files, planned{path: ".env", content: text, about: "with passwords of its own", secret: true})
	return nil
}

// password is one that nobody guesses.
func password() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// ignoreSecrets keeps .env, which has passwords, out of version control: of a
// .gitignore that is there it is the last line.
func ignoreSecrets(p *plan) error {
	const name = ".gitignore"
	there, err := readIfThere(filepath.Join(p.dir, name))
	if err != nil {
		return err
	}
	ignores := []string{".env", "/.env", ".env*", "*.env"}
	if slices.ContainsFunc(strings.Split(string(there), "\n"), func(line string) bool { return slices.Contains(ignores, strings.TrimSpace(line)) }) {
		p.say(name, "ok", "has .env")
		return nil
	}
	text := string(there)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	p.files = append(p.files, planned{path: name, content: []byte(text + ".env\n"), from: there, about: "passwords stay here"})
	return nil
}

// unheard names what is still to be written for a person to hear of alerts;
// "" for nothing.
func unheard(dir string, missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	return "Nobody hears of alerts yet: write " + cli.Few(missing) + ", or another receiver into " + filepath.Join(dir, cli.DomainFile) + "."
}
