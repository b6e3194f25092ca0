package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// notification is an alert as Alertmanager's webhook tells of it.
type notification struct {
	Status      string            `json:"status"` // firing or resolved
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// webhook is a receiver that keeps what it is told.
type webhook struct {
	*httptest.Server

	mu   sync.Mutex
	told []notification
}

func startWebhook(t testing.TB) *webhook {
	w := &webhook{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var message struct {
			Alerts []notification `json:"alerts"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 4<<20)).Decode(&message); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, message.Alerts...)
	}))
	t.Cleanup(w.Close)
	return w
}

// all are the notifications so far.
func (w *webhook) all() []notification {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// forget begins anew.
func (w *webhook) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = nil
}

// alerts are the label sets that were told of with a status, those that some
// is true for, each once and sorted.
func (w *webhook) alerts(status string, some func(labels map[string]string) bool) []string {
	return w.list(status, some, labelSet)
}

// names are their names, with their endpoints.
func (w *webhook) names(status string, some func(labels map[string]string) bool) []string {
	return w.list(status, some, func(l map[string]string) string { return strings.TrimSpace(l["alertname"] + " " + l["endpoint"]) })
}

func (w *webhook) list(status string, some func(map[string]string) bool, as func(map[string]string) string) []string {
	var list []string
	for _, n := range w.all() {
		if n.Status == status && some(n.Labels) {
			list = append(list, as(n.Labels))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// labelSet writes labels as text.
func labelSet(labels map[string]string) string {
	var pairs []string
	for name, value := range labels {
		pairs = append(pairs, fmt.Sprintf("%s=%q", name, value))
	}
	slices.Sort(pairs)
	return "{" + strings.Join(pairs, ",") + "}"
}

// message is a mail as a person reads it.
type message struct {
	From, To      string
	Subject       string
	Text, HTML    string
	MessageID     string
	References    string
	Authenticated bool
}

// mailbox is a real SMTP server on loopback, which takes every mail.
type mailbox struct {
	addr string

	mu    sync.Mutex
	mails []message
}

func startMailbox(t testing.TB) *mailbox {
	t.Helper()
	return startMailboxAt(t, "127.0.0.1:0", nil, "")
}

// startMailboxAt is a mailbox that wants STARTTLS and a password, where these are
// given.
func startMailboxAt(t testing.TB, addr string, secure *tls.Config, password string) *mailbox {
	t.Helper()
	m := &mailbox{}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		if password == "" {
			return &delivery{box: m}, nil
		}
		return &login{delivery{box: m}, password}, nil
	}))
	server.Domain, server.TLSConfig = "localhost", secure
	server.ReadTimeout, server.WriteTimeout = 2*time.Minute, 2*time.Minute
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return m
}

// all are the mails so far.
func (m *mailbox) all() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// forget begins anew.
func (m *mailbox) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = nil
}

// has wants a mail about an alert, and returns what its two parts lack of what
// the annotations must have; for no name it wants one that says that an alert is
// over.
func (m *mailbox) has(name string, evidence map[string]string) (lacks []string, err error) {
	for _, mail := range m.all() {
		if name == "" && strings.Contains(mail.Subject, over) {
			return nil, nil
		}
		if name == "" || !strings.Contains(mail.Text, name) || strings.Contains(mail.Subject, over) {
			continue
		}
		for annotation, want := range evidence {
			for _, word := range strings.Split(want, " | ") { // columns
				if !strings.Contains(mail.Text, word) || !strings.Contains(html.UnescapeString(mail.HTML), word) {
					lacks = append(lacks, fmt.Sprintf("%s %q is missing in the mail:\n%s\n%s", annotation, word, mail.Text, mail.HTML))
				}
			}
		}
		return lacks, nil
	}
	var subjects []string
	for _, mail := range m.all() {
		subjects = append(subjects, mail.Subject)
	}
	return nil, fmt.Errorf("mails %q", subjects)
}

// login is a conversation with somebody who knows the password.
type login struct {
	delivery
	password string
}

func (l *login) AuthMechanisms() []string { return []string{sasl.Plain} }

func (l *login) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != l.password {
			return smtp.ErrAuthFailed
		}
		l.authenticated = true
		return nil
	}), nil
}

// over is how the subject of a mail says that an alert is resolved.
const over = "RESUELTA"

// delivery is one conversation.
type delivery struct {
	box           *mailbox
	from, to      string
	authenticated bool
}

func (d *delivery) Mail(from string, _ *smtp.MailOptions) error { d.from = from; return nil }
func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error   { d.to = to; return nil }
func (d *delivery) Reset()                                      {}
func (d *delivery) Logout() error                               { return nil }

func (d *delivery) Data(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, 4<<20))
	if err != nil {
		return err
	}
	mail, err := readMail(data)
	if err != nil {
		return err
	}
	mail.From, mail.To, mail.Authenticated = d.from, d.to, d.authenticated
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	d.box.mails = append(d.box.mails, mail)
	return nil
}

// readMail takes a mail with a text and an HTML part apart.
func readMail(data []byte) (m message, err error) {
	raw, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return m, err
	}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(raw.Header.Get("Subject")); err != nil {
		return m, err
	}
	m.MessageID, m.References = raw.Header.Get("Message-Id"), raw.Header.Get("References")
	_, params, err := mime.ParseMediaType(raw.Header.Get("Content-Type"))
	if err != nil {
		return m, err
	}
	parts := multipart.NewReader(raw.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		body := io.Reader(part)
		switch strings.ToLower(part.Header.Get("Content-Transfer-Encoding")) {
		case "quoted-printable":
			body = quotedprintable.NewReader(part)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, part)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return m, err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			m.HTML = string(text)
		} else {
			m.Text = string(text)
		}
	}
}
