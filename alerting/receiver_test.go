package alerting

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/latido-dev/latido/domain"
)

// receiversOf is the Alertmanager file of a domain that notifies this.
func receiversOf(t *testing.T, notify string) string {
	t.Helper()
	d, err := domain.Parse("domain.yaml", []byte("prefix: floreria\nentity: ramo\nnotify:\n"+notify))
	if err != nil {
		t.Fatal(err)
	}
	text, err := AlertmanagerFile(d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An option without quotes reaches Alertmanager as it stands: only it knows
// whether the option is a text, a number or a truth.
func TestOptionsKeepTextAndType(t *testing.T) {
	t.Parallel()
	for _, option := range []string{
		"phone_number: +34600123456", "phone_number: 0755", "phone_number: 1_000", "phone_number: 0x1F", "phone_number: 1e3", "phone_number: 1.50",
		"phone_number: 1:20", "phone_number: 2026-01-02", "send_resolved: no", "send_resolved: Off", "send_resolved: true", "attributes: {a: [00, yes]}",
		"phone_number: '0755'", `phone_number: "no"`, "phone_number: 12345678901234567890", "phone_number: 12", "phone_number: .5",
	} {
		text := receiversOf(t, "  - sns: {"+option+", topic_arn: a}\n")
		name, value, _ := strings.Cut(option, ": ")
		plain := strings.Trim(value, `'"`)
		switch {
		case value != plain:
			if !strings.Contains(text, name+": \""+plain+"\"\n") && !strings.Contains(text, name+": '"+plain+"'\n") {
				t.Errorf("%s is no text in\n%s", option, text)
			}
		case name == "attributes":
			if !strings.Contains(text, "- 00\n") || !strings.Contains(text, "- yes\n") {
				t.Errorf("%s is altered in\n%s", option, text)
			}
		case !strings.Contains(text, name+": "+plain+"\n"):
			t.Errorf("%s is altered in\n%s", option, text)
		}
	}
}

// A receiver's own http_config replaces the global one in Alertmanager: it has
// the same guards, unless it says otherwise.
func TestOwnClientKeepsGuards(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs struct {
			Receiver struct{ Properties map[string]struct{ Type any } }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(domain.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	n := 0
	for kind, p := range schema.Defs.Receiver.Properties {
		if p.Type != "object" { // one with options of its own
			continue
		}
		n++
		if text := receiversOf(t, "  - "+kind+": {http_config: {proxy_from_environment: true}}\n"); strings.Count(text, "follow_redirects: false") != 2 {
			t.Errorf("%s follows redirects:\n%s", kind, text)
		}
	}
	if n < 15 {
		t.Errorf("only %d integrations are found", n)
	}
	if text := receiversOf(t, "  - webex: {http_config: {follow_redirects: true}}\n"); strings.Count(text, "follow_redirects: true") != 1 {
		t.Errorf("what the domain says does not win:\n%s", text)
	}
}

// The account at the mail server is the address, however the sender is written.
func TestMailLogsInAsAddress(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"Florería <a@b.example>": "a@b.example", "a@b.example": "a@b.example", "<a@b.example>": "a@b.example", "\"Ramos, S.L.\" <a@b.example>": "a@b.example",
	} {
		text := receiversOf(t, "  - email: {to: [x@b.example], smtp: 'mail.b.example:587', password_env: CLAVE, from: '"+from+"'}\n")
		if !strings.Contains(text, "auth_username: "+want+"\n") {
			t.Errorf("%s does not log in as %s:\n%s", from, want, text)
		}
	}
	if text := receiversOf(t, "  - email: {to: [x@b.example], smtp: 'mail.b.example:587', password_env: CLAVE, username: 'A <b>'}\n"); !strings.Contains(text, "auth_username: A <b>\n") {
		t.Errorf("the name that is given does not win:\n%s", text)
	}
}
