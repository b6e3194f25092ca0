package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/receivers"
	"github.com/latido-dev/latido/internal/testkit"
)

// wrongReceivers are what Alertmanager refuses, one of each kind: an option
// that it does not know, of another type, two that exclude each other, one
// that is missing, deep inside, and in a list.
const wrongReceivers = `prefix: floreria
entity: ramo
notify:
  - telegram: {chat_id: "@canal", bot_token_file: /run/token}
  - discord:
      webhook: https://discord.example/1
  - discord:
      webhook_url_file: /run/hook
      send_resolved: quizás
  - webex: {room_id: a, mesage: hola, http_config: {authorization: {credentials_file: /run/token}}}
  - pagerduty:
      routing_key_file: /run/key
      service_key_file: /run/other
      http_config:
        basic_auth:
          usrname: ana
  - opsgenie:
      api_key_file: /run/key
      responders:
        - {type: equipo, name: guardia}
  - pagerduty: {routing_key_file: /run/key, images: [{src: a, alt: b, link: c}]}
  - pushover: {user_key_file: /run/user}
  - webhook: {url: "https://example.com/"}
  - pagerduty: {routing_key_file: /run/key, timeout: soon}
  - pagerduty: {routing_key_file: /run/key, details: [a]}
  - opsgenie: {api_key_file: /run/key, responders: {type: team}}
  - discord: {webhook_url_file: /run/hook, http_config: on}
  - victorops: {api_key_file: /run/key, routing_key: norte, entity_display_name: [a]}
`

// Receivers that Alertmanager refuses are told with the line of the domain file
// and what to write, by check and by generate, which writes the others.
func TestReceiversAsAlertmanagerReadsThem(t *testing.T) {
	golden, err := filepath.Abs("testdata/receivers.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	clitest.Put(t, ".", cli.DomainFile, wrongReceivers)
	var told strings.Builder
	for line := range strings.Lines(say(t, 1, "check")) {
		if strings.Contains(line, "notify[") {
			told.WriteString(line)
		}
	}
	var both strings.Builder
	for line := range strings.Lines(bothLanguages(t, cli.DomainFile)) {
		if strings.Contains(line, "notify[") {
			both.WriteString(line)
		}
	}
	testkit.Golden(t, golden, []byte(both.String()))
	out := say(t, 1, "generate", "alertmanager")
	for line := range strings.Lines(told.String()) {
		if _, text, _ := strings.Cut(line, "FAIL  "); !strings.Contains(out, strings.TrimSpace(text)) {
			t.Errorf("generate does not say %q\n%s", text, out)
		}
	}
	const written = "deploy/alertmanager/alertmanager.yaml"
	if text := clitest.Contents(t, "deploy")["alertmanager/alertmanager.yaml"]; !strings.Contains(text, "name: webhook") || strings.Contains(text, "discord") {
		t.Errorf("the one that is right is not alone in what is written:\n%s", text)
	} else if _, wrong := receivers.Load(written, []byte(text), false); len(wrong) > 0 {
		t.Errorf("a file that no Alertmanager loads is written: %v", wrong)
	}
	if err := os.RemoveAll("deploy"); err != nil {
		t.Fatal(err)
	}
	clitest.Put(t, ".", cli.DomainFile, "prefix: floreria\nentity: ramo\nnotify:\n"+
		"  - sns: {phone_number: +34600123456, send_resolved: no, sigv4: {region: eu-west-1}}\n"+
		"  - telegram: {chat_id: -100200, bot_token_file: /run/token, http_config: {proxy_from_environment: true}}\n")
	say(t, 0, "check")
}

// A configuration that somebody wrote is read as its server reads it, and its
// mistakes are told with its own lines.
func TestOwnAlertmanagerFileIsRead(t *testing.T) {
	t.Chdir(t.TempDir())
	clitest.Put(t, ".", cli.DomainFile, "prefix: floreria\nentity: ramo\nnotify: [{webhook: {url: 'https://example.com/'}}]\n")
	const file = "deploy/alertmanager/alertmanager.yaml"
	for text, want := range map[string]string{
		"route:\n  receiver: a\n  group_byy: [job]\nreceivers:\n  - name: a\n    webhook_configs: [{url: 'http://x'}]\n":           file + `:3:1: Alertmanager has no option "group_byy" here`,
		"route: {receiver: a}\nreceivers:\n  - name: a\n    webhook_configs:\n      - url: 'http://x'\n        max_alerts: many\n": file + ":6:1: is `many`, and Alertmanager wants a whole number",
		"route: {receiver: a}\nreceivers:\n  - name: a\n  - name: a\n":                                                             `Alertmanager refuses it: notification config name "a" is not unique`,
		"route: {receiver: a}\nreceivers:\n  - name: a\n    telegram_configs: [{chat_id: 1}]\n":                                    "Alertmanager refuses it: missing bot_token or bot_token_file on telegram_config",
	} {
		clitest.Put(t, ".", file, text)
		if out := say(t, 1, "check"); !strings.Contains(filepath.ToSlash(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A generated file that somebody changed is read too: what its server would
// refuse is told, and not only that it is changed.
func TestChangedAlertmanagerFileIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, to, want string }{
		"misspelt option":  {"group_wait:", "group_wayt:", `Alertmanager has no option "group_wayt" here`},
		"unknown value":    {"group_wait: ", "group_wait: banana # ", `Alertmanager refuses it: not a valid duration string: "banana"`},
		"no receiver":      {"receiver: none", "receiver: nobody", `undefined receiver "nobody" used in route`},
		"matcher":          {"route:\n", "route:\n  matchers: ['severity=~(']\n", "Alertmanager refuses it: "},
		"receiver is gone": {"receivers:\n", "receivers_:\n", `Alertmanager has no option "receivers_" here`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.edit(routingFile, c.from, c.to)
			code, stdout, stderr := w.check("text")
			if code != 1 || !strings.Contains(stdout, c.want) {
				t.Errorf("exit %d, no %q in\n%s%s", code, c.want, stdout, stderr)
			}
		})
	}
}

// What only the process hears counts where the process has alerts.
func TestLogIsHeardInAProcessWithAlerts(t *testing.T) {
	const require = "module flores\n\ngo 1.26\n\nrequire github.com/latido-dev/latido v1.2.3\n"
	for name, c := range map[string]struct {
		mod, notify string
		heard       bool
	}{
		"log":                      {require, "{log: {}}", false},
		"action":                   {require, "{action: {name: llamar}}", false},
		"both, twice":              {require, "{log: {}}, {action: {name: llamar}}, {log: {}, severities: [page]}", false},
		"log for all, mail beside": {require, "{log: {}}, {webhook: {url: 'https://example.com/'}}", true},
		"mail for tickets only":    {require, "{log: {}}, {webhook: {url: 'https://example.com/'}, severities: [ticket]}", false},
		"alerts in the process":    {require + "require github.com/latido-dev/latido/embedded v1.2.3\n", "{log: {}}", true},
		"in a block":               {require + "require (\n\tgithub.com/latido-dev/latido/embedded v1.2.3 // alerts\n)\n", "{log: {}}", true},
		"a comment":                {require + "// github.com/latido-dev/latido/embedded v1.2.3\n", "{log: {}}", false},
		"no module":                {"", "{log: {}}", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.mod != "" {
				clitest.Put(t, dir, "go.mod", c.mod)
			}
			file := filepath.Join(dir, "svc", cli.DomainFile)
			clitest.Put(t, dir, "svc/"+cli.DomainFile, "prefix: floreria\nentity: ramo\nnotify: ["+c.notify+"]\n")
			code, out, _ := latido("check", file)
			if told := strings.Contains(out, file+":3:10: notify[0]: nobody hears of "); told == c.heard || code == 0 != c.heard {
				t.Errorf("exit %d, told %v\n%s", code, told, out)
			}
			if !c.heard && (!strings.Contains(out, "embedded.Start") || strings.Contains(out, "heard by log")) {
				t.Errorf("what to do is not said:\n%s", out)
			}
		})
	}
}

// With the stack of servers beside it the process is silent: a page must reach
// somebody from Alertmanager, and of the rest it is said that it does not.
func TestPageIsHeardOnServers(t *testing.T) {
	const mod = "module flores\n\ngo 1.26\n\nrequire github.com/latido-dev/latido/embedded v1.2.3\n"
	for notify, want := range map[string]struct {
		code  int
		texts []string
	}{
		"{log: {}}":                {1, []string{"on servers nobody hears of ", " pages, "}},
		"{action: {name: llamar}}": {1, []string{"on servers nobody hears of "}},
		"{log: {}}, {webhook: {url: 'https://example.com/'}}":                       {0, nil},
		"{log: {}}, {webhook: {url: 'https://example.com/'}, severities: [page]}":   {0, []string{"on servers nobody hears of ", " alerts, "}},
		"{log: {}}, {webhook: {url: 'https://example.com/'}, severities: [ticket]}": {1, []string{"on servers nobody hears of "}},
		"{webhook: {url: 'https://example.com/'}}, {log: {}, severities: [ticket]}": {0, nil},
	} {
		dir := t.TempDir()
		clitest.Put(t, dir, "go.mod", mod)
		file := filepath.Join(dir, cli.DomainFile)
		clitest.Put(t, dir, cli.DomainFile, "prefix: floreria\nentity: ramo\nnotify: ["+notify+"]\n")
		if code, out, _ := latido("check", file); code != 0 || strings.Contains(out, "on servers") {
			t.Errorf("%s, without servers: exit %d\n%s", notify, code, out)
		}
		if code, stdout, stderr := latido("generate", "all", "-domain", file); code != 0 {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		code, out, _ := latido("check", file)
		if code != want.code || len(want.texts) == 0 && strings.Contains(out, "on servers") {
			t.Errorf("%s: exit %d, want %d\n%s", notify, code, want.code, out)
		}
		for _, text := range want.texts {
			if !strings.Contains(out, text) {
				t.Errorf("%s: no %q in\n%s", notify, text, out)
			}
		}
	}
}
