package alerting

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/domain"
)

// TemplatesName is the file of [Templates]: it stands beside alertmanager.yaml,
// which names it.
const TemplatesName = "latido.tmpl"

// secretsFolder is where the Alertmanager server finds the secrets that the
// domain file names as variables of the environment, which it does not read:
// Compose puts them there from .env, and in Kubernetes a Secret is mounted there.
const secretsFolder = "/run/secrets/"

// none is the receiver of what nobody wants to hear of.
const none = "none"

// ReceiverSpec is one of those who hear of alerts, by its name in the
// Alertmanager file.
type ReceiverSpec struct {
	Name     string
	Receiver domain.Receiver
}

// Receivers lists those of the domain's notify, in its order. The first of its
// kind has the kind as its name, further ones a number after it; an action is
// "action/" and its own name.
//
// A log, an action and an Alertmanager server are in the file too, but without
// an integration: only embedded/ knows what to do with those names.
func Receivers(d domain.Domain) []ReceiverSpec {
	all := make([]ReceiverSpec, len(d.Notify))
	seen := map[string]int{}
	for i, r := range d.Notify {
		kind := kindOf(r)
		name := kind
		if r.Action != nil {
			name += "/" + r.Action.Name
		}
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[name])
		}
		all[i] = ReceiverSpec{name, r}
	}
	return all
}

// kindOf names the one kind that a receiver has.
func kindOf(r domain.Receiver) string {
	switch {
	case r.Log != nil:
		return "log"
	case r.Action != nil:
		return "action"
	case r.Email != nil:
		return "email"
	case r.Webhook != nil:
		return "webhook"
	case r.Slack != nil:
		return "slack"
	case r.Alertmanager != nil:
		return "alertmanager"
	}
	for kind := range r.Other {
		return kind
	}
	return none
}

// Secret is a secret of a receiver. Alertmanager takes secrets from files only.
type Secret struct {
	File string // in which the Alertmanager file looks for it
	Env  string // the variable of the environment that holds it, by the domain file; "" where that names the file
}

// Secrets lists the secrets of the domain's receivers, each once: variables of
// the environment, and files.
func Secrets(d domain.Domain) []Secret {
	var all []Secret
	add := func(file, env string) {
		if env != "" {
			file = secretsFolder + env
		}
		if s := (Secret{file, env}); file != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, r := range d.Notify {
		switch {
		case r.Email != nil:
			add(r.Email.PasswordFile, r.Email.PasswordEnv)
		case r.Webhook != nil:
			add(r.Webhook.URLFile, r.Webhook.URLEnv)
		case r.Slack != nil:
			add(r.Slack.URLFile, r.Slack.URLEnv)
		}
		for _, options := range r.Other {
			eachFile(options, func(file string) { add(file, "") })
		}
	}
	return all
}

// eachFile calls f with each file that options of Alertmanager name: those whose
// names end in _file, and lists of files.
func eachFile(options map[string]any, f func(file string)) {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		switch value := options[name].(type) {
		case string:
			if strings.HasSuffix(name, "_file") && value != "" {
				f(value)
			}
		case map[string]any:
			eachFile(value, f)
		case []any:
			for _, item := range value {
				if file, ok := item.(string); ok && name == "files" {
					f(file)
				} else if inner, ok := item.(map[string]any); ok {
					eachFile(inner, f)
				}
			}
		}
	}
}

// secretFile says where a secret is: in the file that the domain names, or in
// that of its variable.
func secretFile(key, file, env string) field {
	if env == "" {
		return field{key: key, value: file}
	}
	return field{key: key, value: secretsFolder + env, comment: "The value of " + env + ": Alertmanager does not read the environment."}
}

// integration is what the Alertmanager file has for a receiver: the list's key
// and its one entry. There is none for what only the process itself can do.
func integration(s ReceiverSpec) (key string, entry fields) {
	entry = fields{{key: "send_resolved", value: true}}
	switch r := s.Receiver; {
	case r.Email != nil:
		return "email_configs", append(entry, email(*r.Email)...)
	case r.Webhook != nil:
		url := field{key: "url", value: r.Webhook.URL}
		if r.Webhook.URL == "" {
			url = secretFile("url_file", r.Webhook.URLFile, r.Webhook.URLEnv)
		}
		return "webhook_configs", append(entry, url, field{key: "max_alerts", value: maxAlerts}, field{key: "timeout", value: webhookTimeout})
	case r.Slack != nil:
		return "slack_configs", append(entry, secretFile("api_url_file", r.Slack.URLFile, r.Slack.URLEnv),
			field{key: "channel", value: r.Slack.Channel},
			field{key: "title", value: show("latido.title")},
			field{key: "title_link", value: show("latido.link")},
			field{key: "text", value: show("latido.text")})
	}
	for kind, options := range s.Receiver.Other {
		return kind + "_configs", other(kind, options)
	}
	return "", nil
}

// How much a webhook is told at once, and how long it may take.
const (
	maxAlerts      = 100
	webhookTimeout = "10s"
)

// show runs one of the templates of [Templates].
func show(name string) string { return `{{ template "` + name + `" . }}` }

func email(e domain.EmailReceiver) fields {
	host, _, _ := net.SplitHostPort(e.SMTP) // a valid domain has it
	if net.ParseIP(host) != nil {
		host = "localhost"
	}
	from := cmp.Or(e.From, "latido@"+host)
	f := fields{
		{key: "to", value: strings.Join(e.To, ", ")},
		{key: "from", value: from},
		{key: "smarthost", value: e.SMTP},
	}
	if e.PasswordEnv != "" || e.PasswordFile != "" {
		f = append(f, field{key: "auth_username", value: cmp.Or(e.Username, addressOf(from))},
			secretFile("auth_password_file", e.PasswordFile, e.PasswordEnv))
	}
	return append(f,
		field{key: "require_tls", value: !e.Plaintext},
		field{key: "headers", value: fields{{key: "Subject", value: show("latido.subject")}}},
		field{key: "text", value: show("latido.text")},
		field{key: "html", value: show("latido.html")},
	)
}

// addressOf is the address of a sender who may have a name: servers know the
// account by it.
func addressOf(sender string) string {
	if a, err := mail.ParseAddress(sender); err == nil {
		return a.Address
	}
	return sender
}

// texts are the options of Alertmanager's integrations that hold what a person
// reads, with the template for each. The options of the domain file win.
var texts = map[string]fields{
	"discord":    {{key: "title", value: show("latido.title")}, {key: "message", value: show("latido.text")}},
	"jira":       {{key: "summary", value: show("latido.title")}, {key: "description", value: show("latido.text")}},
	"mattermost": {{key: "text", value: show("latido.text")}},
	"msteams":    {{key: "title", value: show("latido.title")}, {key: "text", value: show("latido.text")}},
	"msteamsv2":  {{key: "title", value: show("latido.title")}, {key: "text", value: show("latido.text")}},
	"opsgenie":   {{key: "message", value: show("latido.title")}, {key: "description", value: show("latido.text")}, {key: "source", value: show("latido.link")}},
	"pagerduty":  {{key: "description", value: show("latido.title")}, {key: "client_url", value: show("latido.link")}},
	"pushover":   {{key: "title", value: show("latido.title")}, {key: "message", value: show("latido.text")}, {key: "url", value: show("latido.link")}},
	"rocketchat": {{key: "title", value: show("latido.title")}, {key: "title_link", value: show("latido.link")}, {key: "text", value: show("latido.text")}},
	"sns":        {{key: "subject", value: show("latido.title")}, {key: "message", value: show("latido.text")}},
	// By default its text is HTML.
	"telegram":  {{key: "message", value: show("latido.text")}, {key: "parse_mode", value: ""}},
	"victorops": {{key: "entity_display_name", value: show("latido.title")}, {key: "state_message", value: show("latido.text")}},
	"webex":     {{key: "message", value: show("latido.text")}},
	"wechat":    {{key: "message", value: show("latido.text")}},
}

// other passes the options of an integration through.
func other(kind string, options map[string]any) fields {
	var f fields
	for _, each := range append(fields{{key: "send_resolved", value: true}}, texts[kind]...) {
		if _, given := options[each.key]; !given {
			f = append(f, each)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value := options[name]
		if client, ok := value.(map[string]any); ok && name == "http_config" {
			value = guarded(client)
		}
		f = append(f, field{key: name, value: value})
	}
	return f
}

// guarded is a receiver's own http_config with the guards of the global one,
// which Alertmanager does not read where a receiver has its own.
func guarded(client map[string]any) map[string]any {
	all := map[string]any{}
	for _, guard := range httpGuards {
		all[guard.key] = guard.value
	}
	maps.Copy(all, client)
	return all
}

// httpGuards are what every receiver's HTTP client has, unless it says otherwise.
var httpGuards = fields{{key: "follow_redirects", value: false}}

// timing is how long alerts are gathered before one message tells of them all.
type timing struct{ wait, interval, repeat time.Duration }

// timing: the first message comes soon, further ones at most once a minute, and
// what goes on is told of again twice a day.
func (p pace) timing() timing {
	t := timing{wait: 10 * time.Second, interval: time.Minute, repeat: 12 * time.Hour}
	if !p.fast {
		return t
	}
	return timing{p.time(t.wait, leastTime), p.time(t.interval, 5*time.Second), p.time(t.repeat, leastTime)}
}

func (t timing) fields() fields {
	return fields{
		{key: "group_wait", value: length(t.wait)}, {key: "group_interval", value: length(t.interval)}, {key: "repeat_interval", value: length(t.repeat)},
	}
}
