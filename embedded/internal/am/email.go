package am

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode"

	amalert "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	gomail "github.com/wneessen/go-mail"
)

// maxHeader is the longest header value, in runes.
const maxHeader = 250

// email sends mail as Alertmanager's own integration does, from the same
// configuration and templates. That one keeps no deadline, ends a mail that it
// could not finish writing so that half of it is sent, and tells a password to a
// server without encryption if it is allowed to speak without.
type email struct {
	conf *config.EmailConfig
	tmpl *template.Template
	log  *slog.Logger
}

func newEmail(c *config.EmailConfig, tmpl *template.Template, log *slog.Logger) (*email, error) {
	conf := *c
	conf.Headers = maps.Clone(c.Headers)
	if conf.Headers == nil {
		conf.Headers = map[string]string{}
	}
	for name, value := range map[string]string{"Subject": config.DefaultEmailSubject, "To": c.To, "From": c.From} {
		if _, ok := conf.Headers[name]; !ok {
			conf.Headers[name] = value
		}
	}
	e := &email{conf: &conf, tmpl: tmpl, log: log}
	// A password whose file is not there may come yet.
	if _, err := e.dialer(context.Background()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return e, nil
}

// Notify implements notify.Notifier. The mail is complete before the server
// hears of it.
func (e *email) Notify(ctx context.Context, alerts ...*amalert.Alert) (retry bool, err error) {
	message, err := e.render(ctx, alerts)
	if err != nil {
		return false, err
	}
	return e.send(ctx, message)
}

// render makes the mail: a text and an HTML part, with every header on one line.
func (e *email) render(ctx context.Context, alerts []*amalert.Alert) (*gomail.Msg, error) {
	data := notify.GetTemplateData(ctx, e.tmpl, alerts, e.log)
	text := func(what, template string) (string, error) {
		out, err := e.tmpl.ExecuteTextString(template, data)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return out, nil
	}
	m := gomail.NewMsg(gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP))
	if err := e.address(m, text); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(e.conf.Headers)) {
		value, err := text("header "+name, e.conf.Headers[name])
		if err != nil {
			return nil, err
		}
		switch value = oneLine(value); name {
		case "Subject":
			m.Subject(value)
		case "From", "To", "Cc", "Bcc", "Reply-To":
			err = setAddresses(m, name, value)
		case "Message-Id", "References", "In-Reply-To":
			m.SetGenHeaderPreformatted(gomail.Header(name), value)
		default:
			m.SetGenHeader(gomail.Header(name), value)
		}
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
	}
	if _, own := e.conf.Headers["Message-Id"]; !own {
		m.SetMessageID()
	}
	if err := e.thread(ctx, m); err != nil {
		return nil, err
	}
	m.SetUserAgent("Latido")
	m.SetDate()
	body, err := text("text", e.conf.Text)
	if err != nil {
		return nil, err
	}
	html := ""
	if e.conf.HTML != "" {
		if html, err = e.tmpl.ExecuteHTMLString(e.conf.HTML, data); err != nil {
			return nil, fmt.Errorf("html: %w", err)
		}
	}
	switch {
	case body != "" && html != "": // the part that is preferred comes last
		m.SetBodyString(gomail.TypeTextPlain, body)
		m.AddAlternativeString(gomail.TypeTextHTML, html)
	case html != "":
		m.SetBodyString(gomail.TypeTextHTML, html)
	default:
		m.SetBodyString(gomail.TypeTextPlain, body)
	}
	return m, nil
}

// address sets who the mail is from and to, for the server; the headers may say
// otherwise.
func (e *email) address(m *gomail.Msg, text func(what, template string) (string, error)) error {
	from, err := text("from", e.conf.From)
	if err != nil {
		return err
	}
	senders, err := mail.ParseAddressList(from)
	if err != nil || len(senders) != 1 {
		return fmt.Errorf("from %q: write one address", oneLine(from))
	}
	to, err := text("to", e.conf.To)
	if err != nil {
		return err
	}
	if _, err := mail.ParseAddressList(to); err != nil {
		return fmt.Errorf("to %q: write addresses with a comma between them", oneLine(to))
	}
	return errors.Join(m.EnvelopeFrom(senders[0].Address), m.ToFromString(to))
}

// setAddresses sets a header of addresses. The mail goes to those of To, Cc and
// Bcc.
func setAddresses(m *gomail.Msg, name, value string) error {
	list, err := mail.ParseAddressList(value)
	if err != nil {
		return fmt.Errorf("%q is no list of addresses", value)
	}
	var all []string
	for _, a := range list {
		all = append(all, a.String())
	}
	return m.SetAddrHeader(gomail.AddrHeader(name), all...)
}

// thread puts the mails of a group into one thread, the one that says resolved
// with the one that says firing: all answer a mail that never was, as
// Alertmanager's do.
func (e *email) thread(ctx context.Context, m *gomail.Msg) error {
	for _, name := range []string{"References", "In-Reply-To"} {
		if _, own := e.conf.Headers[name]; own {
			return nil
		}
	}
	key, err := notify.ExtractGroupKey(ctx)
	if err != nil {
		return err
	}
	root := "alert-" + key.Hash()[:16]
	if e.conf.Threading.Enabled && e.conf.Threading.ThreadByDate != "none" {
		root += "-" + time.Now().Format(time.DateOnly)
	}
	for _, name := range []gomail.Header{"References", "In-Reply-To"} {
		m.SetGenHeaderPreformatted(name, "<"+root+"@alertmanager>")
	}
	return nil
}

// oneLine makes a text fit for a header: label values may hold line breaks, and
// with them headers of their own.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxHeader {
		s = string(runes[:maxHeader-1]) + "…"
	}
	return s
}
