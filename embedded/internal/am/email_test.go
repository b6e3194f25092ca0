package am

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailbox is a real SMTP server and what it took.
type mailbox struct {
	address string
	tls     *tls.Config // nil for none
	refuse  error       // of every recipient

	mu         sync.Mutex
	mails      []received
	passwords  []string
	transcript bytes.Buffer // all that clients said outside of TLS
}

type received struct {
	from string
	to   []string
	raw  []byte
}

// session is one conversation.
type session struct {
	box  *mailbox
	mail received
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.mail.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = append(s.mail.to, to)
	return s.box.refuse
}
func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.raw = b
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, s.mail)
	return nil
}
func (s *session) Reset()        { s.mail = received{} }
func (s *session) Logout() error { return nil }
func (s *session) AuthMechanisms() []string {
	return []string{sasl.Plain}
}
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.box.mu.Lock()
		defer s.box.mu.Unlock()
		s.box.passwords = append(s.box.passwords, user+":"+password)
		return nil
	}), nil
}

// transcribed writes down what comes in.
type transcribed struct {
	net.Listener
	box *mailbox
}

func (l transcribed) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return transcribedConn{c, l.box}, err
}

type transcribedConn struct {
	net.Conn
	box *mailbox
}

func (c transcribedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.box.mu.Lock()
	defer c.box.mu.Unlock()
	c.box.transcript.Write(b[:n])
	return n, err
}

func (b *mailbox) start(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }))
	server.TLSConfig, server.AllowInsecureAuth, server.Domain = b.tls, true, "localhost"
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(transcribed{l, b})
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return b
}

func (b *mailbox) got() []received {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.mails)
}

// parts are the header and the decoded text and HTML of a mail.
func (r received) parts(t *testing.T) (header mail.Header, text, html string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(r.raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q: %v", kind, err)
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return m.Header, text, html
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			html = string(body)
		} else {
			text = string(body)
		}
	}
}

// mailTemplates are some in the form of those that alerting writes.
const mailTemplates = `{{ define "latido.subject" }}[{{ .Status }}] {{ .GroupLabels.alertname }} {{ .CommonAnnotations.summary }}{{ end }}
{{ define "latido.text" }}{{ range .Alerts }}{{ .Labels.alertname }} {{ .Annotations.cause }}{{ end }}{{ end }}
{{ define "latido.html" }}<table>{{ range .Alerts }}<tr><td>{{ .Annotations.cause }}</td></tr>{{ end }}</table>{{ end }}`

func mailTo(address, options string) [2]string {
	return [2]string{"mail", fmt.Sprintf(`email_configs: [{to: "Ana <ana@example.org>, bob@example.org", from: latido@example.org, smarthost: %q, send_resolved: true, headers: {From: 'Alerts <alerts@example.org>', Subject: '{{ template "latido.subject" . }}'}, text: '{{ template "latido.text" . }}', html: '{{ template "latido.html" . }}'%s}]`, address, options)}
}

func TestMail(t *testing.T) {
	t.Parallel()
	box := (&mailbox{}).start(t)
	s := start(t, Config{File: file(mailTo(box.address, ", require_tls: false")), Templates: []byte(mailTemplates)})
	a := firing("Slow")
	a.Annotations["summary"] = "añadir\r\nBcc: evil@example.org\r\n\r\nhello " + strings.Repeat("x", 500)
	a.Annotations["cause"] = "<script>alert(1)</script> takes 80 %"
	s.Put(a)
	wait(t, "a mail", func() bool { return len(box.got()) == 1 })
	s.Put(resolved(a))
	wait(t, "a second mail", func() bool { return len(box.got()) == 2 })
	mails := box.got()
	header, text, html := mails[0].parts(t)
	if mails[0].from != "latido@example.org" || fmt.Sprint(mails[0].to) != "[ana@example.org bob@example.org]" {
		t.Errorf("from %s to %v", mails[0].from, mails[0].to)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "[firing] Slow añadir Bcc: evil@example.org hello xxx") || len([]rune(subject)) != maxHeader {
		t.Errorf("subject %q: %v", subject, err)
	}
	if header.Get("Bcc") != "" || header.Get("To") != `"Ana" <ana@example.org>, <bob@example.org>` || header.Get("From") != `"Alerts" <alerts@example.org>` || header.Get("Date") == "" || header.Get("Message-Id") == "" {
		t.Errorf("header: %v", header)
	}
	if text != "Slow <script>alert(1)</script> takes 80 %" || html != "<table><tr><td>&lt;script&gt;alert(1)&lt;/script&gt; takes 80 %</td></tr></table>" {
		t.Errorf("text %q\nhtml %q", text, html)
	}
	second, _, _ := mails[1].parts(t)
	if ref := header.Get("References"); ref == "" || ref != second.Get("References") || ref != second.Get("In-Reply-To") {
		t.Errorf("references %q and %q: want one thread", ref, second.Get("References"))
	}
	if second.Get("Message-Id") == header.Get("Message-Id") || !strings.Contains(second.Get("Subject"), "[resolved]") {
		t.Errorf("second header: %v", second)
	}
}

// certificate is one for 127.0.0.1, and the file of its authority.
func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, ca
}

const password = ", auth_username: ana, auth_password: correct-horse"

// With a password: encrypted, or not at all.
func TestMailPassword(t *testing.T) {
	t.Parallel()
	encryption, ca := certificate(t)
	trusted := fmt.Sprintf(", tls_config: {ca_file: %q}", ca)
	for name, c := range map[string]struct {
		tls     *tls.Config
		options string
		want    string // error, "" for a mail
	}{
		"STARTTLS":                       {encryption, password + trusted, ""},
		"STARTTLS, not required":         {encryption, password + trusted + ", require_tls: false", ""},
		"no STARTTLS":                    {nil, password + trusted, "STARTTLS"},
		"no STARTTLS, not required":      {nil, password + trusted + ", require_tls: false", "STARTTLS"},
		"a certificate of nobody's":      {encryption, password, "certificate"},
		"no STARTTLS and no password":    {nil, "", "STARTTLS"},
		"nothing required, nothing said": {nil, ", require_tls: false", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := (&mailbox{tls: c.tls}).start(t)
			s := observe(t, Config{File: file(mailTo(box.address, c.options)), Templates: []byte(mailTemplates)})
			s.Put(firing("Slow"))
			wait(t, "an outcome", func() bool { return len(s.outcomes(t)) > 0 })
			if c.want == "" && s.outcomes(t)["mail success"] == 0 || !strings.Contains(s.lines.String(), c.want) {
				t.Errorf("%v, want %q in\n%s", s.outcomes(t), c.want, s.lines)
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			if bytes.Contains(box.transcript.Bytes(), []byte("AUTH")) {
				t.Errorf("authenticated without encryption:\n%s", &box.transcript)
			}
			if strings.Contains(c.options, "auth") && c.want == "" && fmt.Sprint(box.passwords) != "[ana:correct-horse]" {
				t.Errorf("passwords: %v", box.passwords)
			}
		})
	}
}

func TestMailImplicitTLS(t *testing.T) {
	t.Parallel()
	encryption, ca := certificate(t)
	box := &mailbox{}
	l, err := tls.Listen("tcp", "127.0.0.1:0", encryption)
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: box}, nil }))
	go func() { _ = server.Serve(l) }() // ends when it is closed
	t.Cleanup(func() { server.Close() })
	s := start(t, Config{Templates: []byte(mailTemplates),
		File: file(mailTo(l.Addr().String(), password+fmt.Sprintf(", force_implicit_tls: true, tls_config: {ca_file: %q}", ca)))})
	s.Put(firing("Slow"))
	wait(t, "a mail", func() bool { return len(box.got()) == 1 })
	if fmt.Sprint(box.passwords) != "[ana:correct-horse]" {
		t.Errorf("passwords: %v", box.passwords)
	}
}

// A server that is silent, at whatever point, costs the time of an attempt.
func TestMailSilence(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]string{
		"from the beginning": "",
		"after its greeting": "220 localhost ready\r\n",
		"after hello":        "220 localhost ready\r\n250 localhost\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					_, _ = io.WriteString(c, says)
				}
			}()
			s := observe(t, Config{File: file(mailTo(l.Addr().String(), ", require_tls: false")), Templates: []byte(mailTemplates)})
			s.receivers[0].timeout = 300 * time.Millisecond
			began := time.Now()
			s.Put(firing("Slow"))
			wait(t, "the timeout", func() bool { return s.outcomes(t)["mail timeout"] > 0 })
			if took := time.Since(began); took > 8*time.Second { // a receiver has ten by itself
				t.Errorf("it took %v", took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			if err := s.Stop(ctx); err != nil || ctx.Err() != nil {
				t.Errorf("Stop during a conversation: %v", err)
			}
		})
	}
}

func TestMailRefused(t *testing.T) {
	t.Parallel()
	box := (&mailbox{refuse: &smtp.SMTPError{Code: 550, Message: "no such user"}}).start(t)
	s := observe(t, Config{File: file(mailTo(box.address, ", require_tls: false")), Templates: []byte(mailTemplates)})
	s.Put(firing("Slow"))
	wait(t, "the refusal", func() bool { return strings.Contains(s.lines.String(), "no such user") })
	if got := box.got(); len(got) > 0 {
		t.Errorf("mails: %v", got)
	}
	if lines := s.lines.String(); strings.Contains(lines, "%!") {
		t.Errorf("the log says %s", lines)
	}
}

// A template that fails does so before the server hears of the mail.
func TestMailTemplateFails(t *testing.T) {
	t.Parallel()
	box := (&mailbox{}).start(t)
	templates := strings.Replace(mailTemplates, `<td>{{`, `<td>{{ if eq .Labels.alertname "Bad" }}{{ template "missing" }}{{ end }}{{`, 1)
	s := observe(t, Config{File: file(mailTo(box.address, ", require_tls: false")), Templates: []byte(strings.Replace(templates,
		`{{ template "missing" }}`, `{{ slice "ab" 5 }}`, 1))})
	s.Put(firing("Bad"))
	wait(t, "the failure", func() bool { return strings.Contains(s.lines.String(), "html: ") })
	box.mu.Lock()
	defer box.mu.Unlock()
	if box.transcript.Len() > 0 {
		t.Errorf("the server heard:\n%s", &box.transcript)
	}
}
