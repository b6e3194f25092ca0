package am

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	common "github.com/prometheus/common/config"
	gomail "github.com/wneessen/go-mail"
	gosmtp "github.com/wneessen/go-mail/smtp"
)

// implicitTLSPort is the port on which encryption comes before SMTP.
const implicitTLSPort = "465"

// send hands a mail to the server. One that was taken counts as sent, whatever
// becomes of the conversation after that.
func (e *email) send(ctx context.Context, m *gomail.Msg) (retry bool, err error) {
	client, err := e.dialer(ctx)
	if err != nil {
		return false, err
	}
	err = client.DialAndSendWithContext(ctx, m)
	if err == nil || m.IsDelivered() {
		return false, nil
	}
	if ctx.Err() != nil { // the connection was closed under the conversation
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	var refused *gomail.SendError
	permanent := errors.As(err, &refused) && refused.ErrorCode()/100 == 5
	return !permanent, err
}

// dialer is a client for the server that the configuration names.
func (e *email) dialer(ctx context.Context) (*gomail.Client, error) {
	c := e.conf
	port, err := strconv.Atoi(c.Smarthost.Port)
	if err != nil {
		return nil, fmt.Errorf("smarthost %q: the port must be a number", c.Smarthost)
	}
	encryption := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSConfig != nil {
		if encryption, err = common.NewTLSConfig(c.TLSConfig); err != nil {
			return nil, fmt.Errorf("TLS configuration: %w", err)
		}
	}
	encryption.ServerName = cmp.Or(encryption.ServerName, c.Smarthost.Host)
	implicit := c.Smarthost.Port == implicitTLSPort
	if c.ForceImplicitTLS != nil {
		implicit = *c.ForceImplicitTLS
	}
	// A password is never told without encryption, not even if the
	// configuration does without it, not even to this very machine.
	policy := gomail.NoTLS
	if !implicit && (c.AuthUsername != "" || c.RequireTLS == nil || *c.RequireTLS) {
		policy = gomail.TLSMandatory
	}
	hello := cmp.Or(c.Hello, "localhost")
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(mailTimeout), gomail.WithTLSConfig(encryption), gomail.WithTLSPolicy(policy),
		gomail.WithHELO(hello), gomail.WithoutNoop(), gomail.WithDialContextFunc(dialMail(ctx, encryption, implicit)),
	}
	auth, err := e.auth()
	if err != nil {
		return nil, err
	}
	return gomail.NewClient(c.Smarthost.Host, append(options, auth...)...)
}

// auth is how the client says who it is: with the best method that both sides
// know.
func (e *email) auth() ([]gomail.Option, error) {
	c := e.conf
	if c.AuthUsername == "" {
		return nil, nil
	}
	password, err := secretOf(string(c.AuthPassword), c.AuthPasswordFile)
	if err != nil {
		return nil, err
	}
	secret, err := secretOf(string(c.AuthSecret), c.AuthSecretFile)
	if err != nil {
		return nil, err
	}
	switch {
	case password == "" && secret == "":
		return nil, fmt.Errorf("auth_username %q has no password: set auth_password_file", c.AuthUsername)
	case password == "":
		return []gomail.Option{gomail.WithUsername(c.AuthUsername), gomail.WithPassword(secret), gomail.WithSMTPAuth(gomail.SMTPAuthCramMD5)}, nil
	case c.AuthIdentity != "":
		return []gomail.Option{gomail.WithSMTPAuthCustom(
			gosmtp.PlainAuth(c.AuthIdentity, c.AuthUsername, password, c.Smarthost.Host, false))}, nil
	}
	return []gomail.Option{
		gomail.WithUsername(c.AuthUsername), gomail.WithPassword(password),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin),
	}, nil
}

// secretOf is a secret, or what is in its file. Without the file there is none
// yet: it is read again at the next message.
func secretOf(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// dialMail connects so that the whole conversation ends with ctx: neither
// Alertmanager nor net/smtp ends one with a server that is silent.
func dialMail(ctx context.Context, encryption *tls.Config, implicit bool) gomail.DialContextFunc {
	return func(dial context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dial, network, address)
		if err != nil {
			return nil, err
		}
		bounded := &mailConn{boundedConn: boundedConn{Conn: conn, left: maxAnswer}}
		bounded.stop = context.AfterFunc(ctx, func() { conn.Close() })
		if deadline, ok := ctx.Deadline(); ok {
			bounded.last = deadline
		}
		if !implicit {
			return bounded, nil
		}
		encrypted := tls.Client(bounded, encryption)
		if err := encrypted.HandshakeContext(dial); err != nil {
			bounded.Close()
			return nil, err
		}
		return encrypted, nil
	}
}

// mailConn is a connection that no deadline outlasts.
type mailConn struct {
	boundedConn
	stop func() bool
	last time.Time // zero for none
}

// SetDeadline implements net.Conn.
func (c *mailConn) SetDeadline(t time.Time) error {
	if !c.last.IsZero() && (t.IsZero() || t.After(c.last)) {
		t = c.last
	}
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *mailConn) Close() error {
	c.stop()
	return c.Conn.Close()
}
