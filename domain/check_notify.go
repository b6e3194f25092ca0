package domain

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func (v *validator) receivers() {
	if len(v.d.Notify) > maxReceivers {
		v.add("notify", "%d receivers, at most %d", len(v.d.Notify), maxReceivers)
		return
	}
	for i, r := range v.d.Notify {
		v.receiver(r, index("notify", i))
	}
}

func (v *validator) receiver(r Receiver, path string) {
	for i, s := range r.Severities {
		at := index(path+".severities", i)
		oneOf(v, at, s, severities...)
		if s == "" && !v.unread(at) {
			v.add(at, "is empty: write one of page, ticket, info")
		}
		if slices.Contains(r.Severities[:i], s) {
			v.add(at, "%q is there twice", s)
		}
	}
	v.mutes(path+".mute", r.Mute)
	for _, name := range integrations {
		if len(r.Other) == 0 && v.unread(join(path, name)) {
			return // what was meant has an error already
		}
	}
	set := map[string]bool{
		"log": r.Log != nil, "action": r.Action != nil, "email": r.Email != nil, "webhook": r.Webhook != nil,
		"slack": r.Slack != nil, "alertmanager": r.Alertmanager != nil,
	}
	kinds := []string{"log", "action", "email", "webhook", "slack", "alertmanager"}
	for _, name := range sortedNames(r.Other) {
		if !slices.Contains(integrations, name) {
			v.add(path, "unknown receiver %q%s", name, meantOr(name, integrations, "Alertmanager has"))
		}
		set[name] = true
		kinds = append(kinds, name)
	}
	switch v.exactlyOne(path, set, kinds...) {
	case "action":
		v.check(path+".action.name", checkName(r.Action.Name, alertName, alertLetters))
	case "email":
		v.email(*r.Email, path+".email")
	case "webhook":
		v.webhook(*r.Webhook, path+".webhook")
	case "slack":
		v.slack(*r.Slack, path+".slack")
	case "alertmanager":
		at := path + ".alertmanager.url"
		if r.Alertmanager.URL == "" {
			v.add(at, `missing: write the server's, such as "http://alertmanager:9093"`)
		} else {
			v.check(at, checkURL(r.Alertmanager.URL))
		}
	}
	for _, name := range sortedNames(r.Other) {
		at := join(path, name)
		if options := r.Other[name]; len(options) == 0 && !v.unread(at) {
			v.add(at, "has no options: write those that Alertmanager has under %s_configs", name)
		} else {
			v.secrets(at, options, false)
		}
	}
}

// secretOptions are the options of Alertmanager's integrations that hold a
// secret, by its own types Secret and SecretURL, with the way to give each
// without writing it into the file.
var secretOptions = func() map[string]string {
	ways := map[string]string{
		"key":                  "give it by key_file",
		"secret_key":           "leave it and access_key out, and give Alertmanager the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
		"secrets":              "give them by files",
		"proxy_connect_header": "leave it out, and use a proxy that needs no login",
	}
	for _, name := range []string{
		"routing_key", "service_key", "api_key", "api_secret", "user_key", "token", "token_id", "bot_token", "app_token", "alert_source_token",
		"webhook_url", "password", "auth_password", "auth_secret", "credentials", "bearer_token", "client_secret", "client_certificate_key",
	} {
		ways[name] = "give it by " + name + "_file"
	}
	return ways
}()

// freeOptions are maps whose keys are the user's own: names of no option.
var freeOptions = []string{"details", "custom_fields", "fields", "metadata", "attributes", "http_headers"}

// secrets refuses secrets in the options of an integration: the domain file,
// and alertmanager.yaml after it, are in everyone's repository. free tells that
// the keys are the user's.
func (v *validator) secrets(path string, options map[string]any, free bool) {
	for _, name := range sortedNames(options) {
		at, value := key(path, name), options[name]
		way, secret := secretOptions[name]
		switch name { // which are elsewhere names
		case "key":
			secret = strings.HasSuffix(path, ".tls_config")
		case "routing_key":
			secret = !strings.HasSuffix(path, ".victorops")
		}
		if header, ok := value.(map[string]any); ok && free && secretHeader.MatchString(name) && given(header["values"]) {
			v.add(key(at, "values"), "is a secret, which does not belong in a file that everyone reads: give it by files")
			continue
		}
		if secret && !free && given(value) {
			v.add(at, "is a secret, which does not belong in a file that everyone reads: %s", way)
			continue
		}
		v.secretsIn(at, value, !free && slices.Contains(freeOptions, name))
	}
}

// secretsIn looks for secrets in a value of any shape.
func (v *validator) secretsIn(path string, value any, free bool) {
	switch value := value.(type) {
	case map[string]any:
		v.secrets(path, value, free)
	case []any:
		for i, item := range value {
			v.secretsIn(index(path, i), item, free)
		}
	case string:
		if u, err := url.Parse(value); err == nil && strings.Contains(value, "://") {
			v.check(path, checkNoLogin(u))
		}
	}
}

// given tells whether there is a value, of whatever shape.
func given(value any) bool {
	switch value := value.(type) {
	case nil:
		return false
	case string:
		return value != ""
	case []any:
		return slices.ContainsFunc(value, given)
	case map[string]any:
		return len(value) > 0
	}
	return true
}

// secretHeader are the names of headers that log in, and secretQuery those of
// parameters in a URL.
var (
	secretHeader = regexp.MustCompile(`(?i)authorization|cookie|token|secret|password|key$`)
	secretQuery  = regexp.MustCompile(`(?i)^(.*(token|secret|password)|(.*[_-])?(api)?key|sig|signature)$`)
)

// secretPaths are the webhooks of chats and services, of which the address is
// all that one needs.
var secretPaths = regexp.MustCompile(`^(hooks\.slack\.com/|discord(app)?\.com/api/webhooks/|api\.telegram\.org/bot|[^/]*\.webhook\.office\.com/|[^/]*\.logic\.azure\.com|chat\.googleapis\.com/|hc-ping\.com/|events\.pagerduty\.com/integration/|api\.opsgenie\.com/)`)

// long is a part of a path that may be a key.
var long = regexp.MustCompile(`^[A-Za-z0-9_-]{20,}$`)

// isKey tells whether a long part of a path looks like a key: a word of it has
// letters and digits, as none of alertmanager-webhook-receiver-v2 has.
func isKey(part string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(part, func(r rune) bool { return r == '-' || r == '_' }), func(word string) bool {
		return len(word) >= 6 && strings.ContainsAny(word, "0123456789") && strings.ContainsFunc(word, unicode.IsLetter)
	})
}

// secretPath tells whether whoever knows a webhook's address can write there.
func secretPath(u *url.URL) bool {
	if secretPaths.MatchString(u.Hostname() + u.Path) {
		return true
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if long.MatchString(part) && isKey(part) {
			return true
		}
	}
	return false
}

// checkNoLogin refuses what logs in within a URL. Errors do not repeat it.
func checkNoLogin(u *url.URL) error {
	if u.User != nil {
		return errors.New("has a user or password in it, which does not belong in a file that everyone reads: leave it out")
	}
	for name := range u.Query() {
		if secretQuery.MatchString(name) {
			return fmt.Errorf("has the secret %s in it, which does not belong in a file that everyone reads: give the URL by a file or the environment, or leave it out", name)
		}
	}
	return nil
}

func (v *validator) email(e EmailReceiver, path string) {
	if len(e.To) == 0 && !v.unread(path+".to") {
		v.add(path+".to", "missing: write at least one address")
	}
	for i, to := range e.To {
		if at := index(path+".to", i); !v.unread(at) {
			v.check(at, checkAddress(to))
		}
	}
	if e.From != "" {
		v.check(path+".from", checkAddress(e.From))
	}
	v.check(path+".smtp", checkHostPort(e.SMTP))
	v.env(path+".password_env", e.PasswordEnv)
	hasPassword := e.PasswordEnv != "" || e.PasswordFile != ""
	switch {
	case e.PasswordEnv != "" && e.PasswordFile != "":
		v.add(path+".password_file", "cannot stand beside password_env: the password has one place")
	case e.Plaintext && hasPassword:
		v.add(path+".plaintext", "a password is never sent without TLS: leave out one of the two")
	case e.Username != "" && !hasPassword && !v.unread(path+".password_env") && !v.unread(path+".password_file"):
		v.add(path+".username", "has no password: add password_env or password_file")
	}
}

func (v *validator) webhook(w WebhookReceiver, path string) {
	v.exactlyOne(path, map[string]bool{"url": w.URL != "", "url_env": w.URLEnv != "", "url_file": w.URLFile != ""}, "url", "url_env", "url_file")
	if w.URL != "" {
		v.check(path+".url", checkURL(w.URL))
		if u, err := url.Parse(w.URL); err == nil && secretPath(u) {
			v.add(path+".url", "has a key in its path, with which everyone who reads this file could write there: give the URL by url_env or url_file")
		}
	}
	v.env(path+".url_env", w.URLEnv)
}

func (v *validator) slack(s SlackReceiver, path string) {
	if s.Channel == "" {
		v.add(path+".channel", `missing: write the channel, such as "#guardia"`)
	}
	v.exactlyOne(path, map[string]bool{"url_env": s.URLEnv != "", "url_file": s.URLFile != ""}, "url_env", "url_file")
	v.env(path+".url_env", s.URLEnv)
}

// env checks the name of an environment variable. Someone may have written
// the secret itself there, so the error does not repeat it.
func (v *validator) env(path, name string) {
	if name != "" && !envName.MatchString(name) {
		v.add(path, "is no name of an environment variable: write for example ALERT_SECRET, and the secret itself into the environment")
	}
}

func checkAddress(address string) error {
	if _, err := mail.ParseAddress(address); err != nil {
		return fmt.Errorf("%q is no mail address: write one such as guardia@example.com", address)
	}
	return nil
}

func checkHostPort(address string) error {
	if address == "" {
		return fmt.Errorf(`missing: write the mail server's host and port, such as "smtp.example.com:587"`)
	}
	host, port, err := net.SplitHostPort(address)
	if n, errPort := strconv.Atoi(port); err != nil || host == "" || errPort != nil || n < 1 || n > 65535 || strings.ContainsAny(host, "/@ ") {
		return fmt.Errorf("%q is no host and port: write them as in smtp.example.com:587", address)
	}
	return nil
}

// checkURL checks a URL of the file. A token in it may be a secret, so errors
// repeat no more than scheme and host.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("is no URL: write one such as https://example.com/alerts")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("has no http:// or https:// in front, which says how to reach it")
	case u.Hostname() == "":
		return fmt.Errorf("has no host: write one such as https://example.com/alerts")
	case checkNoLogin(u) != nil:
		return checkNoLogin(u)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("has the port %s, which does not exist", port)
		}
	}
	return nil
}
